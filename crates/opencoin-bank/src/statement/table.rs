//! Account statements as tables: CSV, with a header that names the columns.
//!
//! Rows before the header, which many banks fill with the account's name and balance, are left out.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::columns::ColumnMap;
use super::encoding;
use super::error::StatementError;
use super::lines::{Lines, Movement};
use super::{StatementReading, TEXT_BYTES_MAX};
use crate::content::{BankLineContent, Direction};
use crate::line::BankLine;
use crate::line_id::{IdentityKind, bare};

/// In how many of the first rows the header is looked for.
const HEADER_ROWS_MAX: u64 = 50;
/// The most cells of a row.
const CELLS_MAX: usize = 1_000;
/// The most columns that make up the text of a line.
const TEXT_COLUMNS_MAX: usize = 20;
const CREDITS: [&str; 8] = ["CRDT", "CREDIT", "CR", "C", "H", "HABEN", "GUTSCHRIFT", "+"];
const DEBITS: [&str; 8] = ["DBIT", "DEBIT", "DR", "D", "S", "SOLL", "LASTSCHRIFT", "-"];

pub(super) fn read(file: &[u8], reading: &StatementReading) -> Result<Vec<BankLine>, StatementError> {
    let columns = reading.columns.as_ref().ok_or(StatementError::NoColumns)?;
    if columns.texts.len() > TEXT_COLUMNS_MAX {
        return Err(StatementError::TooManyColumns(TEXT_COLUMNS_MAX));
    }
    let text = encoding::decode(file, columns.encoding)?;
    let mut rows = ReaderBuilder::new()
        .delimiter(columns.delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut lines, mut header, mut row) = (Lines::new(reading, IdentityKind::TableContent), None, 0);
    let mut record = StringRecord::new();
    loop {
        row += 1;
        let at = |reason| StatementError::Row { row, reason };
        let more = rows
            .read_record(&mut record)
            .map_err(|error| at(error.to_string()))?;
        if !more {
            break;
        }
        if record.len() > CELLS_MAX {
            return Err(at(format!("it has more than {CELLS_MAX} cells")));
        }
        if record.iter().any(|cell| cell.len() > TEXT_BYTES_MAX) {
            return Err(at(format!("a cell has more than {TEXT_BYTES_MAX} bytes")));
        }
        match &header {
            None => header = Places::find(columns, &record),
            Some(_) if record.iter().all(str::is_empty) => {}
            Some(places) => {
                let movement = places.movement(&record, columns, reading).map_err(at)?;
                lines.add(movement).map_err(|fault| fault.of_file(at))?;
            }
        }
        if header.is_none() && row >= HEADER_ROWS_MAX {
            break;
        }
    }
    match header {
        Some(_) => Ok(lines.finish()),
        None => Err(StatementError::NoHeader(
            names(columns).map(str::to_owned).collect(),
        )),
    }
}

/// The names that the header must have.
fn names(columns: &ColumnMap) -> impl Iterator<Item = &str> {
    let optional = [
        &columns.currency,
        &columns.direction,
        &columns.party,
        &columns.party_account,
        &columns.account,
        &columns.bank_reference,
    ];
    [&columns.day, &columns.amount]
        .into_iter()
        .chain(&columns.texts)
        .chain(optional.into_iter().flatten())
        .map(String::as_str)
}

/// Where each column is.
struct Places {
    day: usize,
    amount: usize,
    texts: Vec<usize>,
    currency: Option<usize>,
    direction: Option<usize>,
    party: Option<usize>,
    party_account: Option<usize>,
    account: Option<usize>,
    bank_reference: Option<usize>,
}

impl Places {
    /// The places, if this row names all columns.
    fn find(columns: &ColumnMap, header: &StringRecord) -> Option<Self> {
        let place = |name: &str| {
            header
                .iter()
                .position(|cell| cell.eq_ignore_ascii_case(name.trim()))
        };
        let optional = |name: &Option<String>| match name {
            None => Some(None),
            Some(name) => place(name).map(Some),
        };
        Some(Self {
            day: place(&columns.day)?,
            amount: place(&columns.amount)?,
            texts: columns
                .texts
                .iter()
                .map(|name| place(name))
                .collect::<Option<_>>()?,
            currency: optional(&columns.currency)?,
            direction: optional(&columns.direction)?,
            party: optional(&columns.party)?,
            party_account: optional(&columns.party_account)?,
            account: optional(&columns.account)?,
            bank_reference: optional(&columns.bank_reference)?,
        })
    }

    fn movement(
        &self,
        row: &StringRecord,
        columns: &ColumnMap,
        reading: &StatementReading,
    ) -> Result<Movement, String> {
        let cell = |place: usize| row.get(place).unwrap_or_default();
        let optional = |place: Option<usize>| place.map_or("", cell);
        let said = |text: &str| format!("{:?}", opencoin_text::printable(text));
        let day = columns.date_format.day(cell(self.day));
        let day =
            day.ok_or_else(|| format!("{} is not a day as {}", said(cell(self.day)), columns.date_format))?;
        let (amount, is_negative) = amount(cell(self.amount), columns.decimal).ok_or_else(|| {
            let decimal = columns.decimal;
            format!(
                "{} is not an amount with {decimal:?} before its decimals",
                said(cell(self.amount))
            )
        })?;
        let direction = match self.direction {
            None if is_negative => Direction::Debit,
            None => Direction::Credit,
            Some(place) => {
                let word = cell(place).to_uppercase();
                match (CREDITS.contains(&word.as_str()), DEBITS.contains(&word.as_str())) {
                    (true, _) if !is_negative => Direction::Credit,
                    (_, true) => Direction::Debit,
                    _ => return Err(format!("{} is neither a credit nor a debit", said(cell(place)))),
                }
            }
        };
        let text = self
            .texts
            .iter()
            .map(|place| cell(*place))
            .filter(|text| !text.is_empty());
        let own = |text: &str, other: &str| {
            if text.is_empty() {
                other.to_owned()
            } else {
                text.to_owned()
            }
        };
        Ok(Movement {
            content: BankLineContent {
                account: own(&bare(optional(self.account)), reading.account.as_str()),
                day,
                direction,
                currency: own(optional(self.currency), reading.currency.code.as_str()),
                amount,
                party: optional(self.party).to_owned(),
                party_account: optional(self.party_account).to_owned(),
                text: text.collect::<Vec<_>>().join(" "),
                bank_reference: optional(self.bank_reference).to_owned(),
                end_to_end_id: String::new(),
            },
            other_texts: Vec::new(),
            is_booked: true,
            is_gathered: false,
            is_return: false,
        })
    }
}

/// The digits of an amount with a point, and whether it is negative: `-1.234,50` is `1234.50`.
fn amount(text: &str, decimal: char) -> Option<(String, bool)> {
    let text = text.replace('\u{2212}', "-");
    let (text, is_negative) = match (text.strip_prefix('-'), text.strip_suffix('-')) {
        (Some(rest), None) | (None, Some(rest)) => (rest, true),
        (None, None) => (text.strip_prefix('+').unwrap_or(&text), false),
        (Some(_), Some(_)) => return None,
    };
    let (whole, fraction) = text.trim().split_once(decimal).unwrap_or((text.trim(), ""));
    let groups: Vec<&str> = whole
        .split(|character: char| {
            matches!(character, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}') && character != decimal
        })
        .collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, rest) = groups.split_first()?;
    let is_grouped = rest.is_empty() || first.len() <= 3 && rest.iter().all(|group| group.len() == 3);
    let is_fraction = fraction.is_empty() || is_number(&fraction);
    if !groups.iter().all(is_number) || !is_grouped || !is_fraction {
        return None;
    }
    let point = if fraction.is_empty() { "" } else { "." };
    Some((format!("{}{point}{fraction}", groups.concat()), is_negative))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_banks_write_them() {
        for (text, decimal, read, is_negative) in [
            ("1.234,50", ',', "1234.50", false),
            ("-12,50", ',', "12.50", true),
            ("12,50-", ',', "12.50", true),
            ("+3", ',', "3", false),
            ("1'234.50", '.', "1234.50", false),
            ("1,234,567.8", '.', "1234567.8", false),
            ("1 234,5", ',', "1234.5", false),
            ("\u{2212}7", '.', "7", true),
        ] {
            assert_eq!(
                amount(text, decimal),
                Some((read.to_owned(), is_negative)),
                "{text}"
            );
        }
        for (text, decimal) in [
            ("", ','),
            ("-", ','),
            ("12.50", ','),
            ("1,50", '.'),
            ("1.2345,6", ','),
            (",5", ','),
            ("1,2,3", ','),
            ("--1", ','),
            ("-1-", ','),
            ("12,5 EUR", ','),
        ] {
            assert_eq!(amount(text, decimal), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_or_not(text in any::<String>()) {
            amount(&text, ',');
        }
    }
}
