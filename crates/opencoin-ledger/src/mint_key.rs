//! Mint keys in the books: the value of a coin, the signing window, and counts of signatures and coins.

use std::fmt;

use opencoin_log::digest::{IssuedDigest, KeyFingerprint};
use opencoin_schema::RsaPublicKey;

use crate::mint_key_no::MintKeyNo;
use crate::{Amount, LedgerTime, StopReason};

/// The length of a mint key's id in bytes: a SHA-1 digest.
pub const MINT_KEY_ID_BYTES: usize = 20;

/// The id of a mint key: the SHA-1 of its public key, as a number.
///
/// It is kept at full width, so `"00ab"` and `"ab"` are the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MintKeyId([u8; MINT_KEY_ID_BYTES]);

/// The number is longer than a SHA-1 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mint key id has at most {MINT_KEY_ID_BYTES} bytes")]
pub struct MintKeyIdError;

impl MintKeyId {
    /// The id with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; MINT_KEY_ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The id with this big-endian number. Leading zeros are ignored.
    ///
    /// # Errors
    /// The number needs more than [`MINT_KEY_ID_BYTES`] bytes.
    pub fn from_be_bytes(number: &[u8]) -> Result<Self, MintKeyIdError> {
        let significant = number
            .iter()
            .position(|&byte| byte != 0)
            .map_or(&[][..], |first| &number[first..]);
        let start = MINT_KEY_ID_BYTES
            .checked_sub(significant.len())
            .ok_or(MintKeyIdError)?;
        let mut bytes = [0; MINT_KEY_ID_BYTES];
        bytes[start..].copy_from_slice(significant);
        Ok(Self(bytes))
    }

    /// The id as a big-endian number of full width.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MINT_KEY_ID_BYTES] {
        &self.0
    }
}

/// As the documents of the currency write it: hex digits without leading zeros.
impl fmt::Display for MintKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        match digits.trim_start_matches('0') {
            "" => f.write_str("0"),
            digits => f.write_str(digits),
        }
    }
}

impl fmt::Debug for MintKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mint key {self}")
    }
}

/// What identifies a mint key in the public log, whatever its SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintKeyIdentity {
    fingerprint: KeyFingerprint,
    modulus_bytes: u16,
}

impl MintKeyIdentity {
    /// The identity of a public key.
    ///
    /// # Panics
    /// The modulus has more than 65,535 bytes. Certificates of such keys are refused.
    #[must_use]
    pub fn of(key: &RsaPublicKey) -> Self {
        let modulus_bytes = u16::try_from(key.modulus.as_be_bytes().len()).expect("keys are shorter");
        Self::new(KeyFingerprint::of(key), modulus_bytes)
    }

    /// The identity with this fingerprint, and the length of the modulus in bytes.
    #[must_use]
    pub const fn new(fingerprint: KeyFingerprint, modulus_bytes: u16) -> Self {
        Self {
            fingerprint,
            modulus_bytes,
        }
    }

    /// The SHA-256 of the public key.
    #[must_use]
    pub const fn fingerprint(&self) -> &KeyFingerprint {
        &self.fingerprint
    }

    /// The length of the modulus in bytes.
    #[must_use]
    pub const fn modulus_bytes(&self) -> u16 {
        self.modulus_bytes
    }

    /// The digest of a blind that this key signs.
    ///
    /// # Panics
    /// The number has more bytes than the modulus. The caller has checked that it is smaller.
    #[must_use]
    pub fn issued_digest(&self, blinded: &[u8]) -> IssuedDigest {
        let start = blinded
            .iter()
            .position(|&byte| byte != 0)
            .unwrap_or(blinded.len());
        IssuedDigest::of_be_bytes(&self.fingerprint, self.modulus_bytes.into(), &blinded[start..])
            .expect("a blinded number is smaller than the modulus")
    }
}

/// The denomination and dates from a mint key's certificate. They never change after registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintKeyTerms {
    denomination: Amount,
    sign_not_before: LedgerTime,
    sign_not_after: LedgerTime,
    coins_expiry: LedgerTime,
}

/// Why values are not valid terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintKeyTermsError {
    /// The denomination is zero.
    #[error("the denomination of a mint key is at least 1")]
    ZeroDenomination,
    /// The signing window ends before it begins, or coins expire before it ends.
    #[error(
        "a mint key's dates must be in order: sign coins not before, sign coins not after, coins expiry date"
    )]
    DatesOutOfOrder,
}

impl MintKeyTerms {
    /// Checks and returns the terms.
    ///
    /// # Errors
    /// The denomination is zero or the dates are not in order.
    pub fn new(
        denomination: Amount,
        sign_not_before: LedgerTime,
        sign_not_after: LedgerTime,
        coins_expiry: LedgerTime,
    ) -> Result<Self, MintKeyTermsError> {
        if denomination.is_zero() {
            return Err(MintKeyTermsError::ZeroDenomination);
        }
        if sign_not_before > sign_not_after || sign_not_after > coins_expiry {
            return Err(MintKeyTermsError::DatesOutOfOrder);
        }
        Ok(Self {
            denomination,
            sign_not_before,
            sign_not_after,
            coins_expiry,
        })
    }

    /// The value of each of its coins.
    #[must_use]
    pub const fn denomination(&self) -> Amount {
        self.denomination
    }

    /// The first moment at which the key may sign.
    #[must_use]
    pub const fn sign_not_before(&self) -> LedgerTime {
        self.sign_not_before
    }

    /// The last moment at which the key may sign.
    #[must_use]
    pub const fn sign_not_after(&self) -> LedgerTime {
        self.sign_not_after
    }

    /// The last moment at which its coins are taken.
    #[must_use]
    pub const fn coins_expiry(&self) -> LedgerTime {
        self.coins_expiry
    }

    /// Whether the key may sign at this time.
    #[must_use]
    pub fn signs_at(&self, at: LedgerTime) -> bool {
        (self.sign_not_before..=self.sign_not_after).contains(&at)
    }

    /// Whether its coins are taken at this time.
    #[must_use]
    pub fn accepts_coins_at(&self, at: LedgerTime) -> bool {
        at <= self.coins_expiry
    }
}

/// A mint key and its counts, as a store returns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyStatus {
    /// Its short number.
    pub no: MintKeyNo,
    /// The SHA-1 of its public key.
    pub id: MintKeyId,
    /// Its identity in the log.
    pub identity: MintKeyIdentity,
    /// Its denomination and dates.
    pub terms: MintKeyTerms,
    /// The number of blinds accepted for signing by a mint, renew or recoup.
    pub issued: u64,
    /// The number of coins that were renewed or redeemed.
    pub returned: u64,
    /// The reason if the key was stopped. A stopped key signs nothing and its coins are refused.
    pub stopped: Option<StopReason>,
    /// The number of coins recouped after the key was stopped. They do not count as returned.
    pub recouped: u64,
    /// Whether the key signs nothing more, so that its private half can be destroyed. Its coins are still
    /// taken.
    pub retired: bool,
    /// Whether its coins have expired and the books no longer know which of them were spent. The key is then
    /// out of use for good.
    pub pruned: bool,
    /// Whether the key does not sign yet, because its leaf is not under a published checkpoint of the log.
    pub awaits_log: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_of_an_id_make_no_difference() {
        let padded = MintKeyId::from_be_bytes(&[0, 0, 0xab]).unwrap();
        assert_eq!(padded, MintKeyId::from_be_bytes(&[0xab]).unwrap());
        // Whoever looks for what was done with a key has its id from a certificate.
        for (bytes, shown) in [(&[0, 0, 0xab][..], "ab"), (&[0x0a, 0xb0], "ab0"), (&[0], "0")] {
            assert_eq!(MintKeyId::from_be_bytes(bytes).unwrap().to_string(), shown);
        }
        assert!(MintKeyId::from_be_bytes(&[0; 30]).is_ok());
        assert!(MintKeyId::from_be_bytes(&[1; 20]).is_ok());
        assert_eq!(MintKeyId::from_be_bytes(&[1; 21]), Err(MintKeyIdError));
    }

    #[test]
    fn terms_have_a_value_and_ordered_dates() {
        let time = LedgerTime::from_unix_micros;
        let one = Amount::new(1).unwrap();
        let terms = MintKeyTerms::new(one, time(10), time(20), time(30)).unwrap();
        assert!(!terms.signs_at(time(9)) && terms.signs_at(time(10)));
        assert!(terms.signs_at(time(20)) && !terms.signs_at(time(21)));
        assert!(terms.accepts_coins_at(time(30)) && !terms.accepts_coins_at(time(31)));
        let error = MintKeyTerms::new(Amount::ZERO, time(10), time(20), time(30));
        assert_eq!(error, Err(MintKeyTermsError::ZeroDenomination));
        for (from, to, expiry) in [(21, 20, 30), (10, 31, 30)] {
            let error = MintKeyTerms::new(one, time(from), time(to), time(expiry));
            assert_eq!(error, Err(MintKeyTermsError::DatesOutOfOrder));
        }
    }
}
