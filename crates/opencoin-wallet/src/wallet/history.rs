//! Balances, coins and the history.

use chrono::{DateTime, Utc};
use opencoin_schema::BigInt;
use opencoin_text::AmountDisplay;

use super::Wallet;
use crate::coins::{CoinPlace, Held};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{Kind, Send};
use crate::state::Status;
use crate::store::{HistoryRow, SEND};
use crate::tokenizing::{sum, total};

/// The balance of a currency. Amounts are in the smallest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The currency's id.
    pub currency: String,
    /// The currency's name.
    pub name: String,
    /// The number of smallest units in one unit.
    pub divisor: u64,
    /// The spendable amount.
    pub balance: u64,
    /// The amount of pending requests.
    pub pending: u64,
    /// The sent amount that has neither come back nor expired. The receivers may have taken it.
    pub sent: u64,
    /// When the first spendable coin expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the issuer's description of the currency expired, if it has.
    pub description_expired_at: Option<DateTime<Utc>>,
    /// The amount in coins of revoked mint keys, which a recoup exchanges.
    pub revoked: u64,
    /// The part of `pending` that waits for a recoup.
    pub awaits_recoup: u64,
    /// The amount in expired coins.
    pub expired: u64,
    /// The part of `balance` that the backup phrase does not cover.
    pub without_phrase: u64,
}

/// An operation or send of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The number of the operation or send.
    pub id: u64,
    /// When it began.
    pub at: DateTime<Utc>,
    /// `mint`, `receive`, `change`, `reclaim`, `redeem`, `recoup` or `send`.
    pub kind: String,
    /// The amount.
    pub amount: AmountDisplay,
    /// The currency's id.
    pub currency: String,
    /// The subject of the coin stack, if there was one.
    pub subject: String,
    /// `done`, `pending`, `pending: recoup`, `abandoned`, `refused: ...`, and for a send: `sent`, `expired`,
    /// `taken`, `reclaimed`.
    pub state: String,
}

impl Wallet {
    /// Returns the balance of each currency.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.state
            .currencies
            .iter()
            .map(|(id, currency)| self.balance(id, currency, (self.clock)()))
            .collect()
    }

    /// Returns the balance of the currency with this name or id, or of the only currency.
    ///
    /// # Errors
    /// The wallet has no such currency, or several.
    pub fn balance_of(&self, currency: Option<&str>) -> Result<Balance, WalletError> {
        let id = self.choose(currency)?;
        Ok(self.balance(&id, self.currency(&id)?, (self.clock)()))
    }

    /// Returns all operations and sends, in their order.
    ///
    /// # Errors
    /// The wallet cannot be read.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, WalletError> {
        let entries = self.store.history()?.into_iter();
        Ok(entries.map(|(id, row)| self.history_entry(id, row)).collect())
    }

    fn history_entry(&self, id: u64, row: HistoryRow) -> HistoryEntry {
        let is_expired = |id| {
            self.state
                .sends
                .get(&id)
                .is_some_and(|send| self.is_expired(&send.item))
        };
        let state = match row.status {
            Status::Pending if row.kind != SEND => "pending",
            Status::Pending if is_expired(id) => "expired",
            Status::Pending => "sent",
            Status::Done if row.kind == SEND => "taken",
            Status::Reclaimed if row.kind == SEND => "reclaimed",
            Status::Done | Status::Reclaimed => "done",
            Status::AwaitsRecoup => "pending: recoup",
            Status::Abandoned => "abandoned",
            Status::Refused => "refused",
        };
        let state = match row.status {
            Status::Refused => format!("{state}: {}", row.note),
            _ => state.to_owned(),
        };
        HistoryEntry {
            id,
            at: row.at,
            kind: row.kind,
            amount: self.amount_display(row.amount, &row.currency),
            currency: row.currency.to_string(),
            subject: row.subject,
            state,
        }
    }

    fn amount_display(&self, amount: u64, currency: &BigInt) -> AmountDisplay {
        match self
            .state
            .currencies
            .get(currency)
            .map(|currency| currency.cddc.cdd())
        {
            Some(cdd) => AmountDisplay::new(amount, cdd.currency_divisor, &cdd.currency_name),
            None => AmountDisplay::new(amount, 1, "?"),
        }
    }

    /// Whether all remaining coins of a send have expired.
    fn is_expired(&self, send: &Send) -> bool {
        let now = (self.clock)();
        let currency = self.state.currencies.get(&send.currency);
        let mut held = send.coins.iter().filter_map(|coin| currency?.coins.get(coin));
        held.all(|held| held.expiry < now)
    }

    pub(super) fn balance(&self, id: &BigInt, currency: &Currency, now: DateTime<Utc>) -> Balance {
        let cdd = currency.cddc.cdd();
        let is_alive = |held: &Held| now <= held.expiry;
        let is_revoked = |held: &Held| currency.is_revoked(&held.mint_key);
        let is_ours = |held: &Held| [CoinPlace::Here, CoinPlace::Received].contains(&held.place);
        let spendable = currency
            .coins
            .values()
            .filter(|held| currency.is_spendable(held, now));
        let awaits_recoup = self.awaits_recoup(id, currency, now);
        let description_expiry = cdd.cdd_expiry_date.to_utc();
        Balance {
            currency: id.to_string(),
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
            balance: total(&currency.spendable(now)),
            pending: sum([
                currency.value_of(|held| held.place == CoinPlace::Given),
                currency.value_of(|held| currency.is_received(held, now)),
                self.pending_mints(id),
                awaits_recoup,
            ]),
            sent: currency.value_of(|held| held.place == CoinPlace::Sent && is_alive(held)),
            revoked: currency.value_of(|held| is_ours(held) && is_alive(held) && is_revoked(held)),
            awaits_recoup,
            expired: currency.value_of(|held| is_ours(held) && !is_alive(held)),
            without_phrase: currency
                .value_of(|held| currency.is_spendable(held, now) && !self.state.is_covered(held)),
            expires_at: spendable.map(|held| held.expiry).min(),
            description_expired_at: (description_expiry < now).then_some(description_expiry),
        }
    }

    /// Returns the amount of pending mints.
    pub(super) fn pending_mints(&self, id: &BigInt) -> u64 {
        let pending = self.state.operations_of(id, Status::Pending);
        let mints = pending.filter(|operation| operation.kind == Kind::Mint);
        sum(mints.map(|mint| mint.amount))
    }

    /// Returns the value of accepted, unsigned blinds of revoked keys whose coins would not have expired.
    fn awaits_recoup(&self, id: &BigInt, currency: &Currency, now: DateTime<Utc>) -> u64 {
        let waiting = self.state.operations_of(id, Status::AwaitsRecoup);
        let blinded = waiting.flat_map(|operation| &operation.blinded);
        let keys = blinded.filter_map(|blinded| currency.mint_keys.get(&blinded.payload.mint_key_id));
        let alive = keys.filter(|key| now <= key.mint_key().coins_expiry_date.to_utc());
        sum(alive.map(|key| key.mint_key().denomination))
    }
}
