//! What the shared statements need from a database engine: a connection that runs them, and common types for
//! parameters and columns.

use async_trait::async_trait;
use opencoin_ledger::LedgerError;

/// An open connection, inside or outside of a transaction.
#[async_trait]
pub trait Executor: Send {
    /// The engine's own syntax.
    fn dialect(&self) -> &'static Dialect;

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// The database refuses the statement or does not answer.
    async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError>;

    /// Runs a query and hands over its rows one by one, so that a whole table need not fit into memory.
    ///
    /// # Errors
    /// As [`Self::execute`], or an error of `take`, which ends the reading.
    async fn stream(&mut self, sql: &str, values: &[Value<'_>], take: TakeRow<'_>) -> Result<(), SqlError>;

    /// Waits until the rows of all transactions that have committed are visible. On distributed tables a commit
    /// reaches the servers one after the other; elsewhere there is nothing to wait for.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] if a server does not answer in time.
    async fn wait_for_commits(&mut self) -> Result<(), SqlError>;
}

/// Called with each row of a stream.
pub type TakeRow<'a> = &'a mut (dyn FnMut(Row) -> Result<(), SqlError> + Send);

/// Syntax that differs between the engines.
#[derive(Debug)]
pub struct Dialect {
    /// Clause after a `SELECT` that locks its rows. Empty if a transaction locks the whole database.
    pub for_update: &'static str,
    /// Name of the function that returns the greatest of its arguments.
    pub greatest: &'static str,
    /// Name of the function that returns the length of a byte string.
    pub byte_length: &'static str,
    /// Clause after a text column that orders and compares it by bytes.
    pub by_bytes: &'static str,
    /// Whether `spent`, `transactions` and `blinds` are distributed over servers, so that a statement that reads or
    /// changes one of them cannot read other tables.
    pub is_distributed: bool,
    /// Expression for the number of signatures of a row of `mint_keys`.
    pub issued: &'static str,
    /// Expression for the number of returned coins of a row of `mint_keys`.
    pub returned: &'static str,
}

/// A parameter of a statement. `None` is `NULL`.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Boolean.
    Bool(bool),
    /// Integer, for a column of any integer type.
    Int(Option<i64>),
    /// Byte string.
    Bytes(Option<&'a [u8]>),
    /// UTF-8 text.
    Text(Option<&'a str>),
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<&'a [u8; 32]> for Value<'a> {
    fn from(value: &'a [u8; 32]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

/// A stored value, independent of the engine's name for its type.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// SQL `NULL`.
    Null,
    /// Boolean. SQLite stores these as [`Cell::Int`] 0 or 1.
    Bool(bool),
    /// Integer of any SQL integer type.
    Int(i64),
    /// Byte string.
    Bytes(Vec<u8>),
    /// UTF-8 text.
    Text(String),
}

/// A row of a result. [`Row::take`] reads its columns from left to right.
pub struct Row {
    cells: std::vec::IntoIter<Cell>,
}

impl Row {
    /// Makes a row of these columns.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self {
            cells: cells.into_iter(),
        }
    }

    /// Takes the next column.
    ///
    /// # Errors
    /// The stored value is of another type, or does not fit into `T`.
    ///
    /// # Panics
    /// The row has no more columns.
    pub fn take<T: FromCell>(&mut self) -> Result<T, SqlError> {
        let cell = self.cells.next().expect("the statement names this column");
        T::from_cell(cell)
            .ok_or_else(|| LedgerError::corrupt("row", "a column is of an unexpected type").into())
    }
}

/// A type that a column can be read as.
pub trait FromCell: Sized {
    /// Returns `None` if the stored value is of another type or does not fit.
    fn from_cell(cell: Cell) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Int(value) => Some(value),
            _ => None,
        }
    }
}

impl FromCell for i32 {
    fn from_cell(cell: Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|value| value.try_into().ok())
    }
}

impl FromCell for i16 {
    fn from_cell(cell: Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|value| value.try_into().ok())
    }
}

impl FromCell for bool {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Bool(value) => Some(value),
            Cell::Int(value @ (0 | 1)) => Some(value == 1),
            _ => None,
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(value) => Some(value),
            _ => None,
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Text(value) => Some(value),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

/// Why a statement or the reading of its rows failed. The store turns it into its own error.
#[derive(Debug)]
pub enum SqlError {
    /// The database or the driver failed.
    Database(sqlx::Error),
    /// A stored row is invalid, or a row that the caller named does not exist.
    Ledger(LedgerError),
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LedgerError> for SqlError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl dyn Executor + '_ {
    /// Returns all rows of a query.
    pub(crate) async fn all<T: Send>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&mut Row) -> Result<T, SqlError> + Send + Sync,
    ) -> Result<Vec<T>, SqlError> {
        let mut rows = Vec::new();
        let mut take = |mut row: Row| {
            rows.push(read(&mut row)?);
            Ok(())
        };
        self.stream(sql, values, &mut take).await?;
        Ok(rows)
    }

    /// Returns the row of a query that finds at most one.
    pub(crate) async fn optional<T: Send>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&mut Row) -> Result<T, SqlError> + Send + Sync,
    ) -> Result<Option<T>, SqlError> {
        let mut rows = self.all(sql, values, read).await?;
        assert!(rows.len() <= 1, "the query is by a unique key");
        Ok(rows.pop())
    }

    /// Returns the row of a query that always finds exactly one.
    pub(crate) async fn one<T: Send>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&mut Row) -> Result<T, SqlError> + Send + Sync,
    ) -> Result<T, SqlError> {
        let row = self.optional(sql, values, read).await?;
        row.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Returns the count that a `SELECT count(*)` finds.
    pub(crate) async fn count(&mut self, sql: &str, values: &[Value<'_>]) -> Result<i64, SqlError> {
        self.one(sql, values, Row::take).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_another_type_is_refused() {
        let mut row = Row::new(vec![
            Cell::Int(7),
            Cell::Null,
            Cell::Int(1),
            Cell::Bool(false),
            Cell::Text("a".into()),
        ]);
        assert_eq!(row.take::<i16>().unwrap(), 7);
        assert_eq!(row.take::<Option<String>>().unwrap(), None);
        assert!(row.take::<bool>().unwrap());
        assert!(!row.take::<bool>().unwrap());
        assert_eq!(row.take::<Option<String>>().unwrap().as_deref(), Some("a"));
        let is_refused = |cell: Cell, read: fn(&mut Row) -> bool| read(&mut Row::new(vec![cell]));
        assert!(is_refused(Cell::Int(70_000), |row| row.take::<i16>().is_err()));
        assert!(is_refused(Cell::Int(2), |row| row.take::<bool>().is_err()));
        assert!(is_refused(Cell::Null, |row| row.take::<i64>().is_err()));
        assert!(is_refused(Cell::Text("7".into()), |row| row
            .take::<Vec<u8>>()
            .is_err()));
    }
}
