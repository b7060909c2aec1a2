//! The entries of an account: in pages, filtered, and as a table for a spreadsheet.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use chrono::SecondsFormat;
use futures_util::stream;
use opencoin_api::{Entry, EntryKind, PAGE_LENGTH_MAX};
use opencoin_bank::cells::{CsvCell, write_row};
use opencoin_http::{Server, shown};
use opencoin_issuer::Refusal;
use opencoin_ledger::{AccountId, EntryNo, EntryPage};
use serde::Deserialize;

use super::session::{Bar, Holder, Place};
use crate::address::Query;
use crate::format::{Money, money};
use crate::messages::Messages;
use crate::visit::{Frame, PageResult, Visit, encoded, page};
use crate::words::{DayOfEntries, by_day, what};

/// The most entries on a page.
const ENTRIES_PER_PAGE: usize = 50;
/// The most entries that are looked at for a page. A filter that finds few goes on with the next page.
const LOOKED_AT_MAX: usize = 5_000;

#[derive(Template)]
#[template(path = "account/entries.html")]
struct EntriesPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    filter: Filter,
    days: Vec<DayOfEntries>,
    /// The number of the newest entry, if new ones belong on this page.
    newest: Option<u64>,
    /// The address of the page with older entries.
    older: Option<String>,
    table: String,
}

/// Which entries are shown.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filter {
    /// A word in the text, or a name.
    #[serde(default)]
    q: String,
    /// `in`, `out`, `coins` or `payouts`; anything else is all.
    #[serde(default)]
    only: String,
    /// Entries older than this one.
    before: Option<u64>,
}

impl Filter {
    fn admits(&self, entry: &Entry) -> bool {
        let is_of_kind = match self.only.as_str() {
            "in" => entry.amount > 0,
            "out" => entry.amount < 0,
            "coins" => matches!(entry.kind, EntryKind::Mint | EntryKind::Redeem),
            "payouts" => matches!(entry.kind, EntryKind::Payout | EntryKind::PayoutFailed),
            _ => true,
        };
        let word = self.q.trim().to_lowercase();
        let has_word = |text: &str| text.to_lowercase().contains(&word);
        let is_found =
            word.is_empty() || has_word(&entry.label) || entry.counterparty.as_deref().is_some_and(has_word);
        is_of_kind && is_found
    }

    fn admits_all(&self) -> bool {
        self.q.trim().is_empty() && !["in", "out", "coins", "payouts"].contains(&self.only.as_str())
    }

    /// Whether this choice is selected.
    fn is(&self, only: &str) -> bool {
        self.only == only
    }

    fn query(&self, before: Option<u64>) -> String {
        let mut parameters = Vec::new();
        for (name, value) in [("q", &self.q), ("only", &self.only)] {
            if !value.is_empty() {
                parameters.push((name.to_owned(), value.clone()));
            }
        }
        parameters.extend(before.map(|before| ("before".to_owned(), before.to_string())));
        encoded(&parameters)
    }
}

/// `GET /account/entries`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    Query(filter): Query<Filter>,
) -> PageResult {
    let (language, t) = (visit.language, visit.messages());
    let bar = holder.bar(&server, Place::Entries, language).await?;
    let mut cursor = Cursor::new(holder.caller.account, filter.before);
    let mut found = Vec::new();
    while found.len() < ENTRIES_PER_PAGE && cursor.looked_at < LOOKED_AT_MAX {
        let Some(entry) = cursor.next(&server).await? else {
            break;
        };
        if filter.admits(&entry) {
            found.push(entry);
        }
    }
    let older = (!cursor.is_at_end()).then(|| format!("/account/entries?{}", filter.query(cursor.before)));
    let has_all_new_ones = filter.admits_all() && filter.before.is_none();
    let entries = EntriesPage {
        frame: visit.frame(t.account_entries()),
        t,
        days: by_day(&found, &bar.money, language),
        newest: has_all_new_ones.then(|| found.first().map_or(0, |entry| entry.id)),
        older,
        table: format!("/account/entries.csv?{}", filter.query(None)),
        filter,
        bar,
    };
    Ok(page(StatusCode::OK, language, &entries))
}

/// Reads the entries of an account from the newest on.
struct Cursor {
    account: AccountId,
    before: Option<u64>,
    read: std::vec::IntoIter<Entry>,
    may_have_more: bool,
    looked_at: usize,
}

impl Cursor {
    fn new(account: AccountId, before: Option<u64>) -> Self {
        Self {
            account,
            before,
            read: Vec::new().into_iter(),
            may_have_more: true,
            looked_at: 0,
        }
    }

    fn is_at_end(&self) -> bool {
        !self.may_have_more && self.read.len() == 0
    }

    async fn next(&mut self, server: &Server) -> Result<Option<Entry>, Refusal> {
        if self.read.len() == 0 && self.may_have_more {
            let before = self
                .before
                .and_then(|id| i64::try_from(id).ok())
                .map(EntryNo::new);
            let page = server
                .issuer()
                .accounts()
                .entries(self.account, EntryPage::Before(before), Some(PAGE_LENGTH_MAX))
                .await?;
            self.may_have_more = page.is_full;
            let entries: Vec<Entry> = page.items.into_iter().map(shown::entry).collect();
            self.read = entries.into_iter();
        }
        let next = self.read.next();
        if let Some(entry) = &next {
            self.before = Some(entry.id);
            self.looked_at += 1;
        }
        Ok(next)
    }
}

/// `GET /account/entries.csv`: all entries that the filter admits, the newest first. It is made while it is sent, so that
/// a long table needs no memory.
pub(super) async fn table(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    Query(filter): Query<Filter>,
) -> PageResult {
    let t = visit.messages();
    let mut head = String::from('\u{feff}');
    let titles = [
        t.account_csv_number(),
        t.account_csv_time(),
        t.account_csv_what(),
        t.account_csv_other(),
        t.account_csv_label(),
        t.account_csv_amount(),
    ];
    write_row(&mut head, &titles.map(CsvCell::Plain));
    let money = money(&server, visit.language);
    let start = (Some(head), Cursor::new(holder.caller.account, None));
    let rows = stream::unfold(Some(start), move |state| {
        let (server, filter, money) = (Arc::clone(&server), filter.clone(), money.clone());
        let caller = holder.caller.clone();
        async move {
            let (head, mut cursor) = state?;
            // The browser says that the file is incomplete.
            let broken = |why: String| Some((Err(std::io::Error::other(why)), None));
            match server.issuer().accounts().is_still_good(&caller).await {
                Ok(true) => {}
                Ok(false) => return broken("the session has ended".to_owned()),
                Err(refusal) => return broken(refusal.to_string()),
            }
            let mut rows = head.unwrap_or_default();
            for _ in 0..PAGE_LENGTH_MAX {
                match cursor.next(&server).await {
                    Ok(Some(entry)) if filter.admits(&entry) => row(&mut rows, &entry, &money, t),
                    Ok(Some(_)) => {}
                    Ok(None) => return Some((Ok(rows), None)),
                    Err(refusal) => return broken(refusal.to_string()),
                }
            }
            Some((Ok(rows), Some((None, cursor))))
        }
    });
    let mut response = Response::new(Body::from_stream(rows));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let attachment = HeaderValue::from_static("attachment; filename=\"entries.csv\"");
    headers.insert(CONTENT_DISPOSITION, attachment);
    Ok(response)
}

fn row(table: &mut String, entry: &Entry, money: &Money, t: Messages) {
    let number = entry.id.to_string();
    let time = entry.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let amount = money.plain(entry.amount);
    let cells = [
        CsvCell::Plain(&number),
        CsvCell::Plain(&time),
        CsvCell::Text(&what(entry, t).plain()),
        CsvCell::Text(entry.counterparty.as_deref().unwrap_or_default()),
        CsvCell::Text(&entry.label),
        CsvCell::Plain(&amount),
    ];
    write_row(table, &cells);
}
