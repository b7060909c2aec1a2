//! Stored signatures, which replace accepted blinds so that wallets can fetch them after the private mint key
//! is destroyed.
//!
//! Before a private mint key is destroyed, the key is retired
//! ([`Command::RetireMintKey`](crate::Command::RetireMintKey)), its unsigned blinds are read
//! ([`Ledger::unsigned`](crate::Ledger::unsigned)) and signed, and the signatures are stored
//! ([`Ledger::keep_signatures`](crate::Ledger::keep_signatures)), until nothing is left unsigned.

use std::fmt;

use crate::journal::ReferenceKey;
use crate::stored_blinds::encode_stored_blinds;
use crate::{StoredBlind, StoredNumber, TransactionNo, TransactionReference};

/// A transaction with blinds of a key that have no stored signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// The number of its record.
    pub no: TransactionNo,
    /// The wallet's reference, by which a signer finds it.
    pub reference: TransactionReference,
    /// All of its blinds, including those of other keys, in the order of the request.
    pub blinds: Vec<StoredBlind>,
}

/// The result of searching a part of the journal for blinds of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedPage {
    /// The transactions found, with ascending numbers. Can be empty even if there are more.
    pub transactions: Vec<UnsignedTransaction>,
    /// The number after which to continue; `None` at the end of the journal.
    pub next: Option<TransactionNo>,
}

/// Signatures to store in place of a transaction's blinds.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptSignatures {
    reference: ReferenceKey,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl KeptSignatures {
    /// Replaces `before`, the stored blinds when they were read, with `after`. The caller has verified every
    /// signature: once it is stored, the blinded number can only be computed from it.
    ///
    /// # Panics
    /// `after` differs in anything but blinded numbers that became signatures, or does not differ.
    #[must_use]
    pub fn new(transaction: &TransactionReference, before: &[StoredBlind], after: &[StoredBlind]) -> Self {
        assert_eq!(before.len(), after.len(), "no blind is added or removed");
        let becomes = |(before, after): (&StoredBlind, &StoredBlind)| {
            assert_eq!(before.mint_key, after.mint_key, "a blind keeps its mint key");
            assert!(
                before.reference == after.reference,
                "a blind keeps its reference and its place"
            );
            match (&before.number, &after.number) {
                (StoredNumber::Blinded(_), StoredNumber::Signature(_)) => true,
                (before, after) => {
                    assert!(before == after, "a number stays or becomes its signature");
                    false
                }
            }
        };
        let signed = before
            .iter()
            .zip(after)
            .map(becomes)
            .filter(|is_new| *is_new)
            .count();
        assert!(signed > 0, "there is a signature to store");
        Self {
            reference: ReferenceKey::of_transaction(transaction),
            before: encode_stored_blinds(before),
            after: encode_stored_blinds(after),
        }
    }

    /// The reference key of the transaction.
    #[must_use]
    pub const fn reference(&self) -> &ReferenceKey {
        &self.reference
    }

    /// The bytes that must be in the database now, otherwise nothing is replaced.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.before
    }

    /// The bytes that replace them.
    #[must_use]
    pub fn after(&self) -> &[u8] {
        &self.after
    }
}

/// Prints neither blinds nor signatures.
impl fmt::Debug for KeptSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSignatures")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MintKeyId;

    fn blind(reference: &str, key: u8, number: StoredNumber) -> StoredBlind {
        StoredBlind {
            reference: reference.into(),
            mint_key: MintKeyId::new([key; 20]),
            number,
        }
    }

    fn keep(before: &[StoredBlind], after: &[StoredBlind]) -> KeptSignatures {
        KeptSignatures::new(&TransactionReference::new([1]).unwrap(), before, after)
    }

    #[test]
    fn blinded_numbers_become_signatures_and_nothing_else_changes() {
        let blinded = |bytes: &[u8]| StoredNumber::Blinded(bytes.to_vec());
        let signed = |bytes: &[u8]| StoredNumber::Signature(bytes.to_vec());
        let before = [blind("a", 1, blinded(b"x")), blind("b", 2, signed(b"y"))];
        let after = [blind("a", 1, signed(b"z")), before[1].clone()];
        assert_eq!(keep(&before, &after).reference().as_bytes(), [1, 1]);
        let others = [
            vec![blind("a", 1, signed(b"z"))],
            before.to_vec(),
            vec![blind("c", 1, signed(b"z")), before[1].clone()],
            vec![blind("a", 2, signed(b"z")), before[1].clone()],
            vec![blind("a", 1, blinded(b"z")), before[1].clone()],
            vec![blind("a", 1, signed(b"z")), blind("b", 2, signed(b"z"))],
            vec![blind("a", 1, signed(b"z")), blind("b", 2, blinded(b"y"))],
        ];
        for other in others {
            let kept = std::panic::catch_unwind(|| keep(&before, &other));
            assert!(kept.is_err(), "{other:?}");
        }
    }
}
