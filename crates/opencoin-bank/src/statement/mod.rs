//! Reads account statements of banks: CAMT.053 and tables as CSV.
//!
//! A file is read as a whole or refused as a whole, with the place of the error. Every line of a file is returned, also
//! those that are not booked, with the reason.

mod camt;
mod columns;
mod encoding;
mod error;
mod lines;
mod table;
mod xml;

pub use columns::{ColumnMap, ColumnMapError, DateFormat, Encoding};
pub use error::StatementError;

use crate::currency::BankCurrency;
use crate::iban::Iban;
use crate::line::BankLine;

/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most lines of a file.
pub const LINES_MAX: usize = 10_000;
/// The longest text of an element or a cell, in bytes. The texts of banks have a few hundred characters.
pub const TEXT_BYTES_MAX: usize = 10_000;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFormat {
    /// ISO 20022, camt.053.
    Camt053,
    /// A table, whose columns a [`ColumnMap`] names.
    Csv,
}

/// What a reader must know besides the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementReading {
    /// The account whose lines are booked.
    pub account: Iban,
    /// The currency of that account.
    pub currency: BankCurrency,
    /// The columns of tables; `None` if tables are not read.
    pub columns: Option<ColumnMap>,
}

impl StatementFormat {
    /// The form that a file seems to have: XML begins with `<`.
    #[must_use]
    pub fn detect(file: &[u8]) -> Self {
        let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'<') => Self::Camt053,
            _ => Self::Csv,
        }
    }
}

/// The lines of a statement, in the order of the file.
///
/// # Errors
/// The file is too large, has another form, or does not say something clearly.
pub fn read(
    file: &[u8],
    format: StatementFormat,
    reading: &StatementReading,
) -> Result<Vec<BankLine>, StatementError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(StatementError::TooLarge);
    }
    if file.starts_with(b"PK\x03\x04") {
        return Err(StatementError::Archive);
    }
    match format {
        StatementFormat::Camt053 => camt::read(file, reading),
        StatementFormat::Csv => table::read(file, reading),
    }
}
