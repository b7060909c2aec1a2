//! A dishonest issuer's log: every way to break a rule that somebody finds who replays it.
//!
//! Each [`Fraud`] is committed at the end of [`honest`], in batches of its own, and breaks as few rules as it can: totals
//! are made to fit as far as such an issuer could.

mod coins;
mod key_accounts;
mod order;
mod totals;

use std::sync::Arc;

use opencoin_log::hash::Hash;
use opencoin_log::key::SigningKey;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::CloseReason;

use crate::log_builder::{LogBuilder, LogCurrency, account_key};

/// The longest time that a fraud takes after the end of the honest log, in seconds: until coins have expired.
pub const FRAUD_LASTS_S: u64 = 200 * 24 * 3600;

/// A way to break a rule.
#[derive(Debug, Clone, Copy)]
pub struct Fraud {
    /// What is done.
    pub name: &'static str,
    /// The kind of the evidence; `None` if a file would have to show that something is nowhere in the log.
    pub kind: Option<&'static str>,
    /// The rule that a replay finds broken first.
    pub rule: &'static str,
    /// Seals the batches that break the rule.
    pub commit: fn(&mut LogBuilder),
}

impl Fraud {
    const fn new(
        name: &'static str,
        kind: &'static str,
        rule: &'static str,
        commit: fn(&mut LogBuilder),
    ) -> Self {
        let kind = Some(kind);
        Self {
            name,
            kind,
            rule,
            commit,
        }
    }

    /// A fraud that no file proves.
    const fn unproven(name: &'static str, rule: &'static str, commit: fn(&mut LogBuilder)) -> Self {
        let kind = None;
        Self {
            name,
            kind,
            rule,
            commit,
        }
    }
}

/// All frauds.
#[must_use]
pub fn all() -> Vec<Fraud> {
    [coins::FRAUDS, totals::FRAUDS, order::FRAUDS, key_accounts::FRAUDS].concat()
}

/// The fraud with this name.
///
/// # Panics
/// There is none.
#[must_use]
pub fn named(name: &str) -> Fraud {
    let found = all().into_iter().find(|fraud| fraud.name == name);
    found.unwrap_or_else(|| panic!("no fraud is named {name:?}"))
}

/// A key of denomination 1 that signs.
pub const ONE: KeyNo = KeyNo::FIRST;

/// A key of denomination 5 that signs.
fn five() -> KeyNo {
    key_no(2)
}

/// A key of denomination 2 that was revoked.
fn revoked() -> KeyNo {
    key_no(3)
}

fn key_no(number: u32) -> KeyNo {
    KeyNo::new(number).expect("it is not 0")
}

/// The key of an account with 90, which was credited once and has paid once.
fn alice() -> SigningKey {
    account_key(11)
}

/// The key of an account with 10, which was never credited and has never paid.
fn bob() -> SigningKey {
    account_key(12)
}

/// A coin that was recouped, and its blind.
fn recouped() -> [Hash; 2] {
    [Hash::new([0x0c; 32]), Hash::new([0x0b; 32])]
}

/// The log of an honest issuer, with leaves of every type: coins of two keys, a key that was revoked with a recouped coin,
/// and two key accounts.
#[must_use]
pub fn honest(currency: Arc<LogCurrency>) -> LogBuilder {
    let mut log = LogBuilder::begun_of(currency);
    log.issue(ONE, 20);
    log.issue(five(), 10);
    log.add_mint_key(2);
    for key in [alice(), bob()] {
        log.introduce(&key);
    }
    log.credit(&alice(), 1, 100);
    log.seal();
    log.issue(revoked(), 4);
    log.spend(ONE, 3);
    log.spend(five(), 2);
    log.pay(log.payment(&alice(), &bob(), 1, |order| order.amount = 10));
    log.seal();
    log.close(revoked(), CloseReason::Revoked);
    let [coin, blind] = recouped();
    log.recoup(revoked(), coin, blind);
    log.seal();
    log.issue(ONE, 5);
    log.pay_out(4);
    log.seal();
    log
}
