//! Credits and debits. Each reference is booked once.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::accounts::{account_name, positive, text};
use opencoin_issuer::{AdminRight, Asked, Reason, Refusal};
use opencoin_ledger::bank::line_with_credit_reference;
use opencoin_ledger::{AccountName, Amount, Consent, Profile, Reference};
use opencoin_text::printable;

use super::desk::{Bar, Desk, Place};
use crate::address::Path;
use crate::format::Money;
use crate::messages::Messages;
use crate::notes::{Note, Way};
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/booking.html")]
struct BookingPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    title: String,
    action: String,
    account: String,
    balance: String,
    money: Money,
    draft: Draft,
}

fn way_of(word: &str) -> Result<Way, Refusal> {
    match word {
        "credit" => Ok(Way::Credit),
        "debit" => Ok(Way::Debit),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// The form for one account.
struct Booking<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    way: Way,
    profile: Profile,
}

struct Order {
    amount: Amount,
    reference: Reference,
}

impl<'a> Booking<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, name: &str, way: &str) -> Result<Self, Failure> {
        desk.needs(server, AdminRight::ChangeAccounts)?;
        let way = way_of(way)?;
        let profile = server.issuer().cashier().account(&account_name(name)?).await;
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            way,
            profile: profile.map_err(Refusal::from)?,
        })
    }

    fn name(&self) -> &AccountName {
        &self.profile.account.name
    }

    fn path(&self) -> String {
        let way = match self.way {
            Way::Credit => "credit",
            Way::Debit => "debit",
        };
        let name = self.name().as_str();
        format!("/console/accounts/{name}/book/{way}")
    }

    fn title(&self) -> String {
        let name = self.name().as_str();
        match self.way {
            Way::Credit => self.t.console_credit_account(name).plain(),
            Way::Debit => self.t.console_debit_account(name).plain(),
        }
    }
}

impl TwoSteps for Booking<'_> {
    const FIELDS: &'static [&'static str] = &["amount", "reference"];
    type Order = Order;

    fn read(&self, draft: &mut Draft) -> Option<Order> {
        let amount = draft.take_amount("amount", &self.money, self.t);
        let reference = text("reference", draft.value("reference")).ok();
        let line = reference.as_ref().and_then(line_with_credit_reference);
        if line.is_some() {
            draft.blame("reference", self.t.console_reference_of_line());
        } else if reference.is_none() {
            draft.blame("reference", self.t.common_wrong_text());
        }
        Some(Order {
            amount: positive(amount?).ok()?,
            reference: reference.filter(|_| line.is_none())?,
        })
    }

    async fn check(&self, order: &Order) -> Result<(), Refusal> {
        if self.way == Way::Debit && self.profile.account.balance < order.amount {
            return Err(Refusal::new(
                Reason::InsufficientFunds,
                "the balance of the account is too low",
            ));
        }
        Ok(())
    }

    fn question(&self, order: &Order) -> Question {
        let (t, name) = (self.t, self.name().as_str());
        let amount = self.money.amount(order.amount.units());
        let reference = printable(order.reference.as_str());
        let (text, explained, button) = match self.way {
            Way::Credit => (
                t.console_credit_question(amount, name, reference),
                t.console_credit_explained(),
                t.console_credit_now(),
            ),
            Way::Debit => (
                t.console_debit_question(amount, name, reference),
                t.console_debit_explained(),
                t.console_debit_now(),
            ),
        };
        let limit = self.server.issuer().second_person();
        let (explained, button) = match (limit.consent(order.amount), limit.amount()) {
            (Consent::Needed, Some(limit)) => {
                let limit = self.money.amount(limit.units());
                (t.proposals_above(limit), t.proposals_propose_now())
            }
            _ => (explained.into(), button),
        };
        let bar = self.desk.bar(self.server, Some(Place::Accounts));
        Question {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text,
            explained,
            button,
            action: format!("{}/confirm", self.path()),
            back: format!("/console/accounts/{name}"),
        }
    }

    async fn carry_out(&self, sent: &SentKey, order: &Order) -> Result<String, Refusal> {
        let (cashier, name) = (self.server.issuer().cashier(), self.name());
        let acting = cashier.acting(&self.desk.operator.name);
        let work = async {
            let (amount, reference) = (order.amount, order.reference.clone());
            let asked = match self.way {
                Way::Credit => acting.credit(name, amount, reference).await?,
                Way::Debit => acting.debit(name, amount, reference).await?,
            };
            Ok(match asked {
                Asked::Done(applied) => Note::Booked {
                    way: self.way,
                    account: name.as_str().to_owned(),
                    units: amount.units(),
                    repeated: applied.repeated,
                },
                Asked::Waits(proposal) => Note::Waits(proposal.no.get()),
            })
        };
        self.desk.once(sent, work).await?;
        let account = format!("/console/accounts/{}", name.as_str());
        Ok(self.desk.page_after(sent, &account).await)
    }

    fn blame(&self, draft: &mut Draft, order: &Order, refusal: &Refusal) -> Option<StatusCode> {
        match refusal.reason {
            Reason::InsufficientFunds => {
                let balance = self.profile.account.balance.units();
                let missing = order.amount.units().saturating_sub(balance);
                draft.blame("amount", self.t.common_missing(self.money.amount(missing)));
                Some(StatusCode::PAYMENT_REQUIRED)
            }
            Reason::ReferenceConflict => {
                draft.blame("reference", self.t.console_reference_used());
                Some(StatusCode::CONFLICT)
            }
            _ => None,
        }
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let form = BookingPage {
            frame: self.desk.visit.frame(self.title()),
            t: self.t,
            bar: self.desk.bar(self.server, Some(Place::Accounts)),
            title: self.title(),
            action: self.path(),
            account: self.name().as_str().to_owned(),
            balance: self.money.amount(self.profile.account.balance.units()),
            money: self.money.clone(),
            draft,
        };
        Ok(page(status, self.desk.visit.language, &form))
    }
}

/// `GET /console/accounts/{name}/book/{way}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, way)): Path<(String, String)>,
) -> PageResult {
    let form = Booking::of(&server, &desk, &name, &way).await?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/accounts/{name}/book/{way}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, way)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    let form = Booking::of(&server, &desk, &name, &way).await?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/accounts/{name}/book/{way}/confirm`: books it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, way)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    let form = Booking::of(&server, &desk, &name, &way).await?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
