//! Conversion of rows about operators.

use crate::{ActionDetail, ActionNo, ActionSubject, Amount, LedgerError, LedgerTime, RecordedAction};

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
