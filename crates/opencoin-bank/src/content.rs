//! What a line of an account statement says.

use chrono::NaiveDate;

/// A line as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankLineContent {
    /// The bank's account.
    pub account: String,
    /// The day on which the bank booked it.
    pub day: NaiveDate,
    /// Whether money came or went.
    pub direction: Direction,
    /// The currency of the amount.
    pub currency: String,
    /// The amount as a decimal number with a point, without a sign.
    pub amount: String,
    /// The name of the other side: who paid, or who was paid.
    pub party: String,
    /// The account of the other side.
    pub party_account: String,
    /// The text of the transfer.
    pub text: String,
    /// The bank's own reference of the movement.
    pub bank_reference: String,
    /// The reference that the payer gave the transfer.
    pub end_to_end_id: String,
}

/// The direction of a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Money came to the account.
    Credit,
    /// Money left the account.
    Debit,
}

impl Direction {
    /// The code of ISO 20022.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Credit => "CRDT",
            Self::Debit => "DBIT",
        }
    }
}
