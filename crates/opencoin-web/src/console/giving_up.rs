//! A request that waits for the master key is given up: its time is over, or nobody wants it any more.
//!
//! The form names the request that it shows, so that no other one is given up.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, KeyPlace, Pending, Reason};

use super::desk::{Bar, Desk, Place};
use super::making::Waiting;
use crate::fault::Fault;
use crate::messages::Messages;
use crate::notes::Note;
use crate::steps::{SentKey, sent_key};
use crate::visit::{Failure, Frame, PageResult, page, see_other};

const KEYS: &str = "/console/keys";
/// The box of a form that says that the master key has never signed the request.
const NEVER_SIGNED: &str = "never_signed";

#[derive(Template)]
#[template(path = "console/give_up.html")]
struct GiveUpPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    request: Waiting,
    /// Whether only the operator knows that its description was never signed.
    needs_word: bool,
    /// Why it was not given up.
    fault: Option<Fault>,
    key: String,
}

async fn give_up_page(
    server: &Server,
    desk: &Desk,
    key: String,
    fault: Option<Fault>,
) -> Result<Option<GiveUpPage>, Failure> {
    let t = desk.visit.messages();
    let state = server.issuer().key_making_state().await?;
    let Pending::Request(request) = state.pending else {
        return Ok(None);
    };
    Ok(Some(GiveUpPage {
        frame: desk.visit.frame(t.keys_give_up()),
        t,
        bar: desk.bar(server, Some(Place::Keys)),
        needs_word: request.changes_description && state.place != KeyPlace::Here,
        request: Waiting::of(request, server, desk),
        fault,
        key,
    }))
}

/// `GET /console/keys/give-up`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    Ok(match give_up_page(&server, &desk, desk.new_key(), None).await? {
        Some(form) => page(StatusCode::OK, desk.visit.language, &form),
        None => see_other(KEYS),
    })
}

/// `POST /console/keys/give-up`.
pub(super) async fn give_up(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    let fields = desk.form(&server, body).await?;
    let seen = fields.trimmed("request").to_owned();
    let is_never_signed = !fields.trimmed(NEVER_SIGNED).is_empty();
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: vec![
            ("request", seen.clone()),
            (NEVER_SIGNED, is_never_signed.to_string()),
        ],
    };
    let work = async {
        let issuer = server.issuer();
        let waited = issuer
            .give_up_request(&desk.operator.name, seen, is_never_signed)
            .await?;
        Ok(Note::RequestGivenUp { waited })
    };
    let Err(refusal) = desk.once(&sent, work).await else {
        return Ok(see_other(&format!("{KEYS}?done={}", sent.key.as_str())));
    };
    let t = desk.visit.messages();
    let (status, fault) = match refusal.reason {
        Reason::PreviewChanged => (StatusCode::CONFLICT, Fault::new(t.keys_give_up_changed())),
        Reason::Invalid => {
            let fault = Fault::new(t.keys_give_up_refused());
            (StatusCode::UNPROCESSABLE_ENTITY, fault.detailed(&refusal))
        }
        _ => return Err(refusal.into()),
    };
    // What is sent next is about the request that the page shows now.
    Ok(
        match give_up_page(&server, &desk, desk.new_key(), Some(fault)).await? {
            Some(form) => page(status, desk.visit.language, &form),
            None => see_other(KEYS),
        },
    )
}
