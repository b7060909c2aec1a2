//! A currency as the wallet knows it: its verified documents, the keys to blind for, the coins held of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_crypto::{
    CertificateError, VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate,
};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload};

use crate::event::{Blinded, BlindingSecret, CoinId, Given};
use crate::secret::Secret;
use crate::tokenizing::{Counts, count, sum};

/// Where a coin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the wallet.
    Here,
    /// Given by a request that is not finished.
    Given,
    /// In a coin stack that somebody may have taken.
    Sent,
    /// From somebody else, who could still spend it: it is to be renewed.
    Received,
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) coin: Coin,
    pub(crate) value: u64,
    /// The issuer takes it until then.
    pub(crate) expiry: DateTime<Utc>,
    pub(crate) place: Place,
    /// `None` for coins of older journals, which kept no seeds.
    pub(crate) origin: Option<Origin>,
}

/// Which blind a coin came from, and the proof of it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) transaction_reference: BigInt,
    pub(crate) blind_reference: String,
    pub(crate) seed: Secret,
}

impl Origin {
    /// Where the coin of a blind of this transaction comes from.
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

/// A currency whose documents were verified.
#[derive(Debug)]
pub(crate) struct Currency {
    pub(crate) url: String,
    /// The newest.
    pub(crate) cddc: VerifiedCddc,
    /// All that were seen, by serial: a mint key is certified under the one that its certificate names.
    pub(crate) cddcs: BTreeMap<u64, VerifiedCddc>,
    pub(crate) mint_keys: BTreeMap<BigInt, VerifiedMintKey>,
    /// The keys that the issuer called current when it was last asked; `None` in older journals.
    pub(crate) current: Option<BTreeSet<BigInt>>,
    /// The keys that the issuer calls revoked, and its reasons.
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

    /// Takes in documents that were verified before they went to the journal, and are verified again.
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
            // Older journals verified every certificate under the newest CDDC and kept no other.
            let certifies = self.cddcs.get(&mkc.mint_key.cdd_serial).unwrap_or(&cddc);
            let key = verify_mint_key_certificate(mkc, certifies)?;
            self.mint_keys.insert(key.public_key().id().clone(), key);
        }
        self.cddc = cddc;
        self.current = current.or(self.current.take());
        Ok(())
    }

    /// Whether a coin can be paid with.
    pub(crate) fn is_here(&self, held: &Held, now: DateTime<Utc>) -> bool {
        held.place == Place::Here && now <= held.expiry && !self.is_revoked(&held.coin.payload)
    }

    /// Whether the issuer takes no coin of the payload's mint key any more.
    pub(crate) fn is_revoked(&self, payload: &Payload) -> bool {
        self.revoked.contains_key(&payload.mint_key_id)
    }

    /// Puts coins that a request was to give back to where they were.
    pub(crate) fn release(&mut self, gives: &[Given]) {
        for given in gives {
            if let Some(held) = self.coins.get_mut(&given.coin)
                && held.place == Place::Given
            {
                held.place = if given.is_own {
                    Place::Here
                } else {
                    Place::Received
                };
            }
        }
    }

    /// The wallet's own coins that can be paid with, by value.
    pub(crate) fn here(&self, now: DateTime<Utc>) -> Counts {
        count(
            self.coins
                .values()
                .filter(|held| self.is_here(held, now))
                .map(|held| held.value),
        )
    }

    pub(crate) fn coin_id(&self, payload: &Payload) -> CoinId {
        BigInt::from_be_bytes(self.cddc.cipher_suite().payload_hash(payload).as_bytes())
    }

    /// What the coins at a place are worth.
    pub(crate) fn value_at(&self, place: Place) -> u64 {
        let there = self.coins.values().filter(|held| held.place == place);
        sum(there.map(|held| held.value))
    }

    /// What all coins are worth, wherever they are.
    pub(crate) fn value(&self) -> u64 {
        sum(self.coins.values().map(|held| held.value))
    }

    /// A coin of this currency, as it is held. Its mint key must be known.
    pub(crate) fn held(&self, coin: Coin, place: Place, origin: Option<Origin>) -> Result<Held, String> {
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

    /// What fresh coins can be worth now: the currency's denominations, without those that no key signs. If
    /// none does, nothing is known about the present, and all of them are given.
    pub(crate) fn denominations(&self, now: DateTime<Utc>) -> Vec<u64> {
        let all = &self.cddc.cdd().denominations;
        let all: Vec<u64> = all.iter().copied().filter(|value| *value > 0).collect();
        let is_signed = |value: &u64| self.signing_key(*value, now).is_some();
        let signed: Vec<u64> = all.iter().copied().filter(is_signed).collect();
        if signed.is_empty() { all } else { signed }
    }

    /// The newest key of this denomination that the issuer calls current and that signs now.
    pub(crate) fn signing_key(&self, value: u64, now: DateTime<Utc>) -> Option<&VerifiedMintKey> {
        let is_current = |id: &BigInt| self.current.as_ref().is_none_or(|current| current.contains(id));
        let signs = |(id, key): &(&BigInt, &VerifiedMintKey)| {
            let mint_key = key.mint_key();
            mint_key.denomination == value
                && (mint_key.sign_coins_not_before.to_utc()..=mint_key.sign_coins_not_after.to_utc())
                    .contains(&now)
                && is_current(id)
                && !self.revoked.contains_key(id)
        };
        let keys = self.mint_keys.iter().filter(signs).map(|(_, key)| key);
        keys.max_by_key(|key| key.mint_key().sign_coins_not_before.unix_us())
    }
}
