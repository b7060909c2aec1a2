//! The accounts of keys as the public log has them, with what waits to be sealed.
//!
//! This counts statements without their rules, which the sealer checks: an audit compares sums with the books.

use std::collections::BTreeMap;

use opencoin_ledger::log::PendingLeaves;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::{AccountKey, Payee};
use opencoin_log::key_ledger::{KeyAccount, KeyLedger};
use opencoin_log::leaf::Leaf;

use crate::LoggedAccountFacts;

/// The accounts.
#[derive(Default)]
pub(crate) struct LoggedAccounts {
    /// At the end of the log.
    sealed: Vec<(AccountKey, KeyAccount)>,
    /// With what waits.
    accounts: BTreeMap<AccountKey, LoggedAccountFacts>,
}

impl LoggedAccounts {
    /// Takes a row of the log's key accounts.
    ///
    /// # Errors
    /// A column makes no sense.
    pub(crate) fn take(&mut self, key: &[u8], balance: i64, seq: i64, credits: i64) -> Result<(), String> {
        let key = opencoin_ledger::stored::logged_key_account(key.to_vec(), balance, seq, credits);
        let (key, account) = key.map_err(|error| error.to_string())?;
        self.sealed.push((key, account));
        let facts = LoggedAccountFacts {
            balance: balance.into(),
            seq,
            credits,
        };
        self.accounts.insert(key, facts);
        Ok(())
    }

    /// Adds leaves that wait, each with its length before it.
    ///
    /// # Errors
    /// A leaf cannot be read.
    pub(crate) fn add(&mut self, statements: &[u8]) -> Result<(), String> {
        let waiting = PendingLeaves {
            statements: statements.to_vec(),
            ..PendingLeaves::default()
        };
        for leaf in waiting.long_leaves().map_err(|error| error.to_string())? {
            match Leaf::decode(leaf).map_err(|error| error.to_string())? {
                Leaf::KeyIntroduced(introduction) => {
                    self.account(introduction.key);
                }
                Leaf::KeyCredited(credit) => {
                    let account = self.account(credit.key);
                    account.balance += i128::from(credit.amount);
                    account.credits += 1;
                }
                Leaf::KeyPaid(payment) => {
                    let amount = i128::from(payment.order.amount);
                    let payer = self.account(payment.order.from);
                    payer.balance -= amount;
                    payer.seq += 1;
                    if let Payee::Key(payee) = payment.order.to {
                        self.account(payee).balance += amount;
                    }
                }
                _ => return Err("a leaf that is not of a key account".to_owned()),
            }
        }
        Ok(())
    }

    /// The root over the accounts at the end of the log.
    pub(crate) fn root(&self) -> Hash {
        KeyLedger::new(self.sealed.iter().copied()).root()
    }

    /// Takes out the account of a key.
    pub(crate) fn remove(&mut self, key: &AccountKey) -> Option<LoggedAccountFacts> {
        self.accounts.remove(key)
    }

    /// The keys of the accounts that were not taken out.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &AccountKey> {
        self.accounts.keys()
    }

    fn account(&mut self, key: AccountKey) -> &mut LoggedAccountFacts {
        self.accounts.entry(key).or_default()
    }
}
