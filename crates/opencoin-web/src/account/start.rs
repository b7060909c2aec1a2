//! The first log-in of a holder: a start code becomes a password.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_api::PASSWORD_CHARS_MIN;
use opencoin_http::Server;
use opencoin_issuer::Reason;
use serde::Deserialize;

use super::login::{begun, count, wait_s};
use crate::address::Query;
use crate::format::money;
use crate::forms::Fields;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, Visit, page};

#[derive(Template)]
#[template(path = "account/start.html")]
struct StartPage<'name> {
    frame: Frame,
    t: Messages,
    currency: String,
    name: &'name str,
    code_fault: Option<Message>,
    fault: Option<Fault>,
}

/// What is wrong with the form.
enum Fault {
    Code,
    /// For so many seconds no attempt is taken.
    Wait(u64),
    New,
    Repeated,
}

impl Fault {
    /// What is wrong with the code, if it is that.
    fn of_code(&self, t: Messages) -> Option<Message> {
        match self {
            Self::Code => Some(t.account_wrong_code().into()),
            Self::Wait(seconds) => Some(t.account_wait(*seconds)),
            Self::New | Self::Repeated => None,
        }
    }
}

/// What a link to the page may fill in.
#[derive(Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    name: String,
}

/// `GET /account/start`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visit: Visit,
    Query(named): Query<Named>,
) -> Response<Body> {
    form(&server, &visit, StatusCode::OK, &named.name, None)
}

/// `POST /account/start`.
pub(super) async fn start(State(server): State<Arc<Server>>, visit: Visit, body: Body) -> PageResult {
    let fields = Fields::read(&server, body).await?;
    let (name, new) = (fields.trimmed("name"), fields.text("new"));
    if new != fields.text("repeated") {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(form(&server, &visit, status, name, Some(Fault::Repeated)));
    }
    let accounts = server.issuer().accounts();
    let opened = accounts.start(name, fields.trimmed("code"), new).await;
    count(&server, &opened);
    let (status, fault) = match opened {
        Ok(session) => return Ok(begun(&session)),
        Err(refusal) => match refusal.reason {
            Reason::Unauthorized => (StatusCode::UNAUTHORIZED, Fault::Code),
            Reason::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, Fault::Wait(wait_s(&refusal))),
            Reason::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, Fault::New),
            _ => return Err(refusal.into()),
        },
    };
    Ok(form(&server, &visit, status, name, Some(fault)))
}

fn form(
    server: &Server,
    visit: &Visit,
    status: StatusCode,
    name: &str,
    fault: Option<Fault>,
) -> Response<Body> {
    let t = visit.messages();
    let start = StartPage {
        frame: visit.frame(t.account_first_log_in()),
        t,
        currency: money(server, visit.language).name(),
        name,
        code_fault: fault.as_ref().and_then(|fault| fault.of_code(t)),
        fault,
    };
    page(status, visit.language, &start)
}
