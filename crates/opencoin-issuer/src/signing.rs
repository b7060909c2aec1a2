//! The second step of mint and renew: signing what was accepted, now or later.

use std::time::Instant;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, Signer};
use opencoin_ledger::{StoredBlind, StoredNumber, TransactionReference};
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

/// Signs blinds that the ledger has accepted, but for those whose signatures it has kept. A signature must never be asked for before
/// that.
pub(crate) async fn sign_accepted(signer: &dyn Signer, reference: &TransactionReference, accepted: Vec<StoredBlind>) -> Signed {
    let blinds: Vec<BlindToSign> = accepted.iter().filter_map(to_sign).collect();
    let mut signatures = match sign(signer, reference, blinds).await {
        Some(signatures) => signatures.into_iter(),
        None => return Signed::Later,
    };
    let signed = accepted.into_iter().map(|blind| BlindSignature {
        reference: blind.reference,
        blind_signature: match blind.number {
            StoredNumber::Signature(signature) => BigInt::from_be_bytes(&signature),
            StoredNumber::Blinded(_) => signatures.next().expect("every blind was signed"),
        },
    });
    Signed::Now(signed.collect())
}

fn to_sign(blind: &StoredBlind) -> Option<BlindToSign> {
    match &blind.number {
        StoredNumber::Blinded(number) => {
            let mint_key_id = BigInt::from_be_bytes(blind.mint_key.as_bytes());
            Some(BlindToSign { mint_key_id, blinded: BigInt::from_be_bytes(number) })
        }
        StoredNumber::Signature(_) => None,
    }
}

/// One signature for each blind; `None` where they cannot be had now.
async fn sign(signer: &dyn Signer, reference: &TransactionReference, blinds: Vec<BlindToSign>) -> Option<Vec<BigInt>> {
    let count = blinds.len();
    if count == 0 {
        return Some(Vec::new());
    }
    let transaction_reference = reference.as_bytes().to_vec();
    match signer.sign(AcceptedBlinds { transaction_reference, blinds }).await {
        Ok(signatures) => {
            assert_eq!(signatures.len(), count, "a signer signs all or nothing");
            Some(signatures)
        }
        Err(error @ (SignError::Busy | SignError::Unavailable)) => {
            if let Some(requests) = DELAYS.count(Instant::now()) {
                tracing::warn!(%error, requests, "signatures are delayed");
            }
            None
        }
        Err(
            error @ (SignError::UnknownKey(_) | SignError::OutOfRange { .. } | SignError::NotAccepted(_) | SignError::Failed),
        ) => {
            tracing::error!(%error, "accepted blinds cannot be signed");
            None
        }
    }
}
