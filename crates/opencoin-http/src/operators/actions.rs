//! What operators have done.

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AdminAction, AdminActions};
use opencoin_issuer::accounts::{Page, page_length, text};
use opencoin_ledger::{ActionFilter, ActionNo, ActionSubject, RecordedAction};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, Looks};
use crate::accounts::convert::{moment, number};
use crate::json::{HandlerResult, Parameters, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, Unauthorized, Unavailable};

/// The page of actions.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct Newest {
    /// Only actions that have changed this, for example the account with this name.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    subject: Option<String>,
    /// The id below which the page begins. Without it the page has the newest actions.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    before: Option<u64>,
    /// The most actions of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
}

/// What operators have done, the newest first. Every token of an operator may read it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/actions", tag = "admin", params(Newest),
    responses((status = 200, description = "One page.", body = AdminActions),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: Looks,
    Parameters(page): Parameters<Newest>,
) -> HandlerResult {
    let filter = match &page.subject {
        Some(subject) => ActionFilter::Of(ActionSubject::new(text("subject", subject)?.as_str())),
        None => ActionFilter::All,
    };
    let before = page.before.map(|before| number("before", before)).transpose()?;
    let limit = page_length(page.limit)?;
    let actions = admin.cashier().actions(filter, before.map(ActionNo::new), limit);
    let Page { items, is_full } = Page::new(actions.await?, limit);
    let actions: Vec<AdminAction> = items.into_iter().map(shown).collect();
    let before = actions.last().filter(|_| is_full).map(|last| last.id);
    document(StatusCode::OK, &AdminActions { actions, before })
}

fn shown(action: RecordedAction) -> AdminAction {
    AdminAction {
        id: action.no.get().unsigned_abs(), // numbers begin at 1
        at: moment(action.at),
        operator: action.operator.as_str().to_owned(),
        kind: action.kind,
        subject: action.subject.as_str().to_owned(),
        amount: action.amount.map(|amount| amount.units()),
        detail: action.detail.map(|detail| detail.as_str().to_owned()),
    }
}
