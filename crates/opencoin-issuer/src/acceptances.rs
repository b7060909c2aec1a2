//! Proofs about a stored mint, renew or recoup that need only public keys.
//!
//! For every blind: its key is certified and was inside its signing window, and the number is in the key's range. A
//! signature that was kept in place of a blind gives the blind when it is raised to the public exponent. The record
//! of a mint has a digest of the account and all blinds of the request, so these and the kept signatures are proven
//! to be those of the request. The digests of a renew and of a recoup also cover the coins, which the books by design
//! do not hold. There, the replacement of a number by another one in range is not noticed.

use opencoin_audit::StoredAcceptance;
use opencoin_crypto::blind_in_range;
use opencoin_keys::Currency;
use opencoin_ledger::journal::Kind;
use opencoin_ledger::{AccountId, Blind, StoredBlind, StoredNumber, mint_content};
use opencoin_schema::BigInt;

/// The extent of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcceptanceProof {
    /// Blinds whose key, window and range were verified.
    pub blinds: u64,
    /// The number of them that are kept as signatures.
    pub signatures: u64,
    /// Whether the digest proves that they are those of the request.
    pub content: bool,
}

/// Verifies a stored acceptance.
///
/// # Errors
/// Describes the error without the numbers of blinds.
pub fn check_acceptance(
    currency: &Currency,
    acceptance: &StoredAcceptance,
) -> Result<AcceptanceProof, String> {
    let stored = acceptance.blinds.as_ref().map_err(Clone::clone)?;
    let blinded = |(index, stored)| {
        let blind = blinded(currency, acceptance, stored);
        blind.map_err(|reason| format!("blind {index}: {reason}"))
    };
    let blinds = stored
        .iter()
        .enumerate()
        .map(blinded)
        .collect::<Result<Vec<Blind>, String>>()?;
    let content = [Kind::Mint, Kind::MintAgain]
        .map(Kind::code)
        .contains(&acceptance.kind);
    if content {
        let account = AccountId::new(acceptance.debit.ok_or("it has no account")?);
        if mint_content(account, &blinds).as_bytes()[..] != acceptance.content {
            return Err("its account and blinds are not those of its digest".to_owned());
        }
    }
    let is_signature = |stored: &&StoredBlind| matches!(stored.number, StoredNumber::Signature(_));
    let signatures = stored.iter().filter(is_signature).count() as u64;
    Ok(AcceptanceProof {
        blinds: blinds.len() as u64,
        signatures,
        content,
    })
}

/// The blind as it was requested.
fn blinded(
    currency: &Currency,
    acceptance: &StoredAcceptance,
    stored: &StoredBlind,
) -> Result<Blind, String> {
    let key = currency.mint_key(&BigInt::from_be_bytes(stored.mint_key.as_bytes()));
    let key = key.ok_or_else(|| format!("{:?} has no certificate", stored.mint_key))?;
    if !key.terms.signs_at(acceptance.at) {
        return Err(format!(
            "it was accepted outside of the signing window of {:?}",
            stored.mint_key
        ));
    }
    let public = key.verified.public_key();
    let number = match &stored.number {
        StoredNumber::Blinded(number) => BigInt::from_be_bytes(number),
        StoredNumber::Signature(signature) => {
            let signed = public.signed_number(&BigInt::from_be_bytes(signature));
            signed.ok_or_else(|| format!("its signature is none of {:?}", stored.mint_key))?
        }
    };
    if !blind_in_range(public, &number) {
        return Err(format!("its number is not in 2..n-2 of {:?}", stored.mint_key));
    }
    let blinded = number.as_be_bytes().to_vec();
    Ok(Blind {
        reference: stored.reference.clone(),
        mint_key: stored.mint_key,
        blinded,
    })
}
