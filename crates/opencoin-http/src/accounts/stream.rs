//! Entries as server-sent events: read from the books again and again from a cursor, so that what comes has
//! no gap and nothing twice, also for a client that connects again, and to another process.
//!
//! A stream ends with its session, when the server stops, and when the books were set back. A client that
//! goes away is noticed when an event, or the comment that is sent while none comes, cannot be written.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use opencoin_issuer::accounts::Caller;
use opencoin_ledger::{AccountEntry, EntryPage, TransactionNo};

use super::convert;
use crate::json::HandlerResult;
use crate::server::Server;
use crate::streams::Place;

/// How often the books are read for each stream.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The most entries that are read at one time.
const ENTRIES_PER_POLL_MAX: u32 = 100;
/// How often something is sent while nothing comes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Opens a stream of what comes after a cursor, or from now on.
pub(super) async fn open(server: Arc<Server>, caller: Caller, after: Option<TransactionNo>) -> HandlerResult {
    let place = server.streams().enter(caller.account)?;
    let after = match after {
        Some(after) => after,
        None => {
            let newest = server
                .issuer()
                .accounts()
                .entries(caller.account, EntryPage::Before(None), Some(1))
                .await?;
            newest
                .items
                .first()
                .map_or(TransactionNo::BEFORE_ALL, |entry| entry.no)
        }
    };
    let cursor = Cursor {
        server,
        caller,
        after,
        reads_at_once: true,
        _place: place,
    };
    Ok(Sse::new(events(cursor))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL))
        .into_response())
}

/// Where a stream is.
struct Cursor {
    server: Arc<Server>,
    caller: Caller,
    after: TransactionNo,
    reads_at_once: bool,
    _place: Place,
}

fn events(cursor: Cursor) -> impl Stream<Item = Result<Event, Infallible>> {
    // An id without data tells a client where it is before anything has come.
    let begin = Event::default().id(cursor.after.get().to_string());
    let later = stream::unfold(cursor, |mut cursor| async move {
        cursor.next().await.map(|entries| (entries, cursor))
    });
    let event = |entry: AccountEntry| {
        let entry = convert::entry(entry);
        let data = serde_json::to_string(&entry).expect("an entry is JSON");
        Ok(Event::default().id(entry.id.to_string()).data(data))
    };
    stream::once(async { Ok(begin) })
        .chain(later.flat_map(move |entries| stream::iter(entries.into_iter().map(event))))
}

impl Cursor {
    /// Waits for entries; `None` when the stream is over. A ledger that is away makes it wait.
    async fn next(&mut self) -> Option<Vec<AccountEntry>> {
        loop {
            if !std::mem::take(&mut self.reads_at_once) {
                tokio::select! {
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                    () = self.server.shutting_down() => return None,
                }
            }
            if self.server.issuer().is_set_back() {
                return None;
            }
            let accounts = self.server.issuer().accounts();
            match accounts.is_still_good(&self.caller).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_unavailable) => continue,
            }
            let page = EntryPage::After(self.after);
            let Ok(entries) = accounts
                .entries(self.caller.account, page, Some(ENTRIES_PER_POLL_MAX))
                .await
            else {
                continue;
            };
            if let Some(last) = entries.items.last() {
                self.after = last.no;
                self.reads_at_once = entries.is_full; // more are there already
                return Some(entries.items);
            }
        }
    }
}
