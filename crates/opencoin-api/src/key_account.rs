//! Accounts that belong to an Ed25519 key: their balances and payments are in the public log.
//!
//! The statements of holders have the exact form in which the log has them, so their fields are strings of hex digits.

use serde::{Deserialize, Serialize};

/// `GET /v1/key-accounts/challenge`: what the proof of work is made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyChallenge {
    /// How many zero bits the hash of a proof of work begins with.
    pub bits: u32,
    /// The challenge, for this key alone.
    pub challenge: String,
    /// The log in which the account will be.
    pub domain: String,
    /// Until when the challenge counts, in seconds since 1970.
    pub expires: u64,
}

/// `POST /v1/key-accounts`: the introduction of a key, as the log will have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct IntroduceKey {
    /// The challenge.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Challenge))]
    pub challenge: String,
    /// The key.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::AccountKey))]
    pub key: String,
    /// The proof of work: a number below 2^64.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Unsigned))]
    pub nonce: u64,
    /// What this is.
    pub r#type: IntroductionType,
}

/// The type of an introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum IntroductionType {
    /// The only one.
    #[serde(rename = "log key introduction")]
    Introduction,
}

/// The answer to an introduction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IntroducedKey {
    /// The key, which is the name of the account.
    pub id: String,
}

/// `GET /v1/key-accounts/{key}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyAccount {
    /// In the smallest unit, as in the books now.
    pub balance: u64,
    /// The number of its credits, as in the books now.
    pub credits: u64,
    /// The key.
    pub key: String,
    /// The account as of the newest published batch of the log; absent while it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<LoggedKeyAccount>,
    /// The number of its payments, as in the books now. The next payment has the next number.
    pub seq: u64,
}

/// An account as of the newest published batch of the log, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoggedKeyAccount {
    /// In the smallest unit.
    pub balance: u64,
    /// The batch leaf, in base64. Its `ledger_root` covers all accounts.
    pub batch_leaf: String,
    /// The number of accounts.
    pub count: u64,
    /// The place of the account among them, in the order of the keys.
    pub index: u64,
    /// The inclusion proof of the account under `ledger_root`: hashes in base64, the account's sibling first.
    pub path: Vec<String>,
    /// The batch leaf under a published checkpoint, as a C2SP tlog-proof.
    pub proof: String,
    /// The number of its payments.
    pub seq: u64,
}

/// `GET /v1/key-accounts`: all accounts as of the newest published batch of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyAccounts {
    /// Key, balance and number of payments of each account, in the order of the keys.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::shapes::KeyAccountRow>))]
    pub accounts: Vec<(String, u64, u64)>,
    /// The batch leaf, in base64. Its `ledger_root` is the tree hash over the accounts.
    pub batch_leaf: String,
    /// The batch leaf under a published checkpoint, as a C2SP tlog-proof.
    pub proof: String,
}

/// `POST /v1/key-payments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PayByKey {
    /// The name of the account that receives it, exactly if `to` is `account`. The log does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Name>))]
    pub account: Option<String>,
    /// The nonce of the details, exactly if `to` is `account`. The log does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::PaymentNonce>))]
    pub nonce: Option<String>,
    /// The payment, as the log will have it.
    pub payment: KeyPayment,
}

/// A payment by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyPayment {
    /// In the smallest unit.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Amount))]
    pub amount: u64,
    /// What it is for, hidden: exactly if `to` is `mint` or `account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Details>))]
    pub details: Option<String>,
    /// The log in which the account is.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Domain))]
    pub domain: String,
    /// Until when the payment is accepted, in seconds since 1970.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Unsigned))]
    pub expires: u64,
    /// The key that pays.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::AccountKey))]
    pub from: String,
    /// A public text, at most 140 bytes without control characters. May be empty.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Memo))]
    pub memo: String,
    /// The number among the payments of this key: 1, 2, 3 ...
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Unsigned))]
    pub seq: u64,
    /// The key's signature.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Signature))]
    pub sig: String,
    /// The key that receives it, `mint`, or `account`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Payee))]
    pub to: String,
    /// What this is.
    pub r#type: PaymentType,
}

/// The type of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PaymentType {
    /// The only one.
    #[serde(rename = "log payment")]
    Payment,
}

/// The answer to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptedKeyPayment {
    /// The payer's key and the number of the payment, with a point between them.
    pub id: String,
}

/// `GET /v1/key-payments/{id}`, while the payment is not final. A final one is answered with its proof alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingKeyPayment {
    /// The payment under a checkpoint that lacks the joint signature, as a C2SP tlog-proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// How far it is.
    pub state: KeyPaymentState,
}

/// How far a payment by key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyPaymentState {
    /// It is in the books, and the log will have it.
    Accepted,
    /// It is in the published log. The joint signature of the auditors is missing.
    Published,
}
