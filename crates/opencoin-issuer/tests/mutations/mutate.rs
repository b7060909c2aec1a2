//! The ways in which a valid message is spoilt, or written otherwise.

use axum::http::{HeaderValue, Method};
use opencoin_issuer::admission::ITEMS_MAX;
use opencoin_issuer::http::BODY_BYTES_MAX;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};

use crate::tree::Tree;

/// The paths that take a message by POST; the first takes all of them.
pub(crate) const MESSAGE_PATHS: [&str; 8] = ["/", "/cddc/serial", "/cddc", "/mkcs", "/mint", "/renew", "/resume", "/redeem"];

const OTHER_PATHS: [&str; 12] = [
    "/health/live",
    "/health/ready",
    "/cddc/0",
    "/cddc/1",
    "/cddc/99999999999999999999",
    "/cddc/%ff",
    "/mkcs/ab",
    "/mkcs/%00",
    "/mint/",
    "//mint",
    "/%6dint",
    "/../mint",
];
const METHODS: [Method; 5] = [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];

/// A body is made longer than is allowed, or deep beyond all measure, once in so many times: it costs milliseconds.
const ONE_IN_HUGE: u32 = 100;
const DEPTH_MAX: usize = 100_000;
const LONG_TEXT_CHARS_MAX: usize = 20_000;
const LEADING_ZEROS_MAX: usize = 2_000;
const GARBAGE_BYTES_MAX: usize = 600;

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

/// One HTTP request.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The values of the `Authorization` headers.
    pub(crate) authorization: Vec<Vec<u8>>,
    pub(crate) body: Vec<u8>,
}

/// One way. In order of application: the tree must still be one, then the bytes, then what is around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    None,
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
    FlipBits,
    SetBytes,
    Truncate,
    InsertBytes,
    RemoveBytes,
    RepeatBytes,
    Splice,
    Garbage,
    Endless,
    Authorization,
    Path,
    Method,
}

impl Kind {
    pub(crate) const ALL: [Self; 30] = [
        Self::None,
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
        Self::FlipBits,
        Self::SetBytes,
        Self::Truncate,
        Self::InsertBytes,
        Self::RemoveBytes,
        Self::RepeatBytes,
        Self::Splice,
        Self::Garbage,
        Self::Endless,
        Self::Authorization,
        Self::Path,
        Self::Method,
    ];

    /// Whether the message says the same as before.
    pub(crate) fn keeps_meaning(self) -> bool {
        matches!(self, Self::None | Self::HexSpelling | Self::FieldOrder | Self::Layout)
    }

    /// Changes the message; `other` is the body of another valid one, `token` another account's.
    pub(crate) fn apply(self, message: &mut Message, other: &[u8], token: &str, rng: &mut StdRng) {
        match self {
            Self::None => {}
            Self::Authorization => {
                message.authorization = authorization(&message.authorization, token, rng);
                // What HTTP does not take as a header cannot arrive.
                message.authorization.retain(|value| HeaderValue::from_bytes(value).is_ok());
            }
            Self::Path => {
                message.path = (*MESSAGE_PATHS.iter().chain(&OTHER_PATHS).collect::<Vec<_>>().choose(rng).unwrap()).to_string();
                if rng.gen_ratio(1, 8) {
                    message.path.push_str("?type=request%20mint");
                }
            }
            Self::Method => message.method = METHODS.choose(rng).unwrap().clone(),
            Self::FlipBits
            | Self::SetBytes
            | Self::Truncate
            | Self::InsertBytes
            | Self::RemoveBytes
            | Self::RepeatBytes
            | Self::Splice
            | Self::Garbage
            | Self::Endless => self.change_bytes(&mut message.body, other, rng),
            Self::HexSpelling
            | Self::FieldOrder
            | Self::DuplicateField
            | Self::RemoveField
            | Self::RenameField
            | Self::ExtraField
            | Self::WrongType
            | Self::Number
            | Self::Hex
            | Self::Text
            | Self::LongText
            | Self::Deep
            | Self::OtherType
            | Self::FromOther
            | Self::SwapInside
            | Self::Items
            | Self::Layout => {
                // A mutation before this one may have left no tree.
                let Some(mut tree) = Tree::parse(&message.body) else { return };
                self.change_tree(&mut tree, other, rng);
                let mut gap = || match self {
                    Self::Layout => *["", "", " ", "\n", "\t", "\r\n  "].choose(rng).unwrap(),
                    _ => "",
                };
                message.body = tree.write(&mut gap);
            }
        }
    }

    fn change_tree(self, tree: &mut Tree, other: &[u8], rng: &mut StdRng) {
        match self {
            Self::HexSpelling => spell_hex(tree, rng),
            Self::FieldOrder => shuffle_fields(tree, rng),
            Self::DuplicateField | Self::RemoveField | Self::RenameField | Self::ExtraField | Self::SwapInside => {
                self.change_fields(tree, rng);
            }
            Self::WrongType => set(tree, |_| true, Tree::Bare((*WRONG.choose(rng).unwrap()).to_owned()), rng),
            Self::Number => {
                set(tree, |tree| matches!(tree, Tree::Bare(_)), Tree::Bare((*NUMBERS.choose(rng).unwrap()).to_owned()), rng);
            }
            Self::Hex => set(tree, is_text, Tree::Text(hex(rng)), rng),
            Self::Text => set(tree, is_text, Tree::Text((*TEXTS.choose(rng).unwrap()).to_owned()), rng),
            Self::LongText => {
                let text = ["a", "0", "f", "é", "\u{1f4b0}", "\"", "\\"]
                    .choose(rng)
                    .unwrap()
                    .repeat(rng.gen_range(1..LONG_TEXT_CHARS_MAX));
                set(tree, is_text, Tree::Text(text), rng);
            }
            Self::Deep => {
                let depth = if rng.gen_ratio(1, ONE_IN_HUGE) { DEPTH_MAX } else { rng.gen_range(1..300) };
                let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("[", "")].choose(rng).unwrap();
                set(tree, |_| true, Tree::Bare(format!("{}0{}", open.repeat(depth), close.repeat(depth))), rng);
            }
            Self::OtherType => {
                if let Tree::Object(fields) = tree {
                    let named = fields.iter_mut().filter(|(name, _)| name == "type");
                    named.for_each(|(_, value)| *value = Tree::Text((*TYPES.choose(rng).unwrap()).to_owned()));
                }
            }
            Self::FromOther => from_other(tree, other, rng),
            Self::Items => change_items(tree, rng),
            _ => {}
        }
    }

    fn change_fields(self, tree: &mut Tree, rng: &mut StdRng) {
        let Some(fields) = tree.any_fields(rng) else { return };
        let index = rng.gen_range(0..fields.len());
        let name = (*NAMES.choose(rng).unwrap()).to_owned();
        match self {
            Self::DuplicateField => {
                let field = fields[index].clone();
                fields.insert(rng.gen_range(0..=fields.len()), field);
            }
            Self::RemoveField => drop(fields.remove(index)),
            Self::RenameField => fields[index].0 = name,
            Self::ExtraField => fields.insert(index, (name, Tree::Bare("1".to_owned()))),
            Self::SwapInside => {
                let other = rng.gen_range(0..fields.len());
                let value = fields[index].1.clone();
                fields[index].1 = std::mem::replace(&mut fields[other].1, value);
            }
            _ => {}
        }
    }

    fn change_bytes(self, body: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) {
        let (from, to) = some_range(body.len(), rng);
        match self {
            Self::FlipBits | Self::SetBytes if body.is_empty() => {}
            Self::FlipBits => (0..rng.gen_range(1..4)).for_each(|_| *body.choose_mut(rng).unwrap() ^= 1 << rng.gen_range(0..8)),
            Self::SetBytes => (0..rng.gen_range(1..4)).for_each(|_| *body.choose_mut(rng).unwrap() = rng.r#gen()),
            Self::Truncate => body.truncate(from),
            Self::InsertBytes => {
                let inserted = garbage(8, rng);
                body.splice(from..from, inserted);
            }
            Self::RemoveBytes => drop(body.drain(from..to)),
            Self::RepeatBytes => {
                let repeated = body[from..to].to_vec();
                body.splice(to..to, repeated);
            }
            Self::Splice => {
                body.truncate(from);
                body.extend_from_slice(&other[some_range(other.len(), rng).0..]);
            }
            Self::Garbage => *body = garbage(GARBAGE_BYTES_MAX, rng),
            Self::Endless => {
                // White space is as good a JSON as before, until it is too much.
                let is_huge = rng.gen_ratio(1, ONE_IN_HUGE);
                let length = if is_huge { BODY_BYTES_MAX - 1 + rng.gen_range(0..3) } else { body.len() + rng.gen_range(0..5000) };
                body.resize(length.max(body.len()), b' ');
            }
            _ => {}
        }
    }
}

fn is_text(tree: &Tree) -> bool {
    matches!(tree, Tree::Text(_))
}

fn set(tree: &mut Tree, wanted: impl Fn(&Tree) -> bool, value: Tree, rng: &mut StdRng) {
    if let Some(place) = tree.any(wanted, rng) {
        *place = value;
    }
}

/// Any range of positions, often a short one.
fn some_range(length: usize, rng: &mut StdRng) -> (usize, usize) {
    let from = rng.gen_range(0..=length);
    let longest = if rng.r#gen() { 8 } else { length };
    (from, (from + rng.gen_range(0..=longest)).min(length))
}

fn garbage(bytes_max: usize, rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; rng.gen_range(0..=bytes_max)];
    rng.fill_bytes(&mut bytes);
    if rng.r#gen() {
        // Of the characters that JSON is made of.
        let structure = br#"{}[]",:\u0 a1-e."#;
        bytes.iter_mut().for_each(|byte| *byte = structure[usize::from(*byte) % structure.len()]);
    }
    bytes
}

/// A number of any length, as short as can be or as long as a key's.
fn hex(rng: &mut StdRng) -> String {
    let digits = *[1, 2, 31, 32, 33, 40, 41, 511, 512, 513, 514, 2000].choose(rng).unwrap();
    let filling = *[Some('0'), Some('f'), Some('F'), None].choose(rng).unwrap();
    (0..digits).map(|_| filling.unwrap_or_else(|| char::from_digit(rng.gen_range(0..16), 16).unwrap())).collect()
}

/// Fields that are numbers written in hex, in capital letters or with leading zeros.
fn spell_hex(tree: &mut Tree, rng: &mut StdRng) {
    const HEX_FIELDS: [&str; 7] =
        ["blinded_payload_hash", "issuer_id", "mint_key_id", "mint_key_ids", "serial", "signature", "transaction_reference"];
    match tree {
        Tree::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Tree::Text(text) if HEX_FIELDS.contains(&name.as_str()) => *text = spelled(text, rng),
                    Tree::List(_) if name == "mint_key_ids" => {
                        if let Tree::List(items) = value {
                            items.iter_mut().for_each(|item| {
                                if let Tree::Text(text) = item {
                                    *text = spelled(text, rng);
                                }
                            });
                        }
                    }
                    value => spell_hex(value, rng),
                }
            }
        }
        Tree::List(items) => items.iter_mut().for_each(|item| spell_hex(item, rng)),
        Tree::Text(_) | Tree::Bare(_) => {}
    }
}

fn spelled(text: &str, rng: &mut StdRng) -> String {
    let zeros = *[0, 0, 1, 2, 3, LEADING_ZEROS_MAX].choose(rng).unwrap();
    let mut spelled = "0".repeat(zeros);
    spelled.extend(text.chars().map(|digit| if rng.r#gen() { digit.to_ascii_uppercase() } else { digit }));
    spelled
}

fn shuffle_fields(tree: &mut Tree, rng: &mut StdRng) {
    match tree {
        Tree::Object(fields) => {
            fields.shuffle(rng);
            fields.iter_mut().for_each(|(_, value)| shuffle_fields(value, rng));
        }
        Tree::List(items) => items.iter_mut().for_each(|item| shuffle_fields(item, rng)),
        Tree::Text(_) | Tree::Bare(_) => {}
    }
}

/// A field gets the value that a field of its name has in the other message.
fn from_other(tree: &mut Tree, other: &[u8], rng: &mut StdRng) {
    let (Some(other), Some(fields)) = (Tree::parse(other), tree.any_fields(rng)) else { return };
    let (name, value) = fields.choose_mut(rng).unwrap();
    if let Some(found) = other.any_of_name(name, rng) {
        *value = found;
    }
}

/// A list without items, with one more of the same, in another order, or with about as many as are allowed.
fn change_items(tree: &mut Tree, rng: &mut StdRng) {
    let Some(items) = tree.any_items(rng) else { return };
    let one = items.choose(rng).unwrap().clone();
    match rng.gen_range(0..40) {
        0..10 => items.clear(),
        10..20 => items.push(one),
        20..30 => items.shuffle(rng),
        30..38 => drop(items.pop()),
        _ => *items = vec![one; ITEMS_MAX - 1 + rng.gen_range(0..4)],
    }
}

fn authorization(before: &[Vec<u8>], token: &str, rng: &mut StdRng) -> Vec<Vec<u8>> {
    let first = before.first().cloned().unwrap_or_default();
    let (from, to) = some_range(first.len(), rng);
    match rng.gen_range(0..9) {
        0 => Vec::new(),
        1 => vec![first[..from].to_vec()],
        2 => vec![[&first[..from], &first[to..]].concat()],
        3 => vec![first.to_ascii_uppercase()],
        4 => vec![garbage(100, rng)],
        5 => vec![garbage(10, rng), first],
        6 => vec![first, garbage(10, rng)],
        7 => vec![format!("bEARER  {token} ").into_bytes()],
        _ => vec![b"Bearer ".to_vec(), vec![b'a'; LONG_TEXT_CHARS_MAX]],
    }
}
