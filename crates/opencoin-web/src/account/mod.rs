//! The pages of a holder: balance, entries, payments, payouts, programs with access, settings.

mod entries;
mod live;
mod login;
mod overview;
mod pairing;
mod pay;
mod payouts;
mod programs;
mod session;
mod settings;
mod start;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use opencoin_http::Server;

/// The routes of a holder.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/account", get(overview::show))
        .route("/account/login", get(login::show).post(login::log_in))
        .route("/account/start", get(start::show).post(start::start))
        .route("/account/logout", post(login::log_out))
        .route("/account/live", get(live::stream))
        .route("/account/entries", get(entries::show))
        .route("/account/entries.csv", get(entries::table))
        .route("/account/pay", get(pay::show).post(pay::check))
        .route("/account/pay/confirm", post(pay::confirm))
        .route("/account/payouts", get(payouts::show).post(payouts::check))
        .route("/account/payouts/confirm", post(payouts::confirm))
        .route("/account/programs", get(programs::show))
        .route("/account/programs/pair", post(pairing::pair))
        .route("/account/pair", get(pairing::explain))
        .route("/account/programs/{id}/remove", get(programs::ask_remove))
        .route("/account/programs/remove", post(programs::remove))
        .route("/account/settings", get(settings::show))
        .route(
            "/account/settings/logout",
            get(settings::ask_log_out).post(settings::log_out_everywhere),
        )
        .route("/account/settings/directory", post(settings::change_directory))
        .route("/account/settings/password", post(settings::change_password))
}
