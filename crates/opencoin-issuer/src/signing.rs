//! The second step of mint and renew: signing what was accepted, now or later.

use std::time::Instant;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, Signer};
use opencoin_ledger::{Blind, TransactionReference};
use opencoin_schema::{BigInt, BlindSignature};

use crate::seldom::Seldom;

static DELAYS: Seldom = Seldom::new();

/// What became of accepted blinds.
#[derive(Debug)]
pub enum Signed {
    /// The signatures, in the order of the blinds.
    Now(Vec<BlindSignature>),
    /// Signing is paused, away or overloaded; nothing is lost, `request resume` asks again.
    Later,
}

/// Signs blinds that the ledger has accepted. A signature must never be asked for before that.
pub(crate) async fn sign_accepted(signer: &dyn Signer, reference: &TransactionReference, blinds: Vec<Blind>) -> Signed {
    let (references, blinds): (Vec<String>, Vec<BlindToSign>) = blinds
        .into_iter()
        .map(|blind| {
            let mint_key_id = BigInt::from_be_bytes(blind.mint_key.as_bytes());
            (blind.reference, BlindToSign { mint_key_id, blinded: BigInt::from_be_bytes(&blind.blinded) })
        })
        .unzip();
    let transaction_reference = reference.as_bytes().to_vec();
    match signer.sign(AcceptedBlinds { transaction_reference, blinds }).await {
        Ok(signatures) => {
            assert_eq!(signatures.len(), references.len(), "a signer signs all or nothing");
            let pairs = references.into_iter().zip(signatures);
            Signed::Now(pairs.map(|(reference, blind_signature)| BlindSignature { blind_signature, reference }).collect())
        }
        Err(error @ (SignError::Busy | SignError::Unavailable)) => {
            if let Some(requests) = DELAYS.count(Instant::now()) {
                tracing::warn!(%error, requests, "signatures are delayed");
            }
            Signed::Later
        }
        Err(
            error @ (SignError::UnknownKey(_) | SignError::OutOfRange { .. } | SignError::NotAccepted(_) | SignError::Failed),
        ) => {
            tracing::error!(%error, "accepted blinds cannot be signed");
            Signed::Later
        }
    }
}
