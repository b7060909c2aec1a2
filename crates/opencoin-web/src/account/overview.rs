//! The first page of an account: the balance, the newest entries, and what was just done.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::Entry;
use opencoin_bank::Iban;
use opencoin_http::{Server, shown};
use opencoin_ledger::{AccountEntry, EntryNo, EntryPage};
use opencoin_text::printable;
use serde::Deserialize;

use super::session::{Bar, Holder, Place};
use crate::address::Query;
use crate::format::Moment;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, Visit, page};
use crate::words::{DayOfEntries, by_day};

/// How many entries the page shows.
const NEWEST_ENTRIES: u32 = 10;

#[derive(Template)]
#[template(path = "account/overview.html")]
struct OverviewPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    paid: Option<Message>,
    payment_code: String,
    /// Where money is paid in.
    own_bank: Option<OwnBank>,
    days: Vec<DayOfEntries>,
    /// The number of the newest entry.
    newest: u64,
}

/// The operator's account at a bank.
struct OwnBank {
    name: String,
    iban: String,
}

impl OwnBank {
    /// That of the settings, if there is one.
    fn of(server: &Server) -> Option<Self> {
        let bank = server.issuer().bank_desk();
        let account = &bank.settings().account;
        let iban: Iban = account.iban.as_deref()?.parse().ok()?;
        Some(Self {
            name: account.name.as_deref().map(printable).unwrap_or_default(),
            iban: iban.grouped(),
        })
    }
}

/// What was just done.
#[derive(Deserialize)]
pub(super) struct Done {
    /// The entry of a payment.
    paid: Option<u64>,
}

/// `GET /account`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    Query(done): Query<Done>,
) -> PageResult {
    let t = visit.messages();
    let bar = holder.bar(&server, Place::Overview, visit.language).await?;
    let accounts = server.issuer().accounts();
    let newest = accounts
        .entries(
            holder.caller.account,
            EntryPage::Before(None),
            Some(NEWEST_ENTRIES),
        )
        .await?;
    let paid = match done.paid.and_then(|id| i64::try_from(id).ok()) {
        Some(no) => payment(&server, &holder, EntryNo::new(no)).await?,
        None => None,
    };
    let entries: Vec<Entry> = newest.items.into_iter().map(shown::entry).collect();
    let overview = OverviewPage {
        frame: visit.frame(bar.account()),
        t,
        paid: paid.map(|entry| {
            let entry = shown::entry(entry);
            let amount = bar.money.amount(entry.amount.unsigned_abs());
            let at = Moment::minute(visit.language, entry.at);
            t.account_paid(amount, entry.counterparty.unwrap_or_default(), at)
        }),
        own_bank: OwnBank::of(&server),
        payment_code: opencoin_bank::payment_code::of_account(bar.account()),
        newest: entries.first().map_or(0, |entry| entry.id),
        days: by_day(&entries, &bar.money, visit.language),
        bar,
    };
    Ok(page(StatusCode::OK, visit.language, &overview))
}

/// The entry of a payment by this account with this number.
async fn payment(
    server: &Server,
    holder: &Holder,
    no: EntryNo,
) -> Result<Option<AccountEntry>, opencoin_issuer::Refusal> {
    let before = EntryPage::After(EntryNo::new(no.get().saturating_sub(1)));
    let found = server
        .issuer()
        .accounts()
        .entries(holder.caller.account, before, Some(1))
        .await?;
    let is_payment = |entry: &AccountEntry| entry.no == no && !entry.received && entry.counterparty.is_some();
    Ok(found.items.into_iter().find(is_payment))
}
