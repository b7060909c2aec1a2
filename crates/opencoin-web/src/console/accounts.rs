//! The list of accounts: by name, with a search for the beginning of a name.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Cashier, CashierError, Refusal};
use opencoin_ledger::{AccountName, AccountStatus, Profile, ProfileFilter};
use serde::Deserialize;

use super::desk::{Bar, Desk, Place};
use crate::address::Query;
use crate::format::Money;
use crate::messages::Messages;
use crate::visit::{Frame, PageResult, encoded, page};

/// The most accounts on a page.
const ACCOUNTS_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/accounts.html")]
struct AccountsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    currency: String,
    filter: Filter,
    accounts: Vec<AccountLine>,
    /// The address of the next page.
    next: Option<String>,
    may_change: bool,
}

struct AccountLine {
    name: String,
    balance: String,
    status: AccountStatus,
}

/// Which accounts are shown.
#[derive(Default, Deserialize)]
pub(super) struct Filter {
    /// How the name begins.
    #[serde(default)]
    q: String,
    /// `frozen`: only frozen accounts.
    #[serde(default)]
    only: String,
    /// Accounts after this name.
    after: Option<String>,
}

impl Filter {
    fn is_frozen_alone(&self) -> bool {
        self.only == "frozen"
    }

    fn next(&self, last: &AccountName) -> String {
        let mut parameters = vec![("after".to_owned(), last.as_str().to_owned())];
        for (name, value) in [("q", self.q.trim()), ("only", &self.only)] {
            if !value.is_empty() {
                parameters.push((name.to_owned(), value.to_owned()));
            }
        }
        format!("/console/accounts?{}", encoded(&parameters))
    }
}

/// `GET /console/accounts`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(filter): Query<Filter>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let found = find(&server.issuer().cashier(), &filter)
        .await
        .map_err(Refusal::from)?;
    let is_full = found.len() >= ACCOUNTS_PER_PAGE as usize;
    let last = found.last().filter(|_| is_full);
    let money = desk.money(&server);
    let accounts = AccountsPage {
        frame: desk.visit.frame(t.console_accounts()),
        t,
        bar: desk.bar(&server, Some(Place::Accounts)),
        currency: money.name(),
        next: last.map(|last| filter.next(&last.account.name)),
        accounts: found.into_iter().map(|profile| line(profile, &money)).collect(),
        filter,
        may_change: desk.may(AdminRight::ChangeAccounts),
    };
    Ok(page(StatusCode::OK, language, &accounts))
}

/// A page of the accounts that the filter admits. Names are ordered by their bytes, so those that begin with a text stand
/// together, after the account that has the text itself as its name.
async fn find(cashier: &Cashier, filter: &Filter) -> Result<Vec<Profile>, CashierError> {
    let typed = filter.q.trim().to_lowercase();
    let after: Option<AccountName> = filter.after.as_ref().and_then(|after| after.parse().ok());
    let begin: Option<AccountName> = typed.parse().ok();
    if begin.is_none() && !typed.is_empty() {
        // No name begins so.
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    if let (Some(begin), None) = (&begin, &after) {
        match cashier.account(begin).await {
            Ok(exact) => found.push(exact),
            Err(CashierError::UnknownAccount(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let from = after.or_else(|| begin.clone());
    let rest = ACCOUNTS_PER_PAGE - u32::try_from(found.len()).unwrap_or(ACCOUNTS_PER_PAGE);
    let wanted = if filter.is_frozen_alone() {
        ProfileFilter::Frozen
    } else {
        ProfileFilter::All
    };
    found.extend(cashier.accounts(wanted, from.as_ref(), rest).await?);
    found.retain(|profile| {
        let begins = profile.account.name.as_str().starts_with(&typed);
        let has_status = !filter.is_frozen_alone() || profile.account.status == AccountStatus::Frozen;
        begins && has_status
    });
    Ok(found)
}

fn line(profile: Profile, money: &Money) -> AccountLine {
    AccountLine {
        name: profile.account.name.as_str().to_owned(),
        balance: money.number(profile.account.balance.units()),
        status: profile.account.status,
    }
}
