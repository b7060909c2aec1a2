//! The one decision function: what a command does to the books.
//!
//! Every command is checked to the end before anything is changed, so a refused one leaves no trace. The
//! order is fixed: repetition first (a command that once held is answered as before, whatever has happened to
//! its key or account since), then the shape of the request, accounts, mint keys, double spending,
//! over-redemption, and sums last.

mod accounts;
mod coins;
mod mint_keys;
mod payouts;
mod recoup;

use crate::journal::{ContentDigest, Entry, Kind, ReferenceKey, ReferenceScope};
use crate::{Amount, Applied, Command, Effect, LedgerTime, Outcome, Prepared, Refusal, View};

/// Carries out one command on the view.
///
/// # Errors
/// The command is refused and the view is unchanged, but for the key that [`Refusal::OverRedemption`] stops.
///
/// # Panics
/// When an invariant of the books would break: a bug, and better no answer than a wrong balance.
pub fn decide(view: &mut View, prepared: &Prepared<'_>) -> Outcome {
    if let Some(outcome) = repetition(view, prepared) {
        return outcome;
    }
    match prepared.command {
        Command::OpenAccount {
            name,
            token_hash,
            password,
            at,
        } => accounts::open(view, prepared, name, *token_hash, password.clone(), *at),
        Command::Credit {
            account, amount, at, ..
        } => accounts::credit(view, prepared, *account, *amount, *at),
        Command::Debit {
            account, amount, at, ..
        } => accounts::debit(view, prepared, *account, *amount, *at),
        Command::Transfer {
            from,
            to,
            amount,
            label,
            at,
            ..
        } => accounts::transfer(view, prepared, [*from, *to], *amount, label.clone(), *at),
        Command::RequestPayout {
            account,
            amount,
            destination,
            at,
            ..
        } => payouts::request(view, prepared, *account, *amount, destination.clone(), *at),
        Command::SettlePayout {
            payout,
            settlement,
            at,
        } => payouts::settle(view, prepared, *payout, settlement.clone(), *at),
        Command::RegisterMintKey { id, terms, at } => mint_keys::register(view, prepared, *id, *terms, *at),
        Command::StopMintKey { id, reason, at } => mint_keys::stop(view, *id, reason.clone(), *at),
        Command::RetireMintKey { id, at } => mint_keys::retire(view, prepared, *id, *at),
        Command::PruneMintKey { id, at } => mint_keys::prune(view, prepared, *id, *at),
        Command::SetSigningPaused { paused, at } => set_signing_paused(view, prepared, *paused, *at),
        Command::Mint {
            account, blinds, at, ..
        } => coins::mint(view, prepared, *account, blinds, *at),
        Command::Renew {
            coins, blinds, at, ..
        } => coins::renew(view, prepared, coins, blinds, *at),
        Command::Redeem { account, coins, at } => coins::redeem(view, prepared, *account, coins, *at),
        Command::Recoup {
            revoked, blinds, at, ..
        } => recoup::recoup(view, prepared, revoked, blinds, *at),
    }
}

/// The answer to a command whose reference is in the journal.
fn repetition(view: &View, prepared: &Prepared<'_>) -> Option<Outcome> {
    let record = view.record(prepared.key.as_ref()?)?;
    if record.content != prepared.content {
        return Some(Err(Refusal::ReferenceConflict));
    }
    Some(repeated(moved(view, prepared.command, record.amount)))
}

fn set_signing_paused(view: &mut View, prepared: &Prepared<'_>, paused: bool, at: LedgerTime) -> Outcome {
    let signing = view.signing();
    if signing.paused == paused {
        return repeated(Effect::SigningSet);
    }
    let reference = ReferenceKey::new(ReferenceScope::Signing, &signing.changes.to_be_bytes());
    view.set_signing_paused(paused);
    view.write(note(Kind::SetSigningPaused, reference, prepared.content, at));
    applied(Effect::SigningSet)
}

/// The effect of a command that moved money, now or before.
fn moved(view: &View, command: &Command, amount: Amount) -> Effect {
    match command {
        Command::Mint { .. } | Command::Renew { .. } | Command::Recoup { .. } => Effect::Accepted {
            amount,
            signing_paused: view.signing().paused,
        },
        Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. }
        | Command::Redeem { .. } => Effect::Moved(amount),
        Command::OpenAccount { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. } => unreachable!("these move no money"),
    }
}

fn applied(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: false,
        effect,
    })
}

fn repeated(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: true,
        effect,
    })
}

/// The record of a command that moves no money.
fn note(kind: Kind, reference: ReferenceKey, content: ContentDigest, at: LedgerTime) -> Entry {
    Entry {
        kind,
        reference,
        content,
        debit: None,
        credit: None,
        amount: Amount::ZERO,
        at,
        blinds: None,
        label: None,
    }
}

/// The key of a command that moves money.
fn money_key(prepared: &Prepared<'_>) -> ReferenceKey {
    prepared
        .key
        .clone()
        .expect("every command that moves money has a reference")
}
