//! Which column of a bank's table says what.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use thiserror::Error;

/// The names of the columns of a table, and how its numbers and days are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMap {
    /// Between two cells.
    pub delimiter: u8,
    /// How the text is encoded.
    pub encoding: Encoding,
    /// Between the whole part of an amount and its decimals: `.` or `,`. The other one groups thousands.
    pub decimal: char,
    /// How days are written.
    pub date_format: DateFormat,
    /// The column with the day of the booking.
    pub day: String,
    /// The column with the amount, negative if money went out.
    pub amount: String,
    /// The columns with the text of the transfer, in this order.
    pub texts: Vec<String>,
    /// The column with the currency. Without it, all lines are in that of the account.
    pub currency: Option<String>,
    /// The column that says whether money came or went. Without it, the sign says so.
    pub direction: Option<String>,
    /// The column with the name of the other side.
    pub party: Option<String>,
    /// The column with the account of the other side.
    pub party_account: Option<String>,
    /// The column with the operator's own account. Without it, all lines are of that account.
    pub account: Option<String>,
    /// The column with the bank's own reference of a movement.
    pub bank_reference: Option<String>,
}

/// The encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// windows-1252, which contains ISO 8859-1.
    Windows1252,
}

/// How a day is written: `DD.MM.YYYY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    shown: String,
    pattern: String,
}

/// A part of a column map is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ColumnMapError {
    /// The encoding is unknown.
    #[error("the encoding is utf-8 or windows-1252")]
    Encoding,
    /// The form of days is unknown.
    #[error("the form of days has DD, MM and YYYY or YY once each, such as DD.MM.YYYY")]
    DateFormat,
}

impl FromStr for Encoding {
    type Err = ColumnMapError;

    fn from_str(text: &str) -> Result<Self, ColumnMapError> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "windows-1252" | "iso-8859-1" => Ok(Self::Windows1252),
            _ => Err(ColumnMapError::Encoding),
        }
    }
}

impl FromStr for DateFormat {
    type Err = ColumnMapError;

    fn from_str(text: &str) -> Result<Self, ColumnMapError> {
        let year = if text.contains("YYYY") { "YYYY" } else { "YY" };
        let has_once = |part: &str| text.matches(part).count() == 1;
        let rest = text.replace(year, "").replace("MM", "").replace("DD", "");
        let is_plain = rest
            .chars()
            .all(|character| matches!(character, '.' | '-' | '/' | ' '));
        if ![year, "MM", "DD"].into_iter().all(has_once) || !is_plain {
            return Err(ColumnMapError::DateFormat);
        }
        let pattern = text
            .replace("YYYY", "%Y")
            .replace("YY", "%y")
            .replace("MM", "%m")
            .replace("DD", "%d");
        Ok(Self {
            shown: text.to_owned(),
            pattern,
        })
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl DateFormat {
    /// The day that a text says in this form.
    pub(super) fn day(&self, text: &str) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(text.trim(), &self.pattern).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_the_form_of_the_bank() {
        let day = |format: &str, text: &str| format.parse::<DateFormat>().unwrap().day(text);
        let expected = "2026-05-04".parse().ok();
        for (format, text) in [
            ("DD.MM.YYYY", "04.05.2026"),
            ("DD.MM.YY", " 4.5.26 "),
            ("YYYY-MM-DD", "2026-05-04"),
            ("MM/DD/YYYY", "05/04/2026"),
        ] {
            assert_eq!(day(format, text), expected, "{format}");
        }
        assert_eq!(day("DD.MM.YYYY", "31.02.2026"), None);
        assert_eq!(day("DD.MM.YYYY", "2026-05-04"), None);
        for format in ["", "DD.MM", "DD.MM.YYYY HH", "DD.DD.YYYY", "%Y-MM-DD", "MM.YYYY"] {
            assert_eq!(
                format.parse::<DateFormat>(),
                Err(ColumnMapError::DateFormat),
                "{format}"
            );
        }
    }
}
