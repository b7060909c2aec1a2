//! Payment codes: what a payer writes into the text of a bank transfer so that the money reaches an account.
//!
//! `OC-ALICE-OA` is `OC`, the name of the account in capitals, and two check characters. The check is ISO 7064 MOD
//! 1271-36: it finds every wrong character and every swap of two neighbours. Names of accounts have three characters
//! besides letters and digits, which count as 36 to 38. Since 1271 is 31 times 41, these guarantees hold for them too.
//! The character `_`, which banks do not transmit, is written `:`.
//!
//! Banks change the text of a transfer: they wrap lines, remove or insert spaces, write capitals. So a code is found
//! with spaces anywhere, and with spaces in place of its hyphens. A code with a wrong check is no code.

use std::collections::BTreeSet;

const PREFIX: &str = "OC-";
const MODULUS: u32 = 1271;
const RADIX: u32 = 36;
/// The longest name of an account, in characters. The ledger has the same limit.
const NAME_CHARS_MAX: usize = 64;
/// How many words a name may be torn into if a bank has put spaces in place of hyphens.
const NAME_WORDS_MAX: usize = 8;
const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The payment code of the account with this name.
///
/// ```
/// assert_eq!(opencoin_bank::payment_code::of_account("alice"), "OC-ALICE-OA");
/// ```
#[must_use]
pub fn of_account(name: &str) -> String {
    let [first, second] = check_characters(name);
    let shown: String = name.chars().map(shown).collect();
    format!("{PREFIX}{shown}-{first}{second}")
}

/// The names of the accounts whose codes are in a text, in alphabetical order. Whether the accounts exist is another
/// question.
#[must_use]
pub fn find(text: &str) -> BTreeSet<String> {
    let text: String = text.chars().map(unified).collect();
    let glued: String = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    let found = find_glued(&glued);
    if found.is_empty() {
        find_words(&text)
    } else {
        found
    }
}

/// Capitals, and one kind of hyphen.
fn unified(character: char) -> char {
    match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => character.to_ascii_uppercase(),
    }
}

fn shown(character: char) -> char {
    match character {
        '_' => ':',
        _ => character.to_ascii_uppercase(),
    }
}

/// Codes in a text without spaces. What follows a code may touch it, because the spaces are gone.
fn find_glued(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices(PREFIX) {
        let rest = &text[at + PREFIX.len()..];
        let length = rest
            .bytes()
            .take(NAME_CHARS_MAX + 1)
            .take_while(|byte| value(*byte as char).is_some())
            .count();
        for (hyphen, _) in rest[..length].match_indices('-') {
            let check = rest.get(hyphen + 1..hyphen + 3);
            names.extend(check.and_then(|check| name_of(&rest[..hyphen], check)));
        }
    }
    names
}

/// Codes whose hyphens have become spaces: the words `OC`, those of the name, and two check characters.
fn find_words(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character == '-')
        .filter(|word| !word.is_empty())
        .collect();
    let mut names = BTreeSet::new();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "OC") {
        for end in at + 2..words.len().min(at + 2 + NAME_WORDS_MAX) {
            names.extend(name_of(&words[at + 1..end].join("-"), words[end]));
        }
    }
    names
}

/// The name of an account as it is stored, if the check characters are its own.
fn name_of(shown: &str, check: &str) -> Option<String> {
    let name = shown.replace(':', "_").to_ascii_lowercase();
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(|character| value(character).is_some())
        && !name.starts_with(['.', '-']);
    let is_checked = || check_characters(&name).into_iter().eq(check.chars());
    (is_name && is_checked()).then_some(name)
}

/// The value of a character of a name, in either case and with `_` or `:`.
fn value(character: char) -> Option<u32> {
    match character {
        '.' => Some(36),
        '_' | ':' => Some(37),
        '-' => Some(38),
        _ => character.to_digit(RADIX),
    }
}

/// ISO 7064, pure system, MOD 1271-36. A character that no name has counts as 0.
fn check_characters(name: &str) -> [char; 2] {
    let values = name.chars().map(|character| value(character).unwrap_or(0));
    let product = values.fold(0, |product, value| (product + value) * RADIX % MODULUS);
    let check = (MODULUS + 1 - product * RADIX % MODULUS) % MODULUS;
    let digit = |value: u32| char::from(DIGITS[value as usize]);
    [digit(check / RADIX), digit(check % RADIX)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_check_is_that_of_the_standard() {
        // The example of ISO 7064: the string "ISO 79" has the check characters 3W.
        assert_eq!(check_characters("iso79"), ['3', 'W']);
    }

    #[test]
    fn codes_survive_what_banks_do_to_text() {
        let code = of_account("alice");
        let [before, after] = ["OC-AL", &code["OC-AL".len()..]];
        for text in [
            code.clone(),
            code.to_lowercase(),
            format!("Rent for May {code} thank you"),
            format!("SVWZ+{code}ABWA+Somebody"),
            format!("{before}\n{after}"),
            format!("{before}\r\n  {after}rent"),
            code.chars().flat_map(|character| [character, ' ']).collect(),
            code.replace('-', "\u{2013}"),
            code.replace('-', " "),
            code.replace('-', " - "),
        ] {
            assert_eq!(find(&text), names(&["alice"]), "{text:?}");
        }
    }

    #[test]
    fn names_with_every_kind_of_character_have_codes() {
        for name in ["a", "my-shop", "a.b_c-d", "_x", "0", &"z".repeat(64), "oc-oc-oc"] {
            let code = of_account(name);
            assert!(!code.contains('_'), "{code}");
            assert!(find(&code).contains(name), "{code}");
            assert!(find(&format!("from bob: {code}, rent")).contains(name), "{code}");
        }
        assert_eq!(
            find(&of_account("my-shop").replace('-', " ")),
            names(&["my-shop"])
        );
    }

    #[test]
    fn two_codes_are_both_found() {
        let text = format!("{} {}", of_account("alice"), of_account("bob"));
        assert_eq!(find(&text), names(&["alice", "bob"]));
    }

    #[test]
    fn a_text_without_a_code_has_none() {
        for text in [
            "",
            "OC-",
            "OC--",
            "OC-ALICE",
            "OC-ALICE-",
            "OC-ALICE-ZZ",
            "rent",
            "OC ALICE ZZ",
            "OC-Ä-00",
        ] {
            assert_eq!(find(text), BTreeSet::new(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_found(name in "[a-z0-9_][a-z0-9._-]{0,20}", at in any::<prop::sample::Index>(),
            other in "[a-z0-9._-]") {
            let at = at.index(name.len());
            let mut wrong = name.clone();
            wrong.replace_range(at..=at, &other);
            prop_assume!(wrong != name);
            prop_assert_ne!(check_characters(&wrong), check_characters(&name));
        }

        #[test]
        fn two_swapped_characters_are_found(name in "[a-z0-9._-]{2,20}", at in any::<prop::sample::Index>()) {
            let at = at.index(name.len() - 1);
            let mut swapped: Vec<char> = name.chars().collect();
            swapped.swap(at, at + 1);
            let swapped: String = swapped.into_iter().collect();
            prop_assume!(swapped != name);
            prop_assert_ne!(check_characters(&swapped), check_characters(&name));
        }

        #[test]
        fn every_code_is_found_with_spaces_anywhere(name in "[a-z0-9_][a-z0-9._-]{0,63}",
            spaces in proptest::collection::vec(any::<bool>(), 72)) {
            let code = of_account(&name);
            let spaced: String = code.chars().zip(spaces.iter().chain(std::iter::repeat(&false)))
                .flat_map(|(character, space)| [Some(character), space.then_some(' ')])
                .flatten().collect();
            prop_assert!(find(&spaced).contains(&name), "{}", spaced);
        }

        #[test]
        fn any_text_can_be_searched(text in any::<String>()) {
            let _ = find(&text);
        }
    }
}
