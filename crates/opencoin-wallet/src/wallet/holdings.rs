//! Choosing among the wallet's own coins.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::VerifiedMintKey;
use opencoin_schema::{BigInt, Coin};

use super::Wallet;
use crate::coins::Held;
use crate::currency::Currency;
use crate::error::WalletError;
use crate::tokenizing::{Counts, count, number};

/// Coins that expire within this time are renewed.
pub(super) const EXPIRY_MARGIN: TimeDelta = TimeDelta::days(30);

/// The most coins that are renewed at a time because they expire soon.
const STALE_COINS_MAX: usize = 400;

/// The order in which coins of one value are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpiryOrder {
    /// For coins to exchange.
    SoonestFirst,
    /// For coins to hand over.
    LatestFirst,
}

impl Wallet {
    /// Counts the own coins that do not expire soon, by value.
    pub(super) fn fresh(&self, id: &BigInt) -> Result<Counts, WalletError> {
        Ok(count(self.own(id, false)?.map(|held| held.value)))
    }

    /// Returns own coins that expire soon, as many as one renew takes.
    pub(super) fn stale(&self, id: &BigInt) -> Result<Vec<Held>, WalletError> {
        Ok(self.own(id, true)?.take(STALE_COINS_MAX).cloned().collect())
    }

    fn own(&self, id: &BigInt, stale: bool) -> Result<impl Iterator<Item = &Held>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let is_wanted =
            move |held: &&Held| currency.is_spendable(held, now) && is_stale(currency, held, now) == stale;
        Ok(currency.coins.values().filter(is_wanted))
    }

    /// Returns own coins of these values.
    pub(super) fn take(
        &self,
        id: &BigInt,
        counts: &Counts,
        order: ExpiryOrder,
    ) -> Result<Vec<(Coin, u64)>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let mut coins = Vec::new();
        for (&value, &wanted) in counts {
            let is_wanted = |held: &&Held| currency.is_spendable(held, now) && held.value == value;
            let mut here: Vec<&Held> = currency.coins.values().filter(is_wanted).collect();
            match order {
                // Stale coins come last because they are renewed in any case.
                ExpiryOrder::SoonestFirst => {
                    here.sort_by_key(|held| (is_stale(currency, held, now), held.expiry))
                }
                ExpiryOrder::LatestFirst => here.sort_by_key(|held| std::cmp::Reverse(held.expiry)),
            }
            let taken = here.into_iter().take(wanted as usize);
            for held in taken {
                coins.push((self.coin(held)?, held.value));
            }
        }
        assert_eq!(
            coins.len() as u64,
            number(counts),
            "the counts were chosen from these coins"
        );
        Ok(coins)
    }
}

/// Whether a coin expires soon and a new coin of the same value would expire later.
fn is_stale(currency: &Currency, held: &Held, now: DateTime<Utc>) -> bool {
    let lasts_longer = |key: &VerifiedMintKey| key.mint_key().coins_expiry_date.to_utc() > held.expiry;
    // Without a key that signs now, new keys are fetched when coins are blinded.
    held.expiry - now <= EXPIRY_MARGIN && currency.signing_key(held.value, now).is_none_or(lasts_longer)
}
