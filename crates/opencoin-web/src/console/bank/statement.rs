//! A statement: what booking it would do, and the button that does exactly this.
//!
//! The form carries the digest of what was shown. If booking would do something else meanwhile, nothing is booked, and the
//! page shows what it would do now.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_bank::BankLineId;
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Reason, Refusal, StatementBookingError};
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

use super::preview::{self, List, Numbers, Part, Writing, part};
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
    may_change: bool,
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
    may_change: bool,
    no: u64,
    name: String,
    currency: String,
    part: Part,
    from: usize,
    previous: Option<String>,
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

async fn previewed(server: &Server, no: &str) -> Result<Preview, Refusal> {
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
    let preview = previewed(&server, &no).await?;
    let done = desk.said(&after, &desk.money(&server)).await;
    let note = done.map(|done| (done.text, done.class));
    shown_as(&server, &desk, &preview, (note, StatusCode::OK)).await
}

async fn shown_as(
    server: &Server,
    desk: &Desk,
    preview: &Preview,
    (note, status): (Option<(Message, &'static str)>, StatusCode),
) -> PageResult {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(server);
    let statement = shown::bank_statement(preview.statement.clone());
    let kept = |list| preview::kept(preview, list, (0, LINES_OF_LIST_MAX));
    let numbers = numbers(server, List::ALL.into_iter().flat_map(kept)).await?;
    let writing = Writing {
        money: &money,
        t,
        language,
        numbers: &numbers,
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
        may_change: desk.may(AdminRight::ChangeAccounts),
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
    Ok(page(status, language, &shown))
}

async fn numbers(server: &Server, lines: impl Iterator<Item = BankLineId>) -> Result<Numbers, Refusal> {
    let numbers = server.issuer().bank_desk().line_numbers(lines.collect()).await?;
    Ok(numbers.into_iter().map(|(id, no)| (id, no.get())).collect())
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
    let preview = previewed(&server, &no).await?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let money = desk.money(&server);
    let place = (from, LINES_PER_PAGE);
    let numbers = numbers(&server, preview::kept(&preview, list, place)).await?;
    let writing = Writing {
        money: &money,
        t,
        language,
        numbers: &numbers,
    };
    let part = part(&preview, list, place, writing);
    let no = preview.statement.no.get().unsigned_abs();
    let path = |from: usize| format!("/console/bank/statements/{no}/{word}?from={from}");
    let next = (part.more > 0).then(|| path(from + LINES_PER_PAGE));
    // Also from beyond the end, where somebody has typed it.
    let previous = (from > 0).then(|| path(from.min(part.count).saturating_sub(LINES_PER_PAGE)));
    let shown = ListPage {
        frame: desk.visit.frame(part.title),
        t,
        bar: desk.bar(&server, Some(Place::Bank)),
        may_change: desk.may(AdminRight::ChangeAccounts),
        no,
        name: printable(preview.statement.name.as_str()),
        currency: money.name(),
        part,
        from,
        previous,
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
                StatementBookingError::PreviewChanged => {
                    Some((t.bank_preview_changed().into(), StatusCode::CONFLICT))
                }
                StatementBookingError::NeedsAnother(_) => {
                    Some((t.proposals_must_be_another().into(), StatusCode::FORBIDDEN))
                }
                StatementBookingError::Waiting(lines) => {
                    let waiting = t.bank_credits_wait(lines.len() as u64);
                    Some((waiting, StatusCode::SERVICE_UNAVAILABLE))
                }
                StatementBookingError::Ledger(_) | StatementBookingError::UnknownStatement(_) => None,
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
        let preview = previewed(&server, &no).await?;
        return shown_as(&server, &desk, &preview, (Some((text, "warn")), status)).await;
    }
    let (no, key) = (number.get(), sent.key.as_str());
    Ok(see_other(&format!("/console/bank/statements/{no}?done={key}")))
}
