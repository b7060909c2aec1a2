//! `BigInt`: a non-negative number of any size, written as lower-case hex.
//!
//! It holds big-endian bytes and has no arithmetic: the issuer's hot path only moves, compares and hashes these
//! values, and the cryptographic library takes bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{SmallVec, smallvec};
use thiserror::Error;

use crate::decode::parse_text;

/// An error repeats at most this many characters of a refused text.
const ERROR_TEXT_CHARS_MAX: usize = 40;

/// The most digits of a number that can be read, leading zeros included: 16,384 bits, four times the longest key in
/// use.
pub const NUMBER_DIGITS_MAX: usize = 4096;

/// Identifiers and serials are this short, and are stored without an allocation of their own. A coin has three.
const SHORT_BYTES: usize = 24;

/// The bytes that are written at a time: a number of 2048 bits.
const WRITTEN_BYTES: usize = 256;

/// A non-negative integer of any size: the specification's `BigInt`.
///
/// `"00AB"` and `"ab"` read as equal, and both are written as `"ab"`. `Debug` shows only the size, because
/// serials, blinds and signatures must not reach a log by accident.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BigInt {
    /// Big-endian, without leading zero bytes; empty for zero.
    bytes: SmallVec<[u8; SHORT_BYTES]>,
}

/// A text cannot be read as a [`BigInt`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BigIntError {
    /// The text is not a hex number. The error holds its beginning.
    #[error("not a hex number: {0:?}")]
    NotHex(String),
    /// The text has this many digits, more than [`NUMBER_DIGITS_MAX`].
    #[error("a number of {0} digits, more than {NUMBER_DIGITS_MAX}")]
    TooLong(usize),
}

impl BigInt {
    /// The number whose big-endian bytes these are. Leading zeros are dropped.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Self {
            bytes: SmallVec::from_slice(&bytes[zeros..]),
        }
    }

    /// The big-endian bytes, without leading zeros; empty for zero.
    #[must_use]
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The big-endian bytes, padded with leading zeros to `length_bytes`; `None` when the number needs more.
    #[must_use]
    pub fn to_padded_be_bytes(&self, length_bytes: usize) -> Option<Vec<u8>> {
        let zeros = length_bytes.checked_sub(self.bytes.len())?;
        let mut padded = vec![0; zeros];
        padded.extend_from_slice(&self.bytes);
        Some(padded)
    }

    /// The length in bits; 0 for zero.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.bytes
            .first()
            .map_or(0, |first| self.bytes.len() * 8 - first.leading_zeros() as usize)
    }

    /// The number, if it has at most 64 bits.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        let bytes = self.to_padded_be_bytes(size_of::<u64>())?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl FromStr for BigInt {
    type Err = BigIntError;

    /// Reads hex in either case, leading zeros allowed; refuses signs, prefixes, white space, the empty text,
    /// and more digits than [`NUMBER_DIGITS_MAX`].
    fn from_str(text: &str) -> Result<Self, BigIntError> {
        if text.len() > NUMBER_DIGITS_MAX {
            return Err(BigIntError::TooLong(text.len()));
        }
        let refuse = || BigIntError::NotHex(shorten(text));
        let digits = text.trim_start_matches('0');
        if digits.is_empty() {
            return if text.is_empty() {
                Err(refuse())
            } else {
                Ok(Self::default())
            };
        }
        let (first, pairs) = digits.split_at_checked(digits.len() % 2).ok_or_else(refuse)?;
        // The codec skips this prefix.
        if pairs.starts_with("0x") {
            return Err(refuse());
        }
        let mut bytes: SmallVec<[u8; SHORT_BYTES]> = smallvec![0; digits.len().div_ceil(2)];
        if let Some(first) = first.chars().next() {
            bytes[0] = first.to_digit(16).ok_or_else(refuse)? as u8; // less than 16
        }
        const_hex::decode_to_slice(pairs, &mut bytes[first.len()..]).map_err(|_| refuse())?;
        Ok(Self { bytes })
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 2 * WRITTEN_BYTES];
        let mut is_first = true;
        for bytes in self.bytes.chunks(WRITTEN_BYTES) {
            let digits = const_hex::encode_to_str(bytes, &mut digits[..2 * bytes.len()]);
            let digits = digits.expect("two digits for each byte");
            formatter.write_str(digits.strip_prefix('0').filter(|_| is_first).unwrap_or(digits))?;
            is_first = false;
        }
        if is_first {
            formatter.write_str("0")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for BigInt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BigInt({} bits)", self.bits())
    }
}

impl PartialOrd for BigInt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BigInt {
    /// The order of the numbers.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes
            .len()
            .cmp(&other.bytes.len())
            .then_with(|| self.bytes.cmp(&other.bytes))
    }
}

impl Serialize for BigInt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BigInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer, "a hex number in a string")
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(ERROR_TEXT_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn leading_zeros_and_case_make_no_difference() {
        for (text, written) in [
            ("00AB", "ab"),
            ("ab", "ab"),
            ("0", "0"),
            ("000", "0"),
            ("1", "1"),
            ("0F00", "f00"),
            ("100", "100"),
        ] {
            assert_eq!(text.parse::<BigInt>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn a_text_that_is_not_a_hex_number_is_refused() {
        for text in [
            "", "xyz", "-1", "+1", "0x1", "0xab", "10x1", "00x12", " 1", "1 ", "1_0", "é", "aé", "0.5",
            "1e\n",
        ] {
            assert_eq!(
                text.parse::<BigInt>(),
                Err(BigIntError::NotHex(text.to_owned())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_long_text() {
        let text = "z".repeat(NUMBER_DIGITS_MAX);
        let error = text.parse::<BigInt>().unwrap_err().to_string();
        assert!(error.len() < 80, "{error}");
    }

    #[test]
    fn a_number_with_too_many_digits_is_refused() {
        let (longest, longer) = ("f".repeat(NUMBER_DIGITS_MAX), "0".repeat(NUMBER_DIGITS_MAX + 1));
        assert_eq!(longest.parse::<BigInt>().unwrap().to_string(), longest);
        assert_eq!(
            longer.parse::<BigInt>(),
            Err(BigIntError::TooLong(NUMBER_DIGITS_MAX + 1))
        );
    }

    #[test]
    fn numbers_are_ordered_measured_and_padded() {
        let number = |text: &str| text.parse::<BigInt>().unwrap();
        assert!(number("ff") < number("100"));
        assert!(number("0") < number("1"));
        assert_eq!(number("100").bits(), 9);
        assert_eq!(number("ab").to_padded_be_bytes(3), Some(vec![0, 0, 0xab]));
        assert_eq!(number("abcdef").to_padded_be_bytes(2), None);
        assert_eq!(number("ffffffffffffffff").to_u64(), Some(u64::MAX));
        assert_eq!(number("10000000000000000").to_u64(), None);
    }

    #[test]
    fn debug_shows_no_digits() {
        assert_eq!(
            format!("{:?}", "abcdef".parse::<BigInt>().unwrap()),
            "BigInt(24 bits)"
        );
    }

    proptest! {
        #[test]
        fn bytes_are_the_same_after_writing_and_reading_hex(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let number = BigInt::from_be_bytes(&bytes);
            let text = number.to_string();
            prop_assert_eq!(text.parse::<BigInt>().unwrap(), number.clone());
            prop_assert_eq!(format!("00{}", text.to_uppercase()).parse::<BigInt>().unwrap(), number);
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,12}") {
            if let Ok(number) = text.parse::<BigInt>() {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()));
                prop_assert_eq!(number.to_string(), match text.trim_start_matches('0') { "" => "0".to_owned(), digits => digits.to_lowercase() });
            }
        }
    }
}
