//! Entries of an account, as pages or as a stream.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use opencoin_api::Entries;
#[cfg(feature = "openapi")]
use opencoin_api::{Entry, shapes};
use opencoin_issuer::accounts::{Page, page_length};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{AccountEntry, EntryNo, EntryPage};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::{convert, stream};
use crate::callers::Reader;
use crate::json::{HandlerResult, Parameters, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, TooManyRequests, Unauthorized, Unavailable};
use crate::server::Server;

const EVENT_STREAM: &str = "text/event-stream";
/// The id of the last event that a reconnecting client has received (WHATWG HTML, "Server-sent events").
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The page of entries.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct Range {
    /// The newest entries below this id, newest first. Not together with `after`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    before: Option<u64>,
    /// The oldest entries above this id, oldest first.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    after: Option<u64>,
    /// The most entries of the page. A stream ignores it.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
}

/// Entries, newest first unless `after` is given. With `Accept: text/event-stream`, a stream of new entries, whose ids
/// are the ids of the events.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/account/entries", tag = "account",
    params(Range, ("Last-Event-ID" = inline(Option<shapes::Cursor>), Header, description = "In a stream: begin above this id. It takes precedence over `after`.")),
    responses(
        (status = 200, description = "One page, or a stream of events with one entry each.",
            content((Entries = "application/json"), (Entry = "text/event-stream"))),
        Malformed, Unauthorized, Forbidden, Invalid, TooManyRequests, Unavailable)
))]
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
                return Err(Refusal::new(
                    Reason::Invalid,
                    "before: a stream has the oldest entry first; use after",
                )
                .into());
            }
        };
        return stream::open(server, caller, after).await;
    }
    let Page { items, is_full } = server
        .accounts()
        .entries(caller.account, page, range.limit)
        .await?;
    document(StatusCode::OK, &entries(items, is_full, page))
}

/// A page of entries.
pub(crate) fn entries(items: Vec<AccountEntry>, is_full: bool, page: EntryPage) -> Entries {
    let last = items.last().map(|entry| convert::entry_id(entry.no));
    let (before, after) = match page {
        EntryPage::Before(_) => (last.filter(|_| is_full), None),
        EntryPage::After(after) => (None, Some(last.unwrap_or(convert::entry_id(after)))),
    };
    Entries {
        entries: items.into_iter().map(convert::entry).collect(),
        before,
        after,
    }
}

impl Range {
    /// The length of the page.
    pub(crate) fn length(&self) -> Result<u32, Refusal> {
        page_length(self.limit)
    }

    /// Which entries the page has.
    pub(crate) fn page(&self) -> Result<EntryPage, Refusal> {
        match (self.before, self.after) {
            (Some(_), Some(_)) => {
                let description = "before and after cannot be used together";
                Err(Refusal::new(Reason::Invalid, description))
            }
            (None, None) => Ok(EntryPage::Before(None)),
            (Some(before), None) => convert::entry_no("before", before).map(|no| EntryPage::Before(Some(no))),
            (None, Some(after)) => convert::entry_no("after", after).map(EntryPage::After),
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut media_types = ranges.filter_map(|range| range.split(';').next());
    media_types.any(|name| name.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<EntryNo>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let id: Option<u64> = value.to_str().ok().and_then(|text| text.parse().ok());
    let malformed = || Refusal::new(Reason::Malformed, "last-event-id: not a whole number");
    convert::entry_no("last-event-id", id.ok_or_else(malformed)?).map(Some)
}
