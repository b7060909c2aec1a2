//! Lines of booked statements, as operators list and decide them.

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::{AdminProposal, KeptBankLine, shapes};
use opencoin_api::{AssignBankLine, BankLineState, KeptBankLines, SetBankLineAside};
use opencoin_bank::BankLineId;
use opencoin_issuer::accounts::{account_name, page_length, text};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::bank::{BankLineNo, BankLineStateKind};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::bank_convert::kept_bank_line;
use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use super::proposals::done;
use crate::accounts::convert::number;
use crate::json::{HandlerResult, Json, Parameters, PathParameter, created, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Decided, Forbidden, Invalid, Malformed, NotFound, TooLarge, Unauthorized, Unavailable,
};

/// The page of lines.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct OfLines {
    /// The number above which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    after: Option<u64>,
    /// The most lines of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
    /// Only lines in this state.
    #[cfg_attr(feature = "openapi", param(inline))]
    state: Option<BankLineState>,
}

/// The lines of booked statements, in the order in which they were kept.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/bank-lines", tag = "admin", params(OfLines),
    responses((status = 200, description = "One page.", body = KeptBankLines),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<OfLines>,
) -> HandlerResult {
    let state = page.state.map(|state| match state {
        BankLineState::Unmatched => BankLineStateKind::Unmatched,
        BankLineState::Claimed => BankLineStateKind::Claimed,
        BankLineState::Booked => BankLineStateKind::Booked,
        BankLineState::SetAside => BankLineStateKind::SetAside,
    });
    let after = BankLineNo::new(number("after", page.after.unwrap_or_default())?);
    let desk = admin.bank_desk();
    let found = desk.lines(state, after, page_length(page.limit)?).await?;
    let lines: Vec<_> = found.into_iter().map(kept_bank_line).collect();
    let after = lines.last().map_or(after.get().unsigned_abs(), |last| last.no);
    document(StatusCode::OK, &KeptBankLines { lines, after })
}

/// One line of a booked statement.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/bank-lines/{id}", tag = "admin",
    params(("id" = inline(shapes::BankLineId), Path, description = "The line.")),
    responses((status = 200, description = "The line.", body = KeptBankLine),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn show(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let line = admin.bank_desk().line(line_id(&id)?).await?;
    document(StatusCode::OK, &kept_bank_line(line))
}

/// Credit an unmatched line to an account. Repeating it changes nothing. A line above the limit waits for a second operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/bank-lines/{id}/assign", tag = "admin", request_body = AssignBankLine,
    params(("id" = inline(shapes::BankLineId), Path, description = "The line.")),
    responses((status = 201, description = "The account was credited.", body = KeptBankLine),
        (status = 200, description = "It was credited before.", body = KeptBankLine),
        (status = 202, description = "It waits for a second operator.", body = AdminProposal),
        Malformed, Unauthorized, Forbidden, NotFound, Decided, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn assign(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
    Json(assign): Json<AssignBankLine>,
) -> HandlerResult {
    let (id, name) = (line_id(&id)?, account_name(&assign.account)?);
    let desk = admin.bank_desk();
    match done(desk.acting(&operator).assign(id, &name).await?) {
        Ok((line, repeated)) => document(created(repeated), &kept_bank_line(line)),
        Err(waits) => document(StatusCode::ACCEPTED, &waits),
    }
}

/// Set an unmatched line aside for good: it is not the money of an account. Repeating it changes nothing.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/bank-lines/{id}/set-aside", tag = "admin", request_body = SetBankLineAside,
    params(("id" = inline(shapes::BankLineId), Path, description = "The line.")),
    responses((status = 201, description = "It was set aside.", body = KeptBankLine),
        (status = 200, description = "It was set aside before.", body = KeptBankLine),
        Malformed, Unauthorized, Forbidden, NotFound, Decided, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn set_aside(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
    Json(aside): Json<SetBankLineAside>,
) -> HandlerResult {
    let (id, reason) = (line_id(&id)?, text("reason", &aside.reason)?);
    let desk = admin.bank_desk();
    let (line, repeated) = desk.acting(&operator).set_aside(id, reason).await?;
    document(created(repeated), &kept_bank_line(line))
}

fn line_id(id: &str) -> Result<BankLineId, Refusal> {
    id.parse()
        .map_err(|_| Refusal::new(Reason::NotFound, "there is no such line"))
}
