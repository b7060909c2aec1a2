//! The wallet's own coins.

use chrono::TimeDelta;
use opencoin_schema::{BigInt, Coin};

use super::Wallet;
use crate::error::WalletError;
use crate::state::{Currency, Held, Place};
use crate::tokenizing::{Counts, count, number};

/// Coins that expire within this time are exchanged for new ones.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::days(30);

impl Wallet {
    /// Own coins by value, without those that expire soon.
    pub(super) fn fresh(&self, id: &BigInt) -> Result<Counts, WalletError> {
        let currency = self.currency(id)?;
        let here = currency.coins.values().filter(|held| held.place == Place::Here && !self.is_stale(currency, held));
        Ok(count(here.map(|held| held.value)))
    }

    /// Own coins that expire soon.
    pub(super) fn stale(&self, id: &BigInt) -> Result<Vec<Held>, WalletError> {
        let currency = self.currency(id)?;
        let here = currency.coins.values().filter(|held| held.place == Place::Here && self.is_stale(currency, held));
        Ok(here.cloned().collect())
    }

    pub(super) fn is_stale(&self, currency: &Currency, held: &Held) -> bool {
        let expiry = currency.mint_keys.get(&held.coin.payload.mint_key_id).map(|key| key.mint_key().coins_expiry_date.to_utc());
        // Coins that have expired already are past saving.
        expiry.is_some_and(|expiry| (expiry - EXPIRY_MARGIN..=expiry).contains(&(self.clock)()))
    }

    /// Own coins of these values; those that expire first are used first.
    pub(super) fn take(&self, id: &BigInt, counts: &Counts) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(id)?;
        let mut coins = Vec::new();
        for (&value, &wanted) in counts {
            let mut here: Vec<&Held> =
                currency.coins.values().filter(|held| held.place == Place::Here && held.value == value).collect();
            here.sort_by_key(|held| {
                currency.mint_keys.get(&held.coin.payload.mint_key_id).map(|key| key.mint_key().coins_expiry_date.unix_us())
            });
            coins.extend(here.into_iter().take(wanted as usize).map(|held| held.coin.clone()));
        }
        assert_eq!(coins.len() as u64, number(counts), "the counts were chosen from these coins");
        Ok(coins)
    }

    pub(super) fn value(&self, id: &BigInt, coin: &Coin) -> u64 {
        let held = self.state.currencies.get(id).and_then(|currency| currency.coins.get(&coin.payload.serial));
        held.map_or(0, |held| held.value)
    }
}
