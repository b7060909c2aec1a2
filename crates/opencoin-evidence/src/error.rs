//! Why a file proves nothing.

use thiserror::Error;

/// The file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// The file is not of the form of evidence.
    #[error("not a file of evidence: {0}")]
    Form(String),
    /// A signature, a proof or a number does not fit.
    #[error("the evidence does not hold: {0}")]
    DoesNotHold(String),
}

pub(crate) fn fails(reason: impl Into<String>) -> EvidenceError {
    EvidenceError::DoesNotHold(reason.into())
}
