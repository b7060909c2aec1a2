//! Files of payouts for the bank: made of payouts that wait, given out, withdrawn if they were never sent, and recorded as
//! paid.

mod ending;
mod file;
mod list;
mod making;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use opencoin_http::Server;

/// The pages of files.
pub(super) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/console/payout-files", get(list::show).post(making::make))
        .route("/console/payout-files/{no}", get(ending::show))
        .route("/console/payout-files/{no}/download", get(file::download))
        .route("/console/payout-files/{no}/{end}", post(ending::check))
        .route("/console/payout-files/{no}/{end}/confirm", post(ending::confirm))
}
