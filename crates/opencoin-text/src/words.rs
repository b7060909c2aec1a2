//! Fingerprints as words, which people compare by reading them to each other.

use bip39::Language;

/// The words of a fingerprint.
pub const FINGERPRINT_WORDS: usize = 8;
/// Each word is one of 2,048.
const BITS_PER_WORD: usize = 11;

/// The first 88 bits of a SHA-256 as eight words of the English list of BIP 39. To find another key with the same words
/// takes 2^88 attempts.
#[must_use]
pub fn fingerprint_words(hash: &[u8; 32]) -> [&'static str; FINGERPRINT_WORDS] {
    let list = Language::English.word_list();
    std::array::from_fn(|place| {
        let bits = place * BITS_PER_WORD..(place + 1) * BITS_PER_WORD;
        let bit = |bit: usize| usize::from(hash[bit / 8] >> (7 - bit % 8) & 1);
        list[bits.fold(0, |index, at| index << 1 | bit(at))]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_eleven_bits_at_a_time() {
        let mut hash = [0; 32];
        assert_eq!(fingerprint_words(&hash), ["abandon"; 8]);
        hash = [0xff; 32];
        assert_eq!(fingerprint_words(&hash), ["zoo"; 8]);
        // 00000000001 00000000010 0... : the second and the third word of the list.
        hash = [0; 32];
        hash[1] = 0b0010_0000;
        hash[2] = 0b0000_1000;
        assert_eq!(fingerprint_words(&hash)[..3], ["ability", "able", "abandon"]);
    }
}
