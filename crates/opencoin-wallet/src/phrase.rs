//! The backup phrase: 12 or 24 words (BIP 39) from which the wallet's requests are derived.

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};
use thiserror::Error;
use zeroize::Zeroizing;

use opencoin_api::Secret;

/// The lengths of a phrase, in words.
pub const PHRASE_WORDS: [usize; 2] = [12, 24];
/// The bytes of entropy for three words.
const ENTROPY_BYTES_PER_3_WORDS: usize = 4;

/// Why a text is not a backup phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PhraseError {
    /// The number of words is wrong.
    #[error("a backup phrase has 12 or 24 words, and this has {0}")]
    WordCount(usize),
    /// A word is not in the list. This is its position, from 1.
    #[error("word {0} is not in the list of words: look for a slip of the pen")]
    UnknownWord(usize),
    /// All words are known, but they do not belong together.
    #[error("the words do not belong together: one of them is another word, or two are exchanged")]
    Checksum,
}

/// The words from which a wallet's coins can be restored. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(Mnemonic);

impl Phrase {
    /// The phrase of this entropy, in hex.
    pub(crate) fn of_entropy(hex: &Secret) -> Option<Self> {
        let entropy = Zeroizing::new(const_hex::decode(hex.expose()).ok()?);
        Mnemonic::from_entropy(&entropy).ok().map(Self)
    }

    /// Returns the entropy, in hex.
    pub(crate) fn entropy(&self) -> Secret {
        let (bytes, length) = self.0.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        Secret::new(const_hex::encode(&bytes[..length]))
    }

    /// Returns the seed of BIP 39, without a passphrase.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(""))
    }

    /// Returns the words, for their owner to write down.
    #[must_use]
    pub fn words(&self) -> Secret {
        let words: Vec<&str> = self.0.words().collect();
        Secret::new(words.join(" "))
    }
}

/// Returns the entropy of a phrase of so many words, in bytes.
pub(crate) fn entropy_bytes(words: usize) -> usize {
    words / 3 * ENTROPY_BYTES_PER_3_WORDS
}

impl FromStr for Phrase {
    type Err = PhraseError;

    /// Reads words between white space, in capital or small letters.
    fn from_str(text: &str) -> Result<Self, PhraseError> {
        let text = Zeroizing::new(text.to_lowercase());
        let words: Vec<&str> = text.split_whitespace().collect();
        if !PHRASE_WORDS.contains(&words.len()) {
            return Err(PhraseError::WordCount(words.len()));
        }
        let is_unknown = |word: &&str| Language::English.find_word(word).is_none();
        if let Some(position) = words.iter().position(is_unknown) {
            return Err(PhraseError::UnknownWord(position + 1));
        }
        let text = Zeroizing::new(words.join(" "));
        Mnemonic::parse_in_normalized(Language::English, &text)
            .map(Self)
            .map_err(|_| PhraseError::Checksum)
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Phrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_read_again() {
        for bytes in [16, 32] {
            let entropy = Secret::new("7f".repeat(bytes));
            let phrase = Phrase::of_entropy(&entropy).unwrap();
            let words = phrase.words();
            let capitals = format!("  {}\n", words.expose().to_uppercase().replace(' ', "\n "));
            let again: Phrase = capitals.parse().unwrap();
            assert!(again == phrase && again.entropy() == entropy);
            assert!(!format!("{phrase:?}").contains(words.expose().split(' ').next().unwrap()));
        }
    }

    /// The first vector of BIP 39 with 12 words, without its passphrase.
    #[test]
    fn the_seed_is_that_of_bip_39() {
        let phrase: Phrase = format!("{}about", "abandon ".repeat(11)).parse().unwrap();
        let expected = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
                        9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4";
        assert_eq!(const_hex::encode(*phrase.seed()), expected);
    }

    #[test]
    fn an_error_says_where_to_look() {
        let good = format!("{}about", "abandon ".repeat(11));
        let read = |text: &str| text.parse::<Phrase>().map(drop);
        assert_eq!(read("abandon about"), Err(PhraseError::WordCount(2)));
        assert_eq!(read(""), Err(PhraseError::WordCount(0)));
        assert_eq!(
            read(&good.replacen("abandon", "abandom", 1)),
            Err(PhraseError::UnknownWord(1))
        );
        assert_eq!(
            read(&good.replace("about", "abouts")),
            Err(PhraseError::UnknownWord(12))
        );
        assert_eq!(
            read(&good.replace("about", "abandon")),
            Err(PhraseError::Checksum)
        );
        assert_eq!(read(&good), Ok(()));
    }
}
