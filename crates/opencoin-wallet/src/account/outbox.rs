//! Payments whose answer has not been seen: what makes that the same command again cannot pay twice.
//!
//! A payment's idempotency key is on the disk before the payment is sent and stays there until somebody was
//! told what became of it. Whatever dies in between, the same payment is sent again under the same key, and
//! the issuer pays once for a key. So it is with two identical payments that are both meant: the second one,
//! begun before the first one's answer was seen, only finishes the first, and is said to have done so.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_api::{RequestPayout, Transfer};
use opencoin_private_files as private_files;
use serde::{Deserialize, Serialize};

use super::stored_session::without_slash;
use crate::file_error::FileError;

const PAYMENTS_FILE: &str = "payments.json";
/// A file of its own, which is never replaced.
const LOCK_FILE: &str = "payments.lock";

/// Money that is to leave an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// To another account.
    Transfer(Transfer),
    /// Out of the currency.
    Payout(RequestPayout),
}

/// Out of which account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    url: String,
    account: String,
}

impl Payer {
    /// This account of the issuer at this URL.
    #[must_use]
    pub fn new(url: &str, account: &str) -> Self {
        Self {
            url: without_slash(url).to_owned(),
            account: account.to_owned(),
        }
    }
}

/// A payment whose answer has not been seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Out of which account.
    pub payer: Payer,
    /// What was to be paid.
    pub payment: Payment,
    /// The idempotency key under which it was sent, or was about to be.
    pub key: String,
    /// When it was begun, by the clock of this machine.
    pub begun_at: DateTime<Utc>,
}

/// The payments of a folder whose answers have not been seen. While it is open, nobody else can open it.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    payments: Vec<Unanswered>,
    /// Locked until it is dropped.
    _lock: File,
}

/// A payment that was begun, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The idempotency key to send it under.
    pub key: String,
    /// When the same payment was begun before and no answer was seen.
    pub before: Option<DateTime<Utc>>,
}

impl Outbox {
    /// Opens the payments of this folder, which is made if need be.
    ///
    /// # Errors
    /// Another process has them open, or their file cannot be read.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        private_files::make_private_folders(folder)?;
        let lock_path = folder.join(LOCK_FILE);
        let failed = private_files::FileError::of(&lock_path);
        let lock = match private_files::open_or_make(&lock_path) {
            Ok(lock) => lock,
            Err(error) => return Err(failed(error).into()),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let payments = Self::unanswered(folder)?;
        Ok(Self {
            path: folder.join(PAYMENTS_FILE),
            payments,
            _lock: lock,
        })
    }

    /// The payments of this folder, those that another process is making now among them.
    ///
    /// # Errors
    /// Their file cannot be read.
    pub fn unanswered(folder: &Path) -> Result<Vec<Unanswered>, FileError> {
        let path = folder.join(PAYMENTS_FILE);
        let Some(bytes) = private_files::read_if_there(&path)? else {
            return Ok(Vec::new());
        };
        serde_json::from_slice(&bytes).map_err(FileError::damaged(&path))
    }

    /// Begins a payment: its key is on the disk when this returns. `new_key` makes one up, and is not asked
    /// when the same payment was begun before.
    ///
    /// # Errors
    /// It cannot be written down; then it must not be sent.
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

    /// Forgets a payment: somebody has been told what became of it.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn settle(&mut self, payer: &Payer, key: &str) -> Result<(), FileError> {
        self.payments
            .retain(|payment| payment.payer != *payer || payment.key != key);
        self.write()
    }

    fn write(&self) -> Result<(), FileError> {
        let bytes =
            serde_json::to_vec(&self.payments).expect("payments have string keys and no failing values");
        Ok(private_files::write(&self.path, &bytes)?)
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
        assert_eq!(
            begin(&mut outbox, &alice(), &rent(5), "k1"),
            Begun {
                key: "k1".to_owned(),
                before: None
            }
        );
        // The process dies: another one finds it.
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        let again = begin(
            &mut outbox,
            &Payer::new("https://issuer.test", "alice"),
            &rent(5),
            "k2",
        );
        assert_eq!(
            again,
            Begun {
                key: "k1".to_owned(),
                before: Some(now())
            }
        );
        // Whatever differs is another payment.
        assert_eq!(begin(&mut outbox, &alice(), &rent(6), "k3").key, "k3");
        assert_eq!(
            begin(
                &mut outbox,
                &Payer::new("https://issuer.test", "carol"),
                &rent(5),
                "k4"
            )
            .key,
            "k4"
        );
        assert_eq!(
            begin(
                &mut outbox,
                &Payer::new("https://other.test", "alice"),
                &rent(5),
                "k5"
            )
            .key,
            "k5"
        );
        let payout = Payment::Payout(RequestPayout {
            amount: 5,
            destination: "bob".to_owned(),
        });
        assert_eq!(begin(&mut outbox, &alice(), &payout, "k6").key, "k6");
        outbox.settle(&alice(), "k1").unwrap();
        drop(outbox);
        let mut outbox = Outbox::open(folder.path()).unwrap();
        assert_eq!(
            begin(&mut outbox, &alice(), &rent(5), "k7"),
            Begun {
                key: "k7".to_owned(),
                before: None
            }
        );
        assert_eq!(begin(&mut outbox, &alice(), &payout, "k8").key, "k6");
    }

    #[test]
    fn two_processes_do_not_pay_at_once_and_both_can_look() {
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
