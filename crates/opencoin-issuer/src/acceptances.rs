//! What can be proven of a stored mint, renew or recoup with public keys alone.
//!
//! Of every blind: a certified key was to sign it, inside its window, and the number is one that this key
//! signs. Of a signature that was kept in place of a blind: it is a number below the modulus, and the blind
//! that it signs is what its power says. For a mint the record has a digest of the account and all blinds as
//! they were asked for, so account, blinds and kept signatures are proven to be those of the request. The
//! digests of a renew and of a recoup are also of the coins, which the books do not hold by design: there a
//! number that was replaced by another one in range is not noticed.

use opencoin_audit::StoredAcceptance;
use opencoin_crypto::blind_in_range;
use opencoin_keys::Currency;
use opencoin_ledger::journal::Kind;
use opencoin_ledger::{AccountId, Blind, StoredBlind, StoredNumber, mint_content};
use opencoin_schema::BigInt;

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcceptanceProof {
    /// Blinds whose key, window and range are right.
    pub blinds: u64,
    /// How many of them are kept as signatures.
    pub signatures: u64,
    /// Whether they are proven to be those of the request, by its digest.
    pub content: bool,
}

/// Proves what can be proven of an acceptance.
///
/// # Errors
/// What is wrong with it, without its numbers.
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
    let content = acceptance.kind == Kind::Mint.code();
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

/// The blind as it was asked for.
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
