//! A payment by a key: its signature is the order, and the log has it word for word.

use std::fmt;

use opencoin_schema::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::public_key::AccountKey;
use super::{AMOUNT_MAX, fixed_type, from_compact};
use crate::encoding::from_hex;
use crate::hash::HASH_BYTES;
use crate::key::ED25519_SIGNATURE_BYTES;

/// The longest memo in bytes.
pub const MEMO_BYTES_MAX: usize = 140;

const PAYMENT_DOMAIN: &str = "opencoin.org/key-payment/v1\n";
const TO_MINT: &str = "mint";
const TO_ACCOUNT: &str = "account";

/// Who receives a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payee {
    /// Another key account.
    Key(AccountKey),
    /// New coins, of the request to which the details commit.
    Mint([u8; HASH_BYTES]),
    /// A custodial account, to whose name the details commit.
    Account([u8; HASH_BYTES]),
}

/// What the payer orders.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentOrder {
    /// In the smallest unit; 1 to [`AMOUNT_MAX`].
    pub amount: u64,
    /// The log in which the accounts are: its origin.
    pub domain: String,
    /// When the order ends, in seconds since 1970: it is accepted before.
    pub expires: u64,
    /// Who pays.
    pub from: AccountKey,
    /// Public text without control characters, at most [`MEMO_BYTES_MAX`] bytes; may be empty.
    pub memo: String,
    /// The number among the payments of the payer: 1, 2, 3 ...
    pub seq: u64,
    /// Who receives it.
    pub to: Payee,
}

/// An order with the payer's signature. It was not verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payment {
    /// The order.
    pub order: PaymentOrder,
    /// Ed25519 over the order.
    pub sig: [u8; ED25519_SIGNATURE_BYTES],
}

/// The order is one that nobody can give, whatever the accounts hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PaymentFault {
    /// The amount is 0 or too large.
    #[error("an amount is 1 to {AMOUNT_MAX}")]
    Amount,
    /// The memo is too long or has control characters.
    #[error("a memo has at most {MEMO_BYTES_MAX} bytes and no control characters")]
    Memo,
    /// The number is 0.
    #[error("payments are numbered from 1")]
    Seq,
    /// Payer and payee are the same.
    #[error("payer and payee are the same account")]
    ToItself,
}

fixed_type!(Type, "log payment");

/// The fields in the order of the alphabet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    amount: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    domain: String,
    expires: u64,
    from: AccountKey,
    memo: String,
    seq: u64,
    /// Left out in the text that is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
    to: String,
    r#type: Type,
}

impl PaymentOrder {
    /// Checks the order by itself.
    ///
    /// # Errors
    /// As [`PaymentFault`] says.
    pub fn check(&self) -> Result<(), PaymentFault> {
        if !(1..=AMOUNT_MAX).contains(&self.amount) {
            return Err(PaymentFault::Amount);
        }
        if self.memo.len() > MEMO_BYTES_MAX || self.memo.chars().any(char::is_control) {
            return Err(PaymentFault::Memo);
        }
        if self.seq == 0 {
            return Err(PaymentFault::Seq);
        }
        if self.to == Payee::Key(self.from) {
            return Err(PaymentFault::ToItself);
        }
        Ok(())
    }

    /// What the payer signs.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        format!("{PAYMENT_DOMAIN}{}", text::compact(&self.object(None))).into_bytes()
    }

    fn object(&self, sig: Option<String>) -> Object {
        Object {
            amount: self.amount,
            details: self.to.details().map(const_hex::encode),
            domain: self.domain.clone(),
            expires: self.expires,
            from: self.from,
            memo: self.memo.clone(),
            seq: self.seq,
            sig,
            to: self.to.to_string(),
            r#type: Type::Only,
        }
    }
}

impl Payment {
    /// Whether the payer has signed the order.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.order.from.verifies(&self.order.message(), &self.sig)
    }

    /// The compact text.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::compact(self)
    }

    /// Reads the compact text; `None` for any other. The order may be faulty.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        from_compact(text)
    }
}

impl Payee {
    fn details(&self) -> Option<&[u8; HASH_BYTES]> {
        match self {
            Self::Key(_) => None,
            Self::Mint(details) | Self::Account(details) => Some(details),
        }
    }

    fn of_fields(to: &str, details: Option<&str>) -> Result<Self, String> {
        let committed = || {
            details.and_then(from_hex).ok_or_else(|| {
                format!(
                    "a payment to `{to}` needs `details` of {} hex digits",
                    2 * HASH_BYTES
                )
            })
        };
        match (to, details) {
            (TO_MINT, _) => Ok(Self::Mint(committed()?)),
            (TO_ACCOUNT, _) => Ok(Self::Account(committed()?)),
            (_, Some(_)) => Err("a payment to a key has no `details`".to_owned()),
            (key, None) => from_hex(key)
                .map(|key| Self::Key(AccountKey::of_stored(key)))
                .ok_or_else(|| format!("`to` is `{TO_MINT}`, `{TO_ACCOUNT}` or a key in lower-case hex")),
        }
    }
}

impl fmt::Display for Payee {
    /// The value of the field `to`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(formatter),
            Self::Mint(_) => formatter.write_str(TO_MINT),
            Self::Account(_) => formatter.write_str(TO_ACCOUNT),
        }
    }
}

impl Serialize for Payment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sig = Some(const_hex::encode(self.sig));
        self.order.object(sig).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(deserializer)?;
        let sig = object.sig.as_deref().and_then(from_hex);
        let sig = sig.ok_or_else(|| de::Error::custom("a payment needs `sig` of 128 hex digits"))?;
        let to = Payee::of_fields(&object.to, object.details.as_deref()).map_err(de::Error::custom)?;
        let order = PaymentOrder {
            amount: object.amount,
            domain: object.domain,
            expires: object.expires,
            from: object.from,
            memo: object.memo,
            seq: object.seq,
            to,
        };
        Ok(Self { order, sig })
    }
}
