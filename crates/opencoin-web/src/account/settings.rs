//! Settings of an account: the directory, the password, and the end of all sessions.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_api::PASSWORD_CHARS_MIN;
use opencoin_http::Server;
use opencoin_issuer::Reason;
use serde::Deserialize;

use super::login::logged_out;
use super::session::{Bar, Holder, Place};
use crate::address::Query;
use crate::messages::Messages;
use crate::site::Site;
use crate::steps::{About, Draft, Question, ask};
use crate::visit::{Failure, Frame, PageResult, Visit, page, see_other};

#[derive(Template)]
#[template(path = "account/settings.html")]
struct SettingsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    is_changed: bool,
    fault: Option<PasswordFault>,
}

/// What is wrong with a change of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PasswordFault {
    Current,
    New,
    Repeated,
}

/// What was just done.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    changed: String,
}

/// `GET /account/settings`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    Query(done): Query<Done>,
) -> PageResult {
    form(
        &server,
        &visit,
        &holder,
        !done.changed.is_empty(),
        None,
        StatusCode::OK,
    )
    .await
}

async fn form(
    server: &Arc<Server>,
    visit: &Visit,
    holder: &Holder,
    is_changed: bool,
    fault: Option<PasswordFault>,
    status: StatusCode,
) -> PageResult {
    let t = visit.messages();
    let settings = SettingsPage {
        frame: visit.frame(t.account_settings()),
        t,
        bar: holder.bar(server, Place::Settings, visit.language).await?,
        is_changed,
        fault,
    };
    Ok(page(status, visit.language, &settings))
}

/// `POST /account/settings/directory`.
pub(super) async fn change_directory(
    State(server): State<Arc<Server>>,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let listed = fields.text("listed") == "yes";
    server
        .issuer()
        .accounts()
        .set_listed(holder.caller.account, listed)
        .await?;
    Ok(changed())
}

/// `POST /account/settings/password`. All other sessions end.
pub(super) async fn change_password(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let (current, new) = (fields.text("current"), fields.text("new"));
    let fault = if new != fields.text("repeated") {
        PasswordFault::Repeated
    } else {
        let changed_password = server
            .issuer()
            .accounts()
            .change_password(&holder.caller, Some(current), new)
            .await;
        match changed_password {
            Ok(()) => return Ok(changed()),
            Err(refusal) if refusal.reason == Reason::Unauthorized => PasswordFault::Current,
            Err(refusal) if refusal.reason == Reason::Invalid => PasswordFault::New,
            Err(refusal) => return Err(Failure::from(refusal)),
        }
    };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    form(&server, &visit, &holder, false, Some(fault), status).await
}

/// `GET /account/settings/logout`: asks whether it is right.
pub(super) async fn ask_log_out(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
) -> PageResult {
    let t = visit.messages();
    let bar = holder.bar(&server, Place::Settings, visit.language).await?;
    let question = Question {
        frame: visit.frame(t.account_log_out_everywhere()),
        t,
        bar: bar.html(t),
        form_token: bar.form_token.clone(),
        text: t.account_log_out_question().into(),
        explained: t.account_log_out_everywhere_explained().into(),
        button: t.account_log_out_everywhere(),
        action: "/account/settings/logout".to_owned(),
        back: "/account/settings".to_owned(),
    };
    let draft = Draft::fresh(site.idempotency_key());
    Ok(ask(&question, About::default(), &draft))
}

/// `POST /account/settings/logout`: ends all sessions of pages and of log-ins with the password.
pub(super) async fn log_out_everywhere(
    State(server): State<Arc<Server>>,
    holder: Holder,
    body: Body,
) -> PageResult {
    holder.form(&server, body).await?;
    server
        .issuer()
        .accounts()
        .log_out_everywhere(&holder.caller)
        .await?;
    Ok(logged_out())
}

fn changed() -> Response<Body> {
    see_other("/account/settings?changed=1")
}
