//! Payouts to a bank: the list, and a request in two steps.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use opencoin_api::{PAGE_LENGTH_MAX, Payout, PayoutState};
use opencoin_http::{Server, shown};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::PayoutNo;
use opencoin_text::printable;
use serde::Deserialize;

use super::pay::{amount_fault, key, missing};
use super::session::{Bar, Holder, Place};
use crate::format::{Moment, Money};
use crate::forms::Fields;
use crate::language::Language;
use crate::messages::{Message, Messages};
use crate::site::Site;
use crate::visit::{Failure, Frame, PageResult, Visit, page, see_other};

#[derive(Template)]
#[template(path = "account/payouts.html")]
struct PayoutsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    key: String,
    typed: Typed,
    faults: Faults,
    requested: bool,
    payouts: Vec<PayoutLine>,
    /// The address of the page with later payouts.
    later: Option<String>,
}

#[derive(Template)]
#[template(path = "account/payout_confirm.html")]
struct ConfirmPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    key: String,
    typed: Typed,
    question: Message,
}

#[derive(Default)]
struct Typed {
    amount: String,
    destination: String,
}

#[derive(Default)]
struct Faults {
    amount: Option<Message>,
    destination: Option<Message>,
}

struct PayoutLine {
    at: Moment,
    amount: String,
    destination: String,
    state: PayoutState,
    note: Option<Message>,
}

/// The page of payouts, and whether one was just requested.
#[derive(Default, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    requested: String,
    after: Option<u64>,
}

/// `GET /account/payouts`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
    Query(shown): Query<Shown>,
) -> PageResult {
    let key = site.idempotency_key();
    list(
        &server,
        &visit,
        &holder,
        shown,
        (key, Typed::default(), Faults::default()),
        StatusCode::OK,
    )
    .await
}

async fn list(
    server: &Arc<Server>,
    visit: &Visit,
    holder: &Holder,
    shown: Shown,
    (key, typed, faults): (String, Typed, Faults),
    status: StatusCode,
) -> PageResult {
    let (language, t) = (visit.language, visit.messages());
    let bar = holder.bar(server, Place::Payouts, language).await?;
    let after = shown.after.and_then(|after| i64::try_from(after).ok());
    let after = after.map_or(PayoutNo::BEFORE_ALL, PayoutNo::new);
    let payouts = server
        .issuer()
        .accounts()
        .payouts(holder.caller.account, after, Some(PAGE_LENGTH_MAX))
        .await?;
    let is_full = payouts.len() >= PAGE_LENGTH_MAX as usize;
    let payouts: Vec<Payout> = payouts.into_iter().map(shown::payout).collect();
    let last = payouts.last().filter(|_| is_full);
    let later = last.map(|payout| format!("/account/payouts?after={}", payout.id));
    let page_of = PayoutsPage {
        frame: visit.frame(t.account_payouts()),
        t,
        key,
        typed,
        faults,
        requested: !shown.requested.is_empty(),
        payouts: payouts
            .iter()
            .rev()
            .map(|payout| line(payout, &bar.money, t, language))
            .collect(),
        later,
        bar,
    };
    Ok(page(status, language, &page_of))
}

fn line(payout: &Payout, money: &Money, t: Messages, language: Language) -> PayoutLine {
    let note = payout.note.as_deref().map(printable);
    PayoutLine {
        at: Moment::minute(language, payout.requested_at),
        amount: money.number(payout.amount),
        destination: printable(&payout.destination),
        state: payout.state,
        note: note.map(|note| match payout.state {
            PayoutState::Failed => t.account_payout_reason(note),
            PayoutState::Paid | PayoutState::Requested => t.account_payout_reference(note),
        }),
    }
}

/// `POST /account/payouts`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let (key, typed) = (key(&fields)?.as_str().to_owned(), typed(&fields));
    let t = visit.messages();
    let bar = holder.bar(&server, Place::Payouts, visit.language).await?;
    let mut faults = Faults::default();
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    let amount = bar.money.read(&typed.amount);
    match amount {
        Err(fault) => faults.amount = Some(amount_fault(t, fault).into()),
        Ok(units) if units > bar.profile.account.balance.units() => {
            faults.amount = Some(missing(&bar, t, units));
            status = StatusCode::PAYMENT_REQUIRED;
        }
        Ok(_) => {}
    }
    if opencoin_issuer::accounts::text("destination", &typed.destination).is_err() {
        faults.destination = Some(t.account_wrong_text().into());
    }
    let (Ok(units), None, None) = (amount, &faults.amount, &faults.destination) else {
        return list(
            &server,
            &visit,
            &holder,
            Shown::default(),
            (key, typed, faults),
            status,
        )
        .await;
    };
    let question = t.account_payout_question(bar.money.amount(units), printable(&typed.destination));
    let confirm = ConfirmPage {
        frame: visit.frame(t.account_payouts()),
        t,
        bar,
        key,
        typed,
        question,
    };
    Ok(page(StatusCode::OK, visit.language, &confirm))
}

/// `POST /account/payouts/confirm`: requests the payout.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let (key, typed) = (key(&fields)?, typed(&fields));
    let bar = holder.bar(&server, Place::Payouts, visit.language).await?;
    let invalid = |_| Refusal::new(Reason::Invalid, "the form has no amount");
    let amount = bar.money.read(&typed.amount).map_err(invalid)?;
    let requested = server
        .issuer()
        .accounts()
        .request_payout(holder.caller.account, key.clone(), amount, &typed.destination)
        .await;
    match requested {
        Ok(_) => Ok(requested_page()),
        Err(refusal) if refusal.reason == Reason::InsufficientFunds => {
            let faults = Faults {
                amount: Some(missing(&bar, visit.messages(), amount)),
                destination: None,
            };
            let form = (key.as_str().to_owned(), typed, faults);
            list(
                &server,
                &visit,
                &holder,
                Shown::default(),
                form,
                StatusCode::PAYMENT_REQUIRED,
            )
            .await
        }
        Err(refusal) => Err(Failure::from(refusal)),
    }
}

fn requested_page() -> Response<Body> {
    see_other("/account/payouts?requested=1")
}

fn typed(fields: &Fields) -> Typed {
    Typed {
        amount: fields.trimmed("amount").to_owned(),
        destination: fields.trimmed("destination").to_owned(),
    }
}
