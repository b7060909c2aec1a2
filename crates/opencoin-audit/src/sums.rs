//! The running sums that an audit keeps for records of the journal that it will not read again.

use std::collections::BTreeMap;

use crate::AuditFacts;
use opencoin_ledger::{AccountId, MintKeyId, PayoutNo};

/// The sums of one account, by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountSums {
    /// Amounts received minus amounts given.
    pub balance: i128,
    /// The number of its newest entry.
    pub last_entry: i64,
    /// How many payments the key has made that the account belongs to.
    pub seq: i64,
    /// How many credits the account of a key has got.
    pub credits: i64,
}

/// The sums of one mint key, by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeySums {
    /// The number of accepted blinds.
    pub(crate) blinds: i128,
    /// How many of them were recovered from the public log.
    pub(crate) recovered: i128,
    /// The number of signatures that were given again.
    pub(crate) again: i128,
}

/// Running sums of the journal. Their size depends on the number of accounts, mint keys and payouts, not on
/// the length of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// The sums of every account.
    pub(crate) accounts: BTreeMap<AccountId, AccountSums>,
    /// The sums of every mint key.
    pub(crate) mint_keys: BTreeMap<MintKeyId, KeySums>,
    /// The numbers of requests and settlements of every payout.
    pub(crate) payouts: BTreeMap<PayoutNo, (u64, u64)>,
    /// All other sums. The lists of accounts, mint keys and payouts are empty.
    pub(crate) totals: AuditFacts,
}
