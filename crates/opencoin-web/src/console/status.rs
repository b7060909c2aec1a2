//! Accounts are frozen, opened again, or closed for good, each with a reason.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::accounts::{account_name, text};
use opencoin_issuer::{AdminRight, Reason, Refusal};
use opencoin_ledger::{AccountName, AccountStatus, Reference};
use opencoin_text::printable;

use super::desk::{Bar, Desk, Place};
use crate::address::Path;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/status.html")]
struct StatusPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    title: Message,
    explained: &'static str,
    action: String,
    account: String,
    draft: Draft,
}

/// The form for one account and one status.
struct StatusForm<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    name: AccountName,
    status: AccountStatus,
    word: &'static str,
}

impl<'a> StatusForm<'a> {
    fn of(server: &'a Server, desk: &'a Desk, name: &str, word: &str) -> Result<Self, Failure> {
        desk.needs(server, AdminRight::ChangeAccounts)?;
        let (status, word) = match word {
            "frozen" => (AccountStatus::Frozen, "frozen"),
            "open" => (AccountStatus::Open, "open"),
            "closed" => (AccountStatus::Closed, "closed"),
            _ => return Err(Refusal::new(Reason::NotFound, "there is no such page").into()),
        };
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            name: account_name(name)?,
            status,
            word,
        })
    }

    fn path(&self) -> String {
        format!("/console/accounts/{}/status/{}", self.name.as_str(), self.word)
    }

    fn title(&self) -> Message {
        let (t, name) = (self.t, self.name.as_str());
        match self.status {
            AccountStatus::Frozen => t.console_freeze_account(name),
            AccountStatus::Open => t.console_thaw_account(name),
            AccountStatus::Closed => t.console_close_account(name),
        }
    }

    fn explained(&self) -> &'static str {
        match self.status {
            AccountStatus::Frozen => self.t.console_freeze_explained(),
            AccountStatus::Open => self.t.console_thaw_explained(),
            AccountStatus::Closed => self.t.console_close_explained(),
        }
    }
}

impl TwoSteps for StatusForm<'_> {
    const FIELDS: &'static [&'static str] = &["reason"];
    type Order = Reference;

    fn read(&self, draft: &mut Draft) -> Option<Reference> {
        let reason = text("reason", draft.value("reason")).ok();
        if reason.is_none() {
            draft.blame("reason", self.t.common_wrong_text());
        }
        reason
    }

    async fn check(&self, _: &Reference) -> Result<(), Refusal> {
        self.server.issuer().cashier().account(&self.name).await?;
        Ok(())
    }

    fn question(&self, reason: &Reference) -> Question {
        let (t, name, reason) = (self.t, self.name.as_str(), printable(reason.as_str()));
        let (text, button) = match self.status {
            AccountStatus::Frozen => (t.console_freeze_question(name, reason), t.console_freeze()),
            AccountStatus::Open => (t.console_thaw_question(name, reason), t.console_thaw()),
            AccountStatus::Closed => (t.console_close_question(name, reason), t.console_close()),
        };
        let bar = self.desk.bar(self.server, Some(Place::Accounts));
        Question {
            frame: self.desk.visit.frame(self.title().plain()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text,
            explained: self.explained().into(),
            button,
            action: format!("{}/confirm", self.path()),
            back: format!("/console/accounts/{name}"),
        }
    }

    async fn carry_out(&self, sent: &SentKey, reason: &Reference) -> Result<String, Refusal> {
        let cashier = self.server.issuer().cashier();
        let acting = cashier.acting(&self.desk.operator.name);
        let name = self.name.as_str();
        let work = async {
            acting.set_status(&self.name, self.status, reason).await?;
            Ok(Note::Status(name.to_owned(), self.status))
        };
        self.desk.once(sent, work).await?;
        Ok(format!("/console/accounts/{name}?done={}", sent.key.as_str()))
    }

    fn blame(&self, draft: &mut Draft, _: &Reference, refusal: &Refusal) -> Option<StatusCode> {
        // It has money, or something of it waits; or it is closed already, and nothing opens it again.
        if refusal.reason != Reason::Invalid {
            return None;
        }
        draft.blame(
            "reason",
            match self.status {
                AccountStatus::Closed => self.t.console_close_refused(),
                AccountStatus::Open | AccountStatus::Frozen => self.t.console_status_refused(),
            },
        );
        Some(StatusCode::UNPROCESSABLE_ENTITY)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let form = StatusPage {
            frame: self.desk.visit.frame(self.title().plain()),
            t: self.t,
            bar: self.desk.bar(self.server, Some(Place::Accounts)),
            title: self.title(),
            explained: self.explained(),
            action: self.path(),
            account: self.name.as_str().to_owned(),
            draft,
        };
        Ok(page(status, self.desk.visit.language, &form))
    }
}

/// `GET /console/accounts/{name}/status/{status}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, status)): Path<(String, String)>,
) -> PageResult {
    let form = StatusForm::of(&server, &desk, &name, &status)?;
    let profile = server.issuer().cashier().account(&form.name).await;
    profile.map_err(Refusal::from)?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/accounts/{name}/status/{status}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, status)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    let form = StatusForm::of(&server, &desk, &name, &status)?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/accounts/{name}/status/{status}/confirm`: changes it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, status)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    let form = StatusForm::of(&server, &desk, &name, &status)?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
