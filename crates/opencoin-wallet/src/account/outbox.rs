//! Payments whose result was not shown to the user yet. They keep a repeated command from paying twice.
//!
//! A payment's idempotency key is on the disk before the payment is sent, and stays there until its result
//! was shown. After a crash the same payment is sent again with the same key, and the issuer pays once for a
//! key. Two identical payments that are both intended must be made one after the other: if the second one
//! begins before the result of the first was shown, it only finishes the first, and the result says so.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_api::{RequestPayout, Transfer};
use opencoin_private_files as private_files;
use serde::{Deserialize, Serialize};

use super::private_json;
use super::stored_session::without_slash;
use crate::file_error::FileError;
use crate::storage::lock;

const PAYMENTS_FILE: &str = "payments.json";
/// A separate file, because the file of payments is replaced by each write.
const LOCK_FILE: &str = "payments.lock";

/// A payment from an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// To another account.
    Transfer(Transfer),
    /// To a destination outside of the currency.
    Payout(RequestPayout),
}

/// The account that pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    url: String,
    account: String,
}

impl Payer {
    /// Names an account of the issuer at this URL.
    #[must_use]
    pub fn new(url: &str, account: &str) -> Self {
        Self {
            url: without_slash(url).to_owned(),
            account: account.to_owned(),
        }
    }
}

/// A payment whose result was not shown yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// The account that pays.
    pub payer: Payer,
    /// The payment.
    pub payment: Payment,
    /// Its idempotency key.
    pub key: String,
    /// When it was begun, by the clock of this machine.
    pub begun_at: DateTime<Utc>,
}

/// The payments of a folder whose results were not shown yet. Only one process can open it.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    payments: Vec<Unanswered>,
    /// Locked until it is dropped.
    _lock: File,
}

/// The key of a payment in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The idempotency key.
    pub key: String,
    /// When the same payment was begun before, if its result was not shown.
    pub before: Option<DateTime<Utc>>,
}

impl Outbox {
    /// Opens the outbox of this folder, which is made if need be.
    ///
    /// # Errors
    /// Another process has it open, or its file cannot be read.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        private_files::make_private_folders(folder)?;
        let lock = lock(&folder.join(LOCK_FILE))?.ok_or_else(|| FileError::InUse(folder.to_owned()))?;
        let payments = Self::unanswered(folder)?;
        Ok(Self {
            path: folder.join(PAYMENTS_FILE),
            payments,
            _lock: lock,
        })
    }

    /// Reads the payments of this folder, including those that another process is making.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unanswered(folder: &Path) -> Result<Vec<Unanswered>, FileError> {
        Ok(private_json::read(&folder.join(PAYMENTS_FILE))?.unwrap_or_default())
    }

    /// Begins a payment: its key is on the disk when this returns. `new_key` makes a key unless the same
    /// payment was begun before.
    ///
    /// # Errors
    /// The file cannot be written; then the payment must not be sent.
    pub fn begin(
        &mut self,
        payer: &Payer,
        payment: &Payment,
        new_key: impl FnOnce() -> String,
        now: DateTime<Utc>,
    ) -> Result<Begun, FileError> {
        let is_same = |old: &&Unanswered| old.payer == *payer && old.payment == *payment;
        if let Some(old) = self.payments.iter().find(is_same) {
            return Ok(Begun {
                key: old.key.clone(),
                before: Some(old.begun_at),
            });
        }
        let key = new_key();
        let payment = Unanswered {
            payer: payer.clone(),
            payment: payment.clone(),
            key: key.clone(),
            begun_at: now,
        };
        self.payments.push(payment);
        self.write()?;
        Ok(Begun { key, before: None })
    }

    /// Removes a payment whose result was shown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn settle(&mut self, payer: &Payer, key: &str) -> Result<(), FileError> {
        self.payments
            .retain(|payment| payment.payer != *payer || payment.key != key);
        self.write()
    }

    fn write(&self) -> Result<(), FileError> {
        private_json::write(&self.path, &self.payments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_000, 0).unwrap()
    }

    fn rent(amount: u64) -> Payment {
        Payment::Transfer(Transfer {
            to: "bob".to_owned(),
            amount,
            label: "rent".to_owned(),
        })
    }

    fn alice() -> Payer {
        Payer::new("https://issuer.test/", "alice")
    }

    #[test]
    fn the_same_payment_has_the_same_key_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |outbox: &mut Outbox, payer: &Payer, payment: &Payment, key: &str| {
            outbox.begin(payer, payment, || key.to_owned(), now()).unwrap()
        };
        let mut outbox = Outbox::open(folder.path()).unwrap();
        let begun = |key: &str, before| Begun {
            key: key.to_owned(),
            before,
        };
        assert_eq!(begin(&mut outbox, &alice(), &rent(5), "k1"), begun("k1", None));
        // After a crash another process finds the key.
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        let without_slash = Payer::new("https://issuer.test", "alice");
        let again = begin(&mut outbox, &without_slash, &rent(5), "k2");
        assert_eq!(again, begun("k1", Some(now())));
        let payout = Payment::Payout(RequestPayout {
            amount: 5,
            destination: "bob".to_owned(),
        });
        for (payer, payment, key) in [
            (alice(), rent(6), "k3"),
            (Payer::new("https://issuer.test", "carol"), rent(5), "k4"),
            (Payer::new("https://other.test", "alice"), rent(5), "k5"),
            (alice(), payout.clone(), "k6"),
        ] {
            assert_eq!(begin(&mut outbox, &payer, &payment, key), begun(key, None));
        }
        outbox.settle(&alice(), "k1").unwrap();
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(begin(&mut outbox, &alice(), &rent(5), "k7"), begun("k7", None));
        assert_eq!(begin(&mut outbox, &alice(), &payout, "k8").key, "k6");
    }

    #[test]
    fn only_one_process_can_pay_and_others_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(folder.path()).unwrap();
        outbox
            .begin(&alice(), &rent(5), || "k1".to_owned(), now())
            .unwrap();
        assert!(matches!(Outbox::open(folder.path()), Err(FileError::InUse(_))));
        assert_eq!(Outbox::unanswered(folder.path()).unwrap()[0].key, "k1");
    }

    #[test]
    fn a_damaged_file_stops_payments() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PAYMENTS_FILE), "[{").unwrap();
        assert!(matches!(
            Outbox::open(folder.path()),
            Err(FileError::Damaged { .. })
        ));
    }
}
