//! The operator's API: operations that wait for a second operator.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An operation that waits for a second operator, or did. It is the answer, with status 202, to a request that needs one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminProposal {
    /// Its number. Numbers ascend, and what has a number never changes.
    pub id: u64,
    /// What is proposed.
    pub operation: ProposedOperation,
    /// The account whose money it is about.
    pub account: String,
    /// In the smallest unit.
    pub amount: u64,
    /// The reference of the payment, or why a payout has failed; absent for a line of the bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The payout, if one is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<u64>,
    /// The line of the bank, if one is assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_line: Option<String>,
    /// Who has proposed it.
    pub proposed_by: String,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// What became of it.
    pub state: ProposalState,
    /// Who has carried it out, declined it or withdrawn it; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

/// What is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProposedOperation {
    /// To credit the account.
    Credit,
    /// To debit the account.
    Debit,
    /// To assign recovered money to the account.
    AssignRecovered,
    /// To take recovered money from the account.
    TakeRecovered,
    /// To record that a payout was paid.
    PayPayout,
    /// To record that a payout has failed.
    FailPayout,
    /// To assign a line of the bank to the account.
    AssignBankLine,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProposalState {
    /// It waits for another operator.
    Waiting,
    /// Another operator has carried it out.
    CarriedOut,
    /// It was declined, or withdrawn by whoever had made it.
    Declined,
}

/// `GET /v1/admin/proposals`: one page, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdminProposals {
    /// The proposals.
    pub proposals: Vec<AdminProposal>,
    /// The `after` of the next page.
    pub after: u64,
}
