//! How events change the wallet's key accounts in memory.

use super::{IntroductionLine, State, Status};
use crate::event::{Operation, OperationId};
use crate::key_account::KeyPaymentState;
use crate::key_account::records::{KeyEvent, KeyPayment, OwnKey};

impl State {
    /// Applies an event of a key account.
    pub(crate) fn key_event(&mut self, event: KeyEvent) -> Result<(), String> {
        match event {
            KeyEvent::Made { key, seed } => {
                self.changed.key_seeds.push((key.no, seed));
                self.changed.keys.insert(key.no);
                self.keys.insert(key.no, *key);
            }
            KeyEvent::Introducing { no, introduction } => {
                self.last_id = self.last_id.max(introduction.id);
                self.own_key(no)?.introduction = Some(introduction);
                self.introduction_line(no, Status::Pending, String::new())?;
            }
            KeyEvent::Open { no } => {
                self.own_key(no)?.is_open = true;
                self.introduction_line(no, Status::Done, String::new())?;
            }
            KeyEvent::NotIntroduced { no, why } => {
                self.introduction_line(no, Status::Refused, why)?;
                self.own_key(no)?.introduction = None;
            }
            KeyEvent::Counted { no, accepted } => {
                let key = self.own_key(no)?;
                key.accepted = key.accepted.max(accepted);
                key.is_seq_unsure = false;
            }
            KeyEvent::Proven { no, at } => {
                let key = self.own_key(no)?;
                key.accepted = key.accepted.max(at.seq);
                key.is_open |= at.exists;
                key.proven = Some(at);
            }
            KeyEvent::Followed { no, at } => {
                let key = self.own_key(no)?;
                key.accepted = key.accepted.max(at.seq);
                key.followed = Some(at);
            }
            KeyEvent::Paying { payment } => {
                self.last_id = self.last_id.max(payment.id);
                self.changed.key_payments.insert(payment.id);
                self.key_payments.insert(payment.id, *payment);
            }
            KeyEvent::Payment {
                id,
                state,
                note,
                proof,
            } => {
                let payment = self.key_payment(id)?;
                payment.state = state;
                payment.note = note;
                payment.proof = proof.or(payment.proof.take());
                let (no, seq) = (payment.account, payment.payment.order.seq);
                self.payment_ended(no, seq, state != KeyPaymentState::Refused)?;
            }
            KeyEvent::Told { id } => self.key_payment(id)?.is_told = true,
        }
        Ok(())
    }

    fn own_key(&mut self, no: u64) -> Result<&mut OwnKey, String> {
        self.changed.keys.insert(no);
        self.keys
            .get_mut(&no)
            .ok_or_else(|| format!("key account {no} is unknown"))
    }

    fn key_payment(&mut self, id: OperationId) -> Result<&mut KeyPayment, String> {
        self.changed.key_payments.insert(id);
        self.key_payments
            .get_mut(&id)
            .ok_or_else(|| format!("payment {id} is unknown"))
    }

    /// Notes the introduction of a key, if it has one, for the history.
    fn introduction_line(&mut self, no: u64, status: Status, note: String) -> Result<(), String> {
        let key = self.own_key(no)?;
        let Some(introduction) = &key.introduction else {
            return Ok(());
        };
        let line = IntroductionLine {
            id: introduction.id,
            at: introduction.at,
            currency: key.currency.clone(),
            key: key.key.to_string(),
            status,
            note,
        };
        self.changed.introductions.push(line);
        Ok(())
    }

    /// Notes that an operation has ended, if a key account was to pay for it.
    pub(super) fn mint_by_key_ended(&mut self, id: OperationId, status: Status) -> Result<(), String> {
        let operation: Option<&Operation> = self.operations.get(&id).map(|tracked| &tracked.item);
        let Some(order) = operation.and_then(|operation| operation.key_order.as_ref()) else {
            return Ok(());
        };
        let Some(payment) = order.payment else {
            return Ok(());
        };
        let is_accepted = matches!(status, Status::Done | Status::AwaitsRecoup);
        self.payment_ended(order.account, payment.seq, is_accepted)
    }

    fn payment_ended(&mut self, no: u64, seq: u64, is_accepted: bool) -> Result<(), String> {
        let key = self.own_key(no)?;
        if is_accepted {
            key.accepted = key.accepted.max(seq);
        } else {
            // Perhaps a copy of the wallet has used the number.
            key.is_seq_unsure = true;
        }
        Ok(())
    }

    /// Whether a payment must be in memory: it can change, or its outcome was not shown.
    pub(crate) fn is_payment_open(payment: &KeyPayment) -> bool {
        match payment.state {
            KeyPaymentState::Signed | KeyPaymentState::Accepted | KeyPaymentState::Published => true,
            KeyPaymentState::Final => !payment.is_told,
            KeyPaymentState::Refused => false,
        }
    }
}
