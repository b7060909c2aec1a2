//! Decisions on mint keys: each is registered, stopped, retired and pruned at most once.

use opencoin_schema::Mkc;

use super::{applied, log, note, repeated};
use crate::journal::{Kind, ReferenceKey, ReferenceScope};
use crate::{
    Command, Effect, LedgerTime, MintKeyId, MintKeyIdentity, MintKeyTerms, Outcome, Prepared, Refusal,
    StopReason, View,
};

pub(super) fn register(
    view: &mut View,
    prepared: &Prepared<'_>,
    (id, terms): (MintKeyId, MintKeyTerms),
    certificate: &Mkc,
    at: LedgerTime,
) -> Outcome {
    let identity = MintKeyIdentity::of(&certificate.mint_key.public_mint_key);
    if let Some(key) = view.mint_key(id) {
        let same = key.terms == terms && key.identity == identity;
        return if same {
            repeated(Effect::MintKeyRegistered)
        } else {
            Err(Refusal::ReferenceConflict)
        };
    }
    view.register_mint_key(id, terms, identity);
    log::registered(view, id, certificate)?;
    let reference = ReferenceKey::new(ReferenceScope::MintKey, id.as_bytes());
    view.write(note(Kind::RegisterMintKey, reference, prepared.content, at));
    applied(Effect::MintKeyRegistered)
}

/// Stops a key, by an operator's command or because of an over-redemption.
pub(super) fn stop(view: &mut View, id: MintKeyId, reason: StopReason, at: LedgerTime) -> Outcome {
    let key = view
        .mint_key(id)
        .ok_or(Refusal::UnknownMintKey { mint_key: id })?;
    if key.stopped.is_some() {
        return repeated(Effect::MintKeyStopped);
    }
    // The record is the same in both cases.
    let command = Command::StopMintKey {
        id,
        reason: reason.clone(),
        at,
    };
    let content = Prepared::new(&command).content;
    log::stopped(view, id, &reason);
    view.stop_mint_key(id, reason);
    view.write(note(
        Kind::StopMintKey,
        ReferenceKey::new(ReferenceScope::MintKeyStop, id.as_bytes()),
        content,
        at,
    ));
    applied(Effect::MintKeyStopped)
}

/// Retires a key for good: even if a clock is set back, it does not sign once its private half is destroyed.
pub(super) fn retire(view: &mut View, prepared: &Prepared<'_>, id: MintKeyId, at: LedgerTime) -> Outcome {
    let key = view
        .mint_key(id)
        .ok_or(Refusal::UnknownMintKey { mint_key: id })?;
    if key.retired {
        return repeated(Effect::MintKeyRetired);
    }
    if key.stopped.is_none() && at <= key.terms.sign_not_after() {
        return Err(Refusal::SigningWindowOpen { mint_key: id });
    }
    view.retire_mint_key(id);
    let reference = ReferenceKey::new(ReferenceScope::MintKeyRetire, id.as_bytes());
    view.write(note(Kind::RetireMintKey, reference, prepared.content, at));
    applied(Effect::MintKeyRetired)
}

/// Forgets the spent coins of a key whose coins have expired, for good: even if a clock is set back,
/// forgotten coins cannot be spent again.
pub(super) fn prune(view: &mut View, prepared: &Prepared<'_>, id: MintKeyId, at: LedgerTime) -> Outcome {
    let key = view
        .mint_key(id)
        .ok_or(Refusal::UnknownMintKey { mint_key: id })?;
    let effect = Effect::MintKeyPruned {
        forgotten: key.returned,
        outstanding: key.issued - key.returned,
    };
    if key.pruned {
        return repeated(effect);
    }
    if key.terms.accepts_coins_at(at) {
        return Err(Refusal::CoinsNotExpired { mint_key: id });
    }
    view.prune_mint_key(id);
    let reference = ReferenceKey::new(ReferenceScope::MintKeyPrune, id.as_bytes());
    view.write(note(Kind::PruneMintKey, reference, prepared.content, at));
    applied(effect)
}
