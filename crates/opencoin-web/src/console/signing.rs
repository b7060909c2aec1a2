//! Pausing the signing of coins, and going on with it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Reason, Refusal};

use super::desk::{Desk, Place};
use crate::address::Path;
use crate::messages::Messages;
use crate::notes::Note;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, PageResult, see_other};

/// The page with the form.
const KEYS: &str = "/console/keys";

/// Where the form is sent that pauses signing, or goes on with it.
pub(super) fn path(paused: bool) -> &'static str {
    if paused {
        "/console/keys/signing/paused"
    } else {
        "/console/keys/signing/on"
    }
}

/// The form, which has only a button.
struct SigningForm<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    paused: bool,
}

impl<'a> SigningForm<'a> {
    fn of(server: &'a Server, desk: &'a Desk, word: &str) -> Result<Self, Failure> {
        desk.needs(server, AdminRight::ChangeKeys)?;
        let paused = match word {
            "paused" => true,
            "on" => false,
            _ => return Err(Refusal::new(Reason::NotFound, "there is no such page").into()),
        };
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            paused,
        })
    }
}

impl TwoSteps for SigningForm<'_> {
    const FIELDS: &'static [&'static str] = &[];
    type Order = ();

    fn read(&self, _: &mut Draft) -> Option<()> {
        Some(())
    }

    async fn check(&self, (): &()) -> Result<(), Refusal> {
        Ok(())
    }

    fn question(&self, (): &()) -> Question {
        let t = self.t;
        let (title, text, explained, button) = if self.paused {
            (
                t.keys_pause(),
                t.keys_pause_question(),
                t.keys_pause_explained(),
                t.keys_pause_now(),
            )
        } else {
            (
                t.keys_resume(),
                t.keys_resume_question(),
                t.keys_resume_explained(),
                t.keys_resume_now(),
            )
        };
        let bar = self.desk.bar(self.server, Some(Place::Keys));
        Question {
            frame: self.desk.visit.frame(title),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text: text.into(),
            explained: explained.into(),
            button,
            action: format!("{}/confirm", path(self.paused)),
            back: KEYS.to_owned(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, (): &()) -> Result<String, Refusal> {
        let (issuer, operator) = (self.server.issuer(), &self.desk.operator.name);
        let work = async {
            issuer.set_signing_paused(operator, self.paused).await?;
            Ok(Note::Signing {
                is_paused: self.paused,
            })
        };
        self.desk.once(sent, work).await?;
        Ok(format!("{KEYS}?done={}", sent.key.as_str()))
    }

    fn blame(&self, _: &mut Draft, (): &(), _: &Refusal) -> Option<StatusCode> {
        None
    }

    async fn form(&self, _: Draft, _: StatusCode) -> PageResult {
        Ok(see_other(KEYS))
    }
}

/// `POST /console/keys/signing/{state}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(word): Path<String>,
    body: Body,
) -> PageResult {
    let form = SigningForm::of(&server, &desk, &word)?;
    steps::check(&form, &desk.form(&server, body).await?).await
}

/// `POST /console/keys/signing/{state}/confirm`: does it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(word): Path<String>,
    body: Body,
) -> PageResult {
    let form = SigningForm::of(&server, &desk, &word)?;
    steps::confirm(&form, &desk.form(&server, body).await?).await
}
