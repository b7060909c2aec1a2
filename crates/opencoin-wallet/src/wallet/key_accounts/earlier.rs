//! Payments by key of which it is not known whether the issuer has accepted them.
//!
//! The next payment of a key is signed only when this is known of all earlier ones. Otherwise two payments with the same
//! number could be under way, and the issuer could choose between them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Wallet;
use crate::client::ExchangeError;
use crate::error::WalletError;
use crate::event::{Operation, OperationId};
use crate::key_account::KeyPaymentState;
use crate::key_account::records::{KeyEvent, OwnKey};
use crate::key_requests;
use crate::public_log::memory::LogMemory;
use crate::state::{Status, Tracked};

/// The issuer's clock may be behind by so much.
const CLOCK_MARGIN_S: u64 = 5 * 60;

impl Wallet {
    /// Returns the number of the next payment of a key, once it is known what became of all earlier ones.
    pub(super) async fn next_seq(&mut self, no: u64) -> Result<u64, WalletError> {
        self.settle_earlier(no).await?;
        self.require_no_abandoned(no)?;
        let own = &self.state.keys[&no];
        if own.is_seq_unsure {
            let (services, key) = (self.currency(&own.currency)?.info_services(), own.key);
            let books = key_requests::books(&self.transport, &services, &key).await?;
            let accepted = books.map_or(0, |books| books.seq);
            self.record_key(KeyEvent::Counted { no, accepted })?;
        }
        let waiting = self.undecided_mints(no).filter_map(|(_, seq, _)| seq);
        let last = waiting.max().unwrap_or(0).max(self.state.keys[&no].accepted);
        Ok(last + 1)
    }

    /// Sends the payments and mints of a key again of which it is not known whether they were accepted.
    async fn settle_earlier(&mut self, no: u64) -> Result<(), WalletError> {
        let payments = self.state.key_payments.values();
        let signed =
            payments.filter(|payment| payment.account == no && payment.state == KeyPaymentState::Signed);
        let signed: BTreeSet<OperationId> = signed.map(|payment| payment.id).collect();
        let mints = self
            .undecided_mints(no)
            .filter(|(_, _, is_accepted)| !is_accepted);
        let mints: BTreeSet<OperationId> = mints.map(|(id, _, _)| id).collect();
        for id in signed.union(&mints) {
            let settled = match signed.contains(id) {
                true => self.send_again(*id).await,
                false => self.resume_operation(*id).await,
            };
            match settled {
                Ok(()) => {}
                Err(WalletError::Exchange(ExchangeError::Refused { .. } | ExchangeError::Recoup)) => {}
                Err(WalletError::Exchange(ExchangeError::Delayed { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the pending mints that a key pays for: their numbers, those of their payments, and whether the issuer has
    /// promised them.
    fn undecided_mints(&self, no: u64) -> impl Iterator<Item = (OperationId, Option<u64>, bool)> {
        let of_key = move |tracked: &&Tracked<Operation>| {
            let order = tracked.item.key_order.as_ref();
            tracked.status == Status::Pending && order.is_some_and(|order| order.account == no)
        };
        self.state.operations.values().filter(of_key).map(|tracked| {
            let (id, currency) = (tracked.item.id, &tracked.item.currency);
            let payment = tracked.item.key_order.as_ref().and_then(|order| order.payment);
            let has_promise = |log: &LogMemory| log.has_promise(id);
            let is_accepted = payment.is_none() || self.state.logs.get(currency).is_some_and(has_promise);
            (id, payment.map(|payment| payment.seq), is_accepted)
        })
    }

    /// The payment of an abandoned mint can be carried out until it ends, so its number must not be used before.
    fn require_no_abandoned(&self, no: u64) -> Result<(), WalletError> {
        let now = u64::try_from(self.now.timestamp()).unwrap_or(0);
        for tracked in self.state.operations.values() {
            let order = tracked
                .item
                .key_order
                .as_ref()
                .filter(|order| order.account == no);
            let payment = order.and_then(|order| order.payment);
            if let Some(payment) = payment.filter(|_| tracked.status == Status::Abandoned)
                && now <= payment.expires.saturating_add(CLOCK_MARGIN_S)
                && payment.seq > self.state.keys[&no].accepted
            {
                return Err(WalletError::PaymentPending {
                    number: tracked.item.id,
                    until: ends_at(payment.expires),
                });
            }
        }
        Ok(())
    }

    /// Returns the numbers of introductions and payments of which it is not known whether the issuer has accepted them.
    pub(in super::super) fn undecided_by_key(&self) -> Vec<OperationId> {
        let introductions = self.state.keys.values().filter(|own| !own.is_open);
        let introductions = introductions.filter_map(|own| Some(own.introduction.as_ref()?.id));
        let payments = self.state.key_payments.values();
        let payments = payments.filter(|payment| payment.state == KeyPaymentState::Signed);
        let mut all: Vec<OperationId> = introductions.chain(payments.map(|payment| payment.id)).collect();
        all.sort_unstable();
        all
    }

    /// Sends an introduction or a payment again.
    pub(in super::super) async fn resume_by_key(&mut self, id: OperationId) -> Result<(), WalletError> {
        let is_theirs = |own: &&OwnKey| own.introduction.as_ref().is_some_and(|own| own.id == id);
        match self.state.keys.values().find(is_theirs).map(|own| own.no) {
            Some(no) => self.send_introduction(no).await,
            None => self.send_again(id).await,
        }
    }

    /// Returns until when the issuer can carry out a payment whose outcome is not known; `None` if there is none with this
    /// number.
    pub(in super::super) fn signed_payment_until(&self, id: OperationId) -> Option<DateTime<Utc>> {
        let payment = self.state.key_payments.get(&id)?;
        (payment.state == KeyPaymentState::Signed).then(|| ends_at(payment.payment.order.expires))
    }

    /// Sends a payment again that may have been sent before. Does nothing if it was accepted.
    pub(super) async fn send_again(&mut self, id: OperationId) -> Result<(), WalletError> {
        match self.state.key_payments[&id].state {
            KeyPaymentState::Signed => self.send_payment(id, false).await,
            _ => Ok(()),
        }
    }
}

/// Returns when the issuer certainly refuses a payment that expires at this time, in seconds since 1970.
fn ends_at(expires: u64) -> DateTime<Utc> {
    let time = i64::try_from(expires.saturating_add(CLOCK_MARGIN_S)).ok();
    let time = time.and_then(|time| DateTime::from_timestamp(time, 0));
    time.unwrap_or(DateTime::<Utc>::MAX_UTC)
}
