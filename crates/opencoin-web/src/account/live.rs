//! New entries and the balance while a page is open.
//!
//! A browser opens six connections to a server at most, so `live.js` opens one stream for all of its tabs.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use opencoin_http::{EntryStream, KEEP_ALIVE_INTERVAL, Server, shown};
use opencoin_ledger::{AccountEntry, AccountId, EntryNo};
use serde::{Deserialize, Serialize};

use super::session::Holder;
use crate::address::Query;
use crate::format::{Money, money};
use crate::messages::Messages;
use crate::visit::{Failure, Visit};
use crate::words::what;

/// Where the stream begins.
#[derive(Deserialize)]
pub(super) struct Start {
    /// After the entry with this number.
    after: i64,
}

/// A new entry, in the words of the page.
#[derive(Serialize)]
struct News {
    id: u64,
    at: String,
    what: String,
    amount: String,
    /// The balance after all new entries; only with the last of them.
    balance: Option<String>,
}

/// `GET /account/live`.
pub(super) async fn stream(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    Query(start): Query<Start>,
) -> Result<Response<Body>, Failure> {
    let (money, t) = (money(&server, visit.language), visit.messages());
    let account = holder.caller.account;
    let after = EntryNo::new(start.after.max(0));
    let entries = EntryStream::open(Arc::clone(&server), holder.caller, Some(after)).await?;
    let events = events(entries, server, account, money, t);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn events(
    entries: EntryStream,
    server: Arc<Server>,
    account: AccountId,
    money: Money,
    t: Messages,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let batches = stream::unfold((entries, server), move |(mut entries, server)| async move {
        let read = entries.next().await?;
        // Without it the page shows the entries alone.
        let profile = server.issuer().accounts().profile(account).await.ok();
        let balance = profile.map(|profile| profile.account.balance.units());
        Some(((read, balance), (entries, server)))
    });
    batches.flat_map(move |(read, balance)| {
        let (last, money) = (read.len(), money.clone());
        let news = read.into_iter().enumerate().map(move |(place, entry)| {
            let balance = balance.filter(|_| place + 1 == last);
            Ok(event(entry, balance.map(|units| money.large(units)), &money, t))
        });
        stream::iter(news)
    })
}

fn event(entry: AccountEntry, balance: Option<String>, money: &Money, t: Messages) -> Event {
    let entry = shown::entry(entry);
    let news = News {
        id: entry.id,
        at: entry.at.to_rfc3339(),
        what: what(&entry, t).plain(),
        amount: money.signed(entry.amount),
        balance,
    };
    let data = serde_json::to_string(&news).expect("texts and numbers are JSON");
    Event::default().id(entry.id.to_string()).data(data)
}
