//! Payments by key.

use opencoin_api::PayByKey;
use opencoin_keys::ledger_time;
use opencoin_ledger::{AccountId, Command, KeyPayment};
use opencoin_log::key_account::{ACCOUNT_NONCE_BYTES, AccountKey, Payee, PaymentFault};

use super::super::{Answered, Issuer};
use super::statements::{self, decode, invalid, wrong_details};
use crate::accounts::account_name;
use crate::log::KeyPaymentStatus;
use crate::refusal::{Reason, Refusal, unavailable};

/// Separates key and number in the id of a payment.
const ID_SEPARATOR: char = '.';

impl Issuer {
    /// Carries out a payment. Returns its id.
    ///
    /// # Errors
    /// When the payment is refused.
    pub async fn pay_by_key(&self, request: &PayByKey) -> Result<Answered<String>, Refusal> {
        let log = self.key_log()?;
        let payment = statements::payment(&request.payment)?;
        let nonce = nonce(request, &payment.order.to)?;
        let order = &payment.order;
        let (from, seq) = (order.from, order.seq);
        if order.check() == Err(PaymentFault::Seq) {
            let status = self.key_account_status("payment.from", from).await?;
            return Err(Refusal::wrong_sequence(status.seq + 1));
        }
        statements::check_payment(&payment, log.origin())?;
        let payer = self.key_account_id("payment.from", from).await?;
        let payee = self.payee(&order.to, request.account.as_deref()).await?;
        let origin = log.origin().to_owned();
        let pay = Command::PayByKey {
            payer,
            payee,
            payment: Box::new(KeyPayment { payment, origin }),
            nonce,
            at: ledger_time(self.clock.now()),
        };
        let (_, promise) = self.commit(pay).await?;
        Ok(Answered {
            answer: format!("{from}{ID_SEPARATOR}{seq}"),
            promise,
        })
    }

    /// How far the payment with this id is.
    ///
    /// # Errors
    /// When there is no such payment.
    pub async fn key_payment(&self, id: &str) -> Result<KeyPaymentStatus, Refusal> {
        let (log, block) = (self.key_log()?, self.log_block());
        let unknown = || Refusal::new(Reason::NotFound, "no payment with this id was accepted");
        let (key, seq) = parse_id(id).ok_or_else(unknown)?;
        let block = block.ok_or_else(unknown)?;
        let state = log.payment(&block, &key, seq).await.map_err(unavailable)?;
        let state = state.ok_or_else(unknown)?;
        self.books.ledger.make_durable().await.map_err(unavailable)?;
        Ok(state)
    }

    async fn payee(&self, to: &Payee, account: Option<&str>) -> Result<AccountId, Refusal> {
        match (to, account) {
            (Payee::Key(key), _) => self.key_account_id("payment.to", *key).await,
            (Payee::Account(_), Some(name)) => {
                let profile = self.books.accounts.profile(&account_name(name)?).await;
                let profile = profile.map_err(unavailable)?;
                let missing = || Refusal::new(Reason::NotFound, "account: there is no account of this name");
                Ok(profile.ok_or_else(missing)?.account.id)
            }
            (Payee::Account(_) | Payee::Mint(_), _) => Err(wrong_details(
                "a payment to `mint` is sent with the mint, as Authorization: OpenCoin-Key",
            )),
        }
    }
}

/// Checks that account and nonce are there exactly if the payment is to an account.
fn nonce(request: &PayByKey, to: &Payee) -> Result<Option<[u8; ACCOUNT_NONCE_BYTES]>, Refusal> {
    match (to, &request.account, &request.nonce) {
        (Payee::Account(_), Some(_), Some(nonce)) => {
            let nonce = decode(nonce);
            Ok(Some(nonce.ok_or_else(|| {
                invalid("nonce", "not 32 lower-case hex digits")
            })?))
        }
        (Payee::Account(_), None, _) => Err(invalid("account", "a payment to `account` needs its name")),
        (Payee::Account(_), _, None) => Err(invalid("nonce", "a payment to `account` needs it")),
        (_, None, None) => Ok(None),
        (_, Some(_), _) => Err(invalid("account", "only a payment to `account` has it")),
        (_, None, Some(_)) => Err(invalid("nonce", "only a payment to `account` has it")),
    }
}

fn parse_id(id: &str) -> Option<(AccountKey, u64)> {
    let (key, seq) = id.split_once(ID_SEPARATOR)?;
    let number: u64 = seq.parse().ok()?;
    let is_exact = number.to_string() == seq;
    Some((AccountKey::of_stored_text(key)?, number)).filter(|_| is_exact)
}
