//! Services of an account: declared by the holder, and logging in by themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{
    DeclareService, DeclaredService, RotatedService, SCOPES_MAX, ServiceLogin, ServiceSession, Services,
};
use opencoin_issuer::accounts::Token;
use opencoin_issuer::{Reason, Refusal};

use super::convert::{self, secret};
use super::sessions::count;
use crate::callers::Holder;
use crate::json::{HandlerResult, Json, Name, document, nothing};
use crate::problems::{
    Exists, Forbidden, Invalid, Malformed, NotFound, TooLarge, TooManyRequests, Unauthorized, Unavailable,
};
use crate::server::Server;

/// Declare a service. Its key is shown this once.
#[utoipa::path(
    post, path = "/v1/services", tag = "services", request_body = DeclareService,
    responses((status = 201, description = "It may log in.", body = DeclaredService),
        Malformed, Unauthorized, Forbidden, Exists, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn declare(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Json(service): Json<DeclareService>,
) -> HandlerResult {
    if service.scopes.len() > SCOPES_MAX {
        let text = format!("scopes: at most {SCOPES_MAX}, each of them once");
        return Err(Refusal::new(Reason::Invalid, text).into());
    }
    let scopes = convert::known_scopes(&service.scopes);
    let declared = server
        .issuer()
        .accounts()
        .declare_service(caller.account, &service.name, scopes.clone())
        .await?;
    let (id, name, key) = declared;
    let declared = DeclaredService {
        id: id.as_str().to_owned(),
        name: name.as_str().to_owned(),
        scopes: convert::scopes(&scopes),
        key: secret(&key),
    };
    document(StatusCode::CREATED, &declared)
}

/// The services of the account, and when each was last heard of.
#[utoipa::path(
    get, path = "/v1/services", tag = "services",
    responses((status = 200, description = "All of them, by name.", body = Services), Unauthorized, Forbidden, Unavailable)
)]
pub(crate) async fn list(State(server): State<Arc<Server>>, Holder(caller): Holder) -> HandlerResult {
    let services = server.issuer().accounts().services(caller.account).await?;
    document(
        StatusCode::OK,
        &Services {
            services: services.into_iter().map(convert::service).collect(),
        },
    )
}

/// Remove a service. Its sessions end at once.
#[utoipa::path(
    delete, path = "/v1/services/{id}", tag = "services", params(("id" = String, Path, description = "The service.")),
    responses((status = 204, description = "It is gone."), Unauthorized, Forbidden, NotFound, Unavailable)
)]
pub(crate) async fn remove(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Name(id): Name,
) -> HandlerResult {
    server
        .issuer()
        .accounts()
        .remove_service(caller.account, &id)
        .await?;
    nothing()
}

/// Give a service another key. The old one and its sessions end at once.
#[utoipa::path(
    post, path = "/v1/services/{id}/rotate", tag = "services", params(("id" = String, Path, description = "The service.")),
    responses((status = 200, description = "The new key, shown this once.", body = RotatedService),
        Unauthorized, Forbidden, NotFound, Unavailable)
)]
pub(crate) async fn rotate(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Name(id): Name,
) -> HandlerResult {
    let key = server
        .issuer()
        .accounts()
        .rotate_service(caller.account, &id)
        .await?;
    document(
        StatusCode::OK,
        &RotatedService {
            id,
            key: secret(&key),
        },
    )
}

/// Log in with the key of a service.
#[utoipa::path(
    post, path = "/v1/services/session", tag = "services", request_body = ServiceLogin, security(()),
    responses((status = 201, description = "A session was opened.", body = ServiceSession),
        Malformed, Unauthorized, TooLarge, Invalid, TooManyRequests, Unavailable)
)]
pub(crate) async fn open_session(
    State(server): State<Arc<Server>>,
    Json(login): Json<ServiceLogin>,
) -> HandlerResult {
    let opened = server
        .issuer()
        .accounts()
        .service_log_in(&login.id, &Token::from_text(login.key.expose()))
        .await;
    count(&server, &opened);
    let opened = opened?;
    let scopes = convert::scopes(&opened.scopes);
    document(
        StatusCode::CREATED,
        &ServiceSession {
            token: secret(&opened.token),
            expires_at: convert::moment(opened.expires),
            scopes,
        },
    )
}
