//! The rows of the books that a decision reads and changes.

use opencoin_log::key_account::AccountKey;

use crate::journal::{ContentDigest, ReferenceKey};
use crate::log::LogKey;
use crate::mint_key_no::MintKeyNo;
use crate::{
    AccountId, AccountName, AccountStatus, Amount, EntryNo, LedgerTime, MintKeyId, MintKeyIdentity,
    MintKeyTerms, PayoutNo, Reference, Settlement, StopReason, TokenHash,
};

/// An account in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Assigned in ascending order from [`AccountId::FIRST_HOLDER`], or from [`AccountId::FIRST_KEY_ACCOUNT`].
    pub id: AccountId,
    /// Unique.
    pub name: AccountName,
    /// Whose account it is.
    pub owner: AccountOwner,
    /// In the smallest unit.
    pub balance: Amount,
    /// The number of its newest entry.
    pub last_entry: EntryNo,
    /// What its holder can do.
    pub status: AccountStatus,
}

/// Whose an account is. The number of the account tells which of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountOwner {
    /// Whoever has the account token.
    Holder {
        /// The hash of the token; unique. `None` if the account has none.
        token_hash: Option<TokenHash>,
    },
    /// Whoever can sign with the key.
    Key(KeyOwner),
}

/// The key of an account, and what the log counts for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOwner {
    /// The key.
    pub key: AccountKey,
    /// The number of its payments.
    pub seq: u64,
    /// The number of its credits.
    pub credits: u64,
}

impl AccountState {
    /// The hash of the account token, if there is one. The account of a key has none.
    #[must_use]
    pub fn token_hash(&self) -> Option<TokenHash> {
        match self.owner {
            AccountOwner::Holder { token_hash } => token_hash,
            AccountOwner::Key(_) => None,
        }
    }

    /// The key that owns the account; `None` for a holder's account.
    #[must_use]
    pub fn key(&self) -> Option<KeyOwner> {
        match self.owner {
            AccountOwner::Holder { .. } => None,
            AccountOwner::Key(owner) => Some(owner),
        }
    }
}

/// A payout in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutState {
    /// Assigned when it is requested.
    pub no: PayoutNo,
    /// The account that pays.
    pub account: AccountId,
    /// In the smallest unit.
    pub amount: Amount,
    /// Where the money goes, from the holder.
    pub destination: Reference,
    /// The reference key of its request in the journal.
    pub request: ReferenceKey,
    /// The time of the request.
    pub requested: LedgerTime,
    /// The operator's settlement and its time; `None` while the payout waits.
    pub settled: Option<(Settlement, LedgerTime)>,
}

/// A waiting mint in the view, without its blinds, which only the stored row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingState {
    /// The reference key of the mint.
    pub reference: ReferenceKey,
    /// The account that will pay.
    pub account: AccountId,
    /// The digest of the command's content.
    pub content: ContentDigest,
    /// The balance that the account needs.
    pub amount: Amount,
    /// The time of the first request.
    pub asked: LedgerTime,
    /// The time at which the mint is given up.
    pub expires: LedgerTime,
}

/// A mint key in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyState {
    /// Assigned in ascending order at registration.
    pub no: MintKeyNo,
    /// The SHA-1 of its public key.
    pub id: MintKeyId,
    /// Its identity in the log.
    pub identity: MintKeyIdentity,
    /// Its denomination and dates.
    pub terms: MintKeyTerms,
    /// The number of blinds accepted for signing.
    pub issued: u64,
    /// The number of coins that were renewed or redeemed; at most `issued`.
    pub returned: u64,
    /// The number of coins that were recouped after the key was stopped; at most `issued`.
    pub recouped: u64,
    /// The reason if the key was stopped.
    pub stopped: Option<StopReason>,
    /// Whether the key signs nothing more.
    pub retired: bool,
    /// Whether its spent coins were forgotten.
    pub pruned: bool,
    /// Whether the key does not sign yet, because its leaf is not under a published checkpoint of the log.
    pub awaits_log: bool,
}

impl MintKeyState {
    /// The key as the log knows it before its leaf is in the log.
    ///
    /// # Panics
    /// The denomination is negative, which no amount is.
    #[must_use]
    pub fn log_key(&self) -> LogKey {
        LogKey {
            no: self.no.key_no(),
            fingerprint: *self.identity.fingerprint(),
            denomination: self.terms.denomination().as_i64().unsigned_abs(),
            signing_end_s: self.terms.sign_not_after().unix_seconds(),
            coins_expiry_s: self.terms.coins_expiry().unix_seconds(),
            issued: 0,
            spent: 0,
            batch: None,
            is_retired: self.retired,
            is_pruned: self.pruned,
            signing_closed: false,
            coins_closed: false,
        }
    }
}

/// The state of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signing {
    /// Whether an operator has paused signing.
    pub paused: bool,
    /// The number of changes so far. It is the reference of the next record of a change.
    pub changes: u64,
}
