//! The wallet's own coins.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::VerifiedMintKey;
use opencoin_schema::{BigInt, Coin};

use super::Wallet;
use crate::currency::{Currency, Held};
use crate::error::WalletError;
use crate::tokenizing::{Counts, count, number};

/// Coins that expire within this time are exchanged for new ones.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::days(30);

/// How many coins that expire soon are exchanged at a time.
const STALE_COINS_MAX: usize = 400;

/// Which of several coins of one value to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    /// To be exchanged.
    Shortest,
    /// To be handed over.
    Longest,
}

impl Wallet {
    /// Own coins by value, without those that expire soon.
    pub(super) fn fresh(&self, id: &BigInt) -> Result<Counts, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let here = currency
            .coins
            .values()
            .filter(|held| currency.is_here(held, now) && !is_stale(currency, held, now));
        Ok(count(here.map(|held| held.value)))
    }

    /// Own coins that expire soon, as many as one renew takes.
    pub(super) fn stale(&self, id: &BigInt) -> Result<Vec<Held>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let here = currency
            .coins
            .values()
            .filter(|held| currency.is_here(held, now) && is_stale(currency, held, now));
        Ok(here.take(STALE_COINS_MAX).cloned().collect())
    }

    /// Own coins of these values.
    pub(super) fn take(
        &self,
        id: &BigInt,
        counts: &Counts,
        lasting: Lasting,
    ) -> Result<Vec<(Coin, u64)>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let mut coins = Vec::new();
        for (&value, &wanted) in counts {
            let is_wanted = |held: &&Held| currency.is_here(held, now) && held.value == value;
            let mut here: Vec<&Held> = currency.coins.values().filter(is_wanted).collect();
            match lasting {
                // Those that expire soon are renewed in any case.
                Lasting::Shortest => here.sort_by_key(|held| (is_stale(currency, held, now), held.expiry)),
                Lasting::Longest => here.sort_by_key(|held| std::cmp::Reverse(held.expiry)),
            }
            coins.extend(
                here.into_iter()
                    .take(wanted as usize)
                    .map(|held| (held.coin.clone(), held.value)),
            );
        }
        assert_eq!(
            coins.len() as u64,
            number(counts),
            "the counts were chosen from these coins"
        );
        Ok(coins)
    }
}

/// Whether a coin expires soon and a new one of its value would last longer.
fn is_stale(currency: &Currency, held: &Held, now: DateTime<Utc>) -> bool {
    let lasts_longer = |key: &VerifiedMintKey| key.mint_key().coins_expiry_date.to_utc() > held.expiry;
    // Without a key that signs now the next ones are fetched when they are needed.
    held.expiry - now <= EXPIRY_MARGIN && currency.signing_key(held.value, now).is_none_or(lasts_longer)
}
