//! The first page of the console: what waits for a person, the most urgent first, and what was done last.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::ActionFilter;

use super::actions::{ActionLine, lines};
use super::desk::{Bar, Desk, Place};
use super::waiting::{self, Item};
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
    as_of: Message,
    waiting: Vec<Item>,
    actions: Vec<ActionLine>,
}

/// `GET /console`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::Look)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(&server);
    let (waiting, at) = waiting::items(&server, &desk).await?;
    let cashier = server.issuer().cashier();
    let actions = cashier.actions(ActionFilter::All, None, LAST_ACTIONS).await;
    let today = TodayPage {
        frame: desk.visit.frame(t.console_today()),
        t,
        bar: desk.bar(&server, Some(Place::Today)),
        currency: money.name(),
        as_of: t.today_as_of(Moment::minute(language, at)),
        waiting,
        actions: lines(&server, &desk, &actions.map_err(Refusal::from)?),
    };
    Ok(page(StatusCode::OK, language, &today))
}
