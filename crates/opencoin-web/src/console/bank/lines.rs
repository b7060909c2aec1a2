//! Lines of booked statements, the unmatched ones first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::bank::{BankLineNo, BankLineState, BankLineStateKind, KeptLine};
use serde::Deserialize;

use crate::address::Query;
use crate::console::desk::{After, Bar, Desk, Place};
use crate::format::Money;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page};

use super::said::{self, LineSaid};

/// The most lines on a page.
const LINES_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/bank/lines.html")]
struct LinesPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Message>,
    currency: String,
    chosen: Chosen,
    lines: Vec<Line>,
    next: Option<String>,
    may_change: bool,
}

struct Line {
    no: i64,
    said: LineSaid,
}

/// Which lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chosen(BankLineStateKind);

impl Chosen {
    const ALL: [Self; 4] = [
        Self(BankLineStateKind::Unmatched),
        Self(BankLineStateKind::Claimed),
        Self(BankLineStateKind::Booked),
        Self(BankLineStateKind::SetAside),
    ];

    fn all(self) -> [Self; 4] {
        Self::ALL
    }

    fn word(self) -> &'static str {
        match self.0 {
            BankLineStateKind::Unmatched => "unmatched",
            BankLineStateKind::Claimed => "claimed",
            BankLineStateKind::Booked => "booked",
            BankLineStateKind::SetAside => "set-aside",
        }
    }

    fn title(self, t: Messages) -> &'static str {
        match self.0 {
            BankLineStateKind::Unmatched => t.bank_state_unmatched(),
            BankLineStateKind::Claimed => t.bank_lines_claimed(),
            BankLineStateKind::Booked => t.bank_lines_booked(),
            BankLineStateKind::SetAside => t.bank_lines_set_aside(),
        }
    }

    fn is_unmatched(self) -> bool {
        self.0 == BankLineStateKind::Unmatched
    }

    /// `page` for the link to this list, as in `aria-current`.
    fn current(self, other: Self) -> &'static str {
        if self == other { "page" } else { "false" }
    }
}

/// Which lines are asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    /// Lines beyond this one.
    beyond: Option<i64>,
}

/// `GET /console/bank/lines`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let t = desk.visit.messages();
    let chosen = Chosen::ALL
        .into_iter()
        .find(|chosen| chosen.word() == asked.state);
    let chosen = chosen.unwrap_or(Chosen::ALL[0]);
    let beyond = asked.beyond.map_or(BankLineNo::BEFORE_ALL, BankLineNo::new);
    let bank = server.issuer().bank_desk();
    let found = bank.lines(Some(chosen.0), beyond, LINES_PER_PAGE).await;
    let found = found.map_err(Refusal::from)?;
    let is_full = found.len() >= LINES_PER_PAGE as usize;
    let next = found.last().filter(|_| is_full).map(|last| {
        let (state, beyond) = (chosen.word(), last.no.get());
        format!("/console/bank/lines?state={state}&beyond={beyond}")
    });
    let money = desk.money(&server);
    let shown = LinesPage {
        frame: desk.visit.frame(t.bank_lines()),
        t,
        bar: desk.bar(&server, Some(Place::Bank)),
        done: desk.said(&after, &money).await,
        currency: money.name(),
        chosen,
        lines: found.iter().map(|line| described(line, &money, &desk)).collect(),
        next,
        may_change: desk.may(AdminRight::ChangeAccounts),
    };
    Ok(page(StatusCode::OK, desk.visit.language, &shown))
}

fn described(kept: &KeptLine, money: &Money, desk: &Desk) -> Line {
    let t = desk.visit.messages();
    let verdict = match &kept.state {
        BankLineState::Unmatched => said::kept(kept, t),
        decided => said::state(decided, t),
    };
    Line {
        no: kept.no.get(),
        said: said::line(&kept.line, Some(verdict), money, desk.visit.language),
    }
}
