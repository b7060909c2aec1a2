//! Key accounts while a log is replayed.

use opencoin_log::batch::BATCH_STATEMENT_BYTES_MAX;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, KeyLedgerFault, Signatures};
use opencoin_log::leaf::Leaf;

/// The statements of a batch, up to [`BATCH_STATEMENT_BYTES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Statements {
    /// With the indices of their leaves.
    leaves: Vec<(u64, Leaf)>,
    /// The sum of the lengths of all leaves that were added.
    bytes: usize,
}

/// All key accounts, with what a batch leaf says of them.
#[derive(Debug, Clone)]
pub(crate) struct KeyAccounts {
    ledger: KeyLedger,
    root: Hash,
    total: u64,
    /// A rule was broken, so balances are unknown and nothing more is checked.
    is_broken: bool,
}

/// A rule that the statements of a batch break.
pub(crate) struct BrokenStatements {
    pub(crate) reason: String,
    /// The leaf, if it is one alone.
    pub(crate) statement: Option<u64>,
}

impl Statements {
    /// Keeps a statement whose leaf has so many bytes. None is kept any more if there are too many bytes.
    pub(crate) fn add(&mut self, index: u64, statement: Leaf, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.are_too_many() {
            self.leaves = Vec::new();
        } else {
            self.leaves.push((index, statement));
        }
    }

    /// Whether there were more bytes than are kept.
    pub(crate) fn are_too_many(&self) -> bool {
        self.bytes > BATCH_STATEMENT_BYTES_MAX
    }

    pub(crate) fn leaves(&self) -> &[(u64, Leaf)] {
        &self.leaves
    }
}

impl Default for KeyAccounts {
    fn default() -> Self {
        Self::new(KeyLedger::default(), false)
    }
}

impl KeyAccounts {
    pub(crate) fn new(ledger: KeyLedger, is_broken: bool) -> Self {
        Self {
            root: ledger.root(),
            total: ledger.total(),
            ledger,
            is_broken,
        }
    }

    pub(crate) fn ledger(&self) -> &KeyLedger {
        &self.ledger
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Takes note of a broken rule. Nothing more is checked.
    pub(crate) fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// What the batch leaf must declare; `None` if nobody knows any more.
    pub(crate) fn totals(&self) -> Option<(u64, Hash)> {
        (!self.is_broken).then_some((self.total, self.root))
    }

    /// Applies the statements of a batch, each with the index of its leaf.
    pub(crate) fn apply(
        &mut self,
        statements: &[(u64, Leaf)],
        batch: BatchOfStatements<'_>,
    ) -> Result<(), BrokenStatements> {
        if statements.is_empty() || self.is_broken {
            return Ok(());
        }
        let applied = self.try_apply(statements, batch);
        if applied.is_err() {
            self.is_broken = true;
        } else {
            (self.root, self.total) = (self.ledger.root(), self.ledger.total());
        }
        applied
    }

    fn try_apply(
        &mut self,
        statements: &[(u64, Leaf)],
        batch: BatchOfStatements<'_>,
    ) -> Result<(), BrokenStatements> {
        for (index, leaf) in statements {
            if let Leaf::KeyIntroduced(introduction) = leaf
                && let Err(error) = AccountKey::new(*introduction.key.as_bytes())
            {
                return Err(BrokenStatements {
                    reason: error.to_string(),
                    statement: Some(*index),
                });
            }
        }
        let leaves = statements.iter().map(|(_, leaf)| leaf);
        let applied = self.ledger.apply(leaves, batch, Signatures::Verify);
        applied.map(drop).map_err(|fault| BrokenStatements {
            reason: fault.to_string(),
            statement: statement_of(statements, &fault),
        })
    }
}

/// The last leaf that a fault is about; `None` if it is about several ones.
fn statement_of(statements: &[(u64, Leaf)], fault: &KeyLedgerFault) -> Option<u64> {
    let is_at_fault = |leaf: &Leaf| match (fault, leaf) {
        (
            KeyLedgerFault::IntroducedTwice { key } | KeyLedgerFault::NoWork { key },
            Leaf::KeyIntroduced(introduction),
        ) => introduction.key == *key,
        (KeyLedgerFault::CreditNumber { key, found, .. }, Leaf::KeyCredited(credit)) => {
            (credit.key, credit.number) == (*key, *found)
        }
        (KeyLedgerFault::NotIntroduced { key }, Leaf::KeyCredited(credit)) => credit.key == *key,
        (
            KeyLedgerFault::Seq {
                key, found: number, ..
            }
            | KeyLedgerFault::Payment { key, seq: number, .. }
            | KeyLedgerFault::Signature { key, seq: number }
            | KeyLedgerFault::Domain { key, seq: number }
            | KeyLedgerFault::Expired { key, seq: number },
            Leaf::KeyPaid(payment),
        ) => (payment.order.from, payment.order.seq) == (*key, *number),
        _ => false,
    };
    let mut found = statements.iter().rev().filter(|(_, leaf)| is_at_fault(leaf));
    found.next().map(|(index, _)| *index)
}

/// An account, for a stored state.
pub(crate) type StoredKeyAccount = (AccountKey, u64, u64, u64);

pub(crate) fn stored(ledger: &KeyLedger) -> Vec<StoredKeyAccount> {
    let accounts = ledger.accounts();
    accounts
        .map(|(key, account)| (*key, account.balance, account.seq, account.credits))
        .collect()
}

pub(crate) fn restored(accounts: Vec<StoredKeyAccount>) -> KeyLedger {
    KeyLedger::new(accounts.into_iter().map(|(key, balance, seq, credits)| {
        (
            key,
            KeyAccount {
                balance,
                seq,
                credits,
            },
        )
    }))
}

#[cfg(test)]
mod tests {
    use opencoin_testkit::log_builder::{LogBuilder, account_key};

    use super::*;

    fn statement() -> Leaf {
        let introduction = LogBuilder::new().introduction(&account_key(11)).to_text();
        let introduction = opencoin_log::key_account::Introduction::from_text(introduction.as_bytes());
        Leaf::KeyIntroduced(Box::new(introduction.unwrap()))
    }

    #[test]
    fn no_more_bytes_are_kept_than_the_limit() {
        let mut statements = Statements::default();
        statements.add(0, statement(), BATCH_STATEMENT_BYTES_MAX - 1);
        statements.add(1, statement(), 1);
        assert_eq!((statements.leaves().len(), statements.are_too_many()), (2, false));
        statements.add(2, statement(), 1);
        statements.add(3, statement(), 1);
        assert_eq!((statements.leaves().len(), statements.are_too_many()), (0, true));
    }
}
