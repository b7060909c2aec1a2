//! The second step of mint, renew and recoup: signing accepted blinds, now or later.
//!
//! A repeated request is answered from the books: kept signatures are returned, the other blinds are signed again. A
//! stopped key signs nothing more; its blinds are honoured by a recoup.

use std::time::Instant;

use opencoin_crypto::{AcceptedBlinds, BlindToSign, SignError, Signer};
use opencoin_ledger::{Accepted, StoredNumber, TransactionReference};
use opencoin_schema::{BigInt, Blind, BlindSignature};

use crate::refusal::{Reason, Refusal};
use opencoin_logging::LogThrottle;

static DELAYS: LogThrottle = LogThrottle::new();

/// The result of signing accepted blinds.
#[derive(Debug)]
pub enum Signed {
    /// The signatures, in the order of the blinds. For a resume without those of stopped keys.
    Now(Vec<BlindSignature>),
    /// Signing is paused, unavailable or overloaded. Nothing is lost; `request resume` asks again.
    Later,
    /// Nothing was accepted yet: the mint waits until the account has enough money. `request resume` asks again.
    WhenPaid,
}

/// Which signatures an answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All: the answer to a mint, renew or recoup, whose client relies on every signature.
    All,
    /// Those of keys that were not stopped: the answer to a resume.
    Some,
}

/// Signs what the ledger accepted before.
///
/// # Errors
/// [`Reason::Recoup`] when the keys of all blinds were stopped, or of some and `wanted` is [`Wanted::All`].
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
            "the request was accepted, but a mint key was revoked since: its blinds are honoured by a recoup";
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
                .expect("every blind without a kept signature was signed"),
        });
    Ok(Signed::Now(answer.collect()))
}

/// Signs blinds that the ledger has accepted. Must not be called before.
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
                "a signer signs all blinds or none"
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
