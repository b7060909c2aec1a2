//! Decisions on the public log: it is opened once, gets the descriptions of the currency, and mint keys begin to sign
//! when they are in it.

use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_schema::{Cddc, Mkc};

use super::{applied, note, repeated};
use crate::journal::{Kind, ReferenceKey, ReferenceScope};
use crate::log::DeclaredBooks;
use crate::view::{LogOpening, MintKeyState};
use crate::{Effect, LedgerTime, MintKeyId, Outcome, Prepared, Refusal, StopReason, View};

/// The most mint keys with coins in the first batch of a log: their counts must fit into one entry.
const DECLARED_KEYS_MAX: usize = 1000;

/// Opens the log. All mint keys get their leaves, and none signs until they are published.
pub(super) fn open(
    view: &mut View,
    prepared: &Prepared<'_>,
    certificates: &[(MintKeyId, Mkc)],
    declared: Option<&DeclaredBooks>,
    at: LedgerTime,
) -> Outcome {
    if view.open_log().is_some() {
        return repeated(Effect::LogOpened);
    }
    let mut keys: Vec<&MintKeyState> = view.mint_keys().collect();
    keys.sort_unstable_by_key(|key| key.no);
    let certificate = |key: &MintKeyState| {
        let found = certificates.iter().find(|(id, _)| *id == key.id);
        let (_, certificate) = found.ok_or(Refusal::CertificateMissing)?;
        Ok((key.id, mint_key_leaf(key, certificate)?))
    };
    let leaves = keys.iter().map(|key| certificate(key));
    let leaves = leaves.collect::<Result<Vec<_>, Refusal>>()?;
    if view.has_moved_money() && declared.is_none() {
        return Err(Refusal::LogAfterMoney);
    }
    if declared.is_some_and(|declared| !is_true(view, declared)) {
        return Err(Refusal::BooksChanged);
    }
    // The first batch leaf states the counts of all of them.
    if keys.iter().filter(|key| key.issued > 0).count() > DECLARED_KEYS_MAX {
        return Err(Refusal::DocumentTooLong);
    }
    let is_stopped = keys.iter().filter_map(|key| Some((key.id, key.stopped.clone()?)));
    let stopped: Vec<_> = is_stopped.collect();
    view.begin_log(LogOpening {
        totals: declared.map(|declared| declared.totals).unwrap_or_default(),
        began_late: declared.is_some(),
        counts: Vec::new(),
    });
    for (id, leaf) in leaves {
        view.add_other_leaf(&leaf);
        view.wait_for_log(id);
    }
    for (id, reason) in stopped {
        self::stopped(view, id, &reason);
    }
    let reference = ReferenceKey::new(ReferenceScope::Log, b"open");
    view.write(note(Kind::OpenLog, reference, prepared.content, at));
    applied(Effect::LogOpened)
}

/// Whether the books are as they were when they were read. What was paid in and out before is not checked one by one,
/// but entries of accounts tell whether anything was.
fn is_true(view: &View, declared: &DeclaredBooks) -> bool {
    let before = view.before_log();
    let value = |count: fn(&MintKeyState) -> u64| -> i128 {
        let keys = view.mint_keys();
        keys.map(|key| i128::from(count(key)) * i128::from(key.terms.denomination().as_i64()))
            .sum()
    };
    let coins = value(|key| key.issued - key.returned);
    let totals = &declared.totals;
    (before.accounts, before.entries) == (totals.accounts, declared.entries)
        && value(|key| key.recouped) == totals.recouped
        && totals.paid_in + totals.recouped - totals.paid_out == totals.accounts + coins
}

/// Adds a description of the currency.
pub(super) fn currency(view: &mut View, prepared: &Prepared<'_>, cddc: &Cddc, at: LedgerTime) -> Outcome {
    if view.open_log().is_none() {
        return Err(Refusal::NoLog);
    }
    let leaf = encode(&Leaf::Currency(Box::new(cddc.clone())))?;
    view.add_other_leaf(&leaf);
    let reference = prepared.key.clone().expect("the command has a reference");
    view.write(note(Kind::LogCurrency, reference, prepared.content, at));
    applied(Effect::CurrencyLogged)
}

/// Lets a mint key sign, because its leaf is under a published checkpoint.
pub(super) fn release(view: &mut View, prepared: &Prepared<'_>, id: MintKeyId, at: LedgerTime) -> Outcome {
    let key = view
        .mint_key(id)
        .ok_or(Refusal::UnknownMintKey { mint_key: id })?;
    if !key.awaits_log {
        return repeated(Effect::MintKeyReleased);
    }
    view.release_mint_key(id);
    let reference = ReferenceKey::new(ReferenceScope::MintKeyRelease, id.as_bytes());
    view.write(note(Kind::ReleaseMintKey, reference, prepared.content, at));
    applied(Effect::MintKeyReleased)
}

/// The leaf of a new key, if there is a log.
pub(super) fn registered(view: &mut View, id: MintKeyId, certificate: &Mkc) -> Result<(), Refusal> {
    if view.open_log().is_some() {
        let key = view
            .mint_key(id)
            .expect("the caller has registered this mint key");
        let leaf = mint_key_leaf(key, certificate)?;
        view.add_other_leaf(&leaf);
    }
    Ok(())
}

fn mint_key_leaf(key: &MintKeyState, certificate: &Mkc) -> Result<Vec<u8>, Refusal> {
    encode(&Leaf::MintKey {
        key_no: key.no.key_no(),
        certificate: Box::new(certificate.clone()),
    })
}

/// Only a document can be too long.
fn encode(leaf: &Leaf) -> Result<Vec<u8>, Refusal> {
    leaf.encode().map_err(|_| Refusal::DocumentTooLong)
}

/// The leaf of a key that is stopped, if there is a log.
pub(super) fn stopped(view: &mut View, id: MintKeyId, reason: &StopReason) {
    if view.open_log().is_none() {
        return;
    }
    let key = view.mint_key(id).expect("the caller has read this mint key");
    let why = if *reason == StopReason::over_redemption() {
        CloseReason::Stopped
    } else {
        CloseReason::Revoked
    };
    let leaf = Leaf::KeyClosed {
        key_no: key.no.key_no(),
        reason: why,
        issued: key.issued,
        spent: key.returned,
    };
    let leaf = leaf.encode().expect("this leaf is short");
    view.add_other_leaf(&leaf);
}
