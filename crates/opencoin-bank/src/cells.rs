//! Tables as CSV (RFC 4180), for spreadsheets.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and may run what a stranger has
//! written into the text of a payment. So such a text gets an apostrophe in front, which spreadsheets understand as "this is
//! text". Numbers that the program itself wrote are left alone.

/// A cell of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvCell<'a> {
    /// Text from people. It is never taken for a formula.
    Text(&'a str),
    /// What the program itself wrote: numbers, times, fixed words.
    Plain(&'a str),
}

/// Appends one row to a table.
pub fn write_row(table: &mut String, cells: &[CsvCell<'_>]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            table.push(',');
        }
        match cell {
            CsvCell::Plain(text) => write_cell(table, text),
            CsvCell::Text(text) => write_cell(table, &defused(text)),
        }
    }
    table.push_str("\r\n");
}

/// The text with an apostrophe in front, if a spreadsheet would take it for a formula. Spaces in front do not protect:
/// some spreadsheets drop them.
#[must_use]
pub fn defused(text: &str) -> String {
    let is_formula = text.starts_with(['\t', '\r', '\n'])
        || text
            .trim_start()
            .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let apostrophe = if is_formula { "'" } else { "" };
    format!("{apostrophe}{text}")
}

fn write_cell(table: &mut String, text: &str) {
    let needs_quotes =
        text.contains([',', '"', '\r', '\n', ';', '\t']) || text.starts_with(' ') || text.ends_with(' ');
    if needs_quotes {
        table.push('"');
        table.push_str(&text.replace('"', "\"\""));
        table.push('"');
    } else {
        table.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_defused_and_numbers_are_not() {
        for text in [
            "=1+1",
            "+49 30 1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{ff1d}1",
            "\n=1",
        ] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["", "1+1", "a=b", "'=1", "rent"] {
            assert_eq!(defused(text), text);
        }
        let mut table = String::new();
        write_row(&mut table, &[CsvCell::Plain("-12.50"), CsvCell::Text("-12.50")]);
        assert_eq!(table, "-12.50,'-12.50\r\n");
    }

    proptest! {
        #[test]
        fn another_reader_reads_the_same_cells(rows in proptest::collection::vec(
            proptest::collection::vec(any::<String>(), 3), 1..5)) {
            let mut table = String::new();
            for row in &rows {
                let cells: Vec<_> = row.iter().map(|text| CsvCell::Text(text)).collect();
                write_row(&mut table, &cells);
            }
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
            let read: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let written: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|text| defused(text)).collect()).collect();
            prop_assert_eq!(read, written);
        }
    }
}
