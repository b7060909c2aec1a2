//! The encodings that all formats share: base64, decimal numbers, and big-endian integers in bytes.
//!
//! Each value has one spelling. A second one would let somebody change the bytes of a signed document without changing
//! its meaning, so base64 without padding or with stray bits, leading zeros and signs are refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 4648 section 4, with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 with its padding and without stray bits.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads lower-case hex of `N` bytes.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !text.bytes().all(is_digit) {
        return None;
    }
    const_hex::decode_to_array(text).ok()
}

/// Reads a decimal number without sign and leading zeros.
pub(crate) fn from_decimal(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    if !is_canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Splits off the first line, without its newline; `None` when no newline follows.
pub(crate) fn split_line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

/// Takes big-endian integers and arrays off the beginning of bytes. Every method gives `None` when too few are left.
pub(crate) struct Reader<'bytes>(&'bytes [u8]);

impl<'bytes> Reader<'bytes> {
    pub(crate) fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// What was not taken.
    pub(crate) fn rest(self) -> &'bytes [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_spelling() {
        assert_eq!(from_base64("AAE="), Some(vec![0, 1]));
        for refused in ["AAE", "AAF=", "AAE=\n", " AAE=", "AAE==", "-_8="] {
            assert_eq!(from_base64(refused), None, "{refused:?}");
        }
        assert_eq!(from_decimal("0"), Some(0));
        assert_eq!(from_decimal("18446744073709551615"), Some(u64::MAX));
        for refused in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "18446744073709551616",
            "a",
            "١",
        ] {
            assert_eq!(from_decimal(refused), None, "{refused:?}");
        }
        assert_eq!(from_hex("0aff"), Some([0x0a, 0xff]));
        for refused in ["0AFF", "0xff", "0aff0", "0a", "0aff00"] {
            assert_eq!(from_hex::<2>(refused), None, "{refused:?}");
        }
    }
}
