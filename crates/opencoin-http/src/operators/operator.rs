//! Authentication of operators by their tokens.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use opencoin_issuer::accounts::{Right, Token};
use opencoin_issuer::{AdminTokens, Cashier, CashierError, Reason, Refusal, unavailable};

use crate::callers::bearer_token;
use crate::json::Problem;
use crate::server::Server;

/// The state of the operator's API.
#[derive(Clone)]
pub(crate) struct Admin(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    cashier: Cashier,
    tokens: AdminTokens,
}

impl Admin {
    pub(super) fn new(server: Arc<Server>, tokens: AdminTokens) -> Self {
        Self(Arc::new(Inner {
            cashier: server.issuer().cashier(),
            server,
            tokens,
        }))
    }

    pub(super) fn cashier(&self) -> &Cashier {
        &self.0.cashier
    }
}

impl FromRef<Admin> for Arc<Server> {
    fn from_ref(admin: &Admin) -> Self {
        Self::clone(&admin.0.server)
    }
}

/// Extractor: accepts a request with an operator's token, before anything else of the request is read.
pub(crate) struct Operator;

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
        // A valid token of a holder or service gets `forbidden`; any other token gets `unauthorized`.
        admin
            .0
            .server
            .accounts()
            .caller(Some(&token), Right::Leave)
            .await?;
        Err(Refusal::new(
            Reason::Forbidden,
            "this is a token of an account; send an operator's token",
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
        tracing::info!(operator = %name, "request of an operator");
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
            CashierError::NothingRecovered | CashierError::NoHolder => Refusal::new(Reason::Invalid, text),
            CashierError::Settled(_) => Refusal::new(Reason::ReferenceConflict, text),
        };
        refusal.into()
    }
}
