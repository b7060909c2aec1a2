//! A line of an account statement, and what it means for the currency.

use crate::content::BankLineContent;
use crate::currency::BankAmountError;
use crate::line_id::{BankLineId, IdentityKind};

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankLine {
    /// Its place in the file, from 1.
    pub place: u32,
    /// What the file says.
    pub content: BankLineContent,
    /// What it means for the currency.
    pub kind: LineKind,
}

/// What a line means for the currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// Money came in.
    Incoming(Incoming),
    /// Nothing to book.
    Ignored(Ignored),
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The identity of the line.
    pub id: BankLineId,
    /// What the identity was made of.
    pub identity: IdentityKind,
    /// In the smallest unit of the issuer's currency.
    pub units: u64,
    /// The names of the accounts whose payment codes are in the text, in alphabetical order.
    pub codes: Vec<String>,
    /// Whether it is several transactions that the file does not tell apart. A person must look at such a line.
    pub is_gathered: bool,
    /// Whether the bank takes back an earlier movement, or returns one. A person must look at such a line.
    pub is_return: bool,
}

/// Why a line is not booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// Money went out.
    Outgoing,
    /// The bank took money back that it had booked before. A person must look whose it was.
    TakenBack,
    /// The bank has not booked it yet; a later statement has it again.
    NotBooked,
    /// It is of another account of the same bank.
    OtherAccount,
    /// It is in another currency.
    OtherCurrency,
    /// The amount cannot be booked.
    Amount(BankAmountError),
}
