//! New payloads, blinded for the mint keys that sign now.

use opencoin_crypto::BlindingSeed;
use opencoin_schema::{BigInt, Blind, PROTOCOL_VERSION, Payload};
use rand::RngCore;

use super::Wallet;
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret};
use crate::secret::Secret;
use crate::tokenizing::{Counts, values};

/// The length of serials and transaction references.
const RANDOM_BYTES: usize = 16;

impl Wallet {
    /// Makes payloads of these denominations and blinds them for the keys that sign now. Fetches new keys if
    /// need be. Calls `made` with the number of blinds after each one.
    pub(super) async fn blind(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        made: &mut (dyn FnMut(usize) + std::marker::Send),
    ) -> Result<(Vec<Blinded>, Vec<Blind>), WalletError> {
        let currency = self.currency(id)?;
        let lacks_key = |value: &u64| currency.signing_key(*value, self.now).is_none();
        if wanted.keys().any(lacks_key) {
            self.refresh(id).await?;
        }
        self.require_signing_keys(id, wanted).await?;
        self.blind_now(id, wanted, made)
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
            let payload = Payload {
                cdd_location: currency.cddc.cdd().cdd_location.clone(),
                denomination: value,
                issuer_id: id.clone(),
                mint_key_id: key.public_key().id().clone(),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial: random_number(&mut self.rng),
            };
            let seed = BlindingSeed::generate(&mut self.rng);
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
pub(super) fn random_number(rng: &mut impl RngCore) -> BigInt {
    let mut bytes = [0; RANDOM_BYTES];
    rng.fill_bytes(&mut bytes);
    BigInt::from_be_bytes(&bytes)
}
