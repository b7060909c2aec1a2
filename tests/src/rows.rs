//! Reads the tables of a ledger, past the program under test.

use std::path::PathBuf;

use opencoin_testkit::postgres::TestDatabase;

use crate::sqlite;

/// The rows of a ledger.
pub enum Rows<'database> {
    /// In this file.
    Sqlite(PathBuf),
    /// In this database.
    Postgres(&'database TestDatabase),
}

impl Rows<'_> {
    /// The texts that a query returns, one for each row.
    #[must_use]
    pub fn texts(&self, query: &str) -> Vec<String> {
        match self {
            Self::Sqlite(file) => {
                sqlite::texts(file, query).unwrap_or_else(|error| panic!("{query}: {error}"))
            }
            Self::Postgres(database) => database.texts(query),
        }
    }

    /// The only number that a query returns.
    #[must_use]
    pub fn number(&self, query: &str) -> i64 {
        match self {
            Self::Sqlite(file) => {
                sqlite::query(file, query).unwrap_or_else(|error| panic!("{query}: {error}"))
            }
            Self::Postgres(database) => database.number(query),
        }
    }

    /// The expression for the bytes of a column as hex digits.
    #[must_use]
    pub fn hex(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column}))"),
            Self::Postgres(_) => format!("encode({column}, 'hex')"),
        }
    }

    /// The names of all tables.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Self::Postgres(_) => {
                "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            }
        })
    }

    /// The names of the columns of a table, sorted.
    #[must_use]
    pub fn columns(&self, table: &str) -> Vec<String> {
        self.texts(&match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name"),
            Self::Postgres(_) => format!(
                "SELECT CAST(column_name AS text) FROM information_schema.columns
                    WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY column_name"
            ),
        })
    }

    /// All rows of a table as text, with bytes as hex digits in lower case.
    #[must_use]
    pub fn dump(&self, table: &str) -> Vec<String> {
        let all = match self {
            Self::Sqlite(_) => {
                let quoted = |column: &String| format!("'{column} ' || quote(\"{column}\")");
                let columns: Vec<String> = self.columns(table).iter().map(quoted).collect();
                columns.join(" || ', ' || ")
            }
            Self::Postgres(_) => "CAST(row_to_json(it) AS text)".to_owned(),
        };
        let rows = self.texts(&format!("SELECT {all} FROM {table} it"));
        rows.iter().map(|row| row.to_lowercase()).collect()
    }
}
