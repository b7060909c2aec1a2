//! The operator's API under `/v1/admin`, on a listener of its own and with tokens of its own.

pub(super) mod accounts;
pub(super) mod actions;
pub(super) mod audit;
pub(super) mod bank_convert;
pub(super) mod bank_lines;
pub(super) mod exports;
pub(super) mod key_making;
pub(super) mod keys;
mod operator;
pub(super) mod overview;
pub(super) mod payouts;
pub(super) mod proposals;
pub(super) mod samples;
pub(super) mod setup;
pub(super) mod statements;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};
use opencoin_issuer::AdminTokens;
use operator::Admin;
pub use operator::authenticated_operator;
pub use setup::operators;

use super::server::Server;

/// The paths of the operator's API. These tokens open it.
pub(super) fn router<S>(server: Arc<Server>, tokens: AdminTokens) -> Router<S> {
    Router::new()
        .route("/v1/admin/accounts", post(accounts::create).get(accounts::list))
        .route(
            "/v1/admin/accounts/{name}",
            get(accounts::show).patch(accounts::change_status),
        )
        .route("/v1/admin/accounts/{name}/entries", get(accounts::entries))
        .route("/v1/admin/accounts/{name}/services", get(accounts::services))
        .route(
            "/v1/admin/accounts/{name}/services/{id}",
            delete(accounts::remove_service),
        )
        .route(
            "/v1/admin/accounts/{name}/start-code",
            post(accounts::issue_start_code),
        )
        .route("/v1/admin/accounts/{name}/password", put(accounts::set_password))
        .route("/v1/admin/accounts/{name}/token", post(accounts::replace_token))
        .route("/v1/admin/accounts/{name}/credits", post(accounts::credit))
        .route("/v1/admin/accounts/{name}/debits", post(accounts::debit))
        .route("/v1/admin/actions", get(actions::list))
        .route(
            "/v1/admin/statements",
            post(statements::upload).get(statements::list),
        )
        .route("/v1/admin/statements/{id}", get(statements::preview))
        .route("/v1/admin/statements/{id}/book", post(statements::book))
        .route("/v1/admin/bank-lines", get(bank_lines::list))
        .route("/v1/admin/bank-lines/{id}", get(bank_lines::show))
        .route("/v1/admin/bank-lines/{id}/assign", post(bank_lines::assign))
        .route("/v1/admin/bank-lines/{id}/set-aside", post(bank_lines::set_aside))
        .route("/v1/admin/operators", get(setup::list_operators))
        .route("/v1/admin/settings", get(setup::settings))
        .route("/v1/admin/overview", get(overview::show))
        .route("/v1/admin/samples", get(samples::list))
        .route("/v1/admin/audit", get(audit::show).post(audit::start))
        .route("/v1/admin/keys", get(keys::list))
        .route("/v1/admin/keys/rotate", post(key_making::rotate))
        .route("/v1/admin/keys/pending", get(key_making::pending))
        .route("/v1/admin/keys/give-up", post(key_making::give_up))
        .route("/v1/admin/keys/certificates", post(key_making::import))
        .route("/v1/admin/keys/{id}/stop", post(keys::stop))
        .route("/v1/admin/signing", post(keys::set_signing))
        .route("/v1/admin/proposals", get(proposals::list))
        .route("/v1/admin/proposals/{id}", get(proposals::show))
        .route("/v1/admin/proposals/{id}/approve", post(proposals::approve))
        .route("/v1/admin/proposals/{id}/decline", post(proposals::decline))
        .route("/v1/admin/payouts", get(payouts::list))
        .route(
            "/v1/admin/payouts/exports",
            post(exports::make).get(exports::list),
        )
        .route("/v1/admin/payouts/exports/{id}", get(exports::show))
        .route("/v1/admin/payouts/exports/{id}/payouts", get(exports::payouts))
        .route("/v1/admin/payouts/exports/{id}/withdraw", post(exports::withdraw))
        .route("/v1/admin/payouts/exports/{id}/paid", post(exports::paid))
        .route("/v1/admin/payouts/{id}/paid", post(payouts::paid))
        .route("/v1/admin/payouts/{id}/failed", post(payouts::failed))
        .with_state(Admin::new(server, tokens))
}
