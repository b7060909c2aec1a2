//! New mint keys, as operators make them, and the certificates that they bring from a master key on another machine.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{
    GiveUpRequest, GivenUp, ImportedCertificates, NewMintKey, PendingKeys, RotateKeys, RotatedKeys,
    RotationResult,
};
use opencoin_issuer::accounts::text;
use opencoin_issuer::{MadeKeys, PendingRequest, Reason, Refusal};
use zeroize::Zeroizing;

use super::operator::{Admin, ChangesKeys, ReadsKeys};
use crate::json::{File, HandlerResult, Json, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, PreviewChanged, TooLarge, TooManyRequests, Unauthorized,
    Unavailable,
};

/// Make the mint keys that are due, and finish a request that waits. If the master key is in the folder of the currency, its
/// passphrase is needed. Otherwise the keys wait for certificates. A repetition finds nothing due. If another request waits
/// than the one that is named, nothing is done. After five wrong passphrases, each further one has to wait.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/keys/rotate", tag = "admin", request_body = RotateKeys,
    responses((status = 200, description = "What was done.", body = RotatedKeys),
        Malformed, Unauthorized, Forbidden, NotFound, PreviewChanged, TooLarge, Invalid, TooManyRequests, Unavailable)
))]
pub(crate) async fn rotate(
    State(admin): State<Admin>,
    ChangesKeys(operator): ChangesKeys,
    Json(RotateKeys {
        master_passphrase,
        request,
    }): Json<RotateKeys>,
) -> HandlerResult {
    let passphrase = master_passphrase.map(|secret| Zeroizing::new(secret.expose().to_owned()));
    let made = admin
        .issuer()
        .make_mint_keys(&operator, passphrase, request)
        .await;
    let made = made.map_err(Refusal::from)?;
    let (result, keys, late) = match made {
        MadeKeys::Nothing => (RotationResult::Nothing, Vec::new(), 0),
        MadeKeys::Waits(request) => (RotationResult::Waits, request.mint_keys, 0),
        MadeKeys::Done(imported) => (RotationResult::Done, imported.mint_keys, imported.late),
    };
    let rotated = RotatedKeys {
        result,
        keys: keys.into_iter().map(new_key).collect(),
        late: late as u64,
    };
    document(StatusCode::OK, &rotated)
}

/// The request that waits for the master key.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/keys/pending", tag = "admin",
    responses((status = 200, description = "It waits.", body = PendingKeys),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn pending(State(admin): State<Admin>, _: ReadsKeys) -> HandlerResult {
    let none = || Refusal::new(Reason::NotFound, "no request waits for the master key");
    let state = admin.issuer().key_making_state().await?;
    let PendingRequest {
        fingerprint,
        import_by,
        mint_keys,
        changes_description,
        file,
        ..
    } = state.pending.request()?.ok_or_else(none)?;
    let pending = PendingKeys {
        fingerprint,
        import_by,
        keys: mint_keys.into_iter().map(new_key).collect(),
        changes_description,
        request: file,
    };
    document(StatusCode::OK, &pending)
}

/// Give up the request that waits for the master key: its file is removed, and the keys that were made for it are never used.
/// If another request waits than the one that is named, nothing is done. If none waits, nothing is done, either. A request with
/// a description that the master key has signed, or may have signed, is not given up.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/keys/give-up", tag = "admin", request_body = GiveUpRequest,
    responses((status = 200, description = "Nothing waits any more.", body = GivenUp),
        Malformed, Unauthorized, Forbidden, NotFound, PreviewChanged, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn give_up(
    State(admin): State<Admin>,
    ChangesKeys(operator): ChangesKeys,
    Json(GiveUpRequest {
        request,
        never_signed,
    }): Json<GiveUpRequest>,
) -> HandlerResult {
    let request = text("request", &request)?.as_str().to_owned();
    let issuer = admin.issuer();
    let given_up = issuer.give_up_request(&operator, request, never_signed).await?;
    document(StatusCode::OK, &GivenUp { given_up })
}

/// Take the certificates that `opencoin master sign` has made for the request that waits. The body is its file.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/keys/certificates", tag = "admin",
    request_body(content = inline(shapes::FileContent), content_type = "application/octet-stream", description = "The file."),
    responses((status = 200, description = "They are in force.", body = ImportedCertificates),
        Unauthorized, Forbidden, NotFound, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn import(
    State(admin): State<Admin>,
    ChangesKeys(operator): ChangesKeys,
    File(content): File,
) -> HandlerResult {
    let imported = admin.issuer().import_certificates(&operator, &content).await?;
    let answer = ImportedCertificates {
        imported: imported.is_new,
        keys: imported.mint_keys.into_iter().map(new_key).collect(),
        description_serial: imported.description,
        late: imported.late as u64,
    };
    document(StatusCode::OK, &answer)
}

fn new_key((denomination, signs_from): (u64, DateTime<Utc>)) -> NewMintKey {
    NewMintKey {
        denomination,
        signs_from,
    }
}
