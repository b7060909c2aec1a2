//! How the server is set up: who its operators are, and which settings it has.

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{AdminOperator, AdminOperators, AdminSetting, AdminSettings, SettingSource};
use opencoin_config::{Origin, SettingEntry};
use opencoin_issuer::{AdminToken, AdminTokens, Refusal};

use super::operator::{Admin, Looks};
use crate::json::{HandlerResult, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Unauthorized, Unavailable};

/// Who may work here: the names of the operators' tokens and what they permit, never the tokens. Every token of an operator
/// may read them.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/operators", tag = "admin",
    responses((status = 200, description = "The operators.", body = AdminOperators), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn list_operators(State(admin): State<Admin>, _: Looks) -> HandlerResult {
    let operators = operators(admin.tokens()).await?;
    let operators = operators.into_iter().map(operator).collect();
    document(StatusCode::OK, &AdminOperators { operators })
}

fn operator(token: AdminToken) -> AdminOperator {
    AdminOperator {
        name: token.name,
        scopes: token.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        created_at: token.created_at,
    }
}

/// Every setting of the process that answers, as it was when the process began, without passwords. Every token of an
/// operator may read them.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/settings", tag = "admin",
    responses((status = 200, description = "The settings.", body = AdminSettings), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn settings(State(admin): State<Admin>, _: Looks) -> HandlerResult {
    let settings = admin.server().settings().iter().map(setting).collect();
    document(StatusCode::OK, &AdminSettings { settings })
}

fn setting(entry: &SettingEntry) -> AdminSetting {
    let (from, line, name) = match &entry.origin {
        Origin::Default => (SettingSource::Default, None, None),
        Origin::File { line } => (SettingSource::File, u64::try_from(*line).ok(), None),
        Origin::Environment { name } => (SettingSource::Environment, None, Some(name.clone())),
        Origin::Flag { name } => (SettingSource::Flag, None, Some(name.clone())),
    };
    AdminSetting {
        key: entry.path.to_owned(),
        value: entry.value.as_ref().map(ToString::to_string),
        from,
        line,
        name,
    }
}

/// The operators of these tokens, as the file has them now.
///
/// # Errors
/// When the tokens cannot be read.
pub async fn operators(tokens: &AdminTokens) -> Result<Vec<AdminToken>, Refusal> {
    let tokens = tokens.clone();
    let listed = tokio::task::spawn_blocking(move || tokens.list())
        .await
        .expect("reading a file does not panic");
    listed.map_err(|error| {
        tracing::error!(%error, "the operator's tokens cannot be read");
        Refusal::unavailable()
    })
}
