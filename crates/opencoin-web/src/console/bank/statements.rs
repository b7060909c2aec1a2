//! The place of the bank: what waits there, the form for a statement, and the statements that were uploaded.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_bank::statement::LINES_MAX;
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::bank::{BankLineStateKind, BankStatement, StatementNo};
use serde::Deserialize;

use crate::address::Query;
use crate::console::desk::{After, Bar, Desk, Done, Place};
use crate::fault::Fault;
use crate::format::{Moment, Money};
use crate::messages::{Message, Messages};
use crate::steps::Draft;
use crate::visit::{Frame, PageResult, page};

use super::columns::{self, Choices, Known};
use super::said;

/// The most statements on a page.
const STATEMENTS_PER_PAGE: u32 = 20;

#[derive(Template)]
#[template(path = "console/bank/statements.html")]
struct BankPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    /// How many lines match no account.
    unmatched: Option<Message>,
    /// Whether the settings have the operator's account at a bank.
    has_account: bool,
    may_change: bool,
    /// How large a file may be.
    limits: Message,
    fault: Option<Fault>,
    draft: Draft,
    choices: Choices,
    statements: Vec<Line>,
    /// The address of the page with earlier statements.
    earlier: Option<String>,
}

struct Line {
    no: u64,
    name: String,
    at: Moment,
    operator: String,
    lines: String,
    /// What was booked.
    booked: Option<Message>,
}

/// What is shown.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// Statements below this one.
    before: Option<i64>,
    /// Which columns the form has; without it those that are remembered.
    columns: Option<Columns>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Columns {
    Settings,
    Remembered,
}

/// `GET /console/bank`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let done = desk.said(&after, &desk.money(&server)).await;
    shown(&server, &desk, asked, (None, None, done, StatusCode::OK)).await
}

/// The page with what was sent, what is wrong with its file, what was done, and the status.
pub(super) async fn shown(
    server: &Server,
    desk: &Desk,
    asked: Asked,
    (sent, fault, done, status): (Option<Draft>, Option<Fault>, Option<Done>, StatusCode),
) -> PageResult {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let (bank, money) = (server.issuer().bank_desk(), desk.money(server));
    let known = Known::of(server).await?;
    let draft = sent.unwrap_or_else(|| known.fresh(desk, asked.columns == Some(Columns::Settings)));
    let before = asked.before.map(StatementNo::new);
    let found = bank.statements(before, STATEMENTS_PER_PAGE).await;
    let found = found.map_err(Refusal::from)?;
    let is_full = found.len() >= STATEMENTS_PER_PAGE as usize;
    let last = found.last().filter(|_| is_full);
    let shown = BankPage {
        frame: desk.visit.frame(t.bank_bank()),
        t,
        bar: desk.bar(server, Some(Place::Bank)),
        done,
        unmatched: unmatched(server, desk).await?,
        has_account: bank.settings().account.iban.is_some(),
        may_change: desk.may(AdminRight::ChangeAccounts),
        limits: t.bank_file_limits(columns::size_max(server), language.number(LINES_MAX as u64)),
        fault,
        choices: Choices::of(&draft, &known, asked.columns.is_some(), t),
        draft,
        earlier: last.map(|last| format!("/console/bank?before={}", last.no.get())),
        statements: found
            .into_iter()
            .map(|statement| line(statement, &money, desk))
            .collect(),
    };
    Ok(page(status, language, &shown))
}

fn line(statement: BankStatement, money: &Money, desk: &Desk) -> Line {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let statement = shown::bank_statement(statement);
    Line {
        no: statement.id,
        name: opencoin_text::printable(&statement.name),
        at: Moment::minute(language, statement.uploaded_at),
        operator: statement.operator,
        lines: language.number(u64::from(statement.lines)),
        booked: statement.booked.map(|booked| said::booked(&booked, money, t)),
    }
}

/// How many lines match no account, in words; `None` if there are none.
async fn unmatched(server: &Server, desk: &Desk) -> Result<Option<Message>, Refusal> {
    let t = desk.visit.messages();
    let bank = server.issuer().bank_desk();
    let waiting = bank.count_lines(BankLineStateKind::Unmatched).await?;
    Ok((waiting.count > 0).then(|| t.bank_lines_wait(waiting.count)))
}
