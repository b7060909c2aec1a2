//! New payloads, blinded for the keys that sign now.

use opencoin_crypto::BlindingSeed;
use opencoin_schema::{BigInt, Blind, PROTOCOL_VERSION, Payload};
use rand::RngCore;

use super::Wallet;
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret};
use crate::secret::Secret;
use crate::tokenizing::Counts;

/// Randomness of serials and transaction references.
const RANDOM_BYTES: usize = 16;

impl Wallet {
    /// Makes payloads of these denominations and blinds them for the keys that sign now.
    pub(super) async fn blind(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        made: &mut (dyn FnMut(usize) + std::marker::Send),
    ) -> Result<Vec<(Blinded, Blind)>, WalletError> {
        let lacks_keys = |wallet: &Self| -> Result<bool, WalletError> {
            let currency = wallet.currency(id)?;
            Ok(wanted
                .keys()
                .any(|value| currency.signing_key(*value, wallet.now).is_none()))
        };
        if lacks_keys(self)? {
            self.refresh(id).await?;
        }
        self.blind_now(id, wanted, made)
    }

    /// As [`Self::blind`], with the keys that are known.
    pub(super) fn blind_now(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        made: &mut (dyn FnMut(usize) + std::marker::Send),
    ) -> Result<Vec<(Blinded, Blind)>, WalletError> {
        let now = self.now;
        let currency = self.state.currencies.get(id).ok_or(WalletError::NoCurrency)?;
        let suite = currency.cddc.cipher_suite();
        let mut all = Vec::new();
        for value in wanted
            .iter()
            .flat_map(|(value, coins)| std::iter::repeat_n(*value, *coins as usize))
        {
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
            let mint_key_id = payload.mint_key_id.clone();
            let blind = Blind {
                blinded_payload_hash,
                mint_key_id,
                reference: reference.clone(),
            };
            let secret = BlindingSecret::Seed(Secret::new(seed.to_secret_hex().as_str()));
            all.push((
                Blinded {
                    reference,
                    payload,
                    secret,
                },
                blind,
            ));
            made(all.len());
        }
        Ok(all)
    }
}

pub(super) fn blinds(blinded: &[(Blinded, Blind)]) -> Vec<Blind> {
    blinded.iter().map(|(_, blind)| blind.clone()).collect()
}

/// A serial, or a transaction reference.
pub(super) fn random_number(rng: &mut impl RngCore) -> BigInt {
    let mut bytes = [0; RANDOM_BYTES];
    rng.fill_bytes(&mut bytes);
    BigInt::from_be_bytes(&bytes)
}
