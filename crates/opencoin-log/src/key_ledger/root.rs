//! The tree over all accounts.

use std::collections::BTreeMap;

use super::KeyAccount;
use crate::hash::{Hash, leaf_hash};
use crate::key::ED25519_KEY_BYTES;
use crate::key_account::AccountKey;
use crate::tree::{Frontier, Layers, ProofError, verify_inclusion};

/// Proves balance and number of payments of one account under a `ledger_root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The place of the account in the order of all keys.
    pub index: u64,
    /// The number of accounts.
    pub count: u64,
    /// From the account to the root, its sibling first.
    pub path: Vec<Hash>,
}

/// The hash of an account: H(0x00 || key || u64 balance || u64 seq).
#[must_use]
pub fn account_leaf_hash(key: &AccountKey, account: &KeyAccount) -> Hash {
    let mut leaf = [0; ED25519_KEY_BYTES + 2 * size_of::<u64>()];
    let (start, numbers) = leaf.split_at_mut(ED25519_KEY_BYTES);
    start.copy_from_slice(key.as_bytes());
    let (balance, seq) = numbers.split_at_mut(size_of::<u64>());
    balance.copy_from_slice(&account.balance.to_be_bytes());
    seq.copy_from_slice(&account.seq.to_be_bytes());
    leaf_hash(&leaf)
}

pub(super) fn root(accounts: &BTreeMap<AccountKey, KeyAccount>) -> Hash {
    let mut frontier = Frontier::new();
    for (key, account) in accounts {
        frontier.append(account_leaf_hash(key, account));
    }
    frontier.root()
}

impl AccountProof {
    pub(super) fn of(accounts: &BTreeMap<AccountKey, KeyAccount>, key: &AccountKey) -> Option<Self> {
        let index = accounts
            .contains_key(key)
            .then(|| accounts.range(..*key).count())?;
        let hashes = accounts
            .iter()
            .map(|(key, account)| account_leaf_hash(key, account));
        let path = Layers::new(hashes.collect()).inclusion_proof(index)?;
        Some(Self {
            index: index as u64,
            count: accounts.len() as u64,
            path,
        })
    }

    /// Checks that the account is under this root.
    ///
    /// # Errors
    /// It is not, or the proof has the wrong length.
    pub fn verify(
        &self,
        key: &AccountKey,
        account: &KeyAccount,
        ledger_root: &Hash,
    ) -> Result<(), ProofError> {
        let hash = account_leaf_hash(key, account);
        verify_inclusion(self.index, self.count, &hash, &self.path, ledger_root)
    }
}
