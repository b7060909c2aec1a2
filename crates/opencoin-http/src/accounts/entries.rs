//! Entries of an account: pages of them, or as they come.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use opencoin_api::shapes::Cursor;
use opencoin_api::{Entries, Entry};
use opencoin_issuer::accounts::Page;
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{EntryPage, TransactionNo};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{convert, stream};
use crate::callers::Reader;
use crate::json::{HandlerResult, Parameters, document};
use crate::problems::{Forbidden, Invalid, Malformed, TooManyRequests, Unauthorized, Unavailable};
use crate::server::Server;

const EVENT_STREAM: &str = "text/event-stream";
/// What a client that connects again has seen (WHATWG HTML, "Server-sent events").
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// The newest first, beginning below this id. Not together with `after`.
    #[param(value_type = Option<opencoin_api::shapes::Cursor>, inline)]
    before: Option<u64>,
    /// The oldest first, beginning above this id.
    #[param(value_type = Option<opencoin_api::shapes::Cursor>, inline)]
    after: Option<u64>,
    /// At most so many; of no account in a stream.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Entries, newest first unless `after` is given; or, with `Accept: text/event-stream`, as events, each with
/// its id, as they come.
#[utoipa::path(
    get, path = "/v1/account/entries", tag = "account",
    params(Range, ("Last-Event-ID" = inline(Option<Cursor>), Header, description = "In a stream: begin above this id, whatever `after` says.")),
    responses(
        (status = 200, description = "One page, or a stream of events whose data is an entry each.",
            content((Entries = "application/json"), (Entry = "text/event-stream"))),
        Malformed, Unauthorized, Forbidden, Invalid, TooManyRequests, Unavailable)
)]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Reader(caller): Reader,
    Parameters(range): Parameters<Range>,
    headers: HeaderMap,
) -> HandlerResult {
    let page = range.page()?;
    if wants_stream(&headers) {
        let after = match (last_event_id(&headers)?, page) {
            (Some(seen), _) => Some(seen),
            (None, EntryPage::After(after)) => Some(after),
            (None, EntryPage::Before(None)) => None,
            (None, EntryPage::Before(Some(_))) => {
                return Err(Refusal::new(Reason::Invalid, "before: a stream goes forwards").into());
            }
        };
        return stream::open(server, caller, after).await;
    }
    let Page { items, is_full } = server
        .issuer()
        .accounts()
        .entries(caller.account, page, range.limit)
        .await?;
    let last = items.last().map(|entry| convert::entry_id(entry.no));
    let (before, after) = match page {
        EntryPage::Before(_) => (last.filter(|_| is_full), None),
        EntryPage::After(after) => (None, Some(last.unwrap_or(convert::entry_id(after)))),
    };
    document(
        StatusCode::OK,
        &Entries {
            entries: items.into_iter().map(convert::entry).collect(),
            before,
            after,
        },
    )
}

impl Range {
    fn page(&self) -> Result<EntryPage, Refusal> {
        match (self.before, self.after) {
            (Some(_), Some(_)) => Err(Refusal::new(
                Reason::Invalid,
                "before and after exclude each other",
            )),
            (before, None) => Ok(EntryPage::Before(
                before
                    .map(|id| convert::transaction_no("before", id))
                    .transpose()?,
            )),
            (None, Some(after)) => Ok(EntryPage::After(convert::transaction_no("after", after)?)),
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let media_type = |range: &str| {
        range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(EVENT_STREAM)
    };
    values.flat_map(|value| value.split(',')).any(media_type)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<TransactionNo>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let id: Option<u64> = value.to_str().ok().and_then(|text| text.parse().ok());
    let malformed = || Refusal::new(Reason::Malformed, "last-event-id: not the id of an entry");
    convert::transaction_no("last-event-id", id.ok_or_else(malformed)?).map(Some)
}
