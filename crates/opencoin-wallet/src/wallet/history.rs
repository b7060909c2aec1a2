//! What the wallet holds and what it has done.

use chrono::{DateTime, Utc};
use opencoin_schema::BigInt;
use opencoin_text::AmountDisplay;

use super::Wallet;
use crate::currency::{Currency, Held, Place};
use crate::error::WalletError;
use crate::event::{Kind, Operation, Send};
use crate::state::{Fate, Past};
use crate::tokenizing::{sum, total};

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
    /// What was sent and not yet taken back; the receivers may have taken it. Without coins that have expired.
    pub sent: u64,
    /// When the first coin that can be paid with expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the issuer's description of the currency has expired, if it has.
    pub description_expired_at: Option<DateTime<Utc>>,
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
    /// `done`, `pending`, `pending: recoup`, `abandoned`, `refused: ...`, and for a send: `sent`, `expired`,
    /// `taken`, `reclaimed`.
    pub state: String,
}

/// Where a coin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoinPlace {
    /// In the wallet.
    Here,
    /// Given by a request that is not finished.
    Given,
    /// In a stack that was sent.
    Sent,
    /// Received from somebody and not renewed yet.
    Received,
}

/// A coin, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoinShown {
    /// The id of its currency.
    pub currency: String,
    /// What it is worth.
    pub value: u64,
    /// Until when the issuer takes it.
    pub expires_at: DateTime<Utc>,
    /// Where it is.
    pub place: CoinPlace,
    /// Whether its mint key was revoked.
    pub is_revoked: bool,
}

impl Wallet {
    /// All coins that the wallet holds or has sent.
    #[must_use]
    pub fn coins(&self) -> Vec<CoinShown> {
        let of_currency = |(id, currency): (&BigInt, &Currency)| {
            let shown = |held: &Held| CoinShown {
                currency: id.to_string(),
                value: held.value,
                expires_at: held.expiry,
                place: match held.place {
                    Place::Here => CoinPlace::Here,
                    Place::Given => CoinPlace::Given,
                    Place::Sent => CoinPlace::Sent,
                    Place::Received => CoinPlace::Received,
                },
                is_revoked: currency.is_revoked(&held.coin.payload),
            };
            currency.coins.values().map(shown).collect::<Vec<_>>()
        };
        self.state.currencies.iter().flat_map(of_currency).collect()
    }

    /// What the wallet holds, by currency.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.state
            .currencies
            .iter()
            .map(|(id, currency)| self.balance(id, currency, (self.clock)()))
            .collect()
    }

    /// What the wallet holds of the only currency, or of the one with this name or id.
    ///
    /// # Errors
    /// When the wallet holds no such currency, or several.
    pub fn balance_of(&self, currency: Option<&str>) -> Result<Balance, WalletError> {
        let id = self.choose(currency)?;
        Ok(self.balance(&id, self.currency(&id)?, (self.clock)()))
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
                Fate::Abandoned => "abandoned".to_owned(),
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
                Fate::Pending if self.is_expired(&past.what) => "expired",
                Fate::Pending | Fate::AwaitsRecoup | Fate::Abandoned => "sent",
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

    /// Whether none of the coins of a send that are still out would be taken any more.
    fn is_expired(&self, send: &Send) -> bool {
        let now = (self.clock)();
        let currency = self.state.currencies.get(&send.currency);
        let mut held = send.coins.iter().filter_map(|coin| currency?.coins.get(coin));
        held.all(|held| held.expiry < now)
    }

    pub(super) fn balance(&self, id: &BigInt, currency: &Currency, now: DateTime<Utc>) -> Balance {
        let cdd = currency.cddc.cdd();
        let value_of = |is_wanted: &dyn Fn(&Held) -> bool| {
            let wanted = currency.coins.values().filter(|held| is_wanted(held));
            sum(wanted.map(|held| held.value))
        };
        let is_alive = |held: &Held| now <= held.expiry;
        let is_revoked = |held: &Held| currency.is_revoked(&held.coin.payload);
        let is_ours = |held: &Held| [Place::Here, Place::Received].contains(&held.place);
        let to_renew = |held: &Held| held.place == Place::Received && is_alive(held) && !is_revoked(held);
        let can_pay = currency.coins.values().filter(|held| currency.is_here(held, now));
        let awaits_recoup = self.awaits_recoup(id, currency, now);
        let pending = self
            .state
            .operations
            .values()
            .filter(|past| past.fate == Fate::Pending);
        let mints = pending.filter(|past| past.what.kind == Kind::Mint && past.what.currency == *id);
        let mints = sum(mints.map(|past| past.what.amount));
        let description_expiry = cdd.cdd_expiry_date.to_utc();
        Balance {
            currency: id.to_string(),
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
            balance: total(&currency.here(now)),
            pending: sum([
                currency.value_at(Place::Given),
                value_of(&to_renew),
                mints,
                awaits_recoup,
            ]),
            sent: value_of(&|held| held.place == Place::Sent && is_alive(held)),
            revoked: value_of(&|held| is_ours(held) && is_alive(held) && is_revoked(held)),
            awaits_recoup,
            expired: value_of(&|held| is_ours(held) && !is_alive(held)),
            expires_at: can_pay.map(|held| held.expiry).min(),
            description_expired_at: (description_expiry < now).then_some(description_expiry),
        }
    }

    /// What accepted blinds of revoked keys are worth, as long as their coins would be taken.
    fn awaits_recoup(&self, id: &BigInt, currency: &Currency, now: DateTime<Utc>) -> u64 {
        let waits = |past: &&Past<Operation>| past.fate == Fate::AwaitsRecoup && past.what.currency == *id;
        let waiting = self.state.operations.values().filter(waits);
        let blinded = waiting.flat_map(|past| &past.what.blinded);
        let keys = blinded.filter_map(|blinded| currency.mint_keys.get(&blinded.payload.mint_key_id));
        let alive = keys.filter(|key| now <= key.mint_key().coins_expiry_date.to_utc());
        sum(alive.map(|key| key.mint_key().denomination))
    }
}
