//! Destroying private halves for good.
//!
//! In three steps: the books mark the key as retired, so that nobody signs with it whatever their clock says;
//! the signatures of everything that was accepted for it are kept in place of the blinds, so that `request
//! resume` goes on being answered; then the store destroys it. Each may be repeated.

use std::sync::Arc;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, Signer};
use opencoin_ledger::{
    Command, KeptSignatures, StoredBlind, StoredNumber, TransactionNo, UnsignedTransaction,
};
use opencoin_schema::BigInt;

use super::{KeyManager, KeyManagerError};
use crate::currency::{CertifiedMintKey, ledger_time};
use crate::registration::register_mint_keys;
use crate::rotation::Due;

/// How many transactions are read, signed and kept at a time when a key is destroyed.
const TRANSACTIONS_PER_TURN: usize = 100;

/// A key whose private half was destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyedKey {
    /// Its id.
    pub id: BigInt,
    /// Its denomination.
    pub denomination: u64,
    /// Transactions whose signatures were kept in place of their blinds this time.
    pub transactions_kept: u64,
}

impl KeyManager {
    /// Destroys [`Self::uncertified`] private halves; gives their ids.
    ///
    /// # Errors
    /// Those that were destroyed stay so.
    pub async fn destroy_uncertified(&self) -> Result<Vec<BigInt>, KeyManagerError> {
        let _lock = self.directory.lock()?;
        let ids = self.uncertified().await?;
        for id in &ids {
            self.store.destroy(id)?;
        }
        Ok(ids)
    }

    /// Destroys the private halves that are due: of keys past their resume window and of revoked ones.
    /// `progress` hears how many are done.
    ///
    /// # Errors
    /// Those that were destroyed stay so; the next call goes on with the others.
    pub async fn destroy(&self, destroyed: &mut dyn FnMut(DestroyedKey)) -> Result<(), KeyManagerError> {
        let _lock = self.directory.lock()?;
        let (currency, now) = (self.directory.currency()?, self.clock.now());
        register_mint_keys(&currency, self.ledger.as_ref(), self.clock.as_ref()).await?;
        let due: Vec<BigInt> = (self.plan_at(now).await?.into_iter())
            .filter(|step| step.at <= now)
            .filter_map(|step| {
                if let Due::DestroyKey { id, .. } = step.what {
                    Some(id)
                } else {
                    None
                }
            })
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let engine = self.store.signer()?;
        for id in due {
            let key = currency.mint_key(&id).expect("the plan is of this currency");
            let transactions_kept = self.retire(key, engine.as_ref()).await?;
            self.ledger.make_durable().await?;
            self.store.destroy(&id)?;
            destroyed(DestroyedKey {
                id,
                denomination: key.verified.mint_key().denomination,
                transactions_kept,
            });
        }
        Ok(())
    }

    /// Makes sure that nobody will need the private half: afterwards nothing is accepted for the key, and
    /// what was accepted is signed. Of a revoked key nothing is signed any more; its holders are made whole
    /// by their blinds.
    async fn retire(&self, key: &CertifiedMintKey, engine: &dyn Signer) -> Result<u64, KeyManagerError> {
        let retire = Command::RetireMintKey {
            id: key.ledger_id,
            at: ledger_time(self.clock.now()),
        };
        let outcome = self.ledger.apply(&[retire]).await?.into_iter().next();
        outcome.expect("the ledger answers every command")?;
        let statuses = self.ledger.mint_keys().await?;
        let status = statuses
            .iter()
            .find(|status| status.id == key.ledger_id)
            .expect("it was just retired");
        if status.stopped.is_some() {
            return Ok(0);
        }
        let (mut after, mut kept) = (TransactionNo::BEFORE_ALL, 0);
        loop {
            let page = self.ledger.unsigned(status, after, TRANSACTIONS_PER_TURN).await?;
            let mut signed = Vec::with_capacity(page.transactions.len());
            for transaction in &page.transactions {
                signed.push(sign(key, transaction, engine).await?);
            }
            // Whoever was faster with one of them has kept the same signatures.
            kept += self
                .ledger
                .keep_signatures(&signed)
                .await?
                .into_iter()
                .filter(|is_kept| *is_kept)
                .count() as u64;
            let Some(next) = page.next else { return Ok(kept) };
            after = next;
        }
    }
}

/// Signs the blinds of one key, checks the signatures, and puts them in the blinds' places.
async fn sign(
    key: &CertifiedMintKey,
    transaction: &UnsignedTransaction,
    engine: &dyn Signer,
) -> Result<KeptSignatures, KeyManagerError> {
    let public_key = key.verified.public_key();
    let id = public_key.id();
    let failed = |error| KeyManagerError::Sign {
        id: id.clone(),
        error,
    };
    let unsigned = |blind: &StoredBlind| match &blind.number {
        StoredNumber::Blinded(number) if blind.mint_key == key.ledger_id => {
            Some(BigInt::from_be_bytes(number))
        }
        StoredNumber::Blinded(_) | StoredNumber::Signature(_) => None,
    };
    let to_sign = |blinded| BlindToSign {
        mint_key_id: id.clone(),
        blinded,
    };
    let blinds: Arc<[BlindToSign]> = transaction
        .blinds
        .iter()
        .filter_map(unsigned)
        .map(to_sign)
        .collect();
    let accepted = AcceptedBlinds {
        transaction_reference: transaction.reference.as_bytes().to_vec(),
        blinds: Arc::clone(&blinds),
    };
    let signatures = engine.sign(accepted).await.map_err(failed)?;
    let is_right = |(blind, signature): (&BlindToSign, &BigInt)| {
        public_key.signed_number(signature).as_ref() == Some(&blind.blinded)
    };
    if !blinds.iter().zip(&signatures).all(is_right) {
        return Err(failed(SignError::Failed));
    }
    let mut signatures = signatures.into_iter();
    let mut after = transaction.blinds.clone();
    for blind in after.iter_mut().filter(|blind| unsigned(blind).is_some()) {
        let signature = signatures.next().expect("a signer signs all or nothing");
        blind.number = StoredNumber::Signature(signature.as_be_bytes().to_vec());
    }
    Ok(KeptSignatures::new(transaction.no, &transaction.blinds, &after))
}
