//! Why a statement is not read.

use thiserror::Error;

use super::{FILE_BYTES_MAX, LINES_MAX, TEXT_BYTES_MAX};

/// Why a file is refused. Nothing of it is booked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatementError {
    /// The file is too large.
    #[error("the file has more than {} MiB; export fewer days", FILE_BYTES_MAX / 1024 / 1024)]
    TooLarge,
    /// The file has too many lines.
    #[error("the file has more than {LINES_MAX} lines; export fewer days")]
    TooManyLines,
    /// The file is an archive.
    #[error("the file is a ZIP archive; unpack it and send each statement")]
    Archive,
    /// The bytes are not text in the encoding that was said.
    #[error("the file is not {0}; if it comes from a bank in another encoding, say so in the settings")]
    Encoding(&'static str),
    /// The file says that it is in an encoding that is not read.
    #[error("the file is in the encoding {0:?}, which is not read; save it as UTF-8")]
    UnknownEncoding(String),
    /// The file is not well-formed XML.
    #[error("line {line} of the file is not XML: {reason}")]
    Xml {
        /// The line of the file.
        line: usize,
        /// The reason.
        reason: String,
    },
    /// The file has a document type, by which XML could name other files or grow without end.
    #[error("the file has a document type (DTD); statements of banks have none, so it is not read")]
    Doctype,
    /// The file has an entity that is not one of the five of XML.
    #[error("line {line} of the file has the entity &{name};, which XML does not define")]
    Entity {
        /// The line of the file.
        line: usize,
        /// The name.
        name: String,
    },
    /// Elements are nested too deeply.
    #[error("line {line} of the file is nested more deeply than any statement")]
    TooDeep {
        /// The line of the file.
        line: usize,
    },
    /// A text is longer than banks write.
    #[error("line {line} of the file has a text of more than {TEXT_BYTES_MAX} bytes")]
    TextTooLong {
        /// The line of the file.
        line: usize,
    },
    /// An entry has too many elements.
    #[error("line {line} of the file is in an entry with more elements than any statement")]
    TooManyElements {
        /// The line of the file.
        line: usize,
    },
    /// Too many columns make up the text of a line.
    #[error("the text of a line is made of {0} columns at most")]
    TooManyColumns(usize),
    /// The XML is another document.
    #[error("the file is not an account statement: it is {0}; export camt.053")]
    OtherDocument(String),
    /// The file has no statement.
    #[error("the file has no statement")]
    NoStatement,
    /// An entry lacks something, or says something that is not understood.
    #[error("entry {entry}: {reason}")]
    Entry {
        /// The number of the entry in the file, from 1.
        entry: usize,
        /// The reason.
        reason: String,
    },
    /// Tables are not read, because the names of their columns are not set.
    #[error("tables are read when [bank_csv] in issuer.toml names their columns; or export camt.053")]
    NoColumns,
    /// No row has the names of the columns.
    #[error("no row names the columns {0:?}; compare [bank_csv] in issuer.toml with the file")]
    NoHeader(Vec<String>),
    /// A row of a table is not understood.
    #[error("row {row}: {reason}")]
    Row {
        /// The number of the row in the file, from 1.
        row: u64,
        /// The reason.
        reason: String,
    },
}
