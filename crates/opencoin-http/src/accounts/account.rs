//! An account as its holder sees it, and the directory of those who want to be found.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{AccountSummary, Balance, ChangeAccount, Directory, DirectoryEntry};
use opencoin_issuer::accounts::Page;
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{AccountName, EntryPage};
use serde::Deserialize;
use utoipa::IntoParams;

use super::convert;
use crate::callers::{Holder, Reader};
use crate::json::{HandlerResult, Json, Parameters, document, nothing};
use crate::problems::{Forbidden, Invalid, Malformed, TooLarge, Unauthorized, Unavailable};
use crate::server::Server;

/// Which part of a list that is in the order of names.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByName {
    /// Begin after this name.
    #[param(value_type = Option<opencoin_api::shapes::Name>, inline)]
    pub(crate) after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
}

impl ByName {
    /// The name to begin after.
    pub(crate) fn cursor(&self) -> Result<Option<AccountName>, Refusal> {
        let invalid = |error| Refusal::new(Reason::Invalid, format!("after: {error}"));
        self.after.as_deref().map(str::parse).transpose().map_err(invalid)
    }
}

/// The account with its newest entries.
#[utoipa::path(
    get, path = "/v1/account", tag = "account",
    responses((status = 200, description = "The account.", body = AccountSummary), Unauthorized, Forbidden, Unavailable)
)]
pub(crate) async fn show(State(server): State<Arc<Server>>, Reader(caller): Reader) -> HandlerResult {
    let accounts = server.issuer().accounts();
    let profile = accounts.profile(caller.account).await?;
    let Page { items, is_full } = accounts
        .entries(caller.account, EntryPage::Before(None), None)
        .await?;
    let before = items
        .last()
        .filter(|_| is_full)
        .map(|entry| convert::entry_id(entry.no));
    let summary = AccountSummary {
        name: profile.account.name.as_str().to_owned(),
        balance: profile.account.balance.units(),
        listed: profile.listed,
        entries: items.into_iter().map(convert::entry).collect(),
        before,
    };
    document(StatusCode::OK, &summary)
}

/// Choose whether the account stands in the directory.
#[utoipa::path(
    patch, path = "/v1/account", tag = "account", request_body = ChangeAccount,
    responses((status = 204, description = "It is so."), Malformed, Unauthorized, Forbidden, TooLarge, Invalid, Unavailable)
)]
pub(crate) async fn change(
    State(server): State<Arc<Server>>,
    Holder(caller): Holder,
    Json(change): Json<ChangeAccount>,
) -> HandlerResult {
    server
        .issuer()
        .accounts()
        .set_listed(caller.account, change.listed)
        .await?;
    nothing()
}

/// What the account holds.
#[utoipa::path(
    get, path = "/v1/account/balance", tag = "account",
    responses((status = 200, description = "The balance.", body = Balance), Unauthorized, Forbidden, Unavailable)
)]
pub(crate) async fn balance(State(server): State<Arc<Server>>, Reader(caller): Reader) -> HandlerResult {
    let balance = server
        .issuer()
        .accounts()
        .profile(caller.account)
        .await?
        .account
        .balance
        .units();
    document(StatusCode::OK, &Balance { balance })
}

/// The accounts that chose to be listed, by name.
#[utoipa::path(
    get, path = "/v1/directory", tag = "account", params(ByName),
    responses((status = 200, description = "One page.", body = Directory),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
)]
pub(crate) async fn directory(
    State(server): State<Arc<Server>>,
    Reader(_): Reader,
    Parameters(page): Parameters<ByName>,
) -> HandlerResult {
    let Page { items, is_full } = server
        .issuer()
        .accounts()
        .directory(page.cursor()?.as_ref(), page.limit)
        .await?;
    let accounts: Vec<_> = items
        .into_iter()
        .map(|profile| DirectoryEntry {
            name: profile.account.name.as_str().to_owned(),
        })
        .collect();
    let after = accounts
        .last()
        .filter(|_| is_full)
        .map(|entry| entry.name.clone());
    document(StatusCode::OK, &Directory { accounts, after })
}
