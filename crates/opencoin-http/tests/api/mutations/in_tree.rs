//! Mutations of a message's fields and values.

use opencoin_issuer::admission::ITEMS_MAX;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::tree::Tree;

/// One in this many values is very deep, and one in this many lists very long, because they cost milliseconds.
const ONE_IN_HUGE: u32 = 50;
const DEPTH_MAX: usize = 100_000;
const DEPTH_USUAL: usize = 300;
pub(crate) const LONG_TEXT_CHARS_MAX: usize = 20_000;
const LEADING_ZEROS_MAX: usize = 2_000;

const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "-1",
    "1.0",
    "1.5",
    "1e3",
    "1e400",
    "-1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "00",
    "0x10",
    "NaN",
    "Infinity",
    "+1",
];
const TEXTS: [&str; 16] = [
    "",
    "0",
    "00",
    "1",
    "-1",
    "0xab",
    " ab",
    "ab ",
    "\u{0}",
    "\u{7f}\u{80}",
    "é",
    "\u{202e}ab",
    "\u{1f4b0}",
    "\u{feff}",
    "ａｂ",
    "'; --",
];
const WRONG: [&str; 14] = [
    "null",
    "true",
    "0",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"type\": null}",
    "",
    "nul",
    "\"\\ud800\"",
    "\"\\u0000\"",
];
const HEX_FIELDS: [&str; 7] = [
    "blinded_payload_hash",
    "issuer_id",
    "mint_key_id",
    "mint_key_ids",
    "serial",
    "signature",
    "transaction_reference",
];
const NAMES: [&str; 12] = [
    "type",
    "blinds",
    "coins",
    "message_reference",
    "transaction_reference",
    "reference",
    "mint_key_id",
    "signature",
    "serial",
    "",
    "Type",
    "type\u{0}",
];
const TYPES: [&str; 9] = [
    "request cdd serial",
    "request cddc",
    "request mint key certificates",
    "request mint",
    "request renew",
    "request resume",
    "request redeem",
    "response mint",
    "coin",
];

/// A mutation of a message that is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InTree {
    HexSpelling,
    FieldOrder,
    DuplicateField,
    RemoveField,
    RenameField,
    ExtraField,
    WrongType,
    Number,
    Hex,
    Text,
    LongText,
    Deep,
    OtherType,
    FromOther,
    SwapInside,
    Items,
    Layout,
}

impl InTree {
    pub(crate) const ALL: [Self; 17] = [
        Self::HexSpelling,
        Self::FieldOrder,
        Self::DuplicateField,
        Self::RemoveField,
        Self::RenameField,
        Self::ExtraField,
        Self::WrongType,
        Self::Number,
        Self::Hex,
        Self::Text,
        Self::LongText,
        Self::Deep,
        Self::OtherType,
        Self::FromOther,
        Self::SwapInside,
        Self::Items,
        Self::Layout,
    ];

    /// Whether the meaning of the message stays the same.
    pub(crate) fn keeps_meaning(self) -> bool {
        matches!(self, Self::HexSpelling | Self::FieldOrder | Self::Layout)
    }

    /// Changes a body that is JSON. `other` is the body of another message.
    pub(crate) fn apply(self, body: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) {
        let Some(mut tree) = Tree::parse(body) else { return };
        self.change(&mut tree, other, rng);
        let gaps: &[&str] = if self == Self::Layout {
            &["", "", " ", "\n", "\t", "\r\n  "]
        } else {
            &[""]
        };
        *body = tree.write(&mut || gaps.choose(rng).unwrap());
    }

    fn change(self, tree: &mut Tree, other: &[u8], rng: &mut StdRng) {
        match self {
            Self::HexSpelling => spell_hex(tree, "", rng),
            Self::FieldOrder => shuffle_fields(tree, rng),
            Self::DuplicateField => with_fields(tree, rng, |fields, index, rng| {
                let field = fields[index].clone();
                fields.insert(rng.gen_range(0..=fields.len()), field);
            }),
            Self::RemoveField => with_fields(tree, rng, |fields, index, _| drop(fields.remove(index))),
            Self::RenameField => with_fields(tree, rng, |fields, index, rng| {
                fields[index].0 = one_of(&NAMES, rng)
            }),
            Self::ExtraField => with_fields(tree, rng, |fields, index, rng| {
                fields.insert(index, (one_of(&NAMES, rng), Tree::Bare("1".to_owned())));
            }),
            Self::SwapInside => with_fields(tree, rng, |fields, index, rng| {
                let other = rng.gen_range(0..fields.len());
                let value = fields[index].1.clone();
                fields[index].1 = std::mem::replace(&mut fields[other].1, value);
            }),
            Self::WrongType => {
                let value = Tree::Bare(one_of(&WRONG, rng));
                set(tree, |_| true, value, rng);
            }
            Self::Number => {
                let value = Tree::Bare(one_of(&NUMBERS, rng));
                set(tree, |tree| matches!(tree, Tree::Bare(_)), value, rng);
            }
            Self::Hex => set(tree, is_text, Tree::Text(hex(rng)), rng),
            Self::Text => {
                let value = Tree::Text(one_of(&TEXTS, rng));
                set(tree, is_text, value, rng);
            }
            Self::LongText => {
                let text = ["a", "0", "f", "é", "\u{1f4b0}", "\"", "\\"]
                    .choose(rng)
                    .unwrap()
                    .repeat(rng.gen_range(1..LONG_TEXT_CHARS_MAX));
                set(tree, is_text, Tree::Text(text), rng);
            }
            Self::Deep => {
                let depth = if rng.gen_ratio(1, ONE_IN_HUGE) {
                    DEPTH_MAX
                } else {
                    rng.gen_range(1..DEPTH_USUAL)
                };
                let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("[", "")].choose(rng).unwrap();
                let value = format!("{}0{}", open.repeat(depth), close.repeat(depth));
                set(tree, |_| true, Tree::Bare(value), rng);
            }
            Self::OtherType => {
                if let Tree::Object(fields) = tree {
                    let named = fields.iter_mut().filter(|(name, _)| name == "type");
                    named.for_each(|(_, value)| *value = Tree::Text(one_of(&TYPES, rng)));
                }
            }
            Self::FromOther => from_other(tree, other, rng),
            Self::Items => change_items(tree, rng),
            Self::Layout => {}
        }
    }
}

/// Changes the fields of a random object. The index chooses one of them.
fn with_fields(
    tree: &mut Tree,
    rng: &mut StdRng,
    change: impl FnOnce(&mut Vec<(String, Tree)>, usize, &mut StdRng),
) {
    if let Some(fields) = tree.any_fields(rng) {
        let index = rng.gen_range(0..fields.len());
        change(fields, index, rng);
    }
}

fn one_of(texts: &[&str], rng: &mut StdRng) -> String {
    (*texts.choose(rng).unwrap()).to_owned()
}

fn is_text(tree: &Tree) -> bool {
    matches!(tree, Tree::Text(_))
}

fn set(tree: &mut Tree, wanted: impl Fn(&Tree) -> bool, value: Tree, rng: &mut StdRng) {
    if let Some(place) = tree.any(wanted, rng) {
        *place = value;
    }
}

/// A number of a random length, from one digit to more than a key has.
fn hex(rng: &mut StdRng) -> String {
    let digits = *[1, 2, 31, 32, 33, 40, 41, 511, 512, 513, 514, 2000]
        .choose(rng)
        .unwrap();
    let filling = *[Some('0'), Some('f'), Some('F'), None].choose(rng).unwrap();
    (0..digits)
        .map(|_| filling.unwrap_or_else(|| char::from_digit(rng.gen_range(0..16), 16).unwrap()))
        .collect()
}

/// Writes hex numbers in capital letters or with leading zeros. `name` is the field whose value is `tree`.
fn spell_hex(tree: &mut Tree, name: &str, rng: &mut StdRng) {
    match tree {
        Tree::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, value)| spell_hex(value, name, rng)),
        Tree::List(items) => items.iter_mut().for_each(|item| spell_hex(item, name, rng)),
        Tree::Text(text) if HEX_FIELDS.contains(&name) => *text = spelled(text, rng),
        Tree::Text(_) | Tree::Bare(_) => {}
    }
}

fn spelled(text: &str, rng: &mut StdRng) -> String {
    let zeros = *[0, 0, 1, 2, 3, LEADING_ZEROS_MAX].choose(rng).unwrap();
    let mut spelled = "0".repeat(zeros);
    spelled.extend(text.chars().map(|digit| {
        if rng.r#gen() {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    }));
    spelled
}

fn shuffle_fields(tree: &mut Tree, rng: &mut StdRng) {
    match tree {
        Tree::Object(fields) => {
            fields.shuffle(rng);
            fields
                .iter_mut()
                .for_each(|(_, value)| shuffle_fields(value, rng));
        }
        Tree::List(items) => items.iter_mut().for_each(|item| shuffle_fields(item, rng)),
        Tree::Text(_) | Tree::Bare(_) => {}
    }
}

/// Gives a field the value of a field with the same name in the other message.
fn from_other(tree: &mut Tree, other: &[u8], rng: &mut StdRng) {
    let (Some(other), Some(fields)) = (Tree::parse(other), tree.any_fields(rng)) else {
        return;
    };
    let (name, value) = fields.choose_mut(rng).unwrap();
    if let Some(found) = other.any_of_name(name, rng) {
        *value = found;
    }
}

/// Empties a list, adds or removes an item, changes the order, or makes it about as long as allowed.
fn change_items(tree: &mut Tree, rng: &mut StdRng) {
    let Some(items) = tree.any_items(rng) else { return };
    let one = items.choose(rng).unwrap().clone();
    match rng.gen_range(0..4) {
        _ if rng.gen_ratio(1, ONE_IN_HUGE) => *items = vec![one; ITEMS_MAX - 1 + rng.gen_range(0..4)],
        0 => items.clear(),
        1 => items.push(one),
        2 => items.shuffle(rng),
        _ => drop(items.pop()),
    }
}
