//! Destroying private mint keys for good.
//!
//! There are three steps. The books mark the key as retired, so that no process signs with it, whatever its clock
//! says. All blinds that were accepted for the key are signed, and the signatures replace the blinds in the books, so
//! that `request resume` still works. Then the store destroys the key. Each step can be repeated.

use std::sync::Arc;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, PublicKey, SignError, Signer, are_signed};
use opencoin_ledger::{
    Command, KeptSignatures, StoredBlind, StoredNumber, TransactionNo, UnsignedTransaction,
};
use opencoin_schema::BigInt;

use super::{KeyManager, KeyManagerError};
use crate::currency::{CertifiedMintKey, ledger_time};
use crate::registration::register_documents;
use crate::rotation::Due;

/// The number of transactions that are read, signed and stored at a time.
const TRANSACTIONS_PER_TURN: usize = 100;

/// A destroyed private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyedKey {
    /// The id of the key.
    pub id: BigInt,
    /// The denomination of the key.
    pub denomination: u64,
    /// The number of transactions whose blinds this call replaced by their signatures.
    pub transactions_kept: u64,
}

impl KeyManager {
    /// Destroys the [`Self::uncertified`] private keys and returns their ids.
    ///
    /// # Errors
    /// See [`KeyManagerError`]. Some keys may have been destroyed.
    pub async fn destroy_uncertified(&self) -> Result<Vec<BigInt>, KeyManagerError> {
        let _lock = self.directory.lock()?;
        let ids = self.uncertified().await?;
        for id in &ids {
            self.store.destroy(id)?;
        }
        Ok(ids)
    }

    /// Destroys the private keys that are past their resume window or revoked, and calls `destroyed` for each.
    ///
    /// # Errors
    /// See [`KeyManagerError`]. Some keys may have been destroyed; the next call continues with the others.
    pub async fn destroy(&self, destroyed: &mut dyn FnMut(DestroyedKey)) -> Result<(), KeyManagerError> {
        let _lock = self.directory.lock()?;
        let (currency, now) = (self.directory.currency()?, self.clock.now());
        register_documents(&currency, self.ledger.as_ref(), self.clock.as_ref()).await?;
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
        let (engine, known) = (self.store.signer()?, self.ledger.mint_keys().await?);
        for id in due {
            let key = currency.mint_key(&id).expect("the plan is of this currency");
            // A key that came too late for the public log is not in the books.
            let is_registered = known.iter().any(|status| status.id == key.ledger_id);
            let transactions_kept = if is_registered {
                self.retire(key, engine.as_ref()).await?
            } else {
                0
            };
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

    /// Makes sure that the private key is no longer needed: afterwards no blinds are accepted for it, and all
    /// accepted blinds are signed. A revoked key signs nothing; a recoup replaces its coins and blinds.
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
            // If another process was faster, it has stored the same signatures.
            let stored = self.ledger.keep_signatures(&signed).await?;
            kept += stored.into_iter().filter(|is_kept| *is_kept).count() as u64;
            let Some(next) = page.next else { return Ok(kept) };
            after = next;
        }
    }
}

/// Signs the blinds of one key, checks the signatures, and replaces the blinds by them.
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
    let signed: Vec<(&PublicKey, &BigInt, &BigInt)> = signatures
        .iter()
        .zip(blinds.iter())
        .map(|(signature, blind)| (public_key, signature, &blind.blinded))
        .collect();
    if !are_signed(&signed).into_iter().all(|is_signed| is_signed) {
        return Err(failed(SignError::Failed));
    }
    let mut signatures = signatures.into_iter();
    let mut after = transaction.blinds.clone();
    for blind in after.iter_mut().filter(|blind| unsigned(blind).is_some()) {
        let signature = signatures.next().expect("a signer signs all or nothing");
        blind.number = StoredNumber::Signature(signature.as_be_bytes().to_vec());
    }
    Ok(KeptSignatures::new(
        &transaction.reference,
        &transaction.blinds,
        &after,
    ))
}
