//! How far payments by key are, and what proves them.

use chrono::{DateTime, Utc};
use opencoin_log::key_account::{AccountKey, Payment};

use super::Wallet;
use crate::error::WalletError;
use crate::event::OperationId;
use crate::key_account::records::{KeyEvent, KeyPayment};
use crate::key_account::{CheckedPayment, KeyPaymentState};
use crate::key_requests::{self, PaymentAnswer};

/// A payment by a key of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKeyPayment {
    /// Its number in the history.
    pub number: u64,
    /// Its id at the issuer.
    pub id: String,
    /// As it was signed.
    pub payment: Payment,
    /// The custodial account that receives it, if it is one.
    pub to_account: Option<String>,
    /// How far it is.
    pub state: KeyPaymentState,
    /// Why it was refused.
    pub note: String,
    /// When it was signed.
    pub at: DateTime<Utc>,
}

/// A payment by anybody's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKeyPayment {
    /// The issuer says that it has accepted it. Nothing proves it yet.
    Accepted,
    /// It is in the log.
    InLog {
        /// What was proven.
        checked: Box<CheckedPayment>,
        /// The `.tlog-proof`.
        proof: String,
    },
}

impl Wallet {
    /// Returns the payments by a key, the oldest first.
    ///
    /// # Errors
    /// The wallet has no such key, or it cannot be read.
    pub fn key_payments(&self, key: &AccountKey) -> Result<Vec<ShownKeyPayment>, WalletError> {
        let no = self.key_no(key)?;
        let mut all = self.store.key_payments_over()?;
        all.extend(self.state.key_payments.values().cloned());
        all.retain(|payment| payment.account == no);
        all.sort_by_key(|payment| payment.id);
        Ok(all.into_iter().map(shown).collect())
    }

    /// Returns the number in the history of the payment with this id.
    ///
    /// # Errors
    /// The wallet has made no such payment, or it cannot be read.
    pub fn payment_number(&self, id: &str) -> Result<u64, WalletError> {
        let open = self.state.key_payments.values().find(|open| open.name() == id);
        if let Some(open) = open.filter(|open| open.state != KeyPaymentState::Refused) {
            return Ok(open.id);
        }
        let over = self.store.key_payments_over()?.into_iter();
        // A number that was refused is used again.
        let mut over = over.filter(|over| over.name() == id && over.state != KeyPaymentState::Refused);
        over.next()
            .map(|over| over.id)
            .ok_or_else(|| WalletError::UnknownPayment(id.to_owned()))
    }

    /// Asks how far a payment is, and checks what the issuer says. Sends it again if it is not known whether it was
    /// accepted.
    ///
    /// # Errors
    /// There is no such payment, the issuer refuses it or does not answer, or its proof is wrong.
    pub async fn look_at_payment(&mut self, number: u64) -> Result<KeyPaymentState, WalletError> {
        self.read_clock();
        let Some(payment) = self.state.key_payments.get(&number) else {
            return Ok(self.payment_over(number)?.state);
        };
        match payment.state {
            KeyPaymentState::Signed => self.send_again(number).await?,
            KeyPaymentState::Accepted | KeyPaymentState::Published => {}
            state @ (KeyPaymentState::Final | KeyPaymentState::Refused) => return Ok(state),
        }
        let payment = &self.state.key_payments[&number];
        let (before, services) = (payment.state, self.currency(&payment.currency)?.info_services());
        let answer = key_requests::payment(&self.transport, &services, &payment.name()).await?;
        let (state, proof) = match answer {
            // Of several servers, one may be behind.
            PaymentAnswer::Accepted => return Ok(before),
            PaymentAnswer::Published(proof) => (KeyPaymentState::Published, proof),
            PaymentAnswer::Final(proof) => (KeyPaymentState::Final, proof),
        };
        let checked = self.check_proof_of(number, &proof)?;
        let state = if checked.is_final() {
            KeyPaymentState::Final
        } else {
            state.min(KeyPaymentState::Published)
        };
        if state > before || self.state.key_payments[&number].proof.is_none() {
            self.record_key(KeyEvent::Payment {
                id: number,
                state,
                note: String::new(),
                proof: Some(proof),
            })?;
        }
        Ok(state)
    }

    /// Asks for a payment of anybody, by its id at the issuer, and checks what the issuer says.
    ///
    /// # Errors
    /// The wallet has no such currency, there is no such payment, the issuer does not answer, or its proof is wrong.
    pub async fn find_payment(
        &mut self,
        currency: Option<&str>,
        id: &str,
    ) -> Result<FoundKeyPayment, WalletError> {
        self.read_clock();
        let currency = self.choose(currency)?;
        self.require_log(&currency)?;
        let (key, seq) = id.split_once('.').unwrap_or_default();
        if key.parse::<AccountKey>().is_err()
            || seq.is_empty()
            || !seq.bytes().all(|digit| digit.is_ascii_digit())
        {
            return Err(WalletError::UnknownPayment(id.to_owned()));
        }
        let services = self.currency(&currency)?.info_services();
        let proof = match key_requests::payment(&self.transport, &services, id).await? {
            PaymentAnswer::Accepted => return Ok(FoundKeyPayment::Accepted),
            PaymentAnswer::Published(proof) | PaymentAnswer::Final(proof) => proof,
        };
        let checked = Box::new(self.payment_verifier().check(&proof, self.now)?);
        let order = &checked.payment.order;
        if format!("{}.{}", order.from, order.seq) != id {
            return Err(WalletError::OtherPayment(id.to_owned()));
        }
        Ok(FoundKeyPayment::InLog { checked, proof })
    }

    /// Returns the `.tlog-proof` of a payment that [`Self::look_at_payment`] has found in the log.
    ///
    /// # Errors
    /// There is no such payment, or it cannot be read.
    pub fn payment_proof(&self, number: u64) -> Result<Option<String>, WalletError> {
        match self.state.key_payments.get(&number) {
            Some(payment) => Ok(payment.proof.clone()),
            None => Ok(self.payment_over(number)?.proof),
        }
    }

    /// Checks that a proof is of this payment.
    fn check_proof_of(&self, number: OperationId, proof: &str) -> Result<CheckedPayment, WalletError> {
        let checked = self.payment_verifier().check(proof, self.now)?;
        if checked.payment != self.state.key_payments[&number].payment {
            return Err(WalletError::OtherPayment(number.to_string()));
        }
        Ok(checked)
    }

    fn payment_over(&self, number: OperationId) -> Result<KeyPayment, WalletError> {
        let over = self.store.key_payment_over(number)?;
        over.ok_or_else(|| WalletError::UnknownPayment(number.to_string()))
    }
}

fn shown(payment: KeyPayment) -> ShownKeyPayment {
    ShownKeyPayment {
        number: payment.id,
        id: payment.name(),
        payment: payment.payment,
        to_account: payment.to_account.map(|to| to.name),
        state: payment.state,
        note: payment.note,
        at: payment.at,
    }
}
