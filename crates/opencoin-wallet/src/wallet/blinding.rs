//! New payloads, blinded for the mint keys that sign now, and where their secrets come from.

use opencoin_crypto::BlindingSeed;
use opencoin_schema::{BigInt, Blind, PROTOCOL_VERSION, Payload};
use rand::{CryptoRng, RngCore};

use super::Wallet;
use crate::derivation::{Derivation, NUMBER_BYTES};
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret};
use crate::tokenizing::{Counts, values};
use opencoin_api::Secret;

/// The transaction reference of a request, and where the secrets of its blinds come from.
pub(super) struct RequestSecrets {
    pub(super) reference: BigInt,
    /// The number of the backup phrase that they are derived from; 0 if they come from elsewhere.
    pub(super) phrase: u8,
    /// `None` for random numbers.
    pub(super) derived: Option<(Derivation, u64)>,
}

impl RequestSecrets {
    /// The secrets of a request that is derived.
    pub(super) fn derived(derivation: Derivation, request: u64, phrase: u8) -> Self {
        Self {
            reference: derivation.transaction_reference(request),
            phrase,
            derived: Some((derivation, request)),
        }
    }

    /// Returns the number of the request under the backup phrase.
    pub(super) fn number(&self) -> Option<u64> {
        let number = self.derived.as_ref().map(|(_, number)| *number);
        number.filter(|_| self.phrase > 0)
    }

    /// Returns the serial and the blinding seed of a blind.
    fn of_blind(&self, index: usize, rng: &mut (impl RngCore + CryptoRng)) -> (BigInt, BlindingSeed) {
        let index = u32::try_from(index).expect("a request has few blinds");
        match &self.derived {
            Some((derivation, request)) => (
                derivation.serial(*request, index),
                derivation.blinding_seed(*request, index),
            ),
            None => (random_number(rng), BlindingSeed::generate(rng)),
        }
    }
}

impl Wallet {
    /// Returns the secrets of the next request: derived from the backup phrase, or random without one.
    pub(super) fn next_secrets(&mut self, id: &BigInt) -> Result<RequestSecrets, WalletError> {
        let Some(derivation) = self.derivation(id) else {
            return Ok(RequestSecrets {
                reference: random_number(&mut self.rng),
                phrase: 0,
                derived: None,
            });
        };
        let currency = self.state.currencies.get_mut(id).ok_or(WalletError::NoCurrency)?;
        if self.store.is_restored() && !currency.numbers.is_restored {
            // The lost wallet has used the first numbers.
            return Err(WalletError::RestoreFirst(currency.url.clone()));
        }
        // Written with the request.
        let request = currency.numbers.take();
        Ok(RequestSecrets::derived(derivation, request, self.state.phrase))
    }

    /// Makes payloads of these denominations and blinds them for the keys that sign now. Fetches new keys if
    /// need be. Calls `made` with the number of blinds after each one.
    pub(super) async fn blind(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        secrets: &RequestSecrets,
        made: &mut (dyn FnMut(usize) + std::marker::Send),
    ) -> Result<(Vec<Blinded>, Vec<Blind>), WalletError> {
        let currency = self.currency(id)?;
        let lacks_key = |value: &u64| currency.signing_key(*value, self.now).is_none();
        if wanted.keys().any(lacks_key) {
            self.refresh(id).await?;
        }
        self.require_signing_keys(id, wanted).await?;
        self.blind_now(id, wanted, secrets, made)
    }

    /// Checks that the keys that sign these denominations now are in the public log.
    pub(super) async fn require_signing_keys(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
    ) -> Result<(), WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let keys = wanted
            .keys()
            .filter_map(|value| currency.signing_key(*value, now));
        let keys = keys.map(|key| key.public_key().id().clone()).collect();
        self.require_logged_keys(id, keys).await
    }

    /// Does the same as [`Self::blind`] with the known keys.
    pub(super) fn blind_now(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        secrets: &RequestSecrets,
        made: &mut (dyn FnMut(usize) + std::marker::Send),
    ) -> Result<(Vec<Blinded>, Vec<Blind>), WalletError> {
        let now = self.now;
        let currency = self.state.currencies.get(id).ok_or(WalletError::NoCurrency)?;
        let suite = currency.cddc.cipher_suite();
        let (mut all, mut blinds) = (Vec::new(), Vec::new());
        for value in values(wanted) {
            let Some(key) = currency.signing_key(value, now) else {
                return Err(self.wrong_clock().unwrap_or(WalletError::NoMintKey(value)));
            };
            let (serial, seed) = secrets.of_blind(all.len(), &mut self.rng);
            let payload = Payload {
                cdd_location: currency.cddc.cdd().cdd_location.clone(),
                denomination: value,
                issuer_id: id.clone(),
                mint_key_id: key.public_key().id().clone(),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial,
            };
            let (blinded_payload_hash, _) = suite
                .blind(key.public_key(), &payload, &seed)
                .map_err(|error| WalletError::Blinding(error.to_string()))?;
            let reference = all.len().to_string();
            blinds.push(Blind {
                blinded_payload_hash,
                mint_key_id: payload.mint_key_id.clone(),
                reference: reference.clone(),
            });
            all.push(Blinded {
                reference,
                payload,
                secret: BlindingSecret::Seed(Secret::new(seed.to_secret_hex().as_str())),
            });
            made(all.len());
        }
        Ok((all, blinds))
    }
}

/// Returns a new serial or transaction reference.
fn random_number(rng: &mut impl RngCore) -> BigInt {
    let mut bytes = [0; NUMBER_BYTES];
    rng.fill_bytes(&mut bytes);
    BigInt::from_be_bytes(&bytes)
}
