//! Paying through the outbox: the key is kept until the answer was shown.

use chrono::{DateTime, Utc};
use opencoin_api::{Entry, Payout};

use super::client::{AccountClient, Made};
use super::error::AccountError;
use super::outbox::{Begun, Outbox, Payer, Payment};

/// What the issuer has done for a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// For a transfer.
    Entry(Entry),
    /// For a payout.
    Payout(Payout),
}

/// A payment that was made. It stays in the outbox until [`Outbox::settle`], which comes after its result was
/// shown: what was not seen is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// What the issuer has done.
    pub receipt: Receipt,
    /// The issuer had done it before.
    pub is_repeated: bool,
    /// The idempotency key.
    pub key: String,
    /// When the same payment was begun before, without an answer that anybody saw: this has finished that
    /// one.
    pub begun_before: Option<DateTime<Utc>>,
}

/// Sends a payment under this key, which the caller keeps.
///
/// # Errors
/// As [`AccountError`] says. After [`AccountError::Open`] the same payment under the same key asks what
/// became of it.
pub async fn pay_with_key(
    client: &AccountClient,
    payment: &Payment,
    key: &str,
) -> Result<Made<Receipt>, AccountError> {
    match payment {
        Payment::Transfer(transfer) => {
            let made = client.transfer(key, transfer).await?;
            Ok(Made {
                value: Receipt::Entry(made.value),
                is_repeated: made.is_repeated,
            })
        }
        Payment::Payout(payout) => {
            let made = client.request_payout(key, payout).await?;
            Ok(Made {
                value: Receipt::Payout(made.value),
                is_repeated: made.is_repeated,
            })
        }
    }
}

/// Sends a payment under the key that the outbox has for it, or under a new one.
///
/// # Errors
/// As [`AccountError`] says. A refusal of the payment itself takes it out of the outbox. It stays there after
/// [`AccountError::Open`], and when an earlier attempt is open and this one was refused for who asks, or how
/// often.
pub async fn pay(
    client: &AccountClient,
    outbox: &mut Outbox,
    payer: &Payer,
    payment: &Payment,
    new_key: impl FnOnce() -> String,
    now: DateTime<Utc>,
) -> Result<Paid, AccountError> {
    let Begun { key, before } = outbox.begin(payer, payment, new_key, now)?;
    match pay_with_key(client, payment, &key).await {
        Ok(Made { value, is_repeated }) => Ok(Paid {
            receipt: value,
            is_repeated,
            key,
            begun_before: before,
        }),
        Err(error) => {
            let says_what_became = match &error {
                AccountError::Refused {
                    status: 401 | 403 | 429,
                    ..
                }
                | AccountError::TooSoon { .. } => before.is_none(),
                AccountError::Refused { .. } => true,
                AccountError::Open(_) | AccountError::File(_) => false,
            };
            if says_what_became {
                outbox.settle(payer, &key)?;
            }
            Err(error)
        }
    }
}
