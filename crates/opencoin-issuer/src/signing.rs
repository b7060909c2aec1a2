//! The second step of mint, renew and recoup: signing what was accepted, now or later.
//!
//! What was accepted before is answered from the books: signatures that they keep as they are, the others
//! signed again. A key that was stopped since signs nothing more; what it was to sign is honoured by a
//! recoup.

use std::time::Instant;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, Signer};
use opencoin_ledger::{Accepted, StoredNumber, TransactionReference};
use opencoin_schema::{BigInt, Blind, BlindSignature};

use crate::refusal::{Reason, Refusal};
use opencoin_log::LogThrottle;

static DELAYS: LogThrottle = LogThrottle::new();

/// What became of accepted blinds.
#[derive(Debug)]
pub enum Signed {
    /// The signatures, in the order of the blinds. For a resume without those of stopped keys.
    Now(Vec<BlindSignature>),
    /// Signing is paused, away or overloaded; nothing is lost, `request resume` asks again.
    Later,
    /// Nothing was accepted yet: the account has too little money, and the mint waits for it. `request
    /// resume` asks again.
    WhenPaid,
}

/// How much of what was accepted an answer must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: the answer to a mint, renew or recoup, whose client counts on every signature.
    All,
    /// What there is: the answer to a resume, which is how a wallet gets what good keys have signed.
    Some,
}

/// The answer for what the ledger accepted before.
///
/// # Errors
/// [`Reason::Recoup`] when a stopped key was to sign and `wanted` is all of it, or stopped keys were to sign
/// all of it.
pub(crate) async fn sign_again(
    signer: &dyn Signer,
    reference: &TransactionReference,
    accepted: Accepted,
    wanted: Wanted,
) -> Result<Signed, Refusal> {
    let is_good = |mint_key| !accepted.stopped.contains(mint_key);
    let good = accepted
        .blinds
        .iter()
        .filter(|blind| is_good(&blind.mint_key))
        .count();
    if good == 0 || good < accepted.blinds.len() && wanted == Wanted::All {
        let description =
            "accepted, and a mint key of it was revoked since: its blinds are honoured by a recoup";
        return Err(Refusal::new(Reason::Recoup, description));
    }
    let signed = match accepted.to_sign() {
        nothing if nothing.is_empty() => Signed::Now(Vec::new()),
        _ if accepted.signing_paused => Signed::Later,
        to_sign => {
            let blinds = to_sign.into_iter().map(|blind| Blind {
                blinded_payload_hash: BigInt::from_be_bytes(&blind.blinded),
                mint_key_id: BigInt::from_be_bytes(blind.mint_key.as_bytes()),
                reference: blind.reference,
            });
            sign_accepted(signer, reference, blinds.collect()).await
        }
    };
    let Signed::Now(signed) = signed else {
        return Ok(Signed::Later);
    };
    let mut signed = signed.into_iter();
    let answer = accepted
        .blinds
        .iter()
        .filter(|blind| is_good(&blind.mint_key))
        .map(|blind| match &blind.number {
            StoredNumber::Signature(signature) => BlindSignature {
                blind_signature: BigInt::from_be_bytes(signature),
                reference: blind.reference.clone(),
            },
            StoredNumber::Blinded(_) => signed
                .next()
                .expect("each blind that was to be signed has its signature"),
        });
    Ok(Signed::Now(answer.collect()))
}

/// Signs blinds that the ledger has accepted. A signature must never be asked for before that.
pub(crate) async fn sign_accepted(
    signer: &dyn Signer,
    reference: &TransactionReference,
    blinds: Vec<Blind>,
) -> Signed {
    let to_sign = |blind: Blind| {
        let (mint_key_id, blinded) = (blind.mint_key_id, blind.blinded_payload_hash);
        (blind.reference, BlindToSign { mint_key_id, blinded })
    };
    let (references, blinds): (Vec<String>, Vec<BlindToSign>) = blinds.into_iter().map(to_sign).unzip();
    let transaction_reference = reference.as_bytes().to_vec();
    match signer
        .sign(AcceptedBlinds {
            transaction_reference,
            blinds: blinds.into(),
        })
        .await
    {
        Ok(signatures) => {
            assert_eq!(
                signatures.len(),
                references.len(),
                "a signer signs all or nothing"
            );
            let pairs = references.into_iter().zip(signatures);
            Signed::Now(
                pairs
                    .map(|(reference, blind_signature)| BlindSignature {
                        blind_signature,
                        reference,
                    })
                    .collect(),
            )
        }
        Err(error @ (SignError::Busy | SignError::Unavailable)) => {
            if let Some(requests) = DELAYS.count(Instant::now()) {
                tracing::warn!(%error, requests, "signatures are delayed");
            }
            Signed::Later
        }
        Err(
            error @ (SignError::UnknownKey(_)
            | SignError::OutOfRange { .. }
            | SignError::NotAccepted(_)
            | SignError::Failed),
        ) => {
            tracing::error!(%error, "accepted blinds cannot be signed");
            Signed::Later
        }
    }
}
