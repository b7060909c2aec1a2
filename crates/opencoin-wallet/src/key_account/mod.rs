//! Accounts that belong to a key: what the wallet keeps of them, and what proves a payment.
//!
//! A key account is in the public log, so nobody has to believe the issuer: [`proof`] checks a payment from a file alone,
//! and `wallet::key_accounts` shows a balance only as far as the log proves it. The seeds of keys are derived from the
//! backup phrase ([`seed`]). [`records`] is what the wallet writes down before it sends anything.

mod proof;
pub(crate) mod records;
pub(crate) mod seed;

pub use proof::{CheckedPayment, PaymentProofError, PaymentVerifier};
pub use records::KeyPaymentState;
