//! The statements about key accounts in a batch.
//!
//! Their rules are those of [`opencoin_log::key_ledger`], which auditors apply too. Signatures and proofs of work were
//! verified before the statements were accepted.

use std::collections::BTreeMap;

use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, Signatures};
use opencoin_log::leaf::Leaf;

use super::error::SealingError;
use super::{LogHead, LogTotals, split_leaves};

/// What the description of a log says about its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTerms {
    /// The origin of the log, which is the domain of payments by keys.
    pub origin: String,
    /// How many seconds after its acceptance a statement is published.
    pub within_s: u32,
}

/// The statements that wait, in the order of their bytes.
pub(super) struct Statements<'a> {
    pub(super) bytes: Vec<&'a [u8]>,
    leaves: Vec<Leaf>,
}

impl<'a> Statements<'a> {
    /// Reads what waits.
    pub(super) fn read(waiting: &'a [u8]) -> Result<Self, SealingError> {
        let mut bytes = split_leaves(waiting)?;
        bytes.sort_unstable();
        let leaf = |bytes: &&[u8]| match Leaf::decode(bytes) {
            Ok(leaf @ (Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_))) => Ok(leaf),
            _ => Err(SealingError::Malformed(
                "a statement about a key account cannot be read",
            )),
        };
        let leaves = bytes.iter().map(leaf).collect::<Result<_, _>>()?;
        Ok(Self { bytes, leaves })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Applies the statements to the accounts. Returns the root over all of them, and those that have changed.
///
/// # Errors
/// A rule is broken, or the money in the accounts is not the sum that the books say.
pub(super) fn apply(
    head: &LogHead,
    statements: &Statements<'_>,
    accounts: Option<KeyLedger>,
    terms: &LogTerms,
    totals: &LogTotals,
    time_s: u64,
) -> Result<(Hash, BTreeMap<AccountKey, KeyAccount>), SealingError> {
    let (before, expected) = (head.totals.key_accounts, totals.key_accounts);
    let (root, total, changed) = match accounts.filter(|_| !statements.is_empty()) {
        Some(mut ledger) => {
            let batch = BatchOfStatements {
                origin: &terms.origin,
                time_s,
                within_s: terms.within_s,
            };
            let changed = ledger.apply(&statements.leaves, batch, Signatures::AreVerified)?;
            (ledger.root(), ledger.total().into(), changed)
        }
        None if statements.is_empty() => (head.ledger_root, before, BTreeMap::new()),
        None => return Err(SealingError::Malformed("the key accounts are missing")),
    };
    if total == expected {
        Ok((root, changed))
    } else {
        Err(SealingError::Totals(format!(
            "{total} in key accounts by their statements, but {expected} by the books"
        )))
    }
}
