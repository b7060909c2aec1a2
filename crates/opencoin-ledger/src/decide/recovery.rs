//! Decisions on what the public log has of a time that the books have lost.

use opencoin_log::leaf::{blind_recouped_leaf, coin_recouped_leaf, issued_leaf, spent_leaf};

use super::coins::{
    Counts, check_coins, check_unspent, count, issue, issued_counts, logged, recorded_blinds, spend, value,
};
use super::money::{balance_after_payment, balance_after_receipt, payment, require_holder, require_nonzero};
use super::recoup::{check_over_recoup, check_revoked, check_unrecouped};
use super::{applied, key_accounts, leaves, moved};
use crate::journal::{IssuedCounts, Kind, Record};
use crate::recovered::{AssignmentWay, Recovered, RecoveredBlind, RecoveredPart, RecoveredRequest};
use crate::view::MintKeyState;
use crate::{
    AccountId, Amount, Blind, CoinIn, Command, LedgerTime, MintKeyId, Outcome, Prepared, Refusal,
    RevokedBlind, View,
};

/// Books a part, and adds its leaves to what the log waits for.
pub(super) fn recover(
    view: &mut View,
    prepared: &Prepared<'_>,
    recovered: &Recovered,
    at: LedgerTime,
) -> Outcome {
    let open = view.open_log().ok_or(Refusal::NoLog)?;
    if open.batch != recovered.batch {
        return Err(Refusal::OtherLogBatch);
    }
    match &recovered.part {
        RecoveredPart::Introduced(introduction) => {
            return key_accounts::recover_introduction(view, prepared, introduction, at);
        }
        RecoveredPart::Credited(credit) => return key_accounts::recover_credit(view, prepared, credit, at),
        RecoveredPart::PaidByKey(payment) => {
            return key_accounts::recover_payment(view, prepared, payment, at);
        }
        _ => {}
    }
    let (from, to) = (AccountId::RECOVERED, AccountId::RECOVERED);
    let (accounts, amount, issued) = match &recovered.part {
        RecoveredPart::Issued(blinds) => {
            let (issued, amount) = recover_issued(view, blinds)?;
            ([from, AccountId::COINS], amount, Some(issued))
        }
        RecoveredPart::Spent(coins) => {
            let amount = recover_spent(view, coins)?;
            ([AccountId::COINS, to], amount, None)
        }
        RecoveredPart::Recouped(revoked) => {
            let amount = recover_recouped(view, revoked)?;
            ([AccountId::RECOUPED, to], amount, None)
        }
        RecoveredPart::PaidIn(amount) => ([AccountId::OUTSIDE, to], *amount, None),
        RecoveredPart::PaidOut(amount) => ([from, AccountId::OUTSIDE], *amount, None),
        RecoveredPart::Shortfall(amount) => ([AccountId::RECOUPED, to], *amount, None),
        RecoveredPart::Introduced(_) | RecoveredPart::Credited(_) | RecoveredPart::PaidByKey(_) => {
            unreachable!("these were decided above")
        }
    };
    require_nonzero(amount)?;
    let kind = match recovered.part {
        RecoveredPart::Shortfall(_) => Kind::BearShortfall,
        _ => Kind::Recover,
    };
    view.write(Record {
        issued,
        ..payment(kind, prepared, accounts, amount, at)
    });
    applied(moved(view, prepared.command, amount))
}

/// Counts the signatures, and returns how many each key gives and their value.
fn recover_issued(view: &mut View, blinds: &[RecoveredBlind]) -> Result<(IssuedCounts, Amount), Refusal> {
    let issued = count(blinds, |blind| blind.mint_key);
    for (&mint_key, &signatures) in &issued {
        let key = key(view, mint_key)?;
        if key.stopped.is_some() {
            return Err(Refusal::MintKeyStopped { mint_key });
        }
        if key.retired || key.pruned {
            return Err(Refusal::SigningWindowClosed { mint_key });
        }
        if key.awaits_log {
            return Err(Refusal::MintKeyNotLogged { mint_key });
        }
        let sum = key.issued.checked_add(signatures);
        sum.filter(|sum| *sum <= i64::MAX as u64)
            .ok_or(Refusal::Overflow)?;
    }
    let amount = value(view, &issued)?;
    issue(view, &issued);
    for run in blinds.chunk_by(|blind, next| blind.mint_key == next.mint_key) {
        let no = key(view, run[0].mint_key)?.no;
        let leaf = |blind: &RecoveredBlind| issued_leaf(no.key_no(), &blind.issued_digest);
        let leaves: Vec<_> = run.iter().map(leaf).collect();
        view.add_coin_leaves(leaves.as_flattened());
        view.recover_blinds(no, run.iter().map(|blind| blind.issued_digest));
    }
    Ok((issued_counts(view, &issued), amount))
}

/// Spends the coins. Their mint keys are not stopped for an over-redemption: the log had refused it.
fn recover_spent(view: &mut View, coins: &[CoinIn]) -> Result<Amount, Refusal> {
    let returned = count(coins, |coin| coin.mint_key);
    for (&mint_key, &coins) in &returned {
        let key = key(view, mint_key)?;
        if key.stopped.is_some() {
            return Err(Refusal::MintKeyStopped { mint_key });
        }
        if key.pruned {
            return Err(Refusal::CoinsExpired { mint_key });
        }
        if coins > key.issued - key.returned {
            return Err(Refusal::OverRedemption { mint_key });
        }
    }
    check_coins(coins)?;
    check_unspent(view, coins)?;
    let amount = value(view, &returned)?;
    spend(view, coins);
    for run in coins.chunk_by(|coin, next| coin.mint_key == next.mint_key) {
        let no = key(view, run[0].mint_key)?.no;
        let leaf = |coin: &CoinIn| spent_leaf(no.key_no(), &coin.spent_digest);
        let leaves: Vec<_> = run.iter().map(leaf).collect();
        view.add_coin_leaves(leaves.as_flattened());
    }
    Ok(amount)
}

fn recover_recouped(view: &mut View, revoked: &[RevokedBlind]) -> Result<Amount, Refusal> {
    check_revoked(revoked)?;
    let lost = count(revoked, |revoked| revoked.mint_key);
    for &mint_key in lost.keys() {
        let key = key(view, mint_key)?;
        if key.stopped.is_none() {
            return Err(Refusal::MintKeyNotStopped { mint_key });
        }
        if key.pruned {
            return Err(Refusal::CoinsExpired { mint_key });
        }
    }
    check_unrecouped(view, revoked)?;
    check_over_recoup(view, &lost)?;
    let amount = value(view, &lost)?;
    for revoked in revoked {
        view.recoup(revoked);
        let no = key(view, revoked.mint_key)?.no.key_no();
        view.add_coin_leaves(&coin_recouped_leaf(no, &revoked.spent_digest));
        view.add_coin_leaves(&blind_recouped_leaf(no, &revoked.issued_digest));
    }
    Ok(amount)
}

fn key(view: &View, mint_key: MintKeyId) -> Result<&MintKeyState, Refusal> {
    view.mint_key(mint_key)
        .ok_or(Refusal::UnknownMintKey { mint_key })
}

/// Moves recovered money to or from an account.
pub(super) fn assign(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    amount: Amount,
    way: AssignmentWay,
    at: LedgerTime,
) -> Outcome {
    require_nonzero(amount)?;
    require_holder(account)?;
    let (balance, accounts) = match way {
        AssignmentWay::ToAccount => {
            let unassigned = view.recovered_balance();
            if i128::from(amount.as_i64()) > unassigned {
                return Err(Refusal::MoreThanRecovered);
            }
            let balance = balance_after_receipt(view, account, amount)?;
            (balance, [AccountId::RECOVERED, account])
        }
        AssignmentWay::FromAccount => {
            let balance = balance_after_payment(view, account, amount)?;
            (balance, [account, AccountId::RECOVERED])
        }
    };
    view.set_balance(account, balance);
    view.write(payment(Kind::AssignRecovered, prepared, accounts, amount, at));
    applied(moved(view, prepared.command, amount))
}

/// Accepts a request of the lost time again. Signatures are neither counted nor written to the log.
pub(super) fn sign_again(
    view: &mut View,
    prepared: &Prepared<'_>,
    request: &Command,
    found: &RecoveredRequest,
    at: LedgerTime,
) -> Outcome {
    let (kind, account, blinds) = match request {
        Command::Mint { account, blinds, .. } => (Kind::MintAgain, Some(*account), blinds),
        Command::Renew { blinds, .. } => (Kind::RenewAgain, None, blinds),
        Command::Recoup { blinds, .. } => (Kind::RecoupAgain, None, blinds),
        _ => unreachable!("only mints, renews and recoups are signed again"),
    };
    super::coins::check_blinds(blinds)?;
    let asked = count(blinds, |blind: &Blind| blind.mint_key);
    let worth = value(view, &asked)?;
    key_accounts::check_paid_before(view, request)?;
    if let Some(account) = account {
        view.account(account).ok_or(Refusal::UnknownAccount)?;
    }
    let digest = |blind: &Blind| {
        let key = key(view, blind.mint_key)?;
        Ok((key.no, key.identity.issued_digest(&blind.blinded)))
    };
    let digests = blinds.iter().map(digest).collect::<Result<Vec<_>, Refusal>>()?;
    if digests != found.blinds || !view.claim_blinds(found.batch, &digests) {
        return Err(Refusal::NotRecovered);
    }
    view.end_waiting(&super::money_key(prepared));
    let mut record = match account {
        Some(account) => {
            let held = view.account(account).ok_or(Refusal::UnknownAccount)?.balance;
            // The log has the payment of a key.
            let owed = if account.is_key_account() {
                Amount::ZERO
            } else {
                worth
            };
            let paid = held.min(owed);
            view.set_balance(account, balance_after_payment(view, account, paid)?);
            payment(kind, prepared, [account, AccountId::RECOVERED], paid, at)
        }
        None => super::note(kind, super::money_key(prepared), prepared.content, at),
    };
    let (recorded, issued) = recorded_blinds(view, blinds, &asked);
    record.at = while_all_signed(view, &asked, at);
    record.blinds = Some(recorded);
    record.issued = Some(issued);
    record.recovered_batch = Some(found.batch);
    view.write(record);
    let outcome = applied(moved(view, prepared.command, worth));
    logged(outcome, leaves::logged_before(view, request, found.batch))
}

/// The value of the blinds of a request that was accepted.
pub(super) fn worth(view: &View, request: &Command) -> Amount {
    let blinds = match request {
        Command::SignAgain { request, .. } => return worth(view, request),
        Command::Mint { blinds, .. } | Command::Renew { blinds, .. } | Command::Recoup { blinds, .. } => {
            blinds
        }
        _ => unreachable!("only mints, renews and recoups are signed again"),
    };
    let asked = count(blinds, |blind: &Blind| blind.mint_key);
    value(view, &asked).expect("the value was added up when the request was accepted")
}

/// The time nearest to `at` in which all these keys signed. The request was accepted in such a time.
fn while_all_signed(view: &View, asked: &Counts, at: LedgerTime) -> LedgerTime {
    let keys = || asked.keys().filter_map(|id| view.mint_key(*id));
    let from = keys().map(|key| key.terms.sign_not_before()).max();
    let until = keys().map(|key| key.terms.sign_not_after()).min();
    let at = until.map_or(at, |until| at.min(until));
    from.map_or(at, |from| at.max(from))
}
