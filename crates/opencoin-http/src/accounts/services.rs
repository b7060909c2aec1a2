//! Services of an account: the holder declares them, and they log in with their keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{
    DeclareService, DeclaredService, ReplaceServiceKey, RotatedService, SCOPES_MAX, ServiceLogin,
    ServiceSession, Services,
};
use opencoin_issuer::accounts::Token;
use opencoin_issuer::{Reason, Refusal};

use super::convert::{self, secret};
use super::sessions::count_login;
use crate::callers::Holder;
use crate::json::{HandlerResult, Json, PathParameter, document, no_content};
#[cfg(feature = "openapi")]
use crate::problems::{
    Exists, Forbidden, Invalid, Malformed, NotFound, TooLarge, TooManyRequests, Unauthorized, Unavailable,
};
use crate::server::Server;

/// Declare a service. Only this answer shows its key.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/services", tag = "services", request_body = DeclareService,
    responses((status = 201, description = "The service was declared.", body = DeclaredService),
        Malformed, Unauthorized, Forbidden, Exists, TooLarge, Invalid, Unavailable)
))]
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
    let (id, name, key) = server
        .accounts()
        .declare_service(&caller, &service.name, scopes.clone())
        .await?;
    let declared = DeclaredService {
        id: id.as_str().to_owned(),
        name: name.as_str().to_owned(),
        scopes: convert::scopes(&scopes),
        key: secret(&key),
    };
    document(StatusCode::CREATED, &declared)
}

/// The services of the account, and the last use of each.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/services", tag = "services",
    responses((status = 200, description = "All services, ordered by name.", body = Services), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn list(State(server): State<Arc<Server>>, Holder(caller): Holder) -> HandlerResult {
    let services = server.accounts().services(caller.account).await?;
    document(
        StatusCode::OK,
        &Services {
            services: services.into_iter().map(convert::service).collect(),
        },
    )
}

/// Remove a service. Its sessions end at once.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/services/{id}", tag = "services", params(("id" = inline(shapes::ServiceId), Path, description = "The service.")),
    responses((status = 204, description = "The service was removed."), Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn remove(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    server.accounts().remove_service(caller.account, &id).await?;
    no_content()
}

/// Replace the key of a service. The old key and its sessions end at once.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/services/{id}/rotate", tag = "services", params(("id" = inline(shapes::ServiceId), Path, description = "The service.")),
    responses((status = 200, description = "The new key. Only this answer shows it.", body = RotatedService),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn rotate(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let key = server.accounts().rotate_service(&caller, &id).await?;
    document(
        StatusCode::OK,
        &RotatedService {
            id,
            key: secret(&key),
        },
    )
}

/// Replace the key of a service by one that the service has made, as a program does first that was given its key on
/// paper or a screen. The old key and its sessions end at once. Repeat the same request if its answer was lost.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/services/key", tag = "services", request_body = ReplaceServiceKey, security(()),
    responses((status = 204, description = "The new key is the key of the service."),
        Malformed, Unauthorized, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn replace_key(
    State(server): State<Arc<Server>>,
    Json(replace): Json<ReplaceServiceKey>,
) -> HandlerResult {
    let [key, new_key] = [&replace.key, &replace.new_key].map(|key| Token::from_text(key.expose()));
    let replaced = server
        .accounts()
        .replace_service_key(&replace.id, &key, &new_key)
        .await;
    count_login(&server, &replaced);
    replaced?;
    no_content()
}

/// Log in with the key of a service.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/services/session", tag = "services", request_body = ServiceLogin, security(()),
    responses((status = 201, description = "A session was opened.", body = ServiceSession),
        Malformed, Unauthorized, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn open_session(
    State(server): State<Arc<Server>>,
    Json(login): Json<ServiceLogin>,
) -> HandlerResult {
    let opened = server
        .accounts()
        .service_log_in(&login.id, &Token::from_text(login.key.expose()))
        .await;
    count_login(&server, &opened);
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
