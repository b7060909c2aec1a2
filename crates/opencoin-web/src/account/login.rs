//! Log-in and log-out.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use opencoin_http::Server;
use opencoin_issuer::accounts::OpenedSession;
use opencoin_issuer::{Reason, Refusal};

use super::session::{self, Holder, LOGIN};
use crate::format::money;
use crate::forms::Fields;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, Visit, page, see_other};

/// The part of the query after a session that has ended.
const ENDED: &str = "ended=1";

#[derive(Template)]
#[template(path = "account/login.html")]
struct LoginPage<'name> {
    frame: Frame,
    t: Messages,
    currency: String,
    name: &'name str,
    fault: Option<Fault>,
    has_ended: bool,
}

/// Why a log-in has failed.
enum Fault {
    Wrong,
    /// For so many seconds no attempt is taken.
    Wait(u64),
}

impl Fault {
    fn text(&self, t: Messages) -> Message {
        match self {
            Self::Wrong => t.account_wrong_password().into(),
            Self::Wait(seconds) => t.account_wait(*seconds),
        }
    }
}

/// `GET /account/login`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    let has_ended = query.as_deref() == Some(ENDED);
    form(&server, &visit, StatusCode::OK, "", None, has_ended)
}

/// `POST /account/login`.
pub(super) async fn log_in(State(server): State<Arc<Server>>, visit: Visit, body: Body) -> PageResult {
    let fields = Fields::read(&server, body).await?;
    let name = fields.trimmed("name");
    let opened = server
        .issuer()
        .accounts()
        .log_in(name, fields.text("password"))
        .await;
    count(&server, &opened);
    let (status, fault) = match opened {
        Ok(session) => return Ok(begun(&session)),
        Err(refusal) if refusal.reason == Reason::Unauthorized => (StatusCode::UNAUTHORIZED, Fault::Wrong),
        Err(refusal) if refusal.reason == Reason::TooManyRequests => {
            (StatusCode::TOO_MANY_REQUESTS, Fault::Wait(wait_s(&refusal)))
        }
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(form(&server, &visit, status, name, Some(fault), false))
}

/// `POST /account/logout`.
pub(super) async fn log_out(State(server): State<Arc<Server>>, holder: Holder, body: Body) -> PageResult {
    holder.form(&server, body).await?;
    server.issuer().accounts().log_out(&holder.caller).await?;
    Ok(logged_out())
}

/// The answer to a log-out.
pub(super) fn logged_out() -> Response<Body> {
    let mut response = see_other(LOGIN);
    session::end(&mut response);
    response
}

fn form(
    server: &Server,
    visit: &Visit,
    status: StatusCode,
    name: &str,
    fault: Option<Fault>,
    has_ended: bool,
) -> Response<Body> {
    let t = visit.messages();
    let login = LoginPage {
        frame: visit.frame(t.account_log_in()),
        t,
        currency: money(server, visit.language).name(),
        name,
        fault,
        has_ended,
    };
    page(status, visit.language, &login)
}

/// For how many seconds no attempt is taken.
pub(super) fn wait_s(refusal: &Refusal) -> u64 {
    refusal.retry_after_s.unwrap_or(1).into()
}

/// The answer to a log-in that has succeeded.
pub(super) fn begun(session: &OpenedSession) -> Response<Body> {
    let mut response = see_other("/account");
    session::begin(&mut response, &session.token);
    response
}

pub(super) fn count(server: &Server, opened: &Result<OpenedSession, Refusal>) {
    let outcome = opened
        .as_ref()
        .map_or_else(|refusal| refusal.reason.word(), |_| "ok");
    server.issuer().metrics().login(outcome);
}
