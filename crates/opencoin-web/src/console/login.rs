//! Log-in with an operator's token, and log-out.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use opencoin_http::{Server, authenticated_operator};
use opencoin_issuer::Token;

use super::desk::{self, Desk, LOGIN, Visitor};
use crate::format::money;
use crate::forms::Fields;
use crate::messages::Messages;
use crate::visit::{Frame, PageResult, page};

/// The part of the query after a session that has ended.
const ENDED: &str = "ended=1";

#[derive(Template)]
#[template(path = "console/login.html")]
struct LoginPage {
    frame: Frame,
    t: Messages,
    currency: String,
    is_wrong: bool,
    has_ended: bool,
}

/// `GET /console/login`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    let has_ended = query.as_deref() == Some(ENDED);
    form(&server, &visitor, StatusCode::OK, false, has_ended)
}

/// `POST /console/login`.
pub(super) async fn log_in(State(server): State<Arc<Server>>, visitor: Visitor, body: Body) -> PageResult {
    let fields = Fields::read(&server, body).await?;
    let token = Token::from_text(fields.trimmed("token")).hash();
    match authenticated_operator(&visitor.site.operators, token).await? {
        Some(operator) => Ok(desk::begin(&visitor, operator, token)),
        None => Ok(form(&server, &visitor, StatusCode::UNAUTHORIZED, true, false)),
    }
}

/// `POST /console/logout`.
pub(super) async fn log_out(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.form(&server, body).await?;
    desk.leave();
    Ok(desk::gone(LOGIN))
}

fn form(
    server: &Server,
    visitor: &Visitor,
    status: StatusCode,
    is_wrong: bool,
    has_ended: bool,
) -> Response<Body> {
    let t = visitor.visit.messages();
    let login = LoginPage {
        frame: visitor.visit.frame(t.console_log_in()),
        t,
        currency: money(server, visitor.language).name(),
        is_wrong,
        has_ended,
    };
    page(status, visitor.language, &login)
}
