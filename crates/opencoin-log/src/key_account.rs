//! Accounts that belong to an Ed25519 key: the statements about them, as the log has them.
//!
//! An account is *introduced* with a proof of work, is *credited* by the issuer and *pays* with a signature. Balances and
//! payments are public. Each statement is a compact JSON text, and has one spelling.
//!
//! [`key_ledger`](crate::key_ledger) has the rules that statements must obey together.

mod credit;
mod details;
mod introduction;
mod payment;
mod public_key;
mod redeem;

pub use credit::{Credit, CreditSource};
pub use details::{ACCOUNT_NONCE_BYTES, account_details, mint_details};
pub use introduction::{CHALLENGE_BYTES, Challenge, ChallengeError, Introduction, WORK_BITS};
pub use payment::{MEMO_BYTES_MAX, Payee, Payment, PaymentFault, PaymentOrder};
pub use public_key::{AccountKey, AccountKeyError};
pub use redeem::{RedeemOrder, redeem_message};

use opencoin_schema::{from_json, text};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest amount of a payment or credit.
pub const AMOUNT_MAX: u64 = i64::MAX as u64;

/// Reads a text that must be the compact one.
fn from_compact<T: Serialize + DeserializeOwned>(json: &[u8]) -> Option<T> {
    let value = from_json(json).ok()?;
    (text::compact(&value).as_bytes() == json).then_some(value)
}

/// The JSON object of a statement: `type` stands in the order of the alphabet, which is that of the fields.
macro_rules! fixed_type {
    ($name:ident, $text:literal) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        enum $name {
            #[serde(rename = $text)]
            Only,
        }
    };
}
use fixed_type;
