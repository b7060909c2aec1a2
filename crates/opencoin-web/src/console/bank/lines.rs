//! Lines of booked statements, the unmatched ones first.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_bank::BankLineId;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::bank::{BankLineNo, BankLineState, BankLineStateKind, KeptLine, StatementNo, Unmatched};
use serde::Deserialize;

use crate::address::Query;
use crate::console::desk::{After, Bar, Desk, Done, Place};
use crate::format::Money;
use crate::messages::Messages;
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
    done: Option<Done>,
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
    let reasons = if chosen.is_unmatched() {
        reasons(&server, &found).await?
    } else {
        BTreeMap::new()
    };
    let shown = LinesPage {
        frame: desk.visit.frame(t.bank_lines()),
        t,
        bar: desk.bar(&server, Some(Place::Bank)),
        done: desk.said(&after, &money).await,
        currency: money.name(),
        chosen,
        lines: found
            .iter()
            .map(|line| described(line, &reasons, &money, &desk))
            .collect(),
        next,
        may_change: desk.may(AdminRight::ChangeAccounts),
    };
    Ok(page(StatusCode::OK, desk.visit.language, &shown))
}

/// Why the statement that was booked with each line does not credit it. A line that it would credit now is left out.
async fn reasons(server: &Server, lines: &[KeptLine]) -> Result<BTreeMap<BankLineId, Unmatched>, Refusal> {
    let mut of_statements = BTreeMap::<StatementNo, Vec<BankLineId>>::new();
    for line in lines {
        let of_statement = of_statements.entry(line.statement).or_default();
        of_statement.extend(line.line.id());
    }
    let (bank, mut reasons) = (server.issuer().bank_desk(), BTreeMap::new());
    for (no, ids) in of_statements {
        let previewed = bank.preview_lines(no, ids).await?;
        reasons.extend(
            previewed
                .iter()
                .filter_map(|found| Some((found.line.id()?, found.why()?))),
        );
    }
    Ok(reasons)
}

fn described(kept: &KeptLine, reasons: &BTreeMap<BankLineId, Unmatched>, money: &Money, desk: &Desk) -> Line {
    let t = desk.visit.messages();
    let verdict = match &kept.state {
        BankLineState::Unmatched => match kept.line.id().and_then(|id| reasons.get(&id)) {
            Some(why) => said::unmatched(*why, &kept.line, t),
            None => said::kept(kept, t),
        },
        decided => said::state(decided, t),
    };
    Line {
        no: kept.no.get(),
        said: said::line(&kept.line, Some(verdict), money, desk.visit.language),
    }
}
