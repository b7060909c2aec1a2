//! The rules for statements about key accounts by themselves.
//!
//! Statements hold together or not at all, so they are kept until the end of their batch. A hostile log must not fill the
//! memory with them: what nobody can order is reported where it is read.

use opencoin_log::key_account::Payment;
use opencoin_log::key_ledger::KeyLedgerFault;
use opencoin_log::leaf::Leaf;

use crate::finding::BrokenRule;
use crate::key_accounts::Statements;
use crate::replay::Replay;

impl Replay {
    /// Keeps a statement until the end of its batch, unless nothing is checked any more or it is wrong by itself.
    pub(crate) fn see_statement(&mut self, statement: Leaf, bytes: usize) {
        if self.key_accounts.is_broken() {
            return;
        }
        if let Leaf::KeyPaid(payment) = &statement
            && let Err(fault) = self.check_form(payment)
        {
            self.open.statements = Statements::default();
            self.find_bad_statement(Some(self.size), fault.to_string());
            return;
        }
        self.open.statements.add(self.size, statement, bytes);
    }

    /// A payment that cannot be may be as long as an entry of the log. The others are short.
    fn check_form(&self, payment: &Payment) -> Result<(), KeyLedgerFault> {
        let (key, seq) = (payment.order.from, payment.order.seq);
        let checked = payment.order.check();
        checked.map_err(|fault| KeyLedgerFault::Payment { key, seq, fault })?;
        if payment.order.domain == self.origin {
            Ok(())
        } else {
            Err(KeyLedgerFault::Domain { key, seq })
        }
    }

    /// Takes note of a broken rule, after which nobody knows what accounts hold.
    pub(crate) fn find_bad_statement(&mut self, statement: Option<u64>, reason: String) {
        self.key_accounts.give_up();
        let rule = BrokenRule::KeyAccounts { reason, statement };
        self.find(statement.unwrap_or(self.size), rule);
    }
}
