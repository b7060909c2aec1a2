//! One line that matches no account: whose money it is, or why it is nobody's.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_bank::BankLineId;
use opencoin_http::Server;
use opencoin_issuer::accounts::{account_name, text};
use opencoin_issuer::{AdminRight, Asked, BankDeskError, Reason, Refusal};
use opencoin_ledger::bank::BankLineState;
use opencoin_ledger::{AccountName, AccountStatus, Reference};
use opencoin_text::printable;

use crate::address::Path;
use crate::console::desk::{Bar, Desk, Place};
use crate::format::Money;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, About, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

use super::kept::Kept;

#[derive(Template)]
#[template(path = "console/bank/line.html")]
struct LinePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    no: i64,
    /// The statement that was booked with it.
    statement: i64,
    amount: String,
    /// What the bank says of it: names and values.
    facts: Vec<(&'static str, String)>,
    state: Message,
    /// What somebody should know before they decide.
    warning: Option<Message>,
    may_decide: bool,
    assign: Draft,
    aside: Draft,
}

/// What is decided about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Assign,
    SetAside,
}

/// The order that was typed.
enum Order {
    Assign(AccountName),
    SetAside(Reference),
}

/// The forms for one line.
struct Deciding<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    kept: Kept,
    id: BankLineId,
    verdict: Verdict,
}

impl<'a> Deciding<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, no: &str, verdict: Verdict) -> Result<Self, Failure> {
        let (kept, id) = Kept::numbered(server, no).await?;
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            kept,
            id,
            verdict,
        })
    }

    fn path(&self) -> String {
        format!("/console/bank/lines/{}", self.kept.line.no.get())
    }

    fn units(&self) -> u64 {
        self.kept.line.amount().map_or(0, opencoin_ledger::Amount::units)
    }

    fn title(&self) -> String {
        self.t.bank_line_number(self.kept.line.no.get()).plain()
    }
}

impl TwoSteps for Deciding<'_> {
    const FIELDS: &'static [&'static str] = &["account", "reason"];
    type Order = Order;

    fn read(&self, draft: &mut Draft) -> Option<Order> {
        match self.verdict {
            Verdict::Assign => {
                let name = account_name(&draft.value("account").to_lowercase()).ok();
                if name.is_none() {
                    draft.blame("account", self.t.bank_no_such_account());
                }
                name.map(Order::Assign)
            }
            Verdict::SetAside => {
                let reason = text("reason", draft.value("reason")).ok();
                if reason.is_none() {
                    draft.blame("reason", self.t.common_wrong_text());
                }
                reason.map(Order::SetAside)
            }
        }
    }

    async fn check(&self, order: &Order) -> Result<(), Refusal> {
        if self.kept.line.state != BankLineState::Unmatched {
            return Err(BankDeskError::Decided(self.kept.line.state.clone()).into());
        }
        if let Order::Assign(name) = order {
            let profile = self.server.issuer().cashier().account(name).await?;
            if profile.account.status == AccountStatus::Closed {
                return Err(BankDeskError::ClosedAccount(name.clone()).into());
            }
        }
        Ok(())
    }

    fn question(&self, order: &Order) -> Question {
        let (t, amount) = (self.t, self.money.amount(self.units()));
        let party = printable(&self.kept.line.line.content.party);
        let (text, explained, button, word) = match order {
            Order::Assign(name) => (
                if party.is_empty() {
                    t.bank_assign_question_nameless(amount, name)
                } else {
                    t.bank_assign_question(amount, party, name)
                },
                t.bank_assign_explained(),
                t.bank_assign_now(),
                "assign",
            ),
            Order::SetAside(reason) => (
                if party.is_empty() {
                    t.bank_aside_question_nameless(amount, printable(reason.as_str()))
                } else {
                    t.bank_aside_question(amount, party, printable(reason.as_str()))
                },
                t.bank_aside_explained(),
                t.bank_aside_now(),
                "set-aside",
            ),
        };
        let limit = self.server.issuer().second_person().amount();
        let above = limit.filter(|limit| self.units() > limit.units());
        let (explained, button) = match (order, above) {
            (Order::Assign(_), Some(limit)) => {
                let limit = self.money.amount(limit.units());
                (t.proposals_above(limit), t.proposals_propose_now())
            }
            _ => (explained.into(), button),
        };
        let bar = self.desk.bar(self.server, Some(Place::Bank));
        Question {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text,
            explained,
            button,
            action: format!("{}/{word}/confirm", self.path()),
            back: self.path(),
        }
    }

    fn about(&self) -> About {
        About {
            warning: self.kept.warning(self.t),
            facts: self.kept.facts(self.desk.visit.language, self.t),
        }
    }

    async fn carry_out(&self, sent: &SentKey, order: &Order) -> Result<String, Refusal> {
        let bank = self.server.issuer().bank_desk();
        let acting = bank.acting(&self.desk.operator.name);
        let work = async {
            Ok(match order {
                Order::Assign(name) => match acting.assign(self.id, name).await {
                    Ok(Asked::Done(_)) => Note::LineAssigned(name.to_string()),
                    Ok(Asked::Waits(proposal)) => Note::Waits(proposal.no.get()),
                    Err(BankDeskError::NotYet(name)) => Note::LineReserved(name.to_string()),
                    Err(error) => return Err(error.into()),
                },
                Order::SetAside(reason) => {
                    acting.set_aside(self.id, reason.clone()).await?;
                    Note::LineSetAside
                }
            })
        };
        self.desk.once(sent, work).await?;
        Ok(self.desk.page_after(sent, "/console/bank/lines").await)
    }

    fn blame(&self, draft: &mut Draft, order: &Order, refusal: &Refusal) -> Option<StatusCode> {
        let (field, fault, status) = match (order, refusal.reason) {
            (Order::Assign(_), Reason::NotFound) => {
                ("account", self.t.bank_no_such_account(), StatusCode::NOT_FOUND)
            }
            (Order::Assign(_), Reason::Invalid) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                ("account", self.t.bank_account_refuses(), status)
            }
            (Order::Assign(_), Reason::Decided) => {
                ("account", self.t.bank_line_decided(), StatusCode::CONFLICT)
            }
            (Order::SetAside(_), Reason::Decided) => {
                ("reason", self.t.bank_line_decided(), StatusCode::CONFLICT)
            }
            _ => return None,
        };
        draft.blame(field, fault);
        Some(status)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let (t, language) = (self.t, self.desk.visit.language);
        let fresh = || Draft::fresh(self.desk.new_key());
        let (assign, aside) = match self.verdict {
            Verdict::Assign => (draft, fresh()),
            Verdict::SetAside => (fresh(), draft),
        };
        let form = LinePage {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: self.desk.bar(self.server, Some(Place::Bank)),
            no: self.kept.line.no.get(),
            statement: self.kept.line.statement.get(),
            amount: self.money.large(self.units()),
            facts: self.kept.facts(language, t),
            state: self.kept.state(t),
            warning: self.kept.warning(t),
            may_decide: self.kept.line.state == BankLineState::Unmatched
                && self.desk.may(AdminRight::ChangeAccounts),
            assign,
            aside,
        };
        Ok(page(status, language, &form))
    }
}

fn verdict(word: &str) -> Result<Verdict, Refusal> {
    match word {
        "assign" => Ok(Verdict::Assign),
        "set-aside" => Ok(Verdict::SetAside),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// `GET /console/bank/lines/{no}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let form = Deciding::of(&server, &desk, &no, Verdict::Assign).await?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/bank/lines/{no}/{verdict}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Deciding::of(&server, &desk, &no, verdict(&word)?).await?;
    steps::check(&form, &fields).await
}

/// `POST /console/bank/lines/{no}/{verdict}/confirm`: decides it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Deciding::of(&server, &desk, &no, verdict(&word)?).await?;
    steps::confirm(&form, &fields).await
}
