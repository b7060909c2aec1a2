//! Applies the statements of a batch.

use std::collections::BTreeMap;

use super::{BatchOfStatements, KeyAccount, KeyLedger, KeyLedgerFault, Signatures};
use crate::key_account::{AMOUNT_MAX, AccountKey, Credit, Introduction, Payee, Payment};
use crate::leaf::Leaf;

/// An account while a batch is applied. Its balance may be below zero in between.
#[derive(Debug, Clone, Copy)]
struct Changing {
    balance: i128,
    seq: u64,
    credits: u64,
}

/// The accounts that a batch changes.
struct Applying<'a> {
    ledger: &'a KeyLedger,
    changed: BTreeMap<AccountKey, Changing>,
    batch: BatchOfStatements<'a>,
    signatures: Signatures,
}

impl KeyLedger {
    /// Applies the statements of a batch, in the order of its leaves, and returns the accounts that have changed, as
    /// they are then. Other leaves are ignored. If a rule is broken, nothing is changed.
    ///
    /// # Errors
    /// A rule is broken.
    pub fn apply<'leaf>(
        &mut self,
        leaves: impl IntoIterator<Item = &'leaf Leaf>,
        batch: BatchOfStatements<'_>,
        signatures: Signatures,
    ) -> Result<BTreeMap<AccountKey, KeyAccount>, KeyLedgerFault> {
        let mut applying = Applying {
            ledger: self,
            changed: BTreeMap::new(),
            batch,
            signatures,
        };
        let mut payments = Vec::new();
        for leaf in leaves {
            match leaf {
                Leaf::KeyIntroduced(introduction) => applying.introduce(introduction)?,
                Leaf::KeyCredited(credit) => applying.credit(credit)?,
                // A payee may be introduced in the same batch.
                Leaf::KeyPaid(payment) => payments.push(payment),
                _ => {}
            }
        }
        for payment in payments {
            applying.pay(payment)?;
        }
        let changed = applying.end()?;
        self.accounts
            .extend(changed.iter().map(|(key, account)| (*key, *account)));
        Ok(changed)
    }
}

impl Applying<'_> {
    fn introduce(&mut self, introduction: &Introduction) -> Result<(), KeyLedgerFault> {
        let key = introduction.key;
        if self.account(key).is_ok() {
            return Err(KeyLedgerFault::IntroducedTwice { key });
        }
        if self.signatures == Signatures::Verify && !introduction.has_work(self.batch.origin) {
            return Err(KeyLedgerFault::NoWork { key });
        }
        let empty = Changing {
            balance: 0,
            seq: 0,
            credits: 0,
        };
        self.changed.insert(key, empty);
        Ok(())
    }

    fn credit(&mut self, credit: &Credit) -> Result<(), KeyLedgerFault> {
        let (key, found) = (credit.key, credit.number);
        let account = self.account(key)?;
        let expected = account.credits.saturating_add(1);
        if found != expected {
            return Err(KeyLedgerFault::CreditNumber { key, found, expected });
        }
        account.credits = found;
        account.balance += i128::from(credit.amount);
        Ok(())
    }

    fn pay(&mut self, payment: &Payment) -> Result<(), KeyLedgerFault> {
        let order = &payment.order;
        let (key, seq) = (order.from, order.seq);
        order
            .check()
            .map_err(|fault| KeyLedgerFault::Payment { key, seq, fault })?;
        if order.domain != self.batch.origin {
            return Err(KeyLedgerFault::Domain { key, seq });
        }
        if self.batch.time_s > order.expires.saturating_add(self.batch.within_s.into()) {
            return Err(KeyLedgerFault::Expired { key, seq });
        }
        if self.signatures == Signatures::Verify && !payment.is_signed() {
            return Err(KeyLedgerFault::Signature { key, seq });
        }
        let payer = self.account(key)?;
        let expected = payer.seq.saturating_add(1);
        if seq != expected {
            let found = seq;
            return Err(KeyLedgerFault::Seq { key, found, expected });
        }
        payer.seq = seq;
        payer.balance -= i128::from(order.amount);
        if let Payee::Key(payee) = order.to {
            self.account(payee)?.balance += i128::from(order.amount);
        }
        Ok(())
    }

    fn account(&mut self, key: AccountKey) -> Result<&mut Changing, KeyLedgerFault> {
        if !self.changed.contains_key(&key) {
            let before = self.ledger.account(&key);
            let before = before.ok_or(KeyLedgerFault::NotIntroduced { key })?;
            let changing = Changing {
                balance: before.balance.into(),
                seq: before.seq,
                credits: before.credits,
            };
            self.changed.insert(key, changing);
        }
        Ok(self.changed.get_mut(&key).expect("it was inserted"))
    }

    /// Checks the balances at the end of the batch.
    fn end(self) -> Result<BTreeMap<AccountKey, KeyAccount>, KeyLedgerFault> {
        let mut total = i128::from(self.ledger.total());
        let mut changed = BTreeMap::new();
        for (key, account) in self.changed {
            if account.balance < 0 {
                return Err(KeyLedgerFault::Overdraft { key });
            }
            let before = self.ledger.account(&key).unwrap_or_default();
            total += account.balance - i128::from(before.balance);
            let balance = u64::try_from(account.balance).map_err(|_| KeyLedgerFault::Overflow)?;
            let (seq, credits) = (account.seq, account.credits);
            changed.insert(
                key,
                KeyAccount {
                    balance,
                    seq,
                    credits,
                },
            );
        }
        if total > i128::from(AMOUNT_MAX) {
            return Err(KeyLedgerFault::Overflow);
        }
        Ok(changed)
    }
}
