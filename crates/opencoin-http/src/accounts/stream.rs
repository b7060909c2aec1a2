//! Entries as server-sent events. Each stream polls the ledger from a cursor, so a client gets every entry once, also
//! if it reconnects to another process.
//!
//! A stream ends with its session, when the server stops, and when the books were set back. The server notices that a
//! client is gone when it cannot write an event or the comment that keeps an idle stream alive.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use opencoin_issuer::Refusal;
use opencoin_issuer::accounts::Caller;
use opencoin_ledger::{AccountEntry, EntryNo, EntryPage};

use super::convert;
use crate::json::HandlerResult;
use crate::server::Server;
use crate::streams::Place;

/// The time between two reads of the ledger for one stream.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The most entries of one read.
const ENTRIES_PER_POLL_MAX: u32 = 100;
/// The time between two comments on an idle stream.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Opens a stream of the entries after a cursor. Without a cursor it begins with the next entry.
pub(super) async fn open(server: Arc<Server>, caller: Caller, after: Option<EntryNo>) -> HandlerResult {
    let stream = EntryStream::open(server, caller, after).await?;
    Ok(Sse::new(events(stream))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL))
        .into_response())
}

/// The entries of an account as they come. It counts among the streams of its account until it is dropped.
pub struct EntryStream {
    server: Arc<Server>,
    caller: Caller,
    after: EntryNo,
    reads_at_once: bool,
    _place: Place,
}

fn events(stream: EntryStream) -> impl Stream<Item = Result<Event, Infallible>> {
    // An id without data gives the client a cursor before the first entry.
    let begin = Event::default().id(stream.after.get().to_string());
    let later = stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|entries| (entries, stream))
    });
    let event = |entry: AccountEntry| {
        let entry = convert::entry(entry);
        let data = serde_json::to_string(&entry).expect("an entry is JSON");
        Ok(Event::default().id(entry.id.to_string()).data(data))
    };
    stream::once(async { Ok(begin) })
        .chain(later.flat_map(move |entries| stream::iter(entries.into_iter().map(event))))
}

impl EntryStream {
    /// Opens the stream of the entries after this one, or of those from now on.
    ///
    /// # Errors
    /// The account or the server has too many streams, or the ledger cannot be read.
    pub async fn open(server: Arc<Server>, caller: Caller, after: Option<EntryNo>) -> Result<Self, Refusal> {
        let place = server.streams().enter(caller.account)?;
        let after = match after {
            Some(after) => after,
            None => {
                let newest = EntryPage::Before(None);
                let page = server.accounts().entries(caller.account, newest, Some(1)).await?;
                let newest = page.items.first();
                newest.map_or(EntryNo::BEFORE_ALL, |entry| entry.no)
            }
        };
        Ok(Self {
            server,
            caller,
            after,
            reads_at_once: true,
            _place: place,
        })
    }

    /// Waits for entries. Returns `None` at the end of the stream. While the ledger is unavailable, it keeps waiting.
    pub async fn next(&mut self) -> Option<Vec<AccountEntry>> {
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
            let accounts = self.server.accounts();
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
                self.reads_at_once = entries.is_full; // there may be more already
                return Some(entries.items);
            }
        }
    }
}
