//! What the wallet stores of its key accounts and of payments by them.

use chrono::{DateTime, Utc};
use opencoin_log::key_account::{AccountKey, Introduction, Payment};
use opencoin_log::leaf::Leaf;
use opencoin_schema::BigInt;
use serde::{Deserialize, Serialize};

use super::seed::KeySeed;

/// A key of this wallet, and its account. The seed is stored apart from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnKey {
    /// The number of its row.
    pub(crate) no: u64,
    pub(crate) currency: BigInt,
    pub(crate) key: AccountKey,
    /// The number of the backup phrase from which the seed is derived.
    pub(crate) phrase: u8,
    /// Its number among the keys of this phrase and currency, from 0.
    pub(crate) index: u64,
    pub(crate) made_at: DateTime<Utc>,
    /// The introduction, as soon as it may have been sent.
    pub(crate) introduction: Option<OwnIntroduction>,
    /// Whether the issuer has the account.
    pub(crate) is_open: bool,
    /// The number of the last payment that the issuer has accepted, as far as the wallet knows.
    pub(crate) accepted: u64,
    /// Whether the issuer must be asked for that number before the next payment.
    pub(crate) is_seq_unsure: bool,
    /// The account as the log has last proven it.
    pub(crate) proven: Option<AccountAt>,
    /// How far the account was followed in the log.
    pub(crate) followed: Option<AccountAt>,
}

/// The introduction of an own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnIntroduction {
    /// Its number in the history.
    pub(crate) id: u64,
    pub(crate) introduction: Introduction,
    pub(crate) at: DateTime<Utc>,
}

/// A key account at the end of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountAt {
    /// The number of the batch.
    pub(crate) batch: u64,
    /// When the batch was sealed, in seconds since 1970.
    pub(crate) time_s: u64,
    /// Whether the log has the account.
    pub(crate) exists: bool,
    pub(crate) balance: u64,
    pub(crate) seq: u64,
    /// The number of leaves of the log with this batch.
    pub(crate) size: u64,
}

/// How far a payment by key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPaymentState {
    /// It is signed. Whether the issuer has accepted it is not known.
    Signed,
    /// The issuer has accepted it and has promised that it will be in the public log.
    Accepted,
    /// It is in the public log, which the quorum of witnesses has seen.
    Published,
    /// It is under the joint signature of the auditors, if the currency names some.
    Final,
    /// It was refused, and can no longer be carried out.
    Refused,
}

impl KeyPaymentState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Accepted => "accepted",
            Self::Published => "published",
            Self::Final => "final",
            Self::Refused => "refused",
        }
    }
}

/// A payment by a key of this wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyPayment {
    /// Its number in the history.
    pub(crate) id: u64,
    /// The number of the payer's row.
    pub(crate) account: u64,
    pub(crate) currency: BigInt,
    /// As it was signed.
    pub(crate) payment: Payment,
    /// The custodial account that receives it, if it is one.
    pub(crate) to_account: Option<ToAccount>,
    pub(crate) state: KeyPaymentState,
    /// Why it was refused.
    pub(crate) note: String,
    /// The `.tlog-proof`, once it is final.
    pub(crate) proof: Option<String>,
    /// Whether its outcome was shown to the user. Until then, the same command does not make a second payment.
    pub(crate) is_told: bool,
    pub(crate) at: DateTime<Utc>,
}

/// A custodial account that receives a payment. The log does not name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToAccount {
    pub(crate) name: String,
    /// In hex.
    pub(crate) nonce: String,
}

impl KeyPayment {
    /// Returns its id at the issuer.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.payment.order.from, self.payment.order.seq)
    }

    /// Returns the bytes of its leaf.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let leaf = Leaf::KeyPaid(Box::new(self.payment.clone()));
        leaf.encode().expect("a payment is shorter than an entry")
    }
}

impl OwnIntroduction {
    /// Returns the bytes of its leaf.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let leaf = Leaf::KeyIntroduced(Box::new(self.introduction.clone()));
        leaf.encode().expect("an introduction is shorter than an entry")
    }
}

/// What happens to key accounts of the wallet.
#[derive(Debug, Clone)]
pub(crate) enum KeyEvent {
    /// A key was made.
    Made { key: Box<OwnKey>, seed: KeySeed },
    /// The introduction is about to be sent.
    Introducing { no: u64, introduction: OwnIntroduction },
    /// The issuer has the account.
    Open { no: u64 },
    /// The issuer has refused the introduction.
    NotIntroduced { no: u64, why: String },
    /// The issuer says how many payments it has accepted.
    Counted { no: u64, accepted: u64 },
    /// The log has proven what the account holds.
    Proven { no: u64, at: AccountAt },
    /// The account was followed to the end of a batch.
    Followed { no: u64, at: AccountAt },
    /// A payment is about to be sent.
    Paying { payment: Box<KeyPayment> },
    /// The state of a payment has changed.
    Payment {
        id: u64,
        state: KeyPaymentState,
        note: String,
        proof: Option<String>,
    },
    /// The outcome of a payment was shown.
    Told { id: u64 },
}
