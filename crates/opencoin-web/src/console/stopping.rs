//! Stopping a key for good. Whoever does it types the value of its coins, so that it is not the wrong one by accident.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, KeyState, MintKeyOverview, Reason, Refusal};
use opencoin_ledger::StopReason;
use opencoin_schema::BigInt;
use opencoin_text::printable;

use super::desk::{Bar, Desk, Place};
use crate::address::Path;
use crate::format::{Moment, Money};
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/stop_key.html")]
struct StopPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    title: Message,
    which: Message,
    /// The label of the field for the value.
    value: String,
    is_stopped: bool,
    action: String,
    draft: Draft,
}

/// The address of the form for a key.
pub(super) fn path(id: &BigInt) -> String {
    format!("/console/keys/stop/{id}")
}

/// Whether stopping a key changes anything.
pub(super) fn can_be_stopped(key: &MintKeyOverview) -> bool {
    match key.state {
        KeyState::Future | KeyState::Signing | KeyState::Accepting => true,
        KeyState::Expired | KeyState::Revoked | KeyState::Late => false,
    }
}

/// The form for one key.
struct StopForm<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    key: MintKeyOverview,
}

impl<'a> StopForm<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, id: &str) -> Result<Self, Failure> {
        desk.needs(server, AdminRight::ChangeKeys)?;
        let unknown = || Refusal::new(Reason::NotFound, "there is no such key");
        let id: BigInt = id.parse().map_err(|_| unknown())?;
        let keys = server.issuer().mint_key_overview().await?;
        let key = keys.keys().find(|key| key.id == id).cloned();
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            key: key.ok_or_else(unknown)?,
        })
    }

    fn value(&self) -> String {
        self.money.amount(self.key.denomination)
    }

    fn title(&self) -> Message {
        self.t.keys_stop_title(self.value())
    }
}

impl TwoSteps for StopForm<'_> {
    const FIELDS: &'static [&'static str] = &["value", "reason"];
    type Order = StopReason;

    fn read(&self, draft: &mut Draft) -> Option<StopReason> {
        let is_value = self.money.read(draft.value("value")) == Ok(self.key.denomination);
        if !is_value {
            draft.blame("value", self.t.keys_stop_wrong_value());
        }
        let reason = StopReason::new(draft.value("reason")).ok();
        if reason.is_none() {
            draft.blame("reason", self.t.common_wrong_text());
        }
        reason.filter(|_| is_value)
    }

    async fn check(&self, _: &StopReason) -> Result<(), Refusal> {
        if can_be_stopped(&self.key) {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::ReferenceConflict,
            "the key is stopped already, or is used no more",
        ))
    }

    fn question(&self, reason: &StopReason) -> Question {
        let bar = self.desk.bar(self.server, Some(Place::Keys));
        let day = |at| Moment::day(self.desk.visit.language, at);
        let (from, until) = (day(self.key.signs_from), day(self.key.signs_until));
        Question {
            frame: self.desk.visit.frame(self.title().plain()),
            t: self.t,
            bar: bar.html(),
            form_token: bar.form_token,
            text: self
                .t
                .keys_stop_question(from, until, self.value(), printable(reason.as_str())),
            explained: self.t.keys_stop_explained().into(),
            button: self.t.keys_stop_now(),
            action: format!("{}/confirm", path(&self.key.id)),
            back: "/console/keys".to_owned(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, reason: &StopReason) -> Result<String, Refusal> {
        let (issuer, operator) = (self.server.issuer(), &self.desk.operator.name);
        let work = async {
            let stopped = issuer
                .stop_mint_key(operator, &self.key.id, reason.clone())
                .await?;
            Ok(Note::KeyStopped {
                denomination: self.key.denomination,
                before: stopped.stopped.as_ref() != Some(reason),
            })
        };
        self.desk.once(sent, work).await?;
        Ok(format!("/console/keys?done={}", sent.key.as_str()))
    }

    fn blame(&self, draft: &mut Draft, _: &StopReason, refusal: &Refusal) -> Option<StatusCode> {
        if refusal.reason != Reason::ReferenceConflict {
            return None;
        }
        draft.blame("reason", self.t.keys_is_stopped());
        Some(StatusCode::CONFLICT)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let (t, language) = (self.t, self.desk.visit.language);
        let day = |at| Moment::day(language, at);
        let key = &self.key;
        let form = StopPage {
            frame: self.desk.visit.frame(self.title().plain()),
            t,
            bar: self.desk.bar(self.server, Some(Place::Keys)),
            title: self.title(),
            which: t.keys_stop_which(
                day(key.signs_from),
                day(key.signs_until),
                language.number(key.issued),
            ),
            value: t.keys_stop_value(self.money.typed(key.denomination)).plain(),
            is_stopped: !can_be_stopped(key),
            action: path(&key.id),
            draft,
        };
        Ok(page(status, language, &form))
    }
}

/// `GET /console/keys/stop/{id}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(id): Path<String>,
) -> PageResult {
    let form = StopForm::of(&server, &desk, &id).await?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/keys/stop/{id}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(id): Path<String>,
    body: Body,
) -> PageResult {
    let form = StopForm::of(&server, &desk, &id).await?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/keys/stop/{id}/confirm`: stops it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(id): Path<String>,
    body: Body,
) -> PageResult {
    let form = StopForm::of(&server, &desk, &id).await?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
