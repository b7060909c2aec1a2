//! Decisions on recoups: honest coins of stopped mint keys are exchanged for coins of other keys.
//!
//! Recouped coins do not count as returned, because forged coins of a stolen key may have used up that count,
//! and honest holders are compensated even then. The issuer's loss is limited: each accepted blind is
//! recouped only once, never more blinds than the key signed, and no coin that was spent.

use std::collections::HashSet;

use super::coins::{Counts, check_blinds, check_signing, count, issue, logged, record, value};
use super::leaves::log_recoup;
use crate::journal::Kind;
use crate::view::MintKeyState;
use crate::{AccountId, Blind, LedgerTime, Outcome, Prepared, Refusal, RevokedBlind, View};

pub(super) fn recoup(
    view: &mut View,
    prepared: &Prepared<'_>,
    revoked: &[RevokedBlind],
    blinds: &[Blind],
    at: LedgerTime,
) -> Outcome {
    check_revoked(revoked)?;
    check_blinds(blinds)?;
    let lost = count(revoked, |revoked| revoked.mint_key);
    let asked = count(blinds, |blind| blind.mint_key);
    check_stopped(view, revoked, at)?;
    check_signing(view, &asked, blinds, at)?;
    check_unrecouped(view, revoked)?;
    check_over_recoup(view, &lost)?;
    let amount = value(view, &lost)?;
    let worth = value(view, &asked)?;
    if amount != worth {
        return Err(Refusal::ValueMismatch {
            coins: amount,
            blinds: worth,
        });
    }
    revoked.iter().for_each(|revoked| view.recoup(revoked));
    issue(view, &asked);
    let recorded = record(
        view,
        Kind::Recoup,
        prepared,
        [AccountId::RECOUPED, AccountId::COINS],
        amount,
        at,
        Some((blinds, &asked)),
    );
    logged(recorded, log_recoup(view, blinds, revoked))
}

/// Checks that no blind and no coin appears twice.
pub(super) fn check_revoked(revoked: &[RevokedBlind]) -> Result<(), Refusal> {
    if revoked.is_empty() {
        return Err(Refusal::Empty);
    }
    let (mut blinds, mut coins) = (
        HashSet::with_capacity(revoked.len()),
        HashSet::with_capacity(revoked.len()),
    );
    let is_new = |revoked: &RevokedBlind| {
        let is_new_blind = blinds.insert((revoked.mint_key, revoked.issued_digest));
        coins.insert((revoked.mint_key, revoked.spent_digest)) && is_new_blind
    };
    match revoked.iter().map(is_new).position(|is_new| !is_new) {
        Some(index) => Err(Refusal::RepeatedRevokedBlind { index }),
        None => Ok(()),
    }
}

/// Checks that the keys are stopped and that their coins have not expired. The first refused blind decides
/// the refusal.
fn check_stopped(view: &View, revoked: &[RevokedBlind], at: LedgerTime) -> Result<(), Refusal> {
    revoked.iter().try_for_each(|revoked| {
        let mint_key = revoked.mint_key;
        let key = view
            .mint_key(mint_key)
            .ok_or(Refusal::UnknownMintKey { mint_key })?;
        if key.stopped.is_none() {
            return Err(Refusal::MintKeyNotStopped { mint_key });
        }
        if !key.pruned && key.terms.accepts_coins_at(at) {
            Ok(())
        } else {
            Err(Refusal::CoinsExpired { mint_key })
        }
    })
}

/// Checks that no coin was spent, and none of the blinds and coins recouped.
pub(super) fn check_unrecouped(view: &View, revoked: &[RevokedBlind]) -> Result<(), Refusal> {
    let is_spent = |key: &MintKeyState, revoked: &RevokedBlind| view.is_spent(key.no, revoked.spent_digest);
    let indices = offending_indices(view, revoked, is_spent);
    if !indices.is_empty() {
        return Err(Refusal::DoubleSpend { indices });
    }
    let is_recouped = |key: &MintKeyState, revoked: &RevokedBlind| view.is_recouped(key.no, revoked);
    let indices = offending_indices(view, revoked, is_recouped);
    if indices.is_empty() {
        Ok(())
    } else {
        Err(Refusal::RecoupedBefore { indices })
    }
}

/// The indices of the blinds for which `is` returns true.
fn offending_indices(
    view: &View,
    revoked: &[RevokedBlind],
    is: impl Fn(&MintKeyState, &RevokedBlind) -> bool,
) -> Vec<usize> {
    let offends = |(_, revoked): &(usize, &RevokedBlind)| {
        view.mint_key(revoked.mint_key)
            .is_some_and(|key| is(key, revoked))
    };
    revoked
        .iter()
        .enumerate()
        .filter(offends)
        .map(|(index, _)| index)
        .collect()
}

/// Checks that no more blinds of a key are recouped than it signed. A refusal and not an assertion: if a
/// client finds a way to forge proofs, that must neither crash the issuer nor cost more than was issued.
pub(super) fn check_over_recoup(view: &View, lost: &Counts) -> Result<(), Refusal> {
    let fits = |key: &MintKeyState, blinds: u64| {
        key.recouped
            .checked_add(blinds)
            .is_some_and(|sum| sum <= key.issued)
    };
    let broken = lost
        .iter()
        .find(|(id, blinds)| view.mint_key(**id).is_some_and(|key| !fits(key, **blinds)));
    broken.map_or(Ok(()), |(&mint_key, _)| Err(Refusal::OverRecoup { mint_key }))
}
