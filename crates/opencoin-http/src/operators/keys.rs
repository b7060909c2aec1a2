//! Mint keys and signing, as operators see and stop them.

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AdminKey, AdminKeyState, AdminKeys, AdminRotation, PauseSigning, Signing, StopKey};
use opencoin_issuer::{KeyState, MintKeyOverview, Reason, Refusal};
use opencoin_ledger::StopReason;
use opencoin_schema::BigInt;

use super::operator::{Admin, ChangesKeys, ReadsKeys};
use crate::json::{HandlerResult, Json, PathParameter, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, NotFound, TooLarge, Unauthorized, Unavailable};

/// The mint keys, what the books count of their coins, and when new ones are due.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/keys", tag = "admin",
    responses((status = 200, description = "All mint keys.", body = AdminKeys), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn list(State(admin): State<Admin>, _: ReadsKeys) -> HandlerResult {
    let overview = admin.issuer().mint_key_overview().await?;
    let rotation = |(&denomination, &due_at): (&u64, &_)| AdminRotation { denomination, due_at };
    let keys = AdminKeys {
        at: overview.at,
        description_expires_at: overview.description_expires,
        description_due_at: overview.description_due,
        keys: overview.keys().map(shown).collect(),
        rotations: overview.rotations.iter().map(rotation).collect(),
        signing_paused: overview.is_signing_paused,
    };
    document(StatusCode::OK, &keys)
}

/// Stop a mint key for good: it signs nothing more, and its coins are refused; holders get others by a recoup. A key that
/// was stopped before stays stopped for its first reason.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/keys/{id}/stop", tag = "admin", request_body = StopKey,
    params(("id" = inline(shapes::MintKeyId), Path, description = "The mint key.")),
    responses((status = 200, description = "The mint key is stopped.", body = AdminKey),
        Malformed, Unauthorized, Forbidden, NotFound, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn stop(
    State(admin): State<Admin>,
    ChangesKeys(operator): ChangesKeys,
    PathParameter(id): PathParameter,
    Json(stop): Json<StopKey>,
) -> HandlerResult {
    let unknown = |_| Refusal::new(Reason::NotFound, "a mint key has hex digits as its id");
    let invalid = |error| Refusal::new(Reason::Invalid, format!("reason: {error}"));
    let (id, reason) = (
        id.parse::<BigInt>().map_err(unknown)?,
        StopReason::new(stop.reason).map_err(invalid)?,
    );
    let stopped = admin.issuer().stop_mint_key(&operator, &id, reason).await?;
    document(StatusCode::OK, &shown(&stopped))
}

/// Pause or resume the signing of coins, for all servers of the currency. Requests are accepted meanwhile, and are signed
/// later.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/signing", tag = "admin", request_body = PauseSigning,
    responses((status = 200, description = "Signing is paused, or not.", body = Signing),
        Malformed, Unauthorized, Forbidden, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn set_signing(
    State(admin): State<Admin>,
    ChangesKeys(operator): ChangesKeys,
    Json(PauseSigning { paused }): Json<PauseSigning>,
) -> HandlerResult {
    admin.issuer().set_signing_paused(&operator, paused).await?;
    document(StatusCode::OK, &Signing { paused })
}

fn shown(key: &MintKeyOverview) -> AdminKey {
    AdminKey {
        id: key.id.to_string(),
        denomination: key.denomination,
        state: match key.state {
            KeyState::Future => AdminKeyState::Future,
            KeyState::Signing if key.awaits_log => AdminKeyState::WaitsForLog,
            KeyState::Signing => AdminKeyState::Signs,
            KeyState::Accepting => AdminKeyState::Ended,
            KeyState::Expired => AdminKeyState::Expired,
            KeyState::Revoked => AdminKeyState::Stopped,
            KeyState::Late => AdminKeyState::Late,
        },
        signs_from: key.signs_from,
        signs_until: key.signs_until,
        coins_expire_at: key.coins_expire,
        issued: key.issued,
        returned: key.returned,
        recouped: key.recouped,
        stop_reason: key.stopped.as_ref().map(|reason| reason.as_str().to_owned()),
    }
}
