//! A statement: what booking it would do, and the button that does exactly this.
//!
//! The form carries the digest of what was shown. If booking would do something else meanwhile, nothing is booked, and the
//! page shows what it would do now.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, BankDeskError, Reason, Refusal};
use opencoin_ledger::bank::{Preview, PreviewDigest, StatementNo};
use opencoin_text::printable;
use serde::Deserialize;

use crate::address::{Path, Query};
use crate::console::desk::{After, Bar, Desk, Place};
use crate::format::Moment;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{SentKey, sent_key};
use crate::visit::{Failure, Frame, PageResult, page, see_other};

use super::preview::{List, Part, Writing, part};
use super::said;

/// How many lines of each list the page of a statement shows.
const LINES_OF_LIST_MAX: usize = 20;
/// How many lines the page of one list shows.
const LINES_PER_PAGE: usize = 100;

#[derive(Template)]
#[template(path = "console/bank/statement.html")]
struct StatementPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    no: u64,
    name: String,
    /// What was done, and the class of the note.
    note: Option<(Message, &'static str)>,
    currency: String,
    uploaded: Moment,
    operator: String,
    lines: String,
    booked: Option<Message>,
    /// The lists that have lines.
    parts: Vec<Part>,
    /// What the button does; `None` if there is nothing to do, or the operator may not.
    button: Option<Message>,
    explained: Vec<Message>,
    key: String,
    preview: String,
}

#[derive(Template)]
#[template(path = "console/bank/list.html")]
struct ListPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    no: u64,
    name: String,
    currency: String,
    part: Part,
    from: usize,
    next: Option<String>,
}

/// Where a list begins.
#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    from: usize,
}

/// The number in a path.
fn number(no: &str) -> Result<StatementNo, Refusal> {
    let not_found = |_| Refusal::new(Reason::NotFound, "there is no such statement");
    no.parse().map(StatementNo::new).map_err(not_found)
}

async fn preview(server: &Server, no: &str) -> Result<Preview, Refusal> {
    Ok(server.issuer().bank_desk().preview(number(no)?).await?)
}

/// `GET /console/bank/statements/{no}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let preview = preview(&server, &no).await?;
    let done = desk.said(&after, &desk.money(&server)).await;
    let note = done.map(|done| (done, "good"));
    Ok(shown_as(&server, &desk, &preview, (note, StatusCode::OK)))
}

fn shown_as(
    server: &Server,
    desk: &Desk,
    preview: &Preview,
    (note, status): (Option<(Message, &'static str)>, StatusCode),
) -> axum::http::Response<Body> {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(server);
    let statement = shown::bank_statement(preview.statement.clone());
    let writing = Writing {
        money: &money,
        t,
        language,
    };
    let parts = List::ALL.map(|list| part(preview, list, (0, LINES_OF_LIST_MAX), writing));
    let (new, keep) = (
        preview.new_lines().count() as u64,
        preview.lines_to_keep().count() as u64,
    );
    let sum = money.amount(preview.new_amount().units());
    let above = u64::from(server.issuer().bank_desk().lines_above_limit(preview));
    let is_own = preview.statement.operator == desk.operator.name;
    let button = match (new, keep) {
        _ if above > 0 && is_own => None,
        _ if !desk.may(AdminRight::ChangeAccounts) => None,
        (0, 0) => None,
        (0, keep) => Some(t.bank_keep_lines(keep)),
        (new, _) => Some(t.bank_book_lines(new)),
    };
    let mut explained = Vec::new();
    if new > 0 {
        explained.push(t.bank_book_explained(new, sum));
    }
    if keep > 0 {
        explained.push(t.bank_keep_explained(keep));
    }
    if above > 0 {
        explained.push(t.proposals_lines_above(above, &statement.operator));
    }
    let name = printable(&statement.name);
    let shown = StatementPage {
        frame: desk.visit.frame(t.bank_statement_called(&name).plain()),
        t,
        bar: desk.bar(server, Some(Place::Bank)),
        no: statement.id,
        name,
        note,
        currency: money.name(),
        uploaded: Moment::minute(language, statement.uploaded_at),
        operator: statement.operator,
        lines: language.number(u64::from(statement.lines)),
        booked: statement.booked.map(|booked| said::booked(&booked, &money, t)),
        parts: parts.into_iter().filter(|part| part.count > 0).collect(),
        button,
        explained,
        key: desk.new_key(),
        preview: preview.digest().to_string(),
    };
    page(status, language, &shown)
}

/// `GET /console/bank/statements/{no}/{list}`.
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    Query(From { from }): Query<From>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let unknown = || Refusal::new(Reason::NotFound, "there is no such page");
    let list = List::of_word(&word).ok_or_else(unknown)?;
    let preview = preview(&server, &no).await?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(&server);
    let writing = Writing {
        money: &money,
        t,
        language,
    };
    let part = part(&preview, list, (from, LINES_PER_PAGE), writing);
    let no = preview.statement.no.get().unsigned_abs();
    let next = (part.more > 0).then(|| {
        let from = from + LINES_PER_PAGE;
        format!("/console/bank/statements/{no}/{word}?from={from}")
    });
    let shown = ListPage {
        frame: desk.visit.frame(part.title),
        t,
        bar: desk.bar(&server, Some(Place::Bank)),
        no,
        name: printable(preview.statement.name.as_str()),
        currency: money.name(),
        part,
        from,
        next,
    };
    Ok(page(StatusCode::OK, language, &shown))
}

/// `POST /console/bank/statements/{no}/book`.
pub(super) async fn book(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let (number, t) = (number(&no)?, desk.visit.messages());
    let malformed = |error| Refusal::new(Reason::Malformed, format!("preview: {error}"));
    let digest: PreviewDigest = fields.text("preview").parse().map_err(malformed)?;
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: vec![("preview", digest.to_string())],
    };
    let (bank, mut said) = (server.issuer().bank_desk(), None);
    let work = async {
        let booking = bank.acting(&desk.operator.name).book(number, digest).await;
        let booking = booking.map_err(|error| {
            said = match &error {
                BankDeskError::PreviewChanged => {
                    Some((t.bank_preview_changed().into(), StatusCode::CONFLICT))
                }
                BankDeskError::NeedsAnother(_) => {
                    Some((t.proposals_must_be_another().into(), StatusCode::FORBIDDEN))
                }
                BankDeskError::Waiting(lines) => {
                    let waiting = t.bank_credits_wait(lines.len() as u64);
                    Some((waiting, StatusCode::SERVICE_UNAVAILABLE))
                }
                _ => None,
            };
            Refusal::from(error)
        })?;
        Ok(Note::StatementBooked {
            lines: booking.booked.lines,
            units: booking.booked.amount.units(),
            repeated: booking.repeated,
            refused: booking.refused.len(),
        })
    };
    if let Err(refusal) = desk.once(&sent, work).await {
        let (text, status) = said.ok_or_else(|| Failure::from(refusal))?;
        let preview = preview(&server, &no).await?;
        return Ok(shown_as(&server, &desk, &preview, (Some((text, "warn")), status)));
    }
    let (no, key) = (number.get(), sent.key.as_str());
    Ok(see_other(&format!("/console/bank/statements/{no}?done={key}")))
}
