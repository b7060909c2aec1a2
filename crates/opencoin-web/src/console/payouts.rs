//! Payouts: those that wait, the oldest first, and those that are settled, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::PayoutState;
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{Payout, PayoutFilter, PayoutNo};
use serde::Deserialize;

use super::desk::{After, Bar, Desk, Done, Place};
use super::settling::warning;
use crate::address::Query;
use crate::messages::{Message, Messages};
use crate::payouts::{PayoutLine, line};
use crate::visit::{Frame, PageResult, page};

/// The most payouts on a page.
const PAYOUTS_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/payouts.html")]
struct PayoutsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    currency: String,
    chosen: Chosen,
    payouts: Vec<Line>,
    /// The address of the next page.
    next: Option<String>,
    may_change: bool,
    /// Whether the settings have the operator's account at a bank.
    has_account: bool,
    /// Whether a file can be made of these payouts.
    may_make: bool,
    form: FileForm,
}

struct Line {
    no: u64,
    account: String,
    line: PayoutLine,
    /// The file that it is in.
    file: Option<i64>,
    /// What is wrong with the account at the bank.
    warning: Option<&'static str>,
    /// Whether the account is frozen and the payout waits.
    is_frozen: bool,
    /// Whether it can be in a file.
    is_choosable: bool,
    is_chosen: bool,
}

/// The form that makes a file of payouts.
pub(super) struct FileForm {
    pub(super) key: String,
    /// The word of the form of the file.
    pub(super) format: String,
    /// The day of execution, as it was typed.
    pub(super) execution: String,
    /// The payouts that were chosen; `None` for all that can be and are not of a frozen account.
    pub(super) chosen: Option<Vec<i64>>,
    /// What is wrong.
    pub(super) faults: Vec<Message>,
}

impl FileForm {
    fn fresh(desk: &Desk) -> Self {
        Self {
            key: desk.new_key(),
            format: String::new(),
            execution: String::new(),
            chosen: None,
            faults: Vec::new(),
        }
    }
}

/// Which payouts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Waiting,
    Paid,
    Failed,
}

impl Chosen {
    const ALL: [Self; 3] = [Self::Waiting, Self::Paid, Self::Failed];

    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Paid => "paid",
            Self::Failed => "failed",
        }
    }

    fn title(self, t: Messages) -> &'static str {
        match self {
            Self::Waiting => t.console_payouts_waiting(),
            Self::Paid => t.console_payouts_paid(),
            Self::Failed => t.console_payouts_failed(),
        }
    }

    fn all(self) -> [Self; 3] {
        Self::ALL
    }

    /// `page` for the link to this list, as in `aria-current`.
    fn current(self, other: Self) -> &'static str {
        if self == other { "page" } else { "false" }
    }
}

/// Which payouts are asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    /// Payouts beyond this one.
    beyond: Option<i64>,
}

impl Asked {
    /// The payouts that wait, beyond this one.
    pub(super) fn beyond(beyond: Option<i64>) -> Self {
        Self {
            state: String::new(),
            beyond,
        }
    }
}

/// `GET /console/payouts`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let done = desk.said(&after, &desk.money(&server)).await;
    shown_as(
        &server,
        &desk,
        &asked,
        (FileForm::fresh(&desk), done, StatusCode::OK),
    )
    .await
}

/// The page with the form for a file, after what was done, and its status.
pub(super) async fn shown_as(
    server: &Server,
    desk: &Desk,
    asked: &Asked,
    (form, done, status): (FileForm, Option<Done>, StatusCode),
) -> PageResult {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let chosen = Chosen::ALL
        .into_iter()
        .find(|chosen| chosen.word() == asked.state);
    let chosen = chosen.unwrap_or(Chosen::Waiting);
    let found = page_of(server, chosen, asked.beyond).await?;
    let files = server.issuer().payout_desk().exported(&found).await;
    let files = files.map_err(Refusal::from)?;
    let is_full = found.len() >= PAYOUTS_PER_PAGE as usize;
    let next = found.last().filter(|_| is_full).map(|last| {
        let (state, beyond) = (chosen.word(), last.no.get());
        format!("/console/payouts?state={state}&beyond={beyond}")
    });
    let money = desk.money(server);
    let described = |payout: Payout| {
        let (no, is_frozen) = (payout.no, payout.is_frozen && payout.settled.is_none());
        let shown = shown::payout(payout);
        let file = files.binary_search_by_key(&no, |(payout, _)| *payout).ok();
        let file = file.map(|place| files[place].1.get());
        let warning = warning(&shown.destination, t).filter(|_| shown.state == PayoutState::Requested);
        let is_chosen = form
            .chosen
            .as_ref()
            .map_or(!is_frozen, |chosen| chosen.contains(&no.get()));
        Line {
            no: shown.id,
            account: shown.account.clone(),
            line: line(&shown, &money, t, language),
            file,
            is_choosable: file.is_none() && warning.is_none(),
            warning,
            is_frozen,
            is_chosen,
        }
    };
    let payouts: Vec<Line> = found.into_iter().map(described).collect();
    let may_make = desk.may(AdminRight::ChangeAccounts) && chosen == Chosen::Waiting;
    let payouts = PayoutsPage {
        frame: desk.visit.frame(t.account_payouts()),
        t,
        bar: desk.bar(server, Some(Place::Payouts)),
        done,
        currency: money.name(),
        chosen,
        may_make: may_make && payouts.iter().any(|line| line.is_choosable),
        payouts,
        next,
        may_change: desk.may(AdminRight::ChangeAccounts),
        has_account: server.issuer().bank_desk().settings().account.iban.is_some(),
        form,
    };
    Ok(page(status, language, &payouts))
}

async fn page_of(server: &Server, chosen: Chosen, beyond: Option<i64>) -> Result<Vec<Payout>, Refusal> {
    let (cashier, beyond) = (server.issuer().cashier(), beyond.map(PayoutNo::new));
    let limit = PAYOUTS_PER_PAGE;
    let found = match chosen {
        Chosen::Waiting => {
            let after = beyond.unwrap_or(PayoutNo::BEFORE_ALL);
            cashier.payouts(PayoutFilter::Requested, after, limit).await
        }
        Chosen::Paid => cashier.newest_payouts(PayoutFilter::Paid, beyond, limit).await,
        Chosen::Failed => cashier.newest_payouts(PayoutFilter::Failed, beyond, limit).await,
    };
    Ok(found?)
}
