//! A currency in the wallet: its verified documents, its mint keys and the wallet's coins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{
    CertificateError, VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate,
};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload, WeightedUrl};

use crate::clock::CLOCK_DIFFERENCE_MAX;
use crate::event::{Blinded, BlindingSecret, CoinId, Given};
use crate::secret::Secret;
use crate::tokenizing::{Counts, count, sum};

/// Where a coin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoinPlace {
    /// In the wallet.
    Here,
    /// Part of a pending request.
    Given,
    /// In a stack that was sent. The receiver may have taken it.
    Sent,
    /// Received and not renewed yet, so that the sender can still spend it.
    Received,
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) coin: Coin,
    pub(crate) value: u64,
    /// The issuer accepts the coin until this time.
    pub(crate) expiry: DateTime<Utc>,
    pub(crate) place: CoinPlace,
    /// `None` for coins of older journals, which have no seeds.
    pub(crate) origin: Option<Origin>,
}

/// The blind that a coin was made from, with its seed as proof.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) transaction_reference: BigInt,
    pub(crate) blind_reference: String,
    pub(crate) seed: Secret,
}

impl Origin {
    /// Returns `None` without a transaction reference or a seed.
    pub(crate) fn new(transaction_reference: Option<&BigInt>, blinded: &Blinded) -> Option<Self> {
        let BlindingSecret::Seed(seed) = &blinded.secret else {
            return None;
        };
        Some(Self {
            transaction_reference: transaction_reference?.clone(),
            blind_reference: blinded.reference.clone(),
            seed: seed.clone(),
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
    pub(crate) coins: BTreeMap<CoinId, Held>,
}

impl Currency {
    pub(crate) fn new(url: String, cddc: VerifiedCddc) -> Self {
        Self {
            url,
            cddc,
            cddcs: BTreeMap::new(),
            mint_keys: BTreeMap::new(),
            current: None,
            revoked: BTreeMap::new(),
            coins: BTreeMap::new(),
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
        held.place == CoinPlace::Here && now <= held.expiry && !self.is_revoked(&held.coin.payload)
    }

    /// Whether a received coin is still to be renewed.
    pub(crate) fn is_received(&self, held: &Held, now: DateTime<Utc>) -> bool {
        held.place == CoinPlace::Received && now <= held.expiry && !self.is_revoked(&held.coin.payload)
    }

    /// Whether the payload's mint key was revoked.
    pub(crate) fn is_revoked(&self, payload: &Payload) -> bool {
        self.revoked.contains_key(&payload.mint_key_id)
    }

    /// Frees the coins of a request that was not carried out.
    pub(crate) fn release(&mut self, gives: &[Given]) {
        for given in gives {
            if let Some(held) = self.coins.get_mut(&given.coin)
                && held.place == CoinPlace::Given
            {
                held.place = if given.is_own {
                    CoinPlace::Here
                } else {
                    CoinPlace::Received
                };
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

    /// Adds the data of the coin's mint key, which must be known.
    pub(crate) fn held(&self, coin: Coin, place: CoinPlace, origin: Option<Origin>) -> Result<Held, String> {
        let key = self.mint_keys.get(&coin.payload.mint_key_id);
        let key = key.ok_or("the mint key of a coin is unknown")?.mint_key();
        Ok(Held {
            coin,
            value: key.denomination,
            expiry: key.coins_expiry_date.to_utc(),
            place,
            origin,
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
