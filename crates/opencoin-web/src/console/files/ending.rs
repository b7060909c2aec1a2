//! One file: what is in it, whether the bank has paid it, and the withdrawal of one that was never sent.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{ExportState, PayoutExport, PayoutState};
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, PayoutDeskError, Reason, Refusal};
use opencoin_ledger::bank::ExportNo;
use opencoin_ledger::{Payout, PayoutNo};

use crate::address::{Path, Query};
use crate::console::desk::{After, Bar, Desk, Done, Place};
use crate::format::Money;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::payouts::{PayoutLine, line};
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

use super::file::number;
use super::list::{self, FileLine};

#[derive(Template)]
#[template(path = "console/files/file.html")]
struct FilePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    fault: Option<Message>,
    currency: String,
    file: FileLine,
    message_id: String,
    /// Whether it can be downloaded.
    is_given_out: bool,
    /// Whether the bank has paid something of it, so that it must not get it again.
    is_paid: bool,
    /// Whether the bank has paid it and its payouts are not all settled.
    is_settling: bool,
    payouts: Vec<Line>,
    /// Whether the operator may record it as paid.
    may_pay: bool,
    may_withdraw: bool,
    /// Why the operator may not record it as paid, if another one may.
    needs_another: Option<Message>,
    key: String,
}

struct Line {
    no: u64,
    account: String,
    line: PayoutLine,
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Paid,
    Withdrawn,
}

/// The forms for one file.
struct Ending<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    no: ExportNo,
    export: PayoutExport,
    payouts: Vec<Payout>,
    /// The payout because of which another operator must record the file as paid.
    above_limit: Option<PayoutNo>,
    end: End,
    done: Option<Done>,
}

impl<'a> Ending<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, no: &str, end: End) -> Result<Self, Failure> {
        let no = number(no)?;
        let files = server.issuer().payout_desk();
        let (export, payouts) = files.export(no).await.map_err(Refusal::from)?;
        Ok(Self {
            above_limit: files.needs_another(&export, &payouts, &desk.operator.name),
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            no,
            export: shown::payout_export(export),
            payouts,
            end,
            done: None,
        })
    }

    fn path(&self) -> String {
        format!("/console/payout-files/{}", self.no.get())
    }

    fn title(&self) -> String {
        self.t.files_number(self.no.get()).plain()
    }
}

impl TwoSteps for Ending<'_> {
    const FIELDS: &'static [&'static str] = &[];
    type Order = ();

    fn read(&self, _: &mut Draft) -> Option<()> {
        Some(())
    }

    async fn check(&self, (): &()) -> Result<(), Refusal> {
        match (self.export.state, self.end) {
            (ExportState::Withdrawn, _) => Err(PayoutDeskError::Withdrawn(self.no).into()),
            (ExportState::Paid | ExportState::Settling, End::Withdrawn) => {
                Err(PayoutDeskError::PaidExport(self.no).into())
            }
            (_, End::Paid) => match self.above_limit {
                Some(payout) => Err(PayoutDeskError::NeedsAnother(payout, self.no).into()),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn question(&self, (): &()) -> Question {
        let (t, count) = (self.t, u64::from(self.export.payouts));
        let amount = self.money.amount(self.export.amount);
        let waiting = || self.payouts.iter().filter(|payout| payout.settled.is_none());
        let units = waiting().fold(0_u64, |sum, payout| sum.saturating_add(payout.amount.units()));
        let (text, explained, button, word) = match self.end {
            End::Paid if waiting().next().is_none() => (
                t.files_finish_question(self.no.get()),
                t.files_finish_explained(),
                t.files_paid_now(),
                "paid",
            ),
            End::Paid => (
                t.files_paid_question(waiting().count() as u64, self.money.amount(units)),
                t.files_paid_explained(),
                t.files_paid_now(),
                "paid",
            ),
            End::Withdrawn => (
                t.files_withdraw_question(count, amount),
                t.files_withdraw_explained(),
                t.files_withdraw_now(),
                "withdraw",
            ),
        };
        let bar = self.desk.bar(self.server, Some(Place::Payouts));
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

    async fn carry_out(&self, sent: &SentKey, (): &()) -> Result<String, Refusal> {
        let files = self.server.issuer().payout_desk();
        let acting = files.acting(&self.desk.operator.name);
        let work = async {
            Ok(match self.end {
                End::Paid => {
                    let paid = acting.pay(self.no).await?;
                    Note::FilePaid {
                        paid: paid.paid,
                        failed: paid.failed.len(),
                    }
                }
                End::Withdrawn => {
                    acting.withdraw(self.no).await?;
                    Note::FileWithdrawn
                }
            })
        };
        self.desk.once(sent, work).await?;
        Ok(format!("{}?done={}", self.path(), sent.key.as_str()))
    }

    fn blame(&self, draft: &mut Draft, (): &(), refusal: &Refusal) -> Option<StatusCode> {
        if refusal.reason == Reason::SecondPerson {
            draft.blame("end", self.t.proposals_must_be_another());
            return Some(StatusCode::FORBIDDEN);
        }
        if refusal.reason != Reason::Decided {
            return None;
        }
        let fault = match self.end {
            End::Paid => self.t.files_not_paid(),
            End::Withdrawn => self.t.files_not_withdrawn(),
        };
        draft.blame("end", fault);
        Some(StatusCode::CONFLICT)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let (t, language) = (self.t, self.desk.visit.language);
        let payouts = self.payouts.iter().cloned().map(shown::payout);
        let payouts: Vec<_> = payouts.collect();
        let any = |state: PayoutState| payouts.iter().any(|payout| payout.state == state);
        let may = self.desk.may(AdminRight::ChangeAccounts);
        let is_made = self.export.state == ExportState::Made;
        let is_settling = self.export.state == ExportState::Settling;
        let could_be_paid = may && (is_made || is_settling);
        let form = FilePage {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: self.desk.bar(self.server, Some(Place::Payouts)),
            done: self.done.clone(),
            fault: draft.fault("end").cloned(),
            currency: self.money.name(),
            file: list::line(&self.export, &self.money, self.desk),
            message_id: self.export.message_id.clone(),
            is_paid: !is_made || any(PayoutState::Paid),
            is_settling,
            is_given_out: self.export.state != ExportState::Withdrawn && !any(PayoutState::Failed),
            may_pay: could_be_paid && self.above_limit.is_none(),
            needs_another: self
                .above_limit
                .filter(|_| could_be_paid)
                .map(|payout| t.proposals_payout_above(payout.get(), self.desk.operator.name.as_str())),
            may_withdraw: may && is_made && !any(PayoutState::Paid),
            key: draft.key,
            payouts: payouts
                .iter()
                .map(|payout| Line {
                    no: payout.id,
                    account: payout.account.clone(),
                    line: line(payout, &self.money, t, language),
                })
                .collect(),
        };
        Ok(page(status, language, &form))
    }
}

fn end(word: &str) -> Result<End, Refusal> {
    match word {
        "paid" => Ok(End::Paid),
        "withdraw" => Ok(End::Withdrawn),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// `GET /console/payout-files/{no}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let mut form = Ending::of(&server, &desk, &no, End::Paid).await?;
    form.done = desk.said(&after, &form.money).await;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/payout-files/{no}/{end}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Ending::of(&server, &desk, &no, end(&word)?).await?;
    steps::check(&form, &fields).await
}

/// `POST /console/payout-files/{no}/{end}/confirm`: records it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Ending::of(&server, &desk, &no, end(&word)?).await?;
    steps::confirm(&form, &fields).await
}
