//! What a journal adds up to as far as it was read: what an audit keeps of rows that it will not read again.

use std::collections::BTreeMap;

use super::AuditFacts;
use crate::{AccountId, MintKeyId, PayoutNo};

/// Running sums of the journal. As large as accounts, mint keys and payouts are many, whatever the length of
/// the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// Credits less debits of every holder's account.
    pub(super) accounts: BTreeMap<AccountId, i128>,
    /// Accepted blinds of every mint key.
    pub(super) mint_keys: BTreeMap<MintKeyId, i128>,
    /// Requests and settlements of every payout.
    pub(super) payouts: BTreeMap<PayoutNo, (u64, u64)>,
    /// The rest, without accounts, mint keys and payouts.
    pub(super) totals: AuditFacts,
}
