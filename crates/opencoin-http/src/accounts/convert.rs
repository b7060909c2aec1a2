//! Conversions from the ledger's types to those of the API.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use opencoin_api::{Entry, EntryKind, Payout, PayoutState, Secret, ServiceState};
use opencoin_issuer::accounts::{ServiceAge, ServiceStatus, Token};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::journal::Kind;
use opencoin_ledger::{AccountEntry, AccountStatus, EntryNo, LedgerTime, PayoutNo, Scope, Settlement};

/// Converts a time of the ledger. A time after the last one of `DateTime` becomes the last one.
pub(crate) fn moment(time: LedgerTime) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.unix_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

pub(crate) fn status(status: AccountStatus) -> opencoin_api::AccountStatus {
    match status {
        AccountStatus::Open => opencoin_api::AccountStatus::Open,
        AccountStatus::Frozen => opencoin_api::AccountStatus::Frozen,
        AccountStatus::Closed => opencoin_api::AccountStatus::Closed,
    }
}

pub(crate) fn known_status(status: opencoin_api::AccountStatus) -> AccountStatus {
    match status {
        opencoin_api::AccountStatus::Open => AccountStatus::Open,
        opencoin_api::AccountStatus::Frozen => AccountStatus::Frozen,
        opencoin_api::AccountStatus::Closed => AccountStatus::Closed,
    }
}

pub(crate) fn secret(token: &Token) -> Secret {
    Secret::new(token.expose())
}

/// An entry of an account.
#[must_use]
pub fn entry(entry: AccountEntry) -> Entry {
    let amount = entry.amount.as_i64();
    Entry {
        id: entry_id(entry.no),
        at: moment(entry.at),
        kind: kind(entry.kind),
        amount: if entry.received { amount } else { -amount },
        counterparty: entry.counterparty.map(|name| name.as_str().to_owned()),
        label: entry.label.unwrap_or_default(),
    }
}

pub(crate) fn entry_id(no: EntryNo) -> u64 {
    no.get().unsigned_abs() // numbers begin at 1
}

/// Converts a cursor from this parameter.
pub(crate) fn entry_no(parameter: &str, id: u64) -> Result<EntryNo, Refusal> {
    number(parameter, id).map(EntryNo::new)
}

pub(crate) fn number(parameter: &str, id: u64) -> Result<i64, Refusal> {
    i64::try_from(id).map_err(|_| Refusal::new(Reason::Invalid, format!("{parameter}: an id is below 2^63")))
}

fn kind(kind: Kind) -> EntryKind {
    match kind {
        Kind::Credit => EntryKind::Credit,
        Kind::Debit => EntryKind::Debit,
        Kind::Transfer => EntryKind::Transfer,
        Kind::Mint | Kind::MintAgain => EntryKind::Mint,
        Kind::Redeem => EntryKind::Redeem,
        Kind::AssignRecovered => EntryKind::Recovered,
        Kind::RequestPayout => EntryKind::Payout,
        Kind::ReturnPayout => EntryKind::PayoutFailed,
        Kind::OpenAccount
        | Kind::RegisterMintKey
        | Kind::StopMintKey
        | Kind::RetireMintKey
        | Kind::PruneMintKey
        | Kind::SetSigningPaused
        | Kind::AcceptState
        | Kind::GiveUpMint
        | Kind::OpenLog
        | Kind::LogCurrency
        | Kind::ReleaseMintKey
        | Kind::Renew
        | Kind::Recoup
        | Kind::Recover
        | Kind::BearShortfall
        | Kind::RenewAgain
        | Kind::RecoupAgain
        | Kind::IntroduceKey
        | Kind::PayForMint
        | Kind::PayPayout => unreachable!("{kind:?} makes no entry of a holder"),
    }
}

/// A payout.
#[must_use]
pub fn payout(payout: opencoin_ledger::Payout) -> Payout {
    let (state, note, settled) = match payout.settled {
        None => (PayoutState::Requested, None, None),
        Some((Settlement::Paid(reference), at)) => (PayoutState::Paid, Some(reference), Some(at)),
        Some((Settlement::Failed(reason), at)) => (PayoutState::Failed, Some(reason), Some(at)),
    };
    Payout {
        id: payout.no.get().unsigned_abs(), // numbers begin at 1
        account: payout.name.as_str().to_owned(),
        amount: payout.amount.units(),
        destination: payout.destination.as_str().to_owned(),
        state,
        requested_at: moment(payout.requested),
        settled_at: settled.map(moment),
        note: note.map(|note| note.as_str().to_owned()),
        account_frozen: false,
        export: None,
    }
}

/// A payout as operators read it: also whether its account is frozen.
#[must_use]
pub fn operators_payout(payout: opencoin_ledger::Payout) -> Payout {
    Payout {
        account_frozen: payout.is_frozen,
        ..self::payout(payout)
    }
}

/// Converts a payout's number from a path.
pub(crate) fn payout_no(id: &str) -> Result<PayoutNo, Refusal> {
    let number = id
        .parse::<u64>()
        .ok()
        .and_then(|number| i64::try_from(number).ok());
    let not_found = || Refusal::new(Reason::NotFound, "there is no such payout");
    number.map(PayoutNo::new).ok_or_else(not_found)
}

/// Converts the cursor of a list of payouts.
pub(crate) fn payouts_after(after: Option<u64>) -> Result<PayoutNo, Refusal> {
    after.map_or(Ok(PayoutNo::BEFORE_ALL), |after| {
        number("after", after).map(PayoutNo::new)
    })
}

/// A page of payouts after a cursor.
pub(crate) fn payouts(payouts: Vec<opencoin_ledger::Payout>, after: PayoutNo) -> opencoin_api::Payouts {
    let after = payouts.last().map_or(after, |last| last.no).get().unsigned_abs();
    opencoin_api::Payouts {
        payouts: payouts.into_iter().map(payout).collect(),
        after,
    }
}

/// A service.
#[must_use]
pub fn service(status: ServiceStatus) -> opencoin_api::ServiceStatus {
    let ServiceStatus { service, age } = status;
    opencoin_api::ServiceStatus {
        id: service.id.as_str().to_owned(),
        name: service.name.as_str().to_owned(),
        scopes: scopes(&service.scopes),
        state: match age {
            ServiceAge::New => ServiceState::New,
            ServiceAge::Live => ServiceState::Live,
            ServiceAge::Silent => ServiceState::Silent,
        },
        key_created_at: moment(service.key_at),
        last_seen_at: service.last_seen.map(moment),
    }
}

pub(crate) fn scopes(scopes: &BTreeSet<Scope>) -> Vec<opencoin_api::Scope> {
    let scope = |scope: &Scope| match scope {
        Scope::Mint => opencoin_api::Scope::Mint,
        Scope::Redeem => opencoin_api::Scope::Redeem,
        Scope::Read => opencoin_api::Scope::Read,
    };
    scopes.iter().map(scope).collect()
}

pub(crate) fn known_scopes(scopes: &[opencoin_api::Scope]) -> BTreeSet<Scope> {
    let scope = |scope: &opencoin_api::Scope| match scope {
        opencoin_api::Scope::Mint => Scope::Mint,
        opencoin_api::Scope::Redeem => Scope::Redeem,
        opencoin_api::Scope::Read => Scope::Read,
    };
    scopes.iter().map(scope).collect()
}
