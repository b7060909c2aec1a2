//! Which rule a statement breaks.

use thiserror::Error;

use crate::key_account::{AccountKey, PaymentFault};

/// The statements of a batch break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyLedgerFault {
    /// The key has an account already.
    #[error("key {key} is introduced twice")]
    IntroducedTwice {
        /// The key.
        key: AccountKey,
    },
    /// The introduction lacks the proof of work.
    #[error("key {key} is introduced without proof of work")]
    NoWork {
        /// The key.
        key: AccountKey,
    },
    /// A credit or payment names a key without an account.
    #[error("key {key} has no account")]
    NotIntroduced {
        /// The key.
        key: AccountKey,
    },
    /// A credit has another number than the next one of its account.
    #[error("a credit of key {key} has the number {found} instead of {expected}")]
    CreditNumber {
        /// The account.
        key: AccountKey,
        /// The number of the credit.
        found: u64,
        /// The next number.
        expected: u64,
    },
    /// A payment has another number than the next one of its payer.
    #[error("a payment of key {key} has the number {found} instead of {expected}")]
    Seq {
        /// The payer.
        key: AccountKey,
        /// The number of the payment.
        found: u64,
        /// The next number.
        expected: u64,
    },
    /// A payment is one that nobody can order.
    #[error("payment {seq} of key {key}: {fault}")]
    Payment {
        /// The payer.
        key: AccountKey,
        /// The number of the payment.
        seq: u64,
        /// What is wrong.
        fault: PaymentFault,
    },
    /// The payer did not sign a payment.
    #[error("payment {seq} of key {key} does not have its signature")]
    Signature {
        /// The payer.
        key: AccountKey,
        /// The number of the payment.
        seq: u64,
    },
    /// A payment was ordered for another log.
    #[error("payment {seq} of key {key} is for another log")]
    Domain {
        /// The payer.
        key: AccountKey,
        /// The number of the payment.
        seq: u64,
    },
    /// A payment is in a batch that was sealed too long after the payment's end.
    #[error("payment {seq} of key {key} had expired")]
    Expired {
        /// The payer.
        key: AccountKey,
        /// The number of the payment.
        seq: u64,
    },
    /// An account pays more than it has.
    #[error("key {key} pays more than it has")]
    Overdraft {
        /// The account.
        key: AccountKey,
    },
    /// A balance or the sum of all balances is too large.
    #[error("the balances of key accounts are too large")]
    Overflow,
}
