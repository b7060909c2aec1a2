//! What the wallet holds and what it has done.

use chrono::{DateTime, Utc};
use opencoin_schema::BigInt;

use super::Wallet;
use crate::amount::AmountDisplay;
use crate::state::{Currency, Fate, Given, Kind, Place};
use crate::tokenizing::total;

/// What the wallet holds of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The currency's id.
    pub currency: String,
    /// Its name.
    pub name: String,
    /// How many of the smallest unit make one.
    pub divisor: u64,
    /// What can be paid with.
    pub balance: u64,
    /// What requests that are not finished will bring, or give back.
    pub pending: u64,
    /// What was sent and not yet taken back; the receivers may have taken it.
    pub sent: u64,
    /// What was held beyond the time at which the issuer takes it.
    pub expired: u64,
}

/// One line of the wallet's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number; `reclaim` takes that of a send.
    pub id: u64,
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// `mint`, `receive`, `change`, `reclaim`, `redeem` or `send`.
    pub kind: &'static str,
    /// How much.
    pub amount: AmountDisplay,
    /// The subject of the coin stack, if there was one.
    pub subject: String,
    /// `done`, `pending`, `refused: ...`, and for a send: `sent`, `taken`, `reclaimed`.
    pub state: String,
}

impl Wallet {
    /// What the wallet holds, by currency.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.state.currencies.iter().map(|(id, currency)| self.balance(id, currency)).collect()
    }

    /// Everything that the wallet has done, in order.
    #[must_use]
    pub fn history(&self) -> Vec<HistoryEntry> {
        let operations = self.state.operations.values().map(|past| {
            let (kind, subject) = match &past.what.kind {
                Kind::Mint => ("mint", ""),
                Kind::Receive { subject } => ("receive", subject.as_str()),
                Kind::Change => ("change", ""),
                Kind::Reclaim { .. } => ("reclaim", ""),
                Kind::Redeem => ("redeem", ""),
            };
            let state = match past.fate {
                Fate::Pending => "pending".to_owned(),
                Fate::Done | Fate::Reclaimed => "done".to_owned(),
                Fate::Refused => format!("refused: {}", past.note),
            };
            let operation = &past.what;
            self.history_entry(operation.id, operation.at, kind, operation.amount, &operation.currency, subject, state)
        });
        let sends = self.state.sends.values().map(|past| {
            let state = match past.fate {
                Fate::Pending => "sent",
                Fate::Done | Fate::Refused => "taken",
                Fate::Reclaimed => "reclaimed",
            };
            let send = &past.what;
            self.history_entry(send.id, send.at, "send", send.amount, &send.currency, &send.subject, state.to_owned())
        });
        let mut entries: Vec<HistoryEntry> = operations.chain(sends).collect();
        entries.sort_by_key(|entry| entry.id);
        entries
    }

    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    fn history_entry(
        &self,
        id: u64,
        at: DateTime<Utc>,
        kind: &'static str,
        amount: u64,
        currency: &BigInt,
        subject: &str,
        state: String,
    ) -> HistoryEntry {
        let cdd = self.state.currencies.get(currency).map(|currency| currency.cddc.cdd());
        let (divisor, name) = cdd.map_or((1, "?"), |cdd| (cdd.currency_divisor, cdd.currency_name.as_str()));
        let amount = AmountDisplay::new(amount, divisor, name);
        HistoryEntry { id, at, kind, amount, subject: subject.to_owned(), state }
    }

    pub(super) fn balance(&self, id: &BigInt, currency: &Currency) -> Balance {
        let (cdd, now) = (currency.cddc.cdd(), (self.clock)());
        let (here, balance) = (currency.value_at(Place::Here), total(&currency.here(now)));
        let pending = self.state.operations.values().filter(|past| past.fate == Fate::Pending && past.what.currency == *id);
        let sent =
            |given: &Given| currency.coins.get(&given.coin).filter(|held| held.place == Place::Sent).map_or(0, |held| held.value);
        let brings = pending.map(|past| match past.what.kind {
            Kind::Mint => past.what.amount,
            // Coins of its own that come back so still count as sent.
            Kind::Receive { .. } => past.what.amount - past.what.gives.iter().map(sent).sum::<u64>(),
            Kind::Change | Kind::Reclaim { .. } | Kind::Redeem => 0,
        });
        Balance {
            currency: id.to_string(),
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
            balance,
            pending: currency.value_at(Place::Given) + brings.sum::<u64>(),
            sent: currency.value_at(Place::Sent),
            expired: here - balance,
        }
    }
}
