//! The rules of key accounts: what the statements of a batch do to balances, and the root over all accounts.
//!
//! The leaves of a batch stand in the order of their bytes, not of time. So the rules hold for a batch as a whole: what
//! an account has before it, and receives in it, covers what it pays in it.
//!
//! The issuer applies them before it seals a batch, and auditors when they replay the log.

mod apply;
mod fault;
mod root;

use std::collections::BTreeMap;

pub use fault::KeyLedgerFault;
pub use root::{AccountProof, account_leaf_hash};

use crate::hash::Hash;
use crate::key_account::AccountKey;

/// An account as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyAccount {
    /// In the smallest unit.
    pub balance: u64,
    /// The number of its payments.
    pub seq: u64,
    /// The number of its credits. The root does not cover it; it follows from the leaves.
    pub credits: u64,
}

/// All key accounts at the end of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLedger {
    accounts: BTreeMap<AccountKey, KeyAccount>,
}

/// The batch that has the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOfStatements<'a> {
    /// The origin of the log, which is the domain of payments.
    pub origin: &'a str,
    /// When the batch was sealed, in seconds since 1970.
    pub time_s: u64,
    /// How many seconds after its acceptance a statement may be sealed.
    pub within_s: u32,
}

/// Who has checked signatures and proofs of work, which takes longer than everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Nobody yet.
    Verify,
    /// They were checked when the statements were accepted.
    AreVerified,
}

impl KeyLedger {
    /// The ledger with these accounts.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = (AccountKey, KeyAccount)>) -> Self {
        Self {
            accounts: accounts.into_iter().collect(),
        }
    }

    /// Sets accounts that a batch has changed, as [`apply`](Self::apply) has returned them for an equal ledger.
    pub fn set(&mut self, changed: BTreeMap<AccountKey, KeyAccount>) {
        self.accounts.extend(changed);
    }

    /// The account of a key.
    #[must_use]
    pub fn account(&self, key: &AccountKey) -> Option<KeyAccount> {
        self.accounts.get(key).copied()
    }

    /// All accounts, in ascending order of their keys.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (&AccountKey, &KeyAccount)> {
        self.accounts.iter()
    }

    /// The sum of all balances: `key_accounts` of the batch leaf.
    ///
    /// # Panics
    /// The sum is larger than all money. [`apply`](Self::apply) does not let it become so.
    #[must_use]
    pub fn total(&self) -> u64 {
        let sum: u128 = self
            .accounts
            .values()
            .map(|account| u128::from(account.balance))
            .sum();
        u64::try_from(sum).expect("apply has checked the sum")
    }

    /// The `ledger_root` of the batch leaf.
    #[must_use]
    pub fn root(&self) -> Hash {
        root::root(&self.accounts)
    }

    /// The proof of an account under the root; `None` if the key has none.
    #[must_use]
    pub fn proof(&self, key: &AccountKey) -> Option<AccountProof> {
        AccountProof::of(&self.accounts, key)
    }
}
