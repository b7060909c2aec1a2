//! Payments by key: to another key, or to a custodial account.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_log::key_account::{AccountKey, Payee, Payment, PaymentOrder, account_details};
use opencoin_schema::BigInt;
use rand::RngCore;

use super::Wallet;
use crate::client::ExchangeError;
use crate::error::WalletError;
use crate::event::OperationId;
use crate::key_account::KeyPaymentState;
use crate::key_account::records::{KeyEvent, KeyPayment, ToAccount};
use crate::key_requests::{self, is_refused_for_good};
use crate::refusal::word::PAYMENT_EXPIRED;

/// How long a payment can be accepted after it was signed. Until then a lost answer keeps the account from paying.
pub(super) const VALID: TimeDelta = TimeDelta::minutes(30);
/// The random bytes that hide the name of a custodial account.
const NONCE_BYTES: usize = 16;

/// Who receives a payment by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPayee {
    /// Another key account.
    Key(AccountKey),
    /// The custodial account with this name. The log does not name it.
    Account(String),
}

/// What a payment by key orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPaymentOrder {
    /// Who receives it.
    pub to: KeyPayee,
    /// In the smallest unit.
    pub amount: u64,
    /// A public text for the payee, at most [`MEMO_BYTES_MAX`](opencoin_log::key_account::MEMO_BYTES_MAX) bytes.
    pub memo: String,
}

/// A payment by key that the issuer has accepted. [`Wallet::payment_told`] says that the user knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidByKey {
    /// Its number in the history.
    pub number: u64,
    /// Its id at the issuer: the payer's key, a dot, and the number among its payments.
    pub id: String,
    /// When the payment was signed, if by an earlier call whose outcome was not shown. Nothing else was paid then.
    pub begun_before: Option<DateTime<Utc>>,
}

impl Wallet {
    /// Pays by key. If an earlier call with the same order did not come to its end, this finishes it, and pays nothing
    /// more.
    ///
    /// # Errors
    /// The wallet has no such key, an earlier payment of it is not decided and the issuer does not answer, or the issuer
    /// refuses the payment or does not answer.
    pub async fn pay_by_key(
        &mut self,
        key: &AccountKey,
        order: &KeyPaymentOrder,
    ) -> Result<PaidByKey, WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        self.refresh_if_old(&id).await?;
        self.require_log(&id)?;
        if let Some(earlier) = self.untold_payment(no, order) {
            let begun_before = Some(earlier.at);
            match self.send_again(earlier.id).await {
                Ok(()) => return Ok(self.paid_by_key(earlier.id, begun_before)),
                // It was never carried out, and the user still wants to pay.
                Err(WalletError::Exchange(refused)) if refused.is_refused_with(&[PAYMENT_EXPIRED]) => {}
                Err(error) => return Err(error),
            }
        }
        let seq = self.next_seq(no).await?;
        let payment = self.sign_payment(&id, no, seq, order)?;
        let number = payment.id;
        let payment = Box::new(payment);
        self.record_key(KeyEvent::Paying { payment })?;
        self.send_payment(number, true).await?;
        Ok(self.paid_by_key(number, None))
    }

    /// Says that the user knows the outcome of a payment. From then on the same order is a new payment.
    ///
    /// # Errors
    /// The wallet cannot be written.
    pub fn payment_told(&mut self, number: u64) -> Result<(), WalletError> {
        match self.state.key_payments.get(&number) {
            Some(payment) if !payment.is_told => self.record_key(KeyEvent::Told { id: number }),
            Some(_) | None => Ok(()),
        }
    }

    fn paid_by_key(&self, number: OperationId, begun_before: Option<DateTime<Utc>>) -> PaidByKey {
        PaidByKey {
            number,
            id: self.state.key_payments[&number].name(),
            begun_before,
        }
    }

    /// Returns the payment of this order whose outcome the user does not know.
    fn untold_payment(&self, no: u64, order: &KeyPaymentOrder) -> Option<KeyPayment> {
        let is_same = |payment: &&KeyPayment| {
            let signed = &payment.payment.order;
            let to = match (&order.to, &payment.to_account) {
                (KeyPayee::Key(key), None) => signed.to == Payee::Key(*key),
                (KeyPayee::Account(name), Some(to)) => to.name == *name,
                _ => false,
            };
            payment.account == no
                && !payment.is_told
                && to
                && (signed.amount, signed.memo.as_str()) == (order.amount, order.memo.as_str())
        };
        self.state.key_payments.values().find(is_same).cloned()
    }

    fn sign_payment(
        &mut self,
        id: &BigInt,
        no: u64,
        seq: u64,
        order: &KeyPaymentOrder,
    ) -> Result<KeyPayment, WalletError> {
        let (to, to_account) = match &order.to {
            KeyPayee::Key(key) => (Payee::Key(*key), None),
            KeyPayee::Account(name) => {
                let mut nonce = [0; NONCE_BYTES];
                self.rng.fill_bytes(&mut nonce);
                let to_account = ToAccount {
                    name: name.clone(),
                    nonce: const_hex::encode(nonce),
                };
                (Payee::Account(account_details(&nonce, name)), Some(to_account))
            }
        };
        let payment = self.sign_order(id, no, (seq, to, order.amount), order.memo.clone())?;
        Ok(KeyPayment {
            id: self.state.next_id(),
            account: no,
            currency: id.clone(),
            payment,
            to_account,
            state: KeyPaymentState::Signed,
            note: String::new(),
            proof: None,
            is_told: false,
            at: self.now,
        })
    }

    /// Signs a payment with this number, payee and amount.
    pub(super) fn sign_order(
        &self,
        id: &BigInt,
        no: u64,
        (seq, to, amount): (u64, Payee, u64),
        memo: String,
    ) -> Result<Payment, WalletError> {
        let order = PaymentOrder {
            amount,
            domain: self.require_log(id)?.origin().as_str().to_owned(),
            expires: u64::try_from((self.now + VALID).timestamp()).unwrap_or(0),
            from: self.state.keys[&no].key,
            memo,
            seq,
            to,
        };
        order.check()?;
        let sig = self.store.key_seed(no)?.sign(&order.message());
        Ok(Payment { order, sig })
    }

    /// Sends a payment, which is on the disk. `is_first` if it was certainly not sent before.
    pub(super) async fn send_payment(&mut self, id: OperationId, is_first: bool) -> Result<(), WalletError> {
        let payment = &self.state.key_payments[&id];
        let (currency, leaf) = (payment.currency.clone(), payment.leaf());
        let services = self.currency(&currency)?.info_services();
        let to_account = payment.to_account.as_ref();
        let sent = key_requests::pay(&self.transport, &services, &payment.payment, to_account).await;
        let promise = match sent {
            Ok(promise) => promise,
            Err(error) => {
                let was_not_made = is_refused_for_good(&error)
                    || is_first && matches!(error, ExchangeError::NotSent(_) | ExchangeError::Refused { .. });
                if was_not_made {
                    self.payment_refused(id, &error)?;
                    return Err(error.into());
                }
                return Err(match error {
                    // An earlier attempt may have arrived.
                    ExchangeError::NotSent(reason) => ExchangeError::Unknown(reason).into(),
                    ExchangeError::Refused { description, .. } => ExchangeError::Unknown(description).into(),
                    error => error.into(),
                });
            }
        };
        let fault = self
            .take_statement_promise(&currency, id, &leaf, promise.as_ref())
            .await?;
        self.record_key(KeyEvent::Payment {
            id,
            state: KeyPaymentState::Accepted,
            note: String::new(),
            proof: None,
        })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn payment_refused(&mut self, id: OperationId, why: &ExchangeError) -> Result<(), WalletError> {
        self.record_key(KeyEvent::Payment {
            id,
            state: KeyPaymentState::Refused,
            note: why.to_string(),
            proof: None,
        })
    }
}
