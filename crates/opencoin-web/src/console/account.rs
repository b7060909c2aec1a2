//! One account: its balance and entries, what an operator can do for it, and the programs with access to it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::{Server, shown};
use opencoin_issuer::accounts::account_name;
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{AccountStatus, EntryNo, EntryPage};
use serde::Deserialize;

use super::desk::{After, Bar, Desk, Done, Place};
use super::programs::{self, Program};
use crate::address::{Path, Query};
use crate::messages::Messages;
use crate::visit::{Frame, PageResult, page};
use crate::words::{EntryLine, line};

/// The most entries on a page.
const ENTRIES_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/account.html")]
struct AccountPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    name: String,
    currency: String,
    balance: String,
    status: AccountStatus,
    is_listed: bool,
    payment_code: String,
    /// Whether it belongs to a key, which has neither password nor programs.
    is_of_key: bool,
    may_change: bool,
    entries: Vec<EntryLine>,
    /// The address of the page with older entries.
    older: Option<String>,
    programs: Vec<Program>,
}

/// Which entries are shown.
#[derive(Deserialize)]
pub(super) struct Shown {
    /// Entries older than this one.
    before: Option<i64>,
}

/// `GET /console/accounts/{name}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
    Query(shown): Query<Shown>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let name = account_name(&name)?;
    let cashier = server.issuer().cashier();
    let profile = cashier.account(&name).await.map_err(Refusal::from)?;
    let entries = EntryPage::Before(shown.before.map(EntryNo::new));
    let entries = cashier.entries(&name, entries, ENTRIES_PER_PAGE).await;
    let entries = entries.map_err(Refusal::from)?;
    let is_full = entries.len() >= ENTRIES_PER_PAGE as usize;
    let last = entries.last().filter(|_| is_full).map(|entry| entry.no.get());
    let services = cashier.services(&name).await.map_err(Refusal::from)?;
    let money = desk.money(&server);
    let account = &profile.account;
    let account = AccountPage {
        frame: desk.visit.frame(name.as_str()),
        t,
        bar: desk.bar(&server, Some(Place::Accounts)),
        done: desk.said(&after, &money).await,
        currency: money.name(),
        balance: money.large(account.balance.units()),
        status: account.status,
        is_listed: profile.listed,
        payment_code: opencoin_bank::payment_code::of_account(name.as_str()),
        is_of_key: account.id.is_key_account(),
        may_change: desk.may(AdminRight::ChangeAccounts),
        older: last.map(|last| format!("/console/accounts/{}?before={last}", name.as_str())),
        entries: entries
            .into_iter()
            .map(|entry| line(&shown::entry(entry), &money, language))
            .collect(),
        programs: services
            .into_iter()
            .map(|service| programs::described(service, t, language))
            .collect(),
        name: name.as_str().to_owned(),
    };
    Ok(page(StatusCode::OK, language, &account))
}
