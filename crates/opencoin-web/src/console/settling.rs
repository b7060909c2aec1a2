//! One payout: where it goes, and whether the bank has paid it or it has failed.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{Payout, PayoutState};
use opencoin_bank::{Destination, DestinationError};
use opencoin_http::{Server, shown};
use opencoin_issuer::accounts::text;
use opencoin_issuer::{AdminRight, Asked, Reason, Refusal};
use opencoin_ledger::{PayoutNo, Reference, Settlement};
use opencoin_text::printable;

use super::desk::{Bar, Desk, Place};
use crate::address::Path;
use crate::format::Money;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::payouts::{PayoutLine, line};
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/payout.html")]
struct PayoutPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    no: u64,
    account: String,
    amount: String,
    line: PayoutLine,
    /// What is wrong with the account at the bank.
    warning: Option<&'static str>,
    /// The file that it is in.
    file: Option<i64>,
    may_settle: bool,
    paid: Draft,
    failed: Draft,
}

/// How a payout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Paid,
    Failed,
}

/// The forms for one payout.
struct Settling<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    payout: Payout,
    file: Option<i64>,
    verdict: Verdict,
}

impl<'a> Settling<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, id: &str, verdict: Verdict) -> Result<Self, Failure> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no such payout");
        let no = id.parse().map(PayoutNo::new).map_err(|_| unknown())?;
        let payout = server.issuer().cashier().payout(no).await;
        let payout = payout.map_err(Refusal::from)?;
        let files = server.issuer().payout_desk();
        let file = files.exported(std::slice::from_ref(&payout)).await;
        let file = file.map_err(Refusal::from)?.first().map(|(_, file)| file.get());
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            payout: shown::payout(payout),
            file,
            verdict,
        })
    }

    fn number(&self) -> Result<PayoutNo, Refusal> {
        let no = i64::try_from(self.payout.id).map_err(|_| Refusal::unavailable())?;
        Ok(PayoutNo::new(no))
    }

    fn path(&self) -> String {
        format!("/console/payouts/{}", self.payout.id)
    }

    fn title(&self) -> Message {
        self.t.console_payout_number(self.payout.id)
    }
}

impl TwoSteps for Settling<'_> {
    const FIELDS: &'static [&'static str] = &["text"];
    type Order = Reference;

    fn read(&self, draft: &mut Draft) -> Option<Reference> {
        let text = text("text", draft.value("text")).ok();
        if text.is_none() {
            draft.blame("text", self.t.common_wrong_text());
        }
        text
    }

    async fn check(&self, _: &Reference) -> Result<(), Refusal> {
        match self.payout.state {
            PayoutState::Requested => Ok(()),
            PayoutState::Paid | PayoutState::Failed => Err(settled()),
        }
    }

    fn question(&self, text: &Reference) -> Question {
        let (t, account) = (self.t, self.payout.account.as_str());
        let (amount, text) = (self.money.amount(self.payout.amount), printable(text.as_str()));
        let shown = line(&self.payout, &self.money, t, self.desk.visit.language);
        let (question, explained, button, word) = match self.verdict {
            Verdict::Paid => (
                t.console_paid_question(amount, shown.destination, account, text),
                t.console_paid_explained(),
                t.console_paid_now(),
                "paid",
            ),
            Verdict::Failed => (
                t.console_failed_question(amount, shown.destination, account, text),
                t.console_failed_explained(),
                t.console_failed_now(),
                "failed",
            ),
        };
        let limit = self.server.issuer().second_person().amount();
        let above = limit.filter(|limit| self.payout.amount > limit.units());
        let (explained, button) = match above {
            Some(limit) => {
                let limit = self.money.amount(limit.units());
                (t.proposals_above(limit), t.proposals_propose_now())
            }
            None => (explained.into(), button),
        };
        let bar = self.desk.bar(self.server, Some(Place::Payouts));
        Question {
            frame: self.desk.visit.frame(self.title().plain()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text: question,
            explained,
            button,
            action: format!("{}/{word}/confirm", self.path()),
            back: self.path(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, text: &Reference) -> Result<String, Refusal> {
        let cashier = self.server.issuer().cashier();
        let acting = cashier.acting(&self.desk.operator.name);
        let no = self.number()?;
        let work = async {
            let (settlement, note) = match self.verdict {
                Verdict::Paid => (Settlement::Paid(text.clone()), Note::Paid(no.get())),
                Verdict::Failed => (Settlement::Failed(text.clone()), Note::Failed(no.get())),
            };
            Ok(match acting.settle(no, settlement).await? {
                Asked::Done(_) => note,
                Asked::Waits(proposal) => Note::Waits(proposal.no.get()),
            })
        };
        self.desk.once(sent, work).await?;
        Ok(self.desk.page_after(sent, "/console/payouts").await)
    }

    fn blame(&self, draft: &mut Draft, _: &Reference, refusal: &Refusal) -> Option<StatusCode> {
        if refusal.reason != Reason::ReferenceConflict {
            return None;
        }
        draft.blame("text", self.t.console_settled_before());
        Some(StatusCode::CONFLICT)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let t = self.t;
        let (mut paid, mut failed) = (
            Draft::fresh(self.desk.new_key()),
            Draft::fresh(self.desk.new_key()),
        );
        match self.verdict {
            Verdict::Paid => paid = draft,
            Verdict::Failed => failed = draft,
        }
        let form = PayoutPage {
            frame: self.desk.visit.frame(self.title().plain()),
            t,
            bar: self.desk.bar(self.server, Some(Place::Payouts)),
            no: self.payout.id,
            account: self.payout.account.clone(),
            amount: self.money.large(self.payout.amount),
            line: line(&self.payout, &self.money, t, self.desk.visit.language),
            warning: warning(&self.payout.destination, t),
            file: self.file,
            may_settle: self.payout.state == PayoutState::Requested
                && self.desk.may(AdminRight::ChangeAccounts),
            paid,
            failed,
        };
        Ok(page(status, self.desk.visit.language, &form))
    }
}

fn settled() -> Refusal {
    Refusal::new(Reason::ReferenceConflict, "the payout is settled already")
}

/// What an operator should look at before they pay.
pub(super) fn warning(destination: &str, t: Messages) -> Option<&'static str> {
    match Destination::read(destination) {
        Ok(_) => None,
        Err(DestinationError::NoIban) => Some(t.console_no_iban()),
        Err(DestinationError::Wrong(_)) => Some(t.console_wrong_iban()),
        Err(DestinationError::Several) => Some(t.console_several_ibans()),
    }
}

fn verdict(word: &str) -> Result<Verdict, Refusal> {
    match word {
        "paid" => Ok(Verdict::Paid),
        "failed" => Ok(Verdict::Failed),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// `GET /console/payouts/{id}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(id): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let form = Settling::of(&server, &desk, &id, Verdict::Paid).await?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/payouts/{id}/{verdict}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((id, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let form = Settling::of(&server, &desk, &id, verdict(&word)?).await?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/payouts/{id}/{verdict}/confirm`: records it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((id, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let form = Settling::of(&server, &desk, &id, verdict(&word)?).await?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
