//! The decision function: what a command does to the books.
//!
//! All checks of a command come before its first change, so a refused command changes nothing. The order of
//! the checks is fixed. Repetition is first: an applied command gets the same answer as before, whatever has
//! happened to its key or account since. Then come the form of the request, accounts, mint keys, double
//! spending, over-redemption and sums.

mod accounts;
mod coins;
mod key_accounts;
mod leaves;
mod log;
mod mint_keys;
mod money;
mod payouts;
mod proposals;
mod recoup;
mod recovery;

use crate::journal::{ContentDigest, Kind, Record, Recorded, ReferenceKey, ReferenceScope};
use crate::{Amount, Applied, Command, Consent, Effect, LedgerTime, Outcome, Prepared, Refusal, View};

/// Applies one command to the view, or refuses it.
///
/// # Errors
/// The command is refused and the view is unchanged, except that [`Refusal::OverRedemption`] stops the key.
///
/// # Panics
/// An invariant of the books would break. That is a bug; no answer is better than a wrong balance.
pub fn decide(view: &mut View, prepared: &Prepared<'_>) -> Outcome {
    match (prepared.consent, prepared.action) {
        (Consent::Needed, Some(action)) => return proposals::propose(view, prepared, action),
        (Consent::Given(no), Some(action)) => return proposals::carry_out(view, prepared, action, no),
        (Consent::NotNeeded, _) | (_, None) => {}
    }
    let outcome = decide_command(view, prepared);
    if let (Some(action), Ok(Applied { repeated: false, .. })) = (prepared.action, &outcome) {
        view.note_action(action.clone());
    }
    outcome
}

fn decide_command(view: &mut View, prepared: &Prepared<'_>) -> Outcome {
    if let Some(outcome) = repetition(view, prepared) {
        return outcome;
    }
    if view.open_log().is_some_and(|log| log.is_halted) && is_in_the_log(prepared.command) {
        return Err(Refusal::LogHalted);
    }
    match prepared.command {
        Command::OpenAccount {
            name,
            token_hash,
            password,
            at,
        } => accounts::open(view, prepared, name, *token_hash, password.clone(), *at),
        Command::SetAccountStatus { account, status, .. } => accounts::set_status(view, *account, *status),
        Command::IntroduceKey { introduction, at } => {
            key_accounts::introduce(view, prepared, introduction, *at)
        }
        Command::PayByKey {
            payer,
            payee,
            payment,
            nonce,
            at,
        } => key_accounts::pay(view, prepared, [*payer, *payee], payment, nonce.as_ref(), *at),
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
        Command::RegisterMintKey {
            id,
            terms,
            certificate,
            at,
        } => mint_keys::register(view, prepared, (*id, *terms), certificate, *at),
        Command::OpenLog {
            certificates,
            declared,
            at,
        } => log::open(view, prepared, certificates, declared.as_ref(), *at),
        Command::LogCurrency { cddc, at } => log::currency(view, prepared, cddc, *at),
        Command::ReleaseMintKey { id, at } => log::release(view, prepared, *id, *at),
        Command::StopMintKey { id, reason, at } => mint_keys::stop(view, *id, reason.clone(), *at),
        Command::RetireMintKey { id, at } => mint_keys::retire(view, prepared, *id, *at),
        Command::PruneMintKey { id, at } => mint_keys::prune(view, prepared, *id, *at),
        Command::SetSigningPaused { paused, at } => set_signing_paused(view, prepared, *paused, *at),
        Command::Recover { recovered, at } => recovery::recover(view, prepared, recovered, *at),
        Command::AssignRecovered {
            account,
            amount,
            way,
            at,
            ..
        } => recovery::assign(view, prepared, *account, *amount, *way, *at),
        Command::SignAgain { request, found, at } => {
            recovery::sign_again(view, prepared, request, found, *at)
        }
        Command::Mint {
            account,
            transaction_reference,
            blinds,
            payment: Some(payment),
            at,
            ..
        } => {
            let mint = (transaction_reference, &blinds[..]);
            key_accounts::mint(view, prepared, *account, mint, payment, *at)
        }
        Command::Mint {
            account,
            blinds,
            payment: None,
            wait_until,
            at,
            ..
        } => coins::mint(view, prepared, *account, blinds, *wait_until, *at),
        Command::Renew {
            coins, blinds, at, ..
        } => coins::renew(view, prepared, coins, blinds, *at),
        Command::Redeem { account, coins, at } => coins::redeem(view, prepared, *account, coins, *at),
        Command::Recoup {
            revoked, blinds, at, ..
        } => recoup::recoup(view, prepared, revoked, blinds, *at),
    }
}

/// The outcome of a command whose reference is in the journal; `None` for a new one.
fn repetition(view: &mut View, prepared: &Prepared<'_>) -> Option<Outcome> {
    let key = prepared.key.as_ref()?;
    let &Recorded {
        kind,
        content,
        amount,
        log_batch,
    } = view.record(key)?;
    if content != prepared.content {
        return Some(key_accounts::other_content(view, prepared.command));
    }
    // Two processes may decide the same mint at once, one that it waits and one that it is applied. The
    // record decides.
    view.end_waiting(key);
    let effect = match kind {
        Kind::GiveUpMint => Effect::GivenUp,
        Kind::LogCurrency => Effect::CurrencyLogged,
        Kind::IntroduceKey => key_accounts::introduced(view, prepared.command),
        Kind::PayForMint => key_accounts::paid(prepared.command),
        // The amount of its record is what the account could pay.
        kind if kind.is_again() => moved(view, prepared.command, recovery::worth(view, prepared.command)),
        _ => moved(view, prepared.command, amount),
    };
    Some(Ok(Applied {
        repeated: true,
        effect,
        logged: log_batch.and_then(|batch| leaves::logged_before(view, prepared.command, batch)),
    }))
}

/// Whether a command of this kind changes what the log states.
fn is_in_the_log(command: &Command) -> bool {
    match command {
        Command::Credit { .. }
        | Command::Debit { .. }
        | Command::SettlePayout { .. }
        | Command::RegisterMintKey { .. }
        | Command::LogCurrency { .. }
        | Command::Mint { .. }
        | Command::Renew { .. }
        | Command::Redeem { .. }
        | Command::Recoup { .. }
        | Command::Recover { .. }
        | Command::IntroduceKey { .. }
        | Command::PayByKey { .. } => true,
        Command::Transfer { to, .. } => to.is_key_account(),
        // A mint key can be stopped at any time, and what only moves between holders is not in the log.
        Command::OpenAccount { .. }
        | Command::SetAccountStatus { .. }
        | Command::RequestPayout { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. }
        | Command::OpenLog { .. }
        | Command::ReleaseMintKey { .. }
        | Command::AssignRecovered { .. }
        | Command::SignAgain { .. } => false,
    }
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

/// The effect of a command that moves this amount, now or before.
fn moved(view: &View, command: &Command, amount: Amount) -> Effect {
    match command {
        Command::Mint { .. } | Command::Renew { .. } | Command::Recoup { .. } | Command::SignAgain { .. } => {
            Effect::Accepted {
                amount,
                signing_paused: view.signing().paused,
            }
        }
        Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. }
        | Command::Redeem { .. }
        | Command::PayByKey { .. }
        | Command::Recover { .. }
        | Command::AssignRecovered { .. } => Effect::Moved(amount),
        Command::OpenAccount { .. }
        | Command::SetAccountStatus { .. }
        | Command::IntroduceKey { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. }
        | Command::OpenLog { .. }
        | Command::LogCurrency { .. }
        | Command::ReleaseMintKey { .. } => unreachable!("these move no money"),
    }
}

fn applied(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: false,
        effect,
        logged: None,
    })
}

fn repeated(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: true,
        effect,
        logged: None,
    })
}

/// The record of a command that moves no money.
fn note(kind: Kind, reference: ReferenceKey, content: ContentDigest, at: LedgerTime) -> Record {
    Record {
        kind,
        reference,
        content,
        debit: None,
        credit: None,
        debit_entry: None,
        credit_entry: None,
        amount: Amount::ZERO,
        at,
        issued: None,
        blinds: None,
        label: None,
        recovered_batch: None,
    }
}

/// The reference key of a command that moves money.
fn money_key(prepared: &Prepared<'_>) -> ReferenceKey {
    prepared
        .key
        .clone()
        .expect("every command that moves money has a reference")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::WaitingState;
    use crate::{AccountId, Blind, MintKeyId, TransactionReference};

    /// An optimistic decision does not see a mint that begins to wait at the same moment.
    #[test]
    fn a_repeated_mint_waits_no_more() {
        let at = LedgerTime::from_unix_micros(1);
        let command = Command::Mint {
            account: AccountId::FIRST_HOLDER,
            transaction_reference: TransactionReference::new([1]).unwrap(),
            blinds: vec![Blind {
                reference: "a".to_owned(),
                mint_key: MintKeyId::new([1; 20]),
                blinded: vec![1],
            }],
            payment: None,
            wait_until: None,
            at,
        };
        let prepared = Prepared::new(&command);
        let (reference, amount) = (money_key(&prepared), Amount::new(1).unwrap());
        let mut view = View::default();
        let recorded = Recorded {
            kind: Kind::Mint,
            content: prepared.content,
            amount,
            log_batch: None,
        };
        view.load_record(reference.clone(), recorded);
        view.load_waiting(WaitingState {
            reference: reference.clone(),
            account: AccountId::FIRST_HOLDER,
            content: prepared.content,
            amount,
            asked: at,
            expires: at,
        });
        let effect = Effect::Accepted {
            amount,
            signing_paused: false,
        };
        assert_eq!(decide(&mut view, &prepared), repeated(effect));
        let changes = view.take_changes();
        assert!(!changes.is_empty() && changes.journal.is_empty());
        assert_eq!(changes.waited, [reference]);
    }
}
