//! Payments to another account, in two steps: the form, and the question whether it is right.
//!
//! Both steps carry the same idempotency key. So a payment is made once, however often its form is sent, also if the
//! first answer was lost.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_http::{Server, shown};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::IdempotencyKey;

use super::session::{Bar, Holder, Place};
use crate::format::AmountFault;
use crate::forms::Fields;
use crate::messages::{Message, Messages};
use crate::site::Site;
use crate::visit::{Failure, Frame, PageResult, Visit, page, see_other};

#[derive(Template)]
#[template(path = "account/pay.html")]
struct PayPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    key: String,
    typed: Typed,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "account/pay_confirm.html")]
struct ConfirmPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    key: String,
    typed: Typed,
    question: Message,
}

/// What the holder has typed.
#[derive(Default)]
struct Typed {
    to: String,
    amount: String,
    label: String,
}

impl Typed {
    fn of(fields: &Fields) -> Self {
        Self {
            to: fields.trimmed("to").to_lowercase(),
            amount: fields.trimmed("amount").to_owned(),
            label: fields.trimmed("label").to_owned(),
        }
    }
}

/// What is wrong with it.
#[derive(Default)]
struct Faults {
    to: Option<Message>,
    amount: Option<Message>,
    label: Option<Message>,
}

/// `GET /account/pay`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
) -> PageResult {
    let bar = holder.bar(&server, Place::Pay, visit.language).await?;
    let key = site.idempotency_key();
    Ok(form(
        &visit,
        bar,
        key,
        Typed::default(),
        Faults::default(),
        StatusCode::OK,
    ))
}

fn form(
    visit: &Visit,
    bar: Bar,
    key: String,
    typed: Typed,
    faults: Faults,
    status: StatusCode,
) -> Response<Body> {
    let t = visit.messages();
    let pay = PayPage {
        frame: visit.frame(t.account_pay()),
        t,
        bar,
        key,
        typed,
        faults,
    };
    page(status, visit.language, &pay)
}

/// `POST /account/pay`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let (key, typed) = (key(&fields)?, Typed::of(&fields));
    let bar = holder.bar(&server, Place::Pay, visit.language).await?;
    let t = visit.messages();
    let amount = match bar.money.read(&typed.amount) {
        Ok(units) => units,
        Err(fault) => {
            let faults = Faults {
                amount: Some(amount_fault(t, fault).into()),
                ..Faults::default()
            };
            return Ok(form(
                &visit,
                bar,
                key.as_str().to_owned(),
                typed,
                faults,
                StatusCode::UNPROCESSABLE_ENTITY,
            ));
        }
    };
    let checked = server
        .issuer()
        .accounts()
        .check_transfer(holder.caller.account, &typed.to, amount, &typed.label)
        .await;
    if let Err(refusal) = checked {
        return refused(&visit, bar, key, typed, amount, refusal);
    }
    let amount = bar.money.amount(amount);
    let question = if typed.label.is_empty() {
        t.account_pay_question(amount, &typed.to)
    } else {
        t.account_pay_question_for(amount, &typed.to, opencoin_text::printable(&typed.label))
    };
    let confirm = ConfirmPage {
        frame: visit.frame(t.account_pay()),
        t,
        bar,
        key: key.as_str().to_owned(),
        typed,
        question,
    };
    Ok(page(StatusCode::OK, visit.language, &confirm))
}

/// `POST /account/pay/confirm`: pays.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let (key, typed) = (key(&fields)?, Typed::of(&fields));
    let bar = holder.bar(&server, Place::Pay, visit.language).await?;
    let invalid = |_| Refusal::new(Reason::Invalid, "the form has no amount");
    let amount = bar.money.read(&typed.amount).map_err(invalid)?;
    let paid = server
        .issuer()
        .accounts()
        .transfer(
            holder.caller.account,
            key.clone(),
            &typed.to,
            amount,
            &typed.label,
        )
        .await;
    match paid {
        Ok((entry, _repeated)) => {
            let id = shown::entry(entry).id;
            Ok(see_other(&format!("/account?paid={id}")))
        }
        Err(refusal) => refused(&visit, bar, key, typed, amount, refusal),
    }
}

/// The form again, with what is wrong. A refusal that is not about it becomes a page of its own.
fn refused(
    visit: &Visit,
    bar: Bar,
    key: IdempotencyKey,
    typed: Typed,
    amount: u64,
    refusal: Refusal,
) -> PageResult {
    let t = visit.messages();
    let mut faults = Faults::default();
    let status = match refusal.reason {
        Reason::InsufficientFunds => {
            faults.amount = Some(missing(&bar, t, amount));
            StatusCode::PAYMENT_REQUIRED
        }
        Reason::NotFound => {
            faults.to = Some(t.account_no_such_payee(&typed.to));
            StatusCode::NOT_FOUND
        }
        Reason::Invalid if refusal.description.starts_with("label") => {
            faults.label = Some(t.account_wrong_text().into());
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => return Err(Failure::from(refusal)),
    };
    Ok(form(visit, bar, key.as_str().to_owned(), typed, faults, status))
}

/// How much the account lacks.
pub(super) fn missing(bar: &Bar, t: Messages, amount: u64) -> Message {
    let balance = bar.profile.account.balance.units();
    t.account_missing(bar.money.amount(amount.saturating_sub(balance)))
}

pub(super) fn amount_fault(t: Messages, fault: AmountFault) -> &'static str {
    match fault {
        AmountFault::Form => t.account_amount_form(),
        AmountFault::Grouped => t.account_amount_grouped(),
        AmountFault::TooFine => t.account_amount_too_fine(),
    }
}

/// The idempotency key that was rendered into a form.
pub(super) fn key(fields: &Fields) -> Result<IdempotencyKey, Refusal> {
    let malformed = |_| Refusal::new(Reason::Malformed, "the form has no idempotency key");
    IdempotencyKey::new(fields.text("key")).map_err(malformed)
}
