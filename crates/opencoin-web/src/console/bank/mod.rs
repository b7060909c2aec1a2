//! The operator's bank: statements that come from it, and lines that match no account.

mod columns;
mod deciding;
mod kept;
mod lines;
mod preview;
mod said;
mod statement;
mod statements;
mod upload;

pub(super) use self::kept::ProposedLine;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use opencoin_http::Server;

/// The pages of the bank.
pub(super) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/console/bank", get(statements::show).post(upload::store))
        .route("/console/bank/statements/{no}", get(statement::show))
        .route("/console/bank/statements/{no}/book", post(statement::book))
        .route("/console/bank/statements/{no}/{list}", get(statement::list))
        .route("/console/bank/lines", get(lines::show))
        .route("/console/bank/lines/{no}", get(deciding::show))
        .route("/console/bank/lines/{no}/{verdict}", post(deciding::check))
        .route(
            "/console/bank/lines/{no}/{verdict}/confirm",
            post(deciding::confirm),
        )
}
