//! Payments through the outbox, which keeps the idempotency key until the result was shown.

use chrono::{DateTime, Utc};
use opencoin_api::{Entry, Payout};

use super::client::{AccountClient, Made};
use super::error::AccountError;
use super::outbox::{Begun, Outbox, Payer, Payment};

/// The issuer's record of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// The entry of a transfer.
    Entry(Entry),
    /// The payout.
    Payout(Payout),
}

/// A payment that was made. It stays in the outbox until [`Outbox::settle`], after its result was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The issuer's record.
    pub receipt: Receipt,
    /// Whether an earlier attempt had made the payment.
    pub is_repeated: bool,
    /// The idempotency key.
    pub key: String,
    /// When the finished payment was begun, if by an earlier call whose result was not shown.
    pub begun_before: Option<DateTime<Utc>>,
}

/// Sends a payment with this idempotency key, which the caller stores.
///
/// # Errors
/// See [`AccountError`]. After [`AccountError::Open`], a call with the same arguments tells the outcome.
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

/// Sends a payment with its key from the outbox, or with a new key.
///
/// # Errors
/// See [`AccountError`]. A refusal of the payment removes it from the outbox. It stays there after
/// [`AccountError::Open`], and after a refusal of the sender or the request rate if the outcome of an earlier
/// attempt is unknown.
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
            let tells_outcome = match &error {
                AccountError::Refused {
                    status: 401 | 403 | 429,
                    ..
                }
                | AccountError::TooSoon { .. } => before.is_none(),
                AccountError::Refused { .. } => true,
                AccountError::Open(_) | AccountError::File(_) => false,
            };
            if tells_outcome {
                outbox.settle(payer, &key)?;
            }
            Err(error)
        }
    }
}
