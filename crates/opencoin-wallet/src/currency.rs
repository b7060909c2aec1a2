//! A currency in the wallet: its verified documents, its mint keys and the wallet's coins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{
    CertificateError, VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate,
};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload, WeightedUrl};
use serde::{Deserialize, Serialize};

use crate::clock::CLOCK_DIFFERENCE_MAX;
use crate::coins::{CoinPlace, CoinSecret, Coins, Held, Origin};
use crate::event::{CoinId, Given};
use crate::tokenizing::{Counts, count, sum};

/// The numbers of requests that are derived from the backup phrase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestNumbers {
    /// The lowest number that was never used.
    pub(crate) next: u64,
    /// Lower numbers whose requests were not accepted.
    pub(crate) free: BTreeSet<u64>,
    /// Whether a restore has looked for the requests of a lost wallet with the same phrase.
    pub(crate) is_restored: bool,
}

impl RequestNumbers {
    /// Takes the number of the next request.
    pub(crate) fn take(&mut self) -> u64 {
        self.free.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

#[derive(Debug)]
pub(crate) struct Currency {
    pub(crate) url: String,
    /// The newest CDDC.
    pub(crate) cddc: VerifiedCddc,
    /// All known CDDCs by serial. The certificate of a mint key names the serial under which it is verified.
    pub(crate) cddcs: BTreeMap<u64, VerifiedCddc>,
    pub(crate) mint_keys: BTreeMap<BigInt, VerifiedMintKey>,
    /// The current mint keys in the issuer's last answer; `None` in older journals.
    pub(crate) current: Option<BTreeSet<BigInt>>,
    /// The revoked mint keys, with the issuer's reasons.
    pub(crate) revoked: BTreeMap<BigInt, String>,
    pub(crate) coins: Coins,
    /// The number of its row.
    pub(crate) no: u64,
    /// The numbers of requests whose secrets are derived from the backup phrase.
    pub(crate) numbers: RequestNumbers,
}

impl Currency {
    pub(crate) fn new(no: u64, url: String, cddc: VerifiedCddc) -> Self {
        Self {
            url,
            cddc,
            cddcs: BTreeMap::new(),
            mint_keys: BTreeMap::new(),
            current: None,
            revoked: BTreeMap::new(),
            coins: Coins::of_currency(no),
            no,
            numbers: RequestNumbers::default(),
        }
    }

    /// Returns the services for documents, with the user's URL first.
    pub(crate) fn info_services(&self) -> Vec<WeightedUrl> {
        let mut services = vec![WeightedUrl(i64::MIN, self.url.clone())];
        services.extend(self.cddc.cdd().info_service.iter().cloned());
        services
    }

    /// Verifies documents and adds them.
    pub(crate) fn learn(
        &mut self,
        cddc: VerifiedCddc,
        older: &[Cddc],
        mkcs: &[Mkc],
        current: Option<BTreeSet<BigInt>>,
    ) -> Result<(), CertificateError> {
        for cddc in older {
            let cddc = verify_cddc(cddc)?;
            self.cddcs.insert(cddc.cdd().cdd_serial, cddc);
        }
        self.cddcs.insert(cddc.cdd().cdd_serial, cddc.clone());
        for mkc in mkcs {
            // Older journals have only the newest CDDC and verified every certificate under it.
            let certifies = self.cddcs.get(&mkc.mint_key.cdd_serial).unwrap_or(&cddc);
            let key = verify_mint_key_certificate(mkc, certifies)?;
            self.mint_keys.insert(key.public_key().id().clone(), key);
        }
        self.cddc = cddc;
        self.current = current.or(self.current.take());
        Ok(())
    }

    /// Whether the wallet can pay with a coin.
    pub(crate) fn is_spendable(&self, held: &Held, now: DateTime<Utc>) -> bool {
        held.place == CoinPlace::Here && now <= held.expiry && !self.is_revoked(&held.mint_key)
    }

    /// Whether a received coin is still to be renewed.
    pub(crate) fn is_received(&self, held: &Held, now: DateTime<Utc>) -> bool {
        held.place == CoinPlace::Received && now <= held.expiry && !self.is_revoked(&held.mint_key)
    }

    /// Whether this mint key was revoked.
    pub(crate) fn is_revoked(&self, mint_key: &BigInt) -> bool {
        self.revoked.contains_key(mint_key)
    }

    /// Frees the coins of a request that was not carried out.
    pub(crate) fn release(&mut self, gives: &[Given]) {
        for given in gives {
            if self
                .coins
                .get(&given.coin)
                .is_some_and(|held| held.place == CoinPlace::Given)
            {
                let place = if given.is_own {
                    CoinPlace::Here
                } else {
                    CoinPlace::Received
                };
                self.coins.set_place(&given.coin, place);
            }
        }
    }

    /// Counts the coins that the wallet can pay with, by value.
    pub(crate) fn spendable(&self, now: DateTime<Utc>) -> Counts {
        count(
            self.coins
                .values()
                .filter(|held| self.is_spendable(held, now))
                .map(|held| held.value),
        )
    }

    pub(crate) fn coin_id(&self, payload: &Payload) -> CoinId {
        BigInt::from_be_bytes(self.cddc.cipher_suite().payload_hash(payload).as_bytes())
    }

    /// Returns the total value of the coins for which `is_wanted`.
    pub(crate) fn value_of(&self, is_wanted: impl Fn(&Held) -> bool) -> u64 {
        let wanted = self.coins.values().filter(|held| is_wanted(held));
        sum(wanted.map(|held| held.value))
    }

    /// Adds a coin. Its mint key must be known.
    pub(crate) fn put(
        &mut self,
        coin: Coin,
        place: CoinPlace,
        phrase: u8,
        origin: Option<Origin>,
    ) -> Result<(), String> {
        let held = Held {
            phrase,
            ..self.held(0, coin.payload.mint_key_id.clone(), place)?
        };
        self.coins
            .insert(self.coin_id(&coin.payload), held, CoinSecret { coin, origin });
        Ok(())
    }

    /// Returns what the wallet must know of a coin of this mint key, which must be known.
    pub(crate) fn held(&self, no: u64, mint_key: BigInt, place: CoinPlace) -> Result<Held, String> {
        let key = self.mint_keys.get(&mint_key);
        let key = key.ok_or("the mint key of a coin is unknown")?.mint_key();
        Ok(Held {
            no,
            mint_key,
            value: key.denomination,
            expiry: key.coins_expiry_date.to_utc(),
            place,
            phrase: 0,
        })
    }

    /// Returns the denominations for which a known key signs now; all denominations if there is no such key,
    /// because then the known keys are outdated.
    pub(crate) fn denominations(&self, now: DateTime<Utc>) -> Vec<u64> {
        let all = &self.cddc.cdd().denominations;
        let all: Vec<u64> = all.iter().copied().filter(|value| *value > 0).collect();
        let is_signed = |value: &u64| self.signing_key(*value, now).is_some();
        let signed: Vec<u64> = all.iter().copied().filter(is_signed).collect();
        if signed.is_empty() { all } else { signed }
    }

    /// Returns the newest current key of this denomination that signs now and is not revoked.
    ///
    /// A key that the issuer calls current signs by the issuer's clock. The wallet's clock may be behind it, by at most
    /// [`CLOCK_DIFFERENCE_MAX`].
    pub(crate) fn signing_key(&self, value: u64, now: DateTime<Utc>) -> Option<&VerifiedMintKey> {
        let signs = |(id, key): &(&BigInt, &VerifiedMintKey)| {
            let tolerance = match &self.current {
                None => TimeDelta::zero(),
                Some(current) if current.contains(*id) => CLOCK_DIFFERENCE_MAX,
                Some(_) => return false,
            };
            let mint_key = key.mint_key();
            mint_key.denomination == value
                && mint_key.sign_coins_not_before.to_utc() <= now + tolerance
                && now <= mint_key.sign_coins_not_after.to_utc()
                && !self.revoked.contains_key(*id)
        };
        let keys = self.mint_keys.iter().filter(signs).map(|(_, key)| key);
        keys.max_by_key(|key| key.mint_key().sign_coins_not_before.unix_us())
    }
}
