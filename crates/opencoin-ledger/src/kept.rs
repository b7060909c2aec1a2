//! Signatures that take the place of accepted blinds, so that they can be given out after the mint key's
//! private half is gone.
//!
//! Who is about to destroy a private half retires the key first
//! ([`Command::RetireMintKey`](crate::Command::RetireMintKey)), reads what it was asked to sign
//! ([`Ledger::unsigned`](crate::Ledger::unsigned)), signs that a last time, and keeps the signatures
//! ([`Ledger::keep_signatures`](crate::Ledger::keep_signatures)) until nothing is left unsigned.

use std::fmt;

use crate::stored_blinds::encode_stored_blinds;
use crate::{StoredBlind, StoredNumber, TransactionNo, TransactionReference};

/// A transaction of which a key has blinds to sign still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// Its number.
    pub no: TransactionNo,
    /// The wallet's reference, under which a signer finds it.
    pub reference: TransactionReference,
    /// All of its blinds, also those of other keys, in the order of the request.
    pub blinds: Vec<StoredBlind>,
}

/// A piece of the journal, searched for blinds of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedPage {
    /// What was found, ascending; it can be empty though there is more to come.
    pub transactions: Vec<UnsignedTransaction>,
    /// After which number to go on; `None` when the journal was read to its end.
    pub next: Option<TransactionNo>,
}

/// Signatures to keep in place of a transaction's blinds.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptSignatures {
    transaction: TransactionNo,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl KeptSignatures {
    /// Replaces `before`, what the transaction held when it was read, by `after`. The caller has verified
    /// every signature: from the moment that the ledger keeps it, the number that it belongs to is known
    /// through it alone.
    ///
    /// # Panics
    /// Something else differs than that blinded numbers have become signatures, or nothing does.
    #[must_use]
    pub fn new(transaction: TransactionNo, before: &[StoredBlind], after: &[StoredBlind]) -> Self {
        assert_eq!(before.len(), after.len(), "no blind comes or goes");
        let becomes = |(before, after): (&StoredBlind, &StoredBlind)| {
            assert_eq!(before.mint_key, after.mint_key, "a blind stays with its key");
            assert!(
                before.reference == after.reference,
                "a blind keeps its reference and its place"
            );
            match (&before.number, &after.number) {
                (StoredNumber::Blinded(_), StoredNumber::Signature(_)) => true,
                (before, after) => {
                    assert!(before == after, "a number stays, or becomes its signature");
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
        assert!(signed > 0, "there is a signature to keep");
        Self {
            transaction,
            before: encode_stored_blinds(before),
            after: encode_stored_blinds(after),
        }
    }

    /// Of which transaction.
    #[must_use]
    pub const fn transaction(&self) -> TransactionNo {
        self.transaction
    }

    /// The bytes that must be stored.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.before
    }

    /// The bytes to store.
    #[must_use]
    pub fn after(&self) -> &[u8] {
        &self.after
    }
}

/// Neither blinds nor signatures are printed.
impl fmt::Debug for KeptSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptSignatures")
            .field("transaction", &self.transaction)
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
        KeptSignatures::new(TransactionNo::new(1), before, after)
    }

    #[test]
    fn blinded_numbers_become_signatures_and_nothing_else_changes() {
        let blinded = |bytes: &[u8]| StoredNumber::Blinded(bytes.to_vec());
        let signed = |bytes: &[u8]| StoredNumber::Signature(bytes.to_vec());
        let before = [blind("a", 1, blinded(b"x")), blind("b", 2, signed(b"y"))];
        let after = [blind("a", 1, signed(b"z")), before[1].clone()];
        assert_eq!(keep(&before, &after).transaction(), TransactionNo::new(1));
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
