//! Key accounts while a log is replayed.

use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, KeyLedgerFault, Signatures};
use opencoin_log::leaf::Leaf;

/// The most statements of a batch. They are in memory at the same time.
pub(crate) const STATEMENTS_MAX: usize = 1_000_000;

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
