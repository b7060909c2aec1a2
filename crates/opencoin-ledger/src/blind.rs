//! Blinds: numbers that a wallet wants signed, and how a transaction stores them.
//!
//! A blind is stored when it is accepted, and signed afterwards as often as the wallet asks. Before the mint
//! key's private half is destroyed, the signature replaces the stored blind. Nothing is lost: the blinded
//! number is the signature to the power of the public exponent.

use std::fmt;

use crate::MintKeyId;

/// The maximum length of a blind's reference, in bytes. The books store references for good.
pub const BLIND_REFERENCE_BYTES_MAX: usize = 64;

/// One number to sign, sent by a wallet as `blind`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Blind {
    /// The wallet's name for it, unique in its request, at most [`BLIND_REFERENCE_BYTES_MAX`] bytes.
    pub reference: String,
    /// The key that must sign it.
    pub mint_key: MintKeyId,
    /// The blinded payload hash, a big-endian number.
    pub blinded: Vec<u8>,
}

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blind")
            .field("mint_key", &self.mint_key)
            .finish_non_exhaustive()
    }
}

/// A blind as its transaction stores it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoredBlind {
    /// The wallet's name for it, unique in its request.
    pub reference: String,
    /// The key that signs it or has signed it.
    pub mint_key: MintKeyId,
    /// The number to sign, or its signature.
    pub number: StoredNumber,
}

/// The stored number of a blind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum StoredNumber {
    /// The blinded payload hash as the wallet sent it, a big-endian number.
    Blinded(Vec<u8>),
    /// Its signature, a big-endian number. The caller verified it before it was stored.
    Signature(Vec<u8>),
}

impl From<Blind> for StoredBlind {
    fn from(blind: Blind) -> Self {
        let Blind {
            reference,
            mint_key,
            blinded,
        } = blind;
        Self {
            reference,
            mint_key,
            number: StoredNumber::Blinded(blinded),
        }
    }
}

impl StoredBlind {
    /// The blind, or `None` if its signature has replaced it.
    #[must_use]
    pub fn blinded(self) -> Option<Blind> {
        let Self {
            reference,
            mint_key,
            number,
        } = self;
        match number {
            StoredNumber::Blinded(blinded) => Some(Blind {
                reference,
                mint_key,
                blinded,
            }),
            StoredNumber::Signature(_) => None,
        }
    }
}

impl fmt::Debug for StoredBlind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("StoredBlind");
        debug
            .field("mint_key", &self.mint_key)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blinded(_) => "Blinded(..)",
            Self::Signature(_) => "Signature(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blind_is_not_printed() {
        let mint_key = MintKeyId::new([1; 20]);
        let blind = Blind {
            reference: "a0".into(),
            mint_key,
            blinded: vec![0x5e; 4],
        };
        let signed = StoredBlind {
            reference: "a0".into(),
            mint_key,
            number: StoredNumber::Signature(vec![0x5e; 4]),
        };
        for text in [
            format!("{blind:?}"),
            format!("{:?}", StoredBlind::from(blind)),
            format!("{signed:?}"),
        ] {
            assert!(
                !text.contains("a0") && !text.contains("5e") && !text.contains("94"),
                "{text}"
            );
        }
    }
}
