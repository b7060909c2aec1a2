//! Authentication of operators by their tokens.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use opencoin_issuer::accounts::Right;
use opencoin_issuer::{
    AdminRight, AdminTokens, AuthenticatedOperator, BankDesk, Cashier, CashierError, Issuer, PayoutDesk,
    Reason, Refusal,
};
use opencoin_ledger::{OperatorName, TokenHash};

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

    pub(super) fn issuer(&self) -> &Issuer {
        self.0.server.issuer()
    }

    pub(super) fn server(&self) -> &Server {
        &self.0.server
    }

    pub(super) fn tokens(&self) -> &AdminTokens {
        &self.0.tokens
    }

    pub(super) fn cashier(&self) -> &Cashier {
        &self.0.cashier
    }

    pub(super) fn payout_desk(&self) -> PayoutDesk {
        self.0.server.issuer().payout_desk()
    }

    pub(super) fn bank_desk(&self) -> BankDesk {
        self.0.server.issuer().bank_desk()
    }
}

impl FromRef<Admin> for Arc<Server> {
    fn from_ref(admin: &Admin) -> Self {
        Self::clone(&admin.0.server)
    }
}

/// Declares an extractor that accepts a request with an operator's token that has a right, before anything else of the
/// request is read. That of a change says who makes it.
macro_rules! operator {
    ($(#[$doc:meta])* $name:ident, $right:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        operator!(@extract $name, $right, |_operator| Self);
    };
    ($(#[$doc:meta])* $name:ident(OperatorName), $right:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(crate) OperatorName);

        operator!(@extract $name, $right, |operator: AuthenticatedOperator| Self(operator.name));
    };
    (@extract $name:ident, $right:expr, $make:expr) => {
        impl FromRequestParts<Admin> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Problem> {
                let operator = admin.operator(parts).await?;
                operator.check($right)?;
                Ok(($make)(operator))
            }
        }
    };
}

operator! {
    /// May read what concerns all operators.
    Looks(OperatorName), AdminRight::Look
}
operator! {
    /// May read accounts and payouts.
    ReadsAccounts, AdminRight::ReadAccounts
}
operator! {
    /// May change accounts and payouts.
    ChangesAccounts(OperatorName), AdminRight::ChangeAccounts
}

operator! {
    /// May read the state of keys and audits.
    ReadsKeys, AdminRight::ReadKeys
}
operator! {
    /// May change keys and signing, and run audits.
    ChangesKeys(OperatorName), AdminRight::ChangeKeys
}

impl Admin {
    async fn operator(&self, parts: &Parts) -> Result<AuthenticatedOperator, Problem> {
        let missing = || {
            Refusal::new(
                Reason::Unauthorized,
                "send an operator's token as Authorization: Bearer TOKEN",
            )
        };
        let token = bearer_token(&parts.headers).ok_or_else(missing)?;
        if let Some(operator) = authenticated_operator(&self.0.tokens, token.hash()).await? {
            return Ok(operator);
        }
        // A valid token of a holder or service gets `forbidden`; any other token gets `unauthorized`.
        self.0
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

/// The operator with this token; `None` if it is none.
///
/// # Errors
/// When the tokens cannot be read.
pub async fn authenticated_operator(
    tokens: &AdminTokens,
    token: TokenHash,
) -> Result<Option<AuthenticatedOperator>, Refusal> {
    let tokens = tokens.clone();
    let found = tokio::task::spawn_blocking(move || tokens.operator(&token))
        .await
        .expect("reading a file does not panic");
    let operator = found.map_err(|error| {
        tracing::error!(%error, "the operator's tokens cannot be read");
        Refusal::unavailable()
    })?;
    if let Some(operator) = &operator {
        tracing::info!(operator = %operator.name, "request of an operator");
    }
    Ok(operator)
}

impl From<CashierError> for Problem {
    fn from(error: CashierError) -> Self {
        Refusal::from(error).into()
    }
}
