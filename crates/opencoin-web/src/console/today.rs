//! The first page of the console: what waits for a person, the most urgent first, and what was done last.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::PAGE_LENGTH_MAX;
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{ActionFilter, PayoutFilter, PayoutNo};

use super::actions::{ActionLine, line};
use super::bank;
use super::desk::{Bar, Desk, Place};
use crate::format::Moment;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page};

/// How many of the last actions the page shows.
const LAST_ACTIONS: u32 = 8;

#[derive(Template)]
#[template(path = "console/today.html")]
struct TodayPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    currency: String,
    waiting: Vec<Item>,
    actions: Vec<ActionLine>,
}

/// Something that waits for a person.
struct Item {
    /// The class of the note: `bad` or `warn`.
    class: &'static str,
    text: Message,
    detail: Option<Message>,
    /// Since when the oldest of them waits.
    since: Option<Moment>,
    /// The page on which it is done, and what the link says.
    link: Option<(&'static str, &'static str)>,
}

/// `GET /console`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::Look)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(&server);
    let mut waiting = alarms(&server, &desk).await?;
    if desk.may(AdminRight::ReadAccounts) {
        waiting.extend(payouts(&server, &desk).await?);
        waiting.extend(unmatched(&server, &desk).await?);
        waiting.extend(frozen(&server, &desk).await?);
    }
    let cashier = server.issuer().cashier();
    let actions = cashier.actions(ActionFilter::All, None, LAST_ACTIONS).await;
    let today = TodayPage {
        frame: desk.visit.frame(t.console_today()),
        t,
        bar: desk.bar(&server, Some(Place::Today)),
        currency: money.name(),
        waiting,
        actions: actions
            .map_err(Refusal::from)?
            .iter()
            .map(|action| line(action, &money, t, language))
            .collect(),
    };
    Ok(page(StatusCode::OK, language, &today))
}

/// What keeps the issuer from working.
async fn alarms(server: &Server, desk: &Desk) -> Result<Vec<Item>, Refusal> {
    let (t, issuer) = (desk.visit.messages(), server.issuer());
    let mut alarms = Vec::new();
    if issuer.is_set_back() {
        alarms.push(Item {
            class: "bad",
            text: t.console_books_set_back().into(),
            detail: Some(t.console_books_set_back_advice().into()),
            since: None,
            link: None,
        });
    }
    if issuer.is_signing_paused().await? {
        alarms.push(Item {
            class: "warn",
            text: t.console_signing_paused().into(),
            detail: None,
            since: None,
            link: Some(("/console/actions?subject=signing", t.console_who_did_it())),
        });
    }
    Ok(alarms)
}

/// The payouts that wait, and the oldest of them.
async fn payouts(server: &Server, desk: &Desk) -> Result<Option<Item>, Refusal> {
    let t = desk.visit.messages();
    let cashier = server.issuer().cashier();
    let after = PayoutNo::BEFORE_ALL;
    let open = cashier
        .payouts(PayoutFilter::Requested, after, PAGE_LENGTH_MAX)
        .await?;
    let Some(oldest) = open.first().cloned().map(shown::payout) else {
        return Ok(None);
    };
    let money = desk.money(server);
    let count = open.len() as u64;
    let sum = open
        .iter()
        .fold(0_u64, |sum, payout| sum.saturating_add(payout.amount.units()));
    let text = if open.len() < PAGE_LENGTH_MAX as usize {
        t.console_payouts_wait(count, money.amount(sum))
    } else {
        t.console_payouts_wait_more(desk.visit.language.number(count))
    };
    Ok(Some(Item {
        class: "warn",
        text,
        detail: Some(t.console_oldest_payout(money.amount(oldest.amount), oldest.account)),
        since: Some(Moment::minute(desk.visit.language, oldest.requested_at)),
        link: Some(("/console/payouts", t.console_to_payouts())),
    }))
}

/// The lines of statements that match no account.
async fn unmatched(server: &Server, desk: &Desk) -> Result<Option<Item>, Refusal> {
    let lines = bank::unmatched(server, desk).await?;
    let t = desk.visit.messages();
    Ok(lines.map(|text| Item {
        class: "warn",
        text,
        detail: None,
        since: None,
        link: Some(("/console/bank/lines", t.bank_to_lines())),
    }))
}

/// The frozen accounts.
async fn frozen(server: &Server, desk: &Desk) -> Result<Option<Item>, Refusal> {
    let t = desk.visit.messages();
    let cashier = server.issuer().cashier();
    let count = cashier.frozen_accounts(None, PAGE_LENGTH_MAX).await?.len() as u64;
    if count == 0 {
        return Ok(None);
    }
    let text = if count < u64::from(PAGE_LENGTH_MAX) {
        t.console_accounts_frozen(count)
    } else {
        t.console_accounts_frozen_more(desk.visit.language.number(count))
    };
    Ok(Some(Item {
        class: "",
        text,
        detail: None,
        since: None,
        link: Some(("/console/accounts?only=frozen", t.console_to_frozen())),
    }))
}
