//! How many coins there are, for everybody.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use opencoin_api::Supply;
use opencoin_config::SupplyFigures;
use opencoin_issuer::{Reason, Refusal};

use super::answer;
use super::documents;
use super::json::HandlerResult;
#[cfg(feature = "openapi")]
use super::problems::{NoSupply, Unavailable};
use super::server::Server;

/// What a server shows of the coins.
pub enum ShownSupply {
    /// These figures.
    Figures(Arc<Supply>),
    /// The newest figures are being published.
    NotYet,
    /// Nothing, as the operator wishes.
    Off,
}

impl Server {
    /// What the server shows of the coins.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn supply(&self) -> Result<ShownSupply, Refusal> {
        if self.issuer().log().is_none() && self.supply_figures() == SupplyFigures::Off {
            return Ok(ShownSupply::Off);
        }
        let supply = self.issuer().supply().await?;
        Ok(supply.map_or(ShownSupply::NotYet, ShownSupply::Figures))
    }
}

/// How many coins there are, as of the newest published batch of the public log, or counted once a day.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/supply", tag = "currency", security(()),
    responses((status = 200, description = "The coins, with an `ETag`.", body = Supply),
        (status = 304, description = "The client has them."), NoSupply, Unavailable)
))]
pub(crate) async fn show(State(server): State<Arc<Server>>, headers: HeaderMap) -> HandlerResult {
    match server.supply().await? {
        ShownSupply::Figures(supply) => Ok(documents::pretty(&*supply, &headers)),
        ShownSupply::NotYet => Ok(not_yet()),
        ShownSupply::Off => Err(Refusal::new(
            Reason::NotFound,
            "this currency does not show how many coins there are",
        )
        .into()),
    }
}

fn not_yet() -> Response<Body> {
    answer::problem(&Refusal::new(
        Reason::Unavailable,
        "the figures are being published; ask again later",
    ))
}
