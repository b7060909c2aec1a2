//! Payouts to a bank: the list, the newest first, and a request in two steps.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::PayoutState;
use opencoin_bank::{Destination, DestinationError};
use opencoin_http::{Server, shown};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{Payout, PayoutNo, Reference};
use serde::Deserialize;

use super::pay::missing;
use super::session::{Bar, Holder, Place};
use crate::address::Query;
use crate::format::{Moment, utc};
use crate::messages::{Message, Messages};
use crate::payouts::{PayoutLine, destination, line};
use crate::site::Site;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Frame, PageResult, Visit, page};

const PATH: &str = "/account/payouts";
/// The most payouts on a page.
const PAYOUTS_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "account/payouts.html")]
struct PayoutsPage<'a> {
    frame: Frame,
    t: Messages,
    bar: &'a Bar,
    draft: Draft,
    /// That the payout was requested.
    requested: Option<Message>,
    payouts: Vec<PayoutLine>,
    /// The address of the page with earlier payouts.
    earlier: Option<String>,
}

/// The page of payouts, and which one was just requested.
#[derive(Default, Deserialize)]
pub(super) struct Shown {
    requested: Option<i64>,
    /// Payouts before this one.
    before: Option<i64>,
}

/// The page of a holder, with the form of a request.
struct Request<'a> {
    server: &'a Arc<Server>,
    visit: &'a Visit,
    holder: &'a Holder,
    t: Messages,
    bar: Bar,
    shown: Shown,
}

struct Order {
    amount: u64,
    destination: Reference,
}

impl<'a> Request<'a> {
    async fn of(
        server: &'a Arc<Server>,
        visit: &'a Visit,
        holder: &'a Holder,
        shown: Shown,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            bar: holder.bar(server, Place::Payouts, visit.language).await?,
            t: visit.messages(),
            server,
            visit,
            holder,
            shown,
        })
    }
}

impl TwoSteps for Request<'_> {
    const FIELDS: &'static [&'static str] = &["amount", "destination"];
    type Order = Order;

    fn read(&self, draft: &mut Draft) -> Option<Order> {
        let amount = draft.take_amount("amount", &self.bar.money, self.t);
        let destination = draft.value("destination");
        let destination = opencoin_issuer::accounts::text("destination", destination).ok();
        // A destination without an IBAN may be meant for a person at the desk.
        let fault = match &destination {
            None => Some(self.t.common_wrong_text()),
            Some(text) => match Destination::read(text.as_str()) {
                Ok(_) | Err(DestinationError::NoIban) => None,
                Err(DestinationError::Wrong(_)) => Some(self.t.account_wrong_iban()),
                Err(DestinationError::Several) => Some(self.t.account_several_ibans()),
            },
        };
        if let Some(fault) = fault {
            draft.blame("destination", fault);
        }
        Some(Order {
            amount: amount?,
            destination: destination.filter(|_| fault.is_none())?,
        })
    }

    async fn check(&self, order: &Order) -> Result<(), Refusal> {
        self.bar.check_open()?;
        if order.amount > self.bar.profile.account.balance.units() {
            return Err(Refusal::new(
                Reason::InsufficientFunds,
                "the balance of the account is too low",
            ));
        }
        Ok(())
    }

    fn question(&self, order: &Order) -> Question {
        let (t, amount) = (self.t, self.bar.money.amount(order.amount));
        Question {
            frame: self.visit.frame(t.account_payouts()),
            t,
            bar: self.bar.html(t),
            form_token: self.bar.form_token.clone(),
            text: t.account_payout_question(amount, destination(order.destination.as_str())),
            explained: t.account_payout_explained().into(),
            button: t.account_payout_now(),
            action: format!("{PATH}/confirm"),
            back: PATH.to_owned(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, order: &Order) -> Result<String, Refusal> {
        let accounts = self.server.issuer().accounts();
        let (from, destination) = (self.holder.caller.account, order.destination.as_str());
        let requested = accounts.request_payout(from, sent.key.clone(), order.amount, destination);
        let (payout, _) = requested.await?;
        Ok(format!("{PATH}?requested={}", payout.no.get()))
    }

    fn blame(&self, draft: &mut Draft, order: &Order, refusal: &Refusal) -> Option<StatusCode> {
        if refusal.reason == Reason::Forbidden && self.bar.is_frozen() {
            draft.blame("amount", self.t.account_frozen());
            return Some(StatusCode::FORBIDDEN);
        }
        if refusal.reason != Reason::InsufficientFunds {
            return None;
        }
        draft.blame("amount", missing(&self.bar, self.t, order.amount));
        Some(StatusCode::PAYMENT_REQUIRED)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let (language, t) = (self.visit.language, self.t);
        let before = self.shown.before.map(PayoutNo::new);
        let accounts = self.server.issuer().accounts();
        let payouts = accounts.newest_payouts(self.holder.caller.account, before, Some(PAYOUTS_PER_PAGE));
        let payouts = payouts.await?;
        let is_full = payouts.len() >= PAYOUTS_PER_PAGE as usize;
        let last = payouts.last().filter(|_| is_full).map(|payout| payout.no.get());
        let just_requested = |payout: &&Payout| self.shown.requested == Some(payout.no.get());
        let requested = payouts.iter().find(just_requested).map(|payout| {
            let amount = self.bar.money.amount(payout.amount.units());
            let at = Moment::minute(language, utc(payout.requested));
            t.account_payout_requested(amount, destination(payout.destination.as_str()), at)
        });
        let list = PayoutsPage {
            frame: self.visit.frame(t.account_payouts()),
            t,
            bar: &self.bar,
            draft,
            requested,
            earlier: last.map(|last| format!("{PATH}?before={last}")),
            payouts: payouts
                .into_iter()
                .map(|payout| line(&shown::payout(payout), &self.bar.money, t, language))
                .collect(),
        };
        Ok(page(status, language, &list))
    }
}

/// `GET /account/payouts`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
    Query(shown): Query<Shown>,
) -> PageResult {
    let form = Request::of(&server, &visit, &holder, shown).await?;
    form.form(Draft::fresh(site.idempotency_key()), StatusCode::OK)
        .await
}

/// `POST /account/payouts`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let form = Request::of(&server, &visit, &holder, Shown::default()).await?;
    steps::check(&form, &fields).await
}

/// `POST /account/payouts/confirm`: requests the payout.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let form = Request::of(&server, &visit, &holder, Shown::default()).await?;
    steps::confirm(&form, &fields).await
}
