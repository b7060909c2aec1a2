//! Payouts: those that wait, the oldest first, and those that are settled, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use opencoin_api::{Payout, PayoutState};
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{PayoutFilter, PayoutNo};
use serde::Deserialize;

use super::desk::{After, Bar, Desk, Place};
use crate::format::Money;
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
    done: Option<Message>,
    currency: String,
    chosen: Chosen,
    payouts: Vec<Line>,
    /// The address of the next page.
    next: Option<String>,
    may_change: bool,
}

struct Line {
    no: u64,
    account: String,
    line: PayoutLine,
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

/// `GET /console/payouts`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let chosen = Chosen::ALL
        .into_iter()
        .find(|chosen| chosen.word() == asked.state);
    let chosen = chosen.unwrap_or(Chosen::Waiting);
    let (cashier, beyond) = (server.issuer().cashier(), asked.beyond.map(PayoutNo::new));
    let limit = PAYOUTS_PER_PAGE;
    let found = match chosen {
        Chosen::Waiting => {
            let after = beyond.unwrap_or(PayoutNo::BEFORE_ALL);
            cashier.payouts(PayoutFilter::Requested, after, limit).await
        }
        Chosen::Paid => cashier.newest_payouts(PayoutFilter::Paid, beyond, limit).await,
        Chosen::Failed => cashier.newest_payouts(PayoutFilter::Failed, beyond, limit).await,
    };
    let found = found.map_err(Refusal::from)?;
    let is_full = found.len() >= limit as usize;
    let next = found.last().filter(|_| is_full).map(|last| {
        let (state, beyond) = (chosen.word(), last.no.get());
        format!("/console/payouts?state={state}&beyond={beyond}")
    });
    let money = desk.money(&server);
    let payouts = PayoutsPage {
        frame: desk.visit.frame(t.account_payouts()),
        t,
        bar: desk.bar(&server, Some(Place::Payouts)),
        done: desk.said(&after, &money).await,
        currency: money.name(),
        chosen,
        payouts: found
            .into_iter()
            .map(|payout| described(&shown::payout(payout), &money, &desk))
            .collect(),
        next,
        may_change: desk.may(AdminRight::ChangeAccounts),
    };
    Ok(page(StatusCode::OK, language, &payouts))
}

fn described(payout: &Payout, money: &Money, desk: &Desk) -> Line {
    Line {
        no: payout.id,
        account: payout.account.clone(),
        line: line(payout, money, desk.visit.messages(), desk.visit.language),
    }
}
