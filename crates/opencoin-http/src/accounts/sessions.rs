//! Log-in, log-out, and change of the password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{ChangePassword, Login, Secret, Session, Start};
use opencoin_issuer::Refusal;
use opencoin_issuer::accounts::OpenedSession;

use super::convert::{moment, secret};
use crate::callers::{Holder, Leaver};
use crate::json::{HandlerResult, Json, document, no_content};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, TooLarge, TooManyRequests, Unauthorized, Unavailable};
use crate::server::Server;

/// Log in with a password. After five wrong passwords for a name, every further attempt has to wait. Names without an
/// account are treated alike.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", request_body = Login, security(()),
    responses((status = 201, description = "A session was opened.", body = Session),
        Malformed, Unauthorized, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn open(State(server): State<Arc<Server>>, Json(login): Json<Login>) -> HandlerResult {
    let opened = server
        .accounts()
        .log_in(&login.name, login.password.expose())
        .await;
    count_login(&server, &opened);
    show(opened?)
}

fn show(opened: OpenedSession) -> HandlerResult {
    document(
        StatusCode::CREATED,
        &Session {
            token: secret(&opened.token),
            expires_at: moment(opened.expires),
        },
    )
}

/// Set the password of an account with its start code, which is used up, and log in. Wrong codes are counted like wrong
/// passwords. The sessions that a password has opened end.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/sessions/start", tag = "sessions", request_body = Start, security(()),
    responses((status = 201, description = "The password was set and a session was opened.", body = Session),
        Malformed, Unauthorized, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn start(State(server): State<Arc<Server>>, Json(start): Json<Start>) -> HandlerResult {
    let (code, password) = (start.code.expose(), start.password.expose());
    let opened = server.accounts().start(&start.name, code, password).await;
    count_login(&server, &opened);
    show(opened?)
}

/// End the session of the token at once.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/sessions", tag = "sessions",
    responses((status = 204, description = "The session has ended."), Unauthorized, Invalid, Unavailable)
))]
pub(crate) async fn close(State(server): State<Arc<Server>>, Leaver(caller): Leaver) -> HandlerResult {
    server.accounts().log_out(&caller).await?;
    no_content()
}

/// End every session of the account that a password has opened, this one included. Services stay logged in.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/sessions/all", tag = "sessions",
    responses((status = 204, description = "All password sessions have ended."), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn close_all(State(server): State<Arc<Server>>, Holder(caller): Holder) -> HandlerResult {
    server.accounts().log_out_everywhere(&caller).await?;
    no_content()
}

/// Change the password. All other password sessions end.
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/v1/account/password", tag = "account", request_body = ChangePassword,
    responses((status = 204, description = "The password was changed."),
        Malformed, Unauthorized, Forbidden, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn change_password(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Json(change): Json<ChangePassword>,
) -> HandlerResult {
    let current = change.current.as_ref().map(Secret::expose);
    server
        .accounts()
        .change_password(&caller, current, change.new.expose())
        .await?;
    no_content()
}

/// Counts a log-in of a holder or a service in the metrics.
pub(super) fn count_login<T>(server: &Server, opened: &Result<T, Refusal>) {
    let outcome = opened
        .as_ref()
        .map_or_else(|refusal| refusal.reason.word(), |_| "ok");
    server.issuer().metrics().login(outcome);
}
