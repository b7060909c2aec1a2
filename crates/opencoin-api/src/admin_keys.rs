//! The operator's API: mint keys and signing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Secret;

/// `GET /v1/admin/keys`: the mint keys, and when new ones are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminKeys {
    /// The issuer's time, to which the states belong.
    pub at: DateTime<Utc>,
    /// When the description of the currency expires.
    pub description_expires_at: DateTime<Utc>,
    /// When the next description of the currency is due.
    pub description_due_at: DateTime<Utc>,
    /// Every mint key, ordered by denomination and begin of signing.
    pub keys: Vec<AdminKey>,
    /// When the next key of each denomination is due.
    pub rotations: Vec<AdminRotation>,
    /// Whether an operator has paused signing.
    pub signing_paused: bool,
}

/// A mint key, and what the books count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminKey {
    /// The id of the key, in hex.
    pub id: String,
    /// The value of each of its coins, in the smallest unit.
    pub denomination: u64,
    /// What the key does.
    pub state: AdminKeyState,
    /// The begin of signing.
    pub signs_from: DateTime<Utc>,
    /// The end of signing.
    pub signs_until: DateTime<Utc>,
    /// Its coins are taken until then.
    pub coins_expire_at: DateTime<Utc>,
    /// The number of its coins that were signed.
    pub issued: u64,
    /// The number of its coins that came back.
    pub returned: u64,
    /// The number of its coins that were recouped after it was stopped.
    pub recouped: u64,
    /// Why it was stopped; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
}

/// What a mint key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AdminKeyState {
    /// Its time to sign has not begun.
    Future,
    /// It signs as soon as the published log has it.
    WaitsForLog,
    /// It signs.
    Signs,
    /// It no longer signs, and its coins are taken.
    Ended,
    /// Its coins have expired.
    Expired,
    /// It was stopped for good: it signs nothing, and its coins are refused.
    Stopped,
    /// It came too late for the public log and is never used.
    Late,
}

/// When a new key is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminRotation {
    /// The value of each coin, in the smallest unit.
    pub denomination: u64,
    /// When the key is due. A time that has passed: it is overdue.
    pub due_at: DateTime<Utc>,
}

/// `POST /v1/admin/keys/{id}/stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StopKey {
    /// Why. Everybody can read it in `GET /v1/revocations`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reason: String,
}

/// `POST /v1/admin/keys/rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// Opens the master key, if it is in the folder of the currency. It is kept nowhere.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Password>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_passphrase: Option<Secret>,
    /// The fingerprint of the request that waits for the master key, as `GET /v1/admin/keys/pending` has it; absent if none
    /// waits. It says what the master key may sign.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::shapes::Text>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// The answer to [`RotateKeys`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotatedKeys {
    /// What was done.
    pub result: RotationResult,
    /// The new keys, also those that wait for their certificates.
    pub keys: Vec<NewMintKey>,
    /// How many keys came too late for the public log and were left out.
    pub late: u64,
}

/// What a rotation has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RotationResult {
    /// Nothing was due.
    Nothing,
    /// Keys were made, and `GET /v1/admin/keys/pending` has the request for their certificates.
    Waits,
    /// The keys are in force.
    Done,
}

/// A new mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewMintKey {
    /// The value of each of its coins, in the smallest unit.
    pub denomination: u64,
    /// The begin of signing.
    pub signs_from: DateTime<Utc>,
}

/// `GET /v1/admin/keys/pending`: the request that waits for the master key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingKeys {
    /// What whoever has the master key compares before they sign.
    pub fingerprint: String,
    /// Until when the certificates must be here; absent without a public log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_by: Option<DateTime<Utc>>,
    /// The keys that wait.
    pub keys: Vec<NewMintKey>,
    /// Whether the request also has a new description of the currency.
    pub changes_description: bool,
    /// The file for `opencoin master sign`, as text.
    pub request: String,
}

/// `POST /v1/admin/keys/give-up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GiveUpRequest {
    /// The fingerprint of the request, as `GET /v1/admin/keys/pending` has it.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub request: String,
    /// Whether the caller knows that the master key has never signed it. Needed if the request has a description of the
    /// currency and the master key is on another machine.
    #[serde(default)]
    pub never_signed: bool,
}

/// The answer to [`GiveUpRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GivenUp {
    /// Whether the request waited; otherwise nothing did.
    pub given_up: bool,
}

/// The answer to `POST /v1/admin/keys/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportedCertificates {
    /// Whether this call took them; otherwise an earlier one had.
    pub imported: bool,
    /// The new keys.
    pub keys: Vec<NewMintKey>,
    /// The serial of the new description, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description_serial: Option<u64>,
    /// How many keys came too late for the public log and were left out. Destroy their certificates.
    pub late: u64,
}

/// `POST /v1/admin/signing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PauseSigning {
    /// Whether signing shall be paused.
    pub paused: bool,
}

/// The answer to [`PauseSigning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signing {
    /// Whether signing is paused.
    pub paused: bool,
}
