//! Payments to another account, in two steps.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::{Server, shown};
use opencoin_issuer::{Reason, Refusal};

use super::session::{Bar, Holder, Place};
use crate::messages::{Message, Messages};
use crate::site::Site;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Frame, PageResult, Visit, page};

const PATH: &str = "/account/pay";

#[derive(Template)]
#[template(path = "account/pay.html")]
struct PayPage<'a> {
    frame: Frame,
    t: Messages,
    bar: &'a Bar,
    draft: Draft,
}

/// The form of a holder.
struct Pay<'a> {
    server: &'a Server,
    visit: &'a Visit,
    holder: &'a Holder,
    t: Messages,
    bar: Bar,
}

struct Order {
    to: String,
    amount: u64,
    label: String,
}

impl<'a> Pay<'a> {
    async fn of(server: &'a Arc<Server>, visit: &'a Visit, holder: &'a Holder) -> Result<Self, Refusal> {
        Ok(Self {
            bar: holder.bar(server, Place::Pay, visit.language).await?,
            t: visit.messages(),
            server,
            visit,
            holder,
        })
    }
}

impl TwoSteps for Pay<'_> {
    const FIELDS: &'static [&'static str] = &["to", "amount", "label"];
    type Order = Order;

    fn read(&self, draft: &mut Draft) -> Option<Order> {
        let amount = draft.take_amount("amount", &self.bar.money, self.t);
        Some(Order {
            to: draft.value("to").to_lowercase(),
            amount: amount?,
            label: draft.value("label").to_owned(),
        })
    }

    async fn check(&self, Order { to, amount, label }: &Order) -> Result<(), Refusal> {
        let accounts = self.server.issuer().accounts();
        let from = self.holder.caller.account;
        self.bar.check_open()?;
        if to == self.bar.account() {
            return Err(Refusal::new(Reason::Invalid, "an account cannot pay itself"));
        }
        accounts.check_transfer(from, to, *amount, label).await
    }

    fn question(&self, Order { to, amount, label }: &Order) -> Question {
        let (t, amount) = (self.t, self.bar.money.amount(*amount));
        Question {
            frame: self.visit.frame(t.account_pay()),
            t,
            bar: self.bar.html(t),
            form_token: self.bar.form_token.clone(),
            text: if label.is_empty() {
                t.account_pay_question(amount, to)
            } else {
                t.account_pay_question_for(amount, to, opencoin_text::printable(label))
            },
            explained: t.account_no_undo().into(),
            button: t.account_pay_now(),
            action: format!("{PATH}/confirm"),
            back: PATH.to_owned(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, order: &Order) -> Result<String, Refusal> {
        let Order { to, amount, label } = order;
        let accounts = self.server.issuer().accounts();
        let from = self.holder.caller.account;
        let paid = accounts.transfer(from, sent.key.clone(), to, *amount, label);
        let (entry, _repeated) = paid.await?;
        Ok(format!("/account?paid={}", shown::entry(entry).id))
    }

    fn blame(&self, draft: &mut Draft, order: &Order, refusal: &Refusal) -> Option<StatusCode> {
        match refusal.reason {
            Reason::InsufficientFunds => {
                draft.blame("amount", missing(&self.bar, self.t, order.amount));
                Some(StatusCode::PAYMENT_REQUIRED)
            }
            Reason::NotFound => {
                draft.blame("to", self.t.account_no_such_payee(&order.to));
                Some(StatusCode::NOT_FOUND)
            }
            Reason::Forbidden if self.bar.is_frozen() => {
                draft.blame("amount", self.t.account_frozen());
                Some(StatusCode::FORBIDDEN)
            }
            Reason::Invalid if order.to == self.bar.account() => {
                draft.blame("to", self.t.account_own_account());
                Some(StatusCode::UNPROCESSABLE_ENTITY)
            }
            Reason::Invalid if refusal.description.starts_with("label") => {
                draft.blame("label", self.t.common_wrong_text());
                Some(StatusCode::UNPROCESSABLE_ENTITY)
            }
            _ => None,
        }
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let pay = PayPage {
            frame: self.visit.frame(self.t.account_pay()),
            t: self.t,
            bar: &self.bar,
            draft,
        };
        Ok(page(status, self.visit.language, &pay))
    }
}

/// `GET /account/pay`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
) -> PageResult {
    let form = Pay::of(&server, &visit, &holder).await?;
    form.form(Draft::fresh(site.idempotency_key()), StatusCode::OK)
        .await
}

/// `POST /account/pay`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    steps::check(&Pay::of(&server, &visit, &holder).await?, &fields).await
}

/// `POST /account/pay/confirm`: pays.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    steps::confirm(&Pay::of(&server, &visit, &holder).await?, &fields).await
}

/// How much the account lacks.
pub(super) fn missing(bar: &Bar, t: Messages, amount: u64) -> Message {
    let balance = bar.profile.account.balance.units();
    t.common_missing(bar.money.amount(amount.saturating_sub(balance)))
}
