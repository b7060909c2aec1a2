//! Several statements that cross to SQLite's thread as one.
//!
//! Each connection runs on its own thread, and each call to it costs two switches between threads. For a small batch
//! they cost more than what SQLite does. So statements with few parameters are joined into one text, which sqlx runs
//! one after the other and caches as one.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Either, Encode, Executor, Sqlite, SqliteConnection, Type};

/// The most parameters of joined statements. Larger statements are run alone: they take long enough, and every
/// combination of their sizes would be prepared and cached.
const JOINED_PARAMETERS_MAX: usize = 256;

/// Statements to run in order.
#[derive(Default)]
pub(crate) struct Script<'q> {
    joined: Vec<Joined<'q>>,
}

#[derive(Default)]
struct Joined<'q> {
    sql: String,
    arguments: SqliteArguments<'q>,
    parameters: usize,
    /// The rows that each statement must change, `None` for one that only reads.
    expected: Vec<Option<u64>>,
}

/// What the statements returned.
pub(crate) struct Ran {
    /// Whether each statement changed as many rows as it must. If not, the later ones were not all run.
    pub(crate) holds: bool,
    /// The rows that were read.
    pub(crate) rows: Vec<SqliteRow>,
}

impl<'q> Script<'q> {
    /// Adds a statement that must change this many rows. Its parameters follow by [`Self::bind`].
    pub(crate) fn change(&mut self, sql: &str, parameters: usize, rows: usize) {
        self.add(sql, parameters, Some(rows as u64));
    }

    /// Adds a statement that reads.
    pub(crate) fn read(&mut self, sql: &str, parameters: usize) {
        self.add(sql, parameters, None);
    }

    fn add(&mut self, sql: &str, parameters: usize, expected: Option<u64>) {
        let fits = |joined: &&mut Joined| joined.parameters + parameters <= JOINED_PARAMETERS_MAX;
        if let Some(joined) = self.joined.last_mut().filter(fits) {
            joined.sql.push_str("; ");
            joined.sql.push_str(sql);
            joined.parameters += parameters;
            joined.expected.push(expected);
        } else {
            self.joined.push(Joined {
                sql: sql.to_owned(),
                arguments: SqliteArguments::default(),
                parameters,
                expected: vec![expected],
            });
        }
    }

    /// Binds the next parameter of the statement that was added last.
    pub(crate) fn bind(
        &mut self,
        value: impl Encode<'q, Sqlite> + Type<Sqlite> + 'q,
    ) -> Result<(), sqlx::Error> {
        let joined = self
            .joined
            .last_mut()
            .expect("a statement comes before its parameters");
        joined.arguments.add(value).map_err(sqlx::Error::Encode)
    }

    /// Runs the statements in the caller's transaction, until one changes another number of rows than it must.
    pub(crate) async fn run(self, connection: &mut SqliteConnection) -> Result<Ran, sqlx::Error> {
        let mut ran = Ran {
            holds: true,
            rows: Vec::new(),
        };
        for joined in self.joined {
            assert_eq!(joined.arguments.len(), joined.parameters, "{}", joined.sql);
            let mut expected = joined.expected.iter();
            let mut results = connection.fetch_many(sqlx::query_with(&joined.sql, joined.arguments));
            while let Some(result) = results.try_next().await? {
                match result {
                    Either::Right(row) => ran.rows.push(row),
                    Either::Left(done) => {
                        let expected = expected.next().expect("each statement ends once");
                        ran.holds &= expected.is_none_or(|rows| rows == done.rows_affected());
                    }
                }
            }
            if !ran.holds {
                return Ok(ran);
            }
            assert!(expected.next().is_none(), "every statement was run");
        }
        Ok(ran)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[test]
    fn small_statements_cross_together_and_large_ones_alone() {
        let mut script = Script::default();
        script.read("SELECT 1", 0);
        script.change("UPDATE small", JOINED_PARAMETERS_MAX, 1);
        script.change("UPDATE large", 2 * JOINED_PARAMETERS_MAX, 1);
        script.change("UPDATE another", 1, 1);
        let texts: Vec<&str> = script.joined.iter().map(|joined| &*joined.sql).collect();
        assert_eq!(
            texts,
            ["SELECT 1; UPDATE small", "UPDATE large", "UPDATE another"]
        );
    }

    #[tokio::test]
    async fn a_statement_that_changes_too_few_rows_is_noticed() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let create = "CREATE TABLE numbers (n INTEGER PRIMARY KEY)";
        connection.execute(create).await.unwrap();
        for (numbers, holds) in [([1, 2], true), ([3, 2], false)] {
            let mut script = Script::default();
            for number in numbers {
                script.change("INSERT INTO numbers VALUES (?) ON CONFLICT DO NOTHING", 1, 1);
                script.bind(number).unwrap();
                script.read("SELECT count(*) FROM numbers WHERE n = ?", 1);
                script.bind(number).unwrap();
            }
            let ran = script.run(&mut connection).await.unwrap();
            assert_eq!((ran.holds, ran.rows.len()), (holds, 2), "{numbers:?}");
        }
    }
}
