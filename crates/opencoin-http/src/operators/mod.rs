//! `/v1/admin`: what operators do over HTTP, on a listener of their own, with tokens of their own.

pub(super) mod accounts;
pub(super) mod payouts;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::routing::{get, post, put};

use super::callers::bearer_token;
use super::json::Problem;
use super::server::Server;
use opencoin_issuer::AdminTokens;
use opencoin_issuer::accounts::{Right, Token};
use opencoin_issuer::unavailable;
use opencoin_issuer::{Cashier, CashierError};
use opencoin_issuer::{Reason, Refusal};

/// The server as its operator meets it.
#[derive(Clone)]
pub(super) struct Admin(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    cashier: Cashier,
    tokens: AdminTokens,
}

impl Admin {
    fn cashier(&self) -> &Cashier {
        &self.0.cashier
    }
}

impl FromRef<Admin> for Arc<Server> {
    fn from_ref(admin: &Admin) -> Self {
        Self::clone(&admin.0.server)
    }
}

/// The paths of operators with these tokens, and the description of the whole API.
pub(super) fn router<S>(server: Arc<Server>, tokens: AdminTokens) -> Router<S> {
    let admin = Admin(Arc::new(Inner {
        cashier: server.issuer().cashier(),
        server,
        tokens,
    }));
    Router::new()
        .route("/v1/openapi.json", get(super::openapi::whole))
        .route("/v1/admin/accounts", post(accounts::create).get(accounts::list))
        .route("/v1/admin/accounts/{name}", get(accounts::show))
        .route("/v1/admin/accounts/{name}/password", put(accounts::set_password))
        .route("/v1/admin/accounts/{name}/credits", post(accounts::credit))
        .route("/v1/admin/accounts/{name}/debits", post(accounts::debit))
        .route("/v1/admin/payouts", get(payouts::list))
        .route("/v1/admin/payouts/{id}/paid", post(payouts::paid))
        .route("/v1/admin/payouts/{id}/failed", post(payouts::failed))
        .with_state(admin)
}

/// An operator: an extractor that looks at the token before anything else is looked at.
pub(super) struct Operator;

impl FromRequestParts<Admin> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
        let missing = || {
            Refusal::new(
                Reason::Unauthorized,
                "send an operator's token as Authorization: Bearer TOKEN",
            )
        };
        let token = bearer_token(&parts.headers).ok_or_else(missing)?;
        if is_operators(admin, &token).await? {
            return Ok(Self);
        }
        // Somebody is told that his token is good, but not for this; nobody else learns anything.
        admin
            .0
            .server
            .issuer()
            .accounts()
            .caller(Some(&token), Right::Leave)
            .await?;
        Err(Refusal::new(
            Reason::Forbidden,
            "this is a holder's token, and not an operator's",
        )
        .into())
    }
}

async fn is_operators(admin: &Admin, token: &Token) -> Result<bool, Refusal> {
    let (tokens, token) = (admin.0.tokens.clone(), token.clone());
    let found = tokio::task::spawn_blocking(move || tokens.name_of(&token))
        .await
        .expect("reading a file does not panic");
    let name = found.map_err(|error| {
        tracing::error!(%error, "the operator's tokens cannot be read");
        Refusal::unavailable()
    })?;
    if let Some(name) = &name {
        tracing::info!(operator = %name, "an operator's request");
    }
    Ok(name.is_some())
}

impl From<CashierError> for Problem {
    fn from(error: CashierError) -> Self {
        let text = error.to_string();
        let refusal = match error {
            CashierError::Ledger(error) => unavailable(error),
            CashierError::Refused(refusal) => refusal.into(),
            CashierError::Busy => Refusal::new(Reason::Unavailable, text),
            CashierError::UnknownAccount(_) => Refusal::new(Reason::NotFound, text),
            CashierError::Settled(_) => Refusal::new(Reason::ReferenceConflict, text),
        };
        refusal.into()
    }
}
