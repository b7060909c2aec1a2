//! The console of operators: what waits for a person, accounts, payouts, keys, audits of the books, and who did what.
//!
//! Each page needs the same scope of the operator's token as the call of the API that does the same. A token that may only
//! read sees no forms.

mod account;
mod accounts;
mod actions;
mod audit;
mod bank;
mod booking;
mod codes;
mod desk;
mod figures;
mod files;
mod giving_up;
mod keys;
mod login;
mod making;
mod opening;
mod payouts;
mod programs;
mod proposals;
mod settling;
mod setup;
mod signing;
mod status;
mod stopping;
mod timeline;
mod today;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use opencoin_http::Server;

use crate::visit::see_other;

/// The routes of operators.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/", get(async || see_other("/console")))
        .route("/console", get(today::show))
        .route("/console/figures", get(figures::show))
        .route("/console/login", get(login::show).post(login::log_in))
        .route("/console/logout", post(login::log_out))
        .route("/console/accounts", get(accounts::show))
        .route("/console/open-account", get(opening::show).post(opening::check))
        .route("/console/open-account/confirm", post(opening::confirm))
        .route("/console/accounts/{name}", get(account::show))
        .route(
            "/console/accounts/{name}/book/{way}",
            get(booking::show).post(booking::check),
        )
        .route(
            "/console/accounts/{name}/book/{way}/confirm",
            post(booking::confirm),
        )
        .route(
            "/console/accounts/{name}/code",
            get(codes::show).post(codes::issue),
        )
        .route("/console/accounts/{name}/code/new", get(codes::ask_issue))
        .route(
            "/console/accounts/{name}/code/handed-over",
            post(codes::hand_over),
        )
        .route(
            "/console/accounts/{name}/status/{status}",
            get(status::show).post(status::check),
        )
        .route(
            "/console/accounts/{name}/status/{status}/confirm",
            post(status::confirm),
        )
        .route(
            "/console/accounts/{name}/programs/{id}/remove",
            get(programs::ask_remove),
        )
        .route("/console/accounts/{name}/programs/remove", post(programs::remove))
        .route("/console/payouts", get(payouts::show))
        .route("/console/payouts/{id}", get(settling::show))
        .route("/console/payouts/{id}/{verdict}", post(settling::check))
        .route("/console/payouts/{id}/{verdict}/confirm", post(settling::confirm))
        .merge(bank::router())
        .route("/console/keys", get(keys::show))
        .route("/console/keys/new", get(making::show).post(making::make))
        .route(
            "/console/keys/request",
            get(making::show_request).post(making::bring),
        )
        .route(
            "/console/keys/give-up",
            get(giving_up::show).post(giving_up::give_up),
        )
        .route("/console/keys/pending.json", get(making::download))
        .route("/console/keys/signing/{state}", post(signing::check))
        .route("/console/keys/signing/{state}/confirm", post(signing::confirm))
        .route(
            "/console/keys/stop/{id}",
            get(stopping::show).post(stopping::check),
        )
        .route("/console/keys/stop/{id}/confirm", post(stopping::confirm))
        .route("/console/audit", get(audit::show).post(audit::start))
        .merge(files::router())
        .route("/console/proposals", get(proposals::show_all))
        .route("/console/proposals/{id}", get(proposals::show))
        .route("/console/proposals/{id}/{verdict}", post(proposals::check))
        .route(
            "/console/proposals/{id}/{verdict}/confirm",
            post(proposals::confirm),
        )
        .route("/console/actions", get(actions::show))
        .route("/console/setup", get(setup::show))
}
