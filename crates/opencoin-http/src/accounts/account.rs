//! The account of a holder, and the directory of listed accounts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AccountSummary, Balance, ChangeAccount, Directory, DirectoryEntry};
use opencoin_issuer::accounts::Page;
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{AccountName, EntryPage};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::convert;
use crate::callers::{Holder, Reader};
use crate::json::{HandlerResult, Json, Parameters, document, no_content};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, TooLarge, Unauthorized, Unavailable};
use crate::server::Server;

/// The page of a list that is ordered by name.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct ByName {
    /// The name after which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Name>, inline))]
    pub(crate) after: Option<String>,
    /// The most items of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    pub(crate) limit: Option<u32>,
}

impl ByName {
    /// Parses `after`.
    pub(crate) fn cursor(&self) -> Result<Option<AccountName>, Refusal> {
        name_cursor(self.after.as_deref())
    }
}

/// Parses the `after` of a list that is ordered by name.
pub(crate) fn name_cursor(after: Option<&str>) -> Result<Option<AccountName>, Refusal> {
    let invalid = |error| Refusal::new(Reason::Invalid, format!("after: {error}"));
    after.map(str::parse).transpose().map_err(invalid)
}

/// The account with its newest entries.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/account", tag = "account",
    responses((status = 200, description = "The account.", body = AccountSummary), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn show(State(server): State<Arc<Server>>, Reader(caller): Reader) -> HandlerResult {
    let accounts = server.accounts();
    let profile = accounts.profile(caller.account).await?;
    let Page { items, is_full } = accounts
        .entries(caller.account, EntryPage::Before(None), None)
        .await?;
    let last = items.last().filter(|_| is_full);
    let before = last.map(|entry| convert::entry_id(entry.no));
    let summary = AccountSummary {
        name: profile.account.name.as_str().to_owned(),
        balance: profile.account.balance.units(),
        listed: profile.listed,
        status: convert::status(profile.account.status),
        entries: items.into_iter().map(convert::entry).collect(),
        before,
    };
    document(StatusCode::OK, &summary)
}

/// Put the account into the directory, or remove it.
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/v1/account", tag = "account", request_body = ChangeAccount,
    responses((status = 204, description = "The account was changed."), Malformed, Unauthorized, Forbidden, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn change(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Json(change): Json<ChangeAccount>,
) -> HandlerResult {
    server
        .accounts()
        .set_listed(caller.account, change.listed)
        .await?;
    no_content()
}

/// The balance of the account.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/account/balance", tag = "account",
    responses((status = 200, description = "The balance.", body = Balance), Unauthorized, Forbidden, Unavailable)
))]
pub(crate) async fn balance(State(server): State<Arc<Server>>, Reader(caller): Reader) -> HandlerResult {
    let profile = server.accounts().profile(caller.account).await?;
    let balance = profile.account.balance.units();
    document(StatusCode::OK, &Balance { balance })
}

/// The listed accounts, ordered by name.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/directory", tag = "account", params(ByName),
    responses((status = 200, description = "One page.", body = Directory),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn directory(
    State(server): State<Arc<Server>>,
    Reader(_): Reader,
    Parameters(page): Parameters<ByName>,
) -> HandlerResult {
    let Page { items, is_full } = server
        .accounts()
        .directory(page.cursor()?.as_ref(), page.limit)
        .await?;
    let accounts: Vec<_> = items
        .into_iter()
        .map(|profile| DirectoryEntry {
            name: profile.account.name.as_str().to_owned(),
        })
        .collect();
    let last = accounts.last().filter(|_| is_full);
    let after = last.map(|entry| entry.name.clone());
    document(StatusCode::OK, &Directory { accounts, after })
}
