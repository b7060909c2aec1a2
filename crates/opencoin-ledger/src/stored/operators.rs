//! Conversion of rows about operators.

use opencoin_bank::BankLineId;

use crate::bank::LineAccount;
use crate::{
    AccountId, ActionDetail, ActionNo, ActionSubject, Amount, LedgerError, LedgerTime, PayoutNo, Proposal,
    ProposalNo, ProposalVerdict, Proposed, ProposedKind, RecordedAction, Reference,
};

/// A row of `operator_actions`.
#[derive(Debug)]
pub struct StoredAction {
    /// `no`
    pub no: i64,
    /// `at`
    pub at: i64,
    /// `operator`
    pub operator: String,
    /// `kind`
    pub kind: String,
    /// `subject`
    pub subject: String,
    /// `amount`
    pub amount: Option<i64>,
    /// `detail`
    pub detail: Option<String>,
}

/// Converts a row of `operator_actions`.
///
/// # Errors
/// A column makes no sense.
pub fn action(row: StoredAction) -> Result<RecordedAction, LedgerError> {
    let corrupt = |reason: &dyn ToString| {
        LedgerError::corrupt(format!("operator action {}", row.no), reason.to_string())
    };
    Ok(RecordedAction {
        no: ActionNo::new(row.no),
        at: LedgerTime::from_unix_micros(row.at),
        operator: row.operator.parse().map_err(|error| corrupt(&error))?,
        amount: row
            .amount
            .map(Amount::try_from)
            .transpose()
            .map_err(|error| corrupt(&error))?,
        kind: row.kind,
        subject: ActionSubject::new(&row.subject),
        detail: row.detail.as_deref().map(ActionDetail::new),
    })
}

/// A row of `proposals`, with the name of its account.
#[derive(Debug)]
pub struct StoredProposal {
    /// `no`
    pub no: i64,
    /// `kind`
    pub kind: i16,
    /// `account`
    pub account: i64,
    /// The name of the account.
    pub name: String,
    /// `amount`
    pub amount: i64,
    /// `payout`
    pub payout: Option<i64>,
    /// `line`
    pub line: Option<Vec<u8>>,
    /// `text`
    pub text: Option<String>,
    /// `operator`
    pub operator: String,
    /// `at`
    pub at: i64,
    /// `carried_out`
    pub carried_out: Option<bool>,
    /// `decided_by`
    pub decided_by: Option<String>,
    /// `decided_at`
    pub decided_at: Option<i64>,
}

/// Converts a row of `proposals`.
///
/// # Errors
/// A column makes no sense.
pub fn proposal(row: StoredProposal) -> Result<Proposal, LedgerError> {
    let corrupt =
        |reason: &dyn ToString| LedgerError::corrupt(format!("proposal {}", row.no), reason.to_string());
    let missing = || corrupt(&"a column that its kind needs is missing");
    let text = row.text.as_deref().map(Reference::new).transpose();
    let text = || text.clone().map_err(|error| corrupt(&error))?.ok_or_else(missing);
    let payout = || row.payout.map(PayoutNo::new).ok_or_else(missing);
    let kind = ProposedKind::from_code(row.kind).ok_or_else(|| corrupt(&"its kind is unknown"))?;
    let proposed = match kind {
        ProposedKind::Credit => Proposed::Credit(text()?),
        ProposedKind::Debit => Proposed::Debit(text()?),
        ProposedKind::AssignRecovered => Proposed::AssignRecovered(text()?),
        ProposedKind::TakeRecovered => Proposed::TakeRecovered(text()?),
        ProposedKind::PayPayout => Proposed::PayPayout(payout()?, text()?),
        ProposedKind::FailPayout => Proposed::FailPayout(payout()?, text()?),
        ProposedKind::AssignBankLine => {
            let line = row.line.as_deref().ok_or_else(missing)?;
            let line = line.try_into().map_err(|error| corrupt(&error))?;
            Proposed::AssignBankLine(BankLineId::new(line))
        }
    };
    let verdict = match (row.carried_out, &row.decided_by, row.decided_at) {
        (None, None, None) => None,
        (Some(carried_out), Some(operator), Some(at)) => Some(ProposalVerdict {
            carried_out,
            operator: operator.parse().map_err(|error| corrupt(&error))?,
            at: LedgerTime::from_unix_micros(at),
        }),
        _ => return Err(corrupt(&"its verdict is not complete")),
    };
    Ok(Proposal {
        no: ProposalNo::new(row.no),
        proposed,
        account: LineAccount {
            id: AccountId::new(row.account),
            name: row.name.parse().map_err(|error| corrupt(&error))?,
        },
        amount: Amount::try_from(row.amount).map_err(|error| corrupt(&error))?,
        operator: row.operator.parse().map_err(|error| corrupt(&error))?,
        at: LedgerTime::from_unix_micros(row.at),
        verdict,
    })
}
