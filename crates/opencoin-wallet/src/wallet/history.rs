//! What the wallet holds and what it has done.

use chrono::{DateTime, Utc};
use opencoin_schema::BigInt;
use opencoin_text::AmountDisplay;

use super::Wallet;
use crate::currency::{Currency, Held, Place};
use crate::error::WalletError;
use crate::event::{Given, Kind, Operation};
use crate::state::{Fate, Past};
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
    /// What is held of revoked mint keys, and can be made into fresh coins by a recoup.
    pub revoked: u64,
    /// The part of `pending` that waits for a recoup.
    pub awaits_recoup: u64,
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
    /// `mint`, `receive`, `change`, `reclaim`, `redeem`, `recoup` or `send`.
    pub kind: &'static str,
    /// How much.
    pub amount: AmountDisplay,
    /// The currency's id.
    pub currency: String,
    /// The subject of the coin stack, if there was one.
    pub subject: String,
    /// `done`, `pending`, `pending: recoup`, `refused: ...`, and for a send: `sent`, `taken`, `reclaimed`.
    pub state: String,
}

impl Wallet {
    /// What the wallet holds, by currency.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.state
            .currencies
            .iter()
            .map(|(id, currency)| self.balance(id, currency))
            .collect()
    }

    /// What the wallet holds of the only currency, or of the one with this name or id.
    ///
    /// # Errors
    /// When the wallet holds no such currency, or several.
    pub fn balance_of(&self, currency: Option<&str>) -> Result<Balance, WalletError> {
        let id = self.choose(currency)?;
        Ok(self.balance(&id, self.currency(&id)?))
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
                Kind::Recoup => ("recoup", ""),
            };
            let state = match past.fate {
                Fate::Pending => "pending".to_owned(),
                Fate::AwaitsRecoup => "pending: recoup".to_owned(),
                Fate::Done | Fate::Reclaimed => "done".to_owned(),
                Fate::Refused => format!("refused: {}", past.note),
            };
            let operation = &past.what;
            self.history_entry(
                operation.id,
                operation.at,
                kind,
                operation.amount,
                &operation.currency,
                subject,
                state,
            )
        });
        let sends = self.state.sends.values().map(|past| {
            let state = match past.fate {
                Fate::Pending | Fate::AwaitsRecoup => "sent",
                Fate::Done | Fate::Refused => "taken",
                Fate::Reclaimed => "reclaimed",
            };
            let send = &past.what;
            self.history_entry(
                send.id,
                send.at,
                "send",
                send.amount,
                &send.currency,
                &send.subject,
                state.to_owned(),
            )
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
        let cdd = self
            .state
            .currencies
            .get(currency)
            .map(|currency| currency.cddc.cdd());
        let (divisor, name) = cdd.map_or((1, "?"), |cdd| (cdd.currency_divisor, cdd.currency_name.as_str()));
        let (amount, currency) = (AmountDisplay::new(amount, divisor, name), currency.to_string());
        HistoryEntry {
            id,
            at,
            kind,
            amount,
            currency,
            subject: subject.to_owned(),
            state,
        }
    }

    pub(super) fn balance(&self, id: &BigInt, currency: &Currency) -> Balance {
        let (cdd, now) = (currency.cddc.cdd(), (self.clock)());
        let (here, balance) = (currency.value_at(Place::Here), total(&currency.here(now)));
        let is_recoupable = |held: &&Held| {
            held.place == Place::Here && now <= held.expiry && currency.is_revoked(&held.coin.payload)
        };
        let revoked = currency
            .coins
            .values()
            .filter(is_recoupable)
            .map(|held| held.value)
            .sum();
        let awaits_recoup = self.awaits_recoup(id, currency);
        let pending = self
            .state
            .operations
            .values()
            .filter(|past| past.fate == Fate::Pending && past.what.currency == *id);
        let sent = |given: &Given| {
            currency
                .coins
                .get(&given.coin)
                .filter(|held| held.place == Place::Sent)
                .map_or(0, |held| held.value)
        };
        let brings = pending.map(|past| match past.what.kind {
            Kind::Mint => past.what.amount,
            // Coins of its own that come back so still count as sent.
            Kind::Receive { .. } => past.what.amount - past.what.gives.iter().map(sent).sum::<u64>(),
            Kind::Change | Kind::Reclaim { .. } | Kind::Redeem | Kind::Recoup => 0,
        });
        Balance {
            currency: id.to_string(),
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
            balance,
            pending: currency.value_at(Place::Given) + brings.sum::<u64>() + awaits_recoup,
            sent: currency.value_at(Place::Sent),
            revoked,
            awaits_recoup,
            expired: here - balance - revoked,
        }
    }

    /// What accepted blinds of revoked keys are worth, as long as their coins would be taken.
    fn awaits_recoup(&self, id: &BigInt, currency: &Currency) -> u64 {
        let now = (self.clock)();
        let waits = |past: &&Past<Operation>| past.fate == Fate::AwaitsRecoup && past.what.currency == *id;
        let waiting = self
            .state
            .operations
            .values()
            .filter(waits)
            .flat_map(|past| &past.what.blinded);
        let keys = waiting.filter_map(|blinded| currency.mint_keys.get(&blinded.payload.mint_key_id));
        let alive = keys.filter(|key| now <= key.mint_key().coins_expiry_date.to_utc());
        alive.map(|key| key.mint_key().denomination).sum()
    }
}
