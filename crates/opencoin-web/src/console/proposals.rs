//! Operations that wait for a second person, and one of them: who has proposed it, and whether it is carried out.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, BankDeskError, ProposalError, Reason, Refusal};
use opencoin_ledger::{LedgerTime, Proposal, ProposalFilter, ProposalNo, Proposed, Reference};
use opencoin_text::printable;
use serde::Deserialize;

use super::bank::ProposedLine;
use super::desk::{After, Bar, Desk, Done, Place};
use crate::address::{Path, Query};
use crate::format::{Moment, Money};
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, About, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

/// The most proposals on a page.
const PROPOSALS_PER_PAGE: u32 = 50;
/// The name under which a refused verdict is noted. There is no such field.
const VERDICT: &str = "verdict";

#[derive(Template)]
#[template(path = "console/proposals.html")]
struct ProposalsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    explained: Option<Message>,
    currency: String,
    all: bool,
    proposals: Vec<Line>,
    /// The address of the next page.
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/proposal.html")]
struct ProposalPage<'a> {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    amount: String,
    line: Line,
    account: String,
    text: String,
    payout: Option<i64>,
    /// The line of the bank that it credits.
    bank_line: Option<&'a ProposedLine>,
    /// Whether the operator has made it.
    is_own: bool,
    may_decide: bool,
    approve: Draft,
    decline: Draft,
}

/// A proposal as a line of a list.
struct Line {
    no: i64,
    at: Moment,
    operator: String,
    what: Message,
    amount: String,
    class: &'static str,
    state: Message,
    decided: Option<Moment>,
}

/// Which proposals are asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Not empty: also those that were decided.
    #[serde(default)]
    all: String,
    /// Proposals after this one.
    after: Option<i64>,
}

/// `GET /console/proposals`.
pub(super) async fn show_all(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let (money, all) = (desk.money(&server), !asked.all.is_empty());
    let filter = if all {
        ProposalFilter::All
    } else {
        ProposalFilter::Waiting
    };
    let beyond = asked.after.map_or(ProposalNo::BEFORE_ALL, ProposalNo::new);
    let proposals = server.issuer().proposal_desk();
    let found = proposals.proposals(filter, beyond, PROPOSALS_PER_PAGE).await;
    let found = found.map_err(Refusal::from)?;
    let is_full = found.len() >= PROPOSALS_PER_PAGE as usize;
    let next = found.last().filter(|_| is_full).map(|last| {
        let all = if all { "all=1&" } else { "" };
        format!("/console/proposals?{all}after={}", last.no.get())
    });
    let limit = server.issuer().second_person().amount();
    let shown = ProposalsPage {
        frame: desk.visit.frame(t.proposals_title()),
        t,
        bar: desk.bar(&server, Some(Place::Proposals)),
        done: desk.said(&after, &money).await,
        explained: limit.map(|limit| t.proposals_explained(money.amount(limit.units()))),
        currency: money.name(),
        all,
        proposals: found
            .iter()
            .map(|proposal| line(proposal, &money, &desk))
            .collect(),
        next,
    };
    Ok(page(StatusCode::OK, language, &shown))
}

fn line(proposal: &Proposal, money: &Money, desk: &Desk) -> Line {
    let (t, language) = (desk.visit.messages(), desk.visit.language);
    let moment = |at: LedgerTime| {
        let at = DateTime::from_timestamp_micros(at.unix_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Moment::minute(language, at)
    };
    let (class, state) = match &proposal.verdict {
        None => ("warn", t.proposals_state_waiting().into()),
        Some(verdict) => {
            let by = verdict.operator.as_str();
            if verdict.carried_out {
                ("good", t.proposals_state_carried_out(by))
            } else if verdict.operator == proposal.operator {
                ("", t.proposals_state_withdrawn(by))
            } else {
                ("bad", t.proposals_state_declined(by))
            }
        }
    };
    Line {
        no: proposal.no.get(),
        at: moment(proposal.at),
        operator: proposal.operator.as_str().to_owned(),
        what: what(proposal, t),
        amount: money.number(proposal.amount.units()),
        class,
        state,
        decided: proposal.verdict.as_ref().map(|verdict| moment(verdict.at)),
    }
}

fn what(proposal: &Proposal, t: Messages) -> Message {
    let account = proposal.account.name.as_str();
    match &proposal.proposed {
        Proposed::Credit(_) => t.proposals_credit(account),
        Proposed::Debit(_) => t.proposals_debit(account),
        Proposed::AssignRecovered(_) => t.proposals_assign_recovered(account),
        Proposed::TakeRecovered(_) => t.proposals_take_recovered(account),
        Proposed::PayPayout(payout, _) => t.proposals_paid(payout.get(), account),
        Proposed::FailPayout(payout, _) => t.proposals_failed(payout.get(), account),
        Proposed::AssignBankLine(_) => t.proposals_assign_line(account),
    }
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Approve,
    Decline,
}

/// The forms for one proposal.
struct Deciding<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    proposal: Proposal,
    bank_line: Option<ProposedLine>,
    verdict: Verdict,
    done: Option<Done>,
}

impl<'a> Deciding<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, id: &str, verdict: Verdict) -> Result<Self, Failure> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no such proposal");
        let no = id.parse().map(ProposalNo::new).map_err(|_| unknown())?;
        let proposal = server.issuer().proposal_desk().proposal(no).await;
        let proposal = proposal.map_err(Refusal::from)?;
        let bank_line = match proposal.proposed.line() {
            Some(line) => Some(ProposedLine::of(server, desk, line).await?),
            None => None,
        };
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            proposal,
            bank_line,
            verdict,
            done: None,
        })
    }

    fn no(&self) -> i64 {
        self.proposal.no.get()
    }

    fn path(&self) -> String {
        format!("/console/proposals/{}", self.no())
    }

    fn is_own(&self) -> bool {
        self.proposal.operator == self.desk.operator.name
    }

    fn title(&self) -> String {
        self.t.proposals_number(self.no()).plain()
    }

    fn approve_question(&self) -> Message {
        let (t, proposal) = (self.t, &self.proposal);
        let amount = self.money.amount(proposal.amount.units());
        let (account, by) = (proposal.account.name.as_str(), proposal.operator.as_str());
        let shown = |text: &Reference| printable(text.as_str());
        match &proposal.proposed {
            Proposed::Credit(text) => t.proposals_approve_credit(amount, account, shown(text), by),
            Proposed::Debit(text) => t.proposals_approve_debit(amount, account, shown(text), by),
            Proposed::AssignRecovered(text) => {
                t.proposals_approve_assign_recovered(amount, account, shown(text), by)
            }
            Proposed::TakeRecovered(text) => {
                t.proposals_approve_take_recovered(amount, account, shown(text), by)
            }
            Proposed::PayPayout(_, text) => t.proposals_approve_paid(amount, account, shown(text), by),
            Proposed::FailPayout(_, text) => t.proposals_approve_failed(amount, account, shown(text), by),
            Proposed::AssignBankLine(_) => t.proposals_approve_line(amount, account, by),
        }
    }
}

impl TwoSteps for Deciding<'_> {
    const FIELDS: &'static [&'static str] = &[];
    type Order = ();

    fn read(&self, _: &mut Draft) -> Option<()> {
        Some(())
    }

    async fn check(&self, _: &()) -> Result<(), Refusal> {
        if self.proposal.verdict.is_some() {
            Err(Refusal::new(Reason::Decided, "the proposal was decided"))
        } else if self.is_own() && self.verdict == Verdict::Approve {
            Err(Refusal::new(
                Reason::SecondPerson,
                "another operator must carry the proposal out",
            ))
        } else {
            Ok(())
        }
    }

    fn question(&self, _: &()) -> Question {
        let t = self.t;
        let amount = self.money.amount(self.proposal.amount.units());
        let account = self.proposal.account.name.as_str();
        let (text, explained, button, word) = match self.verdict {
            Verdict::Approve => (
                self.approve_question(),
                t.proposals_approve_explained(),
                t.proposals_approve_now(),
                "approve",
            ),
            Verdict::Decline if self.is_own() => (
                t.proposals_withdraw_question(self.no(), amount, account),
                t.proposals_decline_explained(),
                t.proposals_withdraw_now(),
                "decline",
            ),
            Verdict::Decline => (
                t.proposals_decline_question(self.no(), amount, account),
                t.proposals_decline_explained(),
                t.proposals_decline_now(),
                "decline",
            ),
        };
        let bar = self.desk.bar(self.server, Some(Place::Proposals));
        Question {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text,
            explained: explained.into(),
            button,
            action: format!("{}/{word}/confirm", self.path()),
            back: self.path(),
        }
    }

    fn about(&self) -> About {
        self.bank_line.as_ref().map_or_else(About::default, |line| About {
            warning: line.warning.clone(),
            facts: line.facts.clone(),
        })
    }

    async fn carry_out(&self, sent: &SentKey, _: &()) -> Result<String, Refusal> {
        let proposals = self.server.issuer().proposal_desk();
        let acting = proposals.acting(&self.desk.operator.name);
        let no = self.proposal.no;
        let work = async {
            Ok(match self.verdict {
                Verdict::Approve => match acting.approve(no).await {
                    Ok(_) => Note::CarriedOut(no.get()),
                    // The verdict is in the books, and a server credits the line.
                    Err(ProposalError::Bank(BankDeskError::NotYet(name))) => {
                        Note::LineReserved(name.to_string())
                    }
                    Err(error) => return Err(error.into()),
                },
                Verdict::Decline => {
                    acting.decline(no).await?;
                    if self.is_own() {
                        Note::Withdrawn(no.get())
                    } else {
                        Note::Declined(no.get())
                    }
                }
            })
        };
        self.desk.once(sent, work).await?;
        Ok(format!("/console/proposals?done={}", sent.key.as_str()))
    }

    fn blame(&self, draft: &mut Draft, _: &(), refusal: &Refusal) -> Option<StatusCode> {
        let t = self.t;
        let (fault, status) = match refusal.reason {
            Reason::InsufficientFunds => (t.proposals_short(), StatusCode::PAYMENT_REQUIRED),
            Reason::SecondPerson => (t.proposals_own(), StatusCode::FORBIDDEN),
            // Carried out or declined, by somebody else or in another window.
            Reason::Decided => (t.proposals_decided_before(), StatusCode::CONFLICT),
            Reason::ReferenceConflict | Reason::Invalid => (t.proposals_refused(), StatusCode::CONFLICT),
            _ => return None,
        };
        draft.blame(VERDICT, fault);
        Some(status)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let fresh = || Draft::fresh(self.desk.new_key());
        let (approve, decline) = match self.verdict {
            Verdict::Approve => (draft, fresh()),
            Verdict::Decline => (fresh(), draft),
        };
        let proposal = &self.proposal;
        let text = proposal.proposed.text();
        let form = ProposalPage {
            frame: self.desk.visit.frame(self.title()),
            t: self.t,
            bar: self.desk.bar(self.server, Some(Place::Proposals)),
            done: self.done.clone(),
            amount: self.money.amount(proposal.amount.units()),
            line: line(proposal, &self.money, self.desk),
            account: proposal.account.name.as_str().to_owned(),
            text: text.map_or_else(String::new, |text| printable(text.as_str())),
            payout: proposal.proposed.payout().map(|payout| payout.get()),
            bank_line: self.bank_line.as_ref(),
            is_own: self.is_own(),
            may_decide: proposal.verdict.is_none() && self.desk.may(AdminRight::ChangeAccounts),
            approve,
            decline,
        };
        Ok(page(status, self.desk.visit.language, &form))
    }
}

fn verdict(word: &str) -> Result<Verdict, Refusal> {
    match word {
        "approve" => Ok(Verdict::Approve),
        "decline" => Ok(Verdict::Decline),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// `GET /console/proposals/{id}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let mut form = Deciding::of(&server, &desk, &id, Verdict::Approve).await?;
    form.done = desk.said(&after, &form.money).await;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/proposals/{id}/{verdict}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((id, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let form = Deciding::of(&server, &desk, &id, verdict(&word)?).await?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/proposals/{id}/{verdict}/confirm`: carries it out or declines it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((id, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let form = Deciding::of(&server, &desk, &id, verdict(&word)?).await?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
