//! What a journal adds up to as far as it was read: what an audit keeps of rows that it will not read again.

use std::collections::BTreeMap;

use crate::AuditFacts;
use opencoin_ledger::{AccountId, MintKeyId, PayoutNo};

/// Running sums of the journal. As large as accounts, mint keys and payouts are many, whatever the length of
/// the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// Credits less debits of every holder's account.
    pub(crate) accounts: BTreeMap<AccountId, i128>,
    /// Accepted blinds of every mint key.
    pub(crate) mint_keys: BTreeMap<MintKeyId, i128>,
    /// Requests and settlements of every payout.
    pub(crate) payouts: BTreeMap<PayoutNo, (u64, u64)>,
    /// The rest, without accounts, mint keys and payouts.
    pub(crate) totals: AuditFacts,
}
