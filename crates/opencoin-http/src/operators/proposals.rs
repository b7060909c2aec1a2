//! Operations that wait for a second operator, as operators list and decide them.

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AdminProposal, AdminProposals, ProposalState, ProposedOperation};
use opencoin_issuer::accounts::page_length;
use opencoin_issuer::{Asked, ProposalError, Reason, Refusal};
use opencoin_ledger::{Proposal, ProposalFilter, ProposalNo, ProposedKind};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use crate::accounts::convert::{moment, number};
use crate::json::{HandlerResult, Parameters, PathParameter, Problem, document};
#[cfg(feature = "openapi")]
use crate::problems::{Decided, Forbidden, Invalid, Malformed, NotFound, Short, Unauthorized, Unavailable};

/// The page of proposals.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct OfProposals {
    /// The id above which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    after: Option<u64>,
    /// The most proposals of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
    /// Whether the page also has proposals that were carried out or declined.
    #[cfg_attr(feature = "openapi", param(inline))]
    all: Option<bool>,
}

/// The operations that wait for a second operator, in the order in which they were proposed.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/proposals", tag = "admin", params(OfProposals),
    responses((status = 200, description = "One page.", body = AdminProposals),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<OfProposals>,
) -> HandlerResult {
    let filter = if page.all == Some(true) {
        ProposalFilter::All
    } else {
        ProposalFilter::Waiting
    };
    let after = ProposalNo::new(number("after", page.after.unwrap_or_default())?);
    let desk = admin.issuer().proposal_desk();
    let found = desk.proposals(filter, after, page_length(page.limit)?).await?;
    let proposals: Vec<_> = found.into_iter().map(proposal).collect();
    let after = proposals
        .last()
        .map_or(after.get().unsigned_abs(), |last| last.id);
    document(StatusCode::OK, &AdminProposals { proposals, after })
}

/// One proposal, also after it was carried out or declined.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/proposals/{id}", tag = "admin",
    params(("id" = inline(shapes::ProposalId), Path, description = "The proposal.")),
    responses((status = 200, description = "The proposal.", body = AdminProposal),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn show(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let found = admin.issuer().proposal_desk().proposal(proposal_no(&id)?).await?;
    document(StatusCode::OK, &proposal(found))
}

/// Carry out the proposal of another operator. A repetition gets the same answer. If the books refuse it, it waits on.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/proposals/{id}/approve", tag = "admin",
    params(("id" = inline(shapes::ProposalId), Path, description = "The proposal.")),
    responses((status = 200, description = "It was carried out.", body = AdminProposal),
        Unauthorized, Short, Forbidden, NotFound, Decided, Invalid, Unavailable)
))]
pub(crate) async fn approve(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let desk = admin.issuer().proposal_desk();
    let decided = desk.acting(&operator).approve(proposal_no(&id)?).await?;
    document(StatusCode::OK, &proposal(decided.proposal))
}

/// Decline the proposal of another operator, or withdraw one's own. A repetition gets the same answer.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/proposals/{id}/decline", tag = "admin",
    params(("id" = inline(shapes::ProposalId), Path, description = "The proposal.")),
    responses((status = 200, description = "It was declined or withdrawn.", body = AdminProposal),
        Unauthorized, Forbidden, NotFound, Decided, Unavailable)
))]
pub(crate) async fn decline(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let desk = admin.issuer().proposal_desk();
    let decided = desk.acting(&operator).decline(proposal_no(&id)?).await?;
    document(StatusCode::OK, &proposal(decided.proposal))
}

/// The result of an operation, or the proposal as which it waits for a second operator.
pub(super) fn done<T>(asked: Asked<T>) -> Result<T, Box<AdminProposal>> {
    match asked {
        Asked::Done(done) => Ok(done),
        Asked::Waits(waiting) => Err(Box::new(proposal(*waiting))),
    }
}

/// A proposal.
#[must_use]
pub fn proposal(proposal: Proposal) -> AdminProposal {
    let (state, decided_by, decided_at) = match proposal.verdict {
        None => (ProposalState::Waiting, None, None),
        Some(verdict) => {
            let state = if verdict.carried_out {
                ProposalState::CarriedOut
            } else {
                ProposalState::Declined
            };
            let by = verdict.operator.as_str().to_owned();
            (state, Some(by), Some(moment(verdict.at)))
        }
    };
    let proposed = proposal.proposed;
    AdminProposal {
        id: proposal.no.get().unsigned_abs(), // numbers begin at 1
        operation: operation(proposed.kind()),
        account: proposal.account.name.as_str().to_owned(),
        amount: proposal.amount.units(),
        text: proposed.text().map(|text| text.as_str().to_owned()),
        payout: proposed.payout().map(|payout| payout.get().unsigned_abs()),
        bank_line: proposed.line().map(|line| line.to_string()),
        proposed_by: proposal.operator.as_str().to_owned(),
        proposed_at: moment(proposal.at),
        state,
        decided_by,
        decided_at,
    }
}

fn operation(kind: ProposedKind) -> ProposedOperation {
    match kind {
        ProposedKind::Credit => ProposedOperation::Credit,
        ProposedKind::Debit => ProposedOperation::Debit,
        ProposedKind::AssignRecovered => ProposedOperation::AssignRecovered,
        ProposedKind::TakeRecovered => ProposedOperation::TakeRecovered,
        ProposedKind::PayPayout => ProposedOperation::PayPayout,
        ProposedKind::FailPayout => ProposedOperation::FailPayout,
        ProposedKind::AssignBankLine => ProposedOperation::AssignBankLine,
    }
}

/// The number of a proposal from a path.
fn proposal_no(id: &str) -> Result<ProposalNo, Refusal> {
    let not_found = || Refusal::new(Reason::NotFound, "there is no such proposal");
    let number = id.parse::<u64>().ok().and_then(|id| i64::try_from(id).ok());
    number.map(ProposalNo::new).ok_or_else(not_found)
}

impl From<ProposalError> for Problem {
    fn from(error: ProposalError) -> Self {
        Refusal::from(error).into()
    }
}
