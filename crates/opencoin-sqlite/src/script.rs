//! Several statements that cross to SQLite's thread as one.
//!
//! Each connection runs on its own thread, and each call to it costs two switches between threads. For a small batch
//! they cost more than what SQLite does. So statements with few parameters are joined into one text, which sqlx runs
//! one after the other and caches as one. What would need a decision between them is a condition in the text.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Either, Encode, Executor, Sqlite, SqliteConnection, Type};

use crate::fault::Fault;

/// The most parameters of joined statements. Larger statements are run alone: they take long enough, and every
/// combination of their sizes would be prepared and cached.
const JOINED_PARAMETERS_MAX: usize = 256;

/// SQLite's error for a condition that does not hold.
const NOT_HELD: &str = "integer overflow";

/// Statements to run in order, and conditions. After a condition that does not hold, nothing more is run.
#[derive(Default)]
pub(crate) struct Script<'q> {
    joined: Vec<Joined<'q>>,
}

#[derive(Default)]
struct Joined<'q> {
    sql: String,
    arguments: SqliteArguments<'q>,
    parameters: usize,
    statements: usize,
}

impl<'q> Script<'q> {
    /// Adds a statement. Its parameters follow by [`Self::bind`].
    pub(crate) fn add(&mut self, sql: &str, parameters: usize) {
        let fits = |joined: &&mut Joined| joined.parameters + parameters <= JOINED_PARAMETERS_MAX;
        if let Some(joined) = self.joined.last_mut().filter(fits) {
            joined.sql.push_str("; ");
            joined.sql.push_str(sql);
            joined.parameters += parameters;
            joined.statements += 1;
        } else {
            self.joined.push(Joined {
                sql: sql.to_owned(),
                arguments: SqliteArguments::default(),
                parameters,
                statements: 1,
            });
        }
    }

    /// Adds the condition that an expression is true. Its parameters follow by [`Self::bind`].
    pub(crate) fn require(&mut self, condition: &str, parameters: usize) {
        // SQLite has no statement for this, but the smallest integer has no absolute value.
        let sql = format!("SELECT 1 WHERE abs(iif({condition}, 0, -9223372036854775808)) <> 0");
        self.add(&sql, parameters);
    }

    /// Adds the condition that the statement before has changed this many rows.
    pub(crate) fn require_changes(&mut self, rows: usize) -> Result<(), Fault> {
        self.require("changes() = ?", 1);
        Ok(self.bind(rows as i64)?)
    }

    /// Binds the next parameter of what was added last.
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

    /// Runs the statements.
    ///
    /// # Errors
    /// [`Fault::Contradiction`] if a condition does not hold. After any error the transaction may be open.
    pub(crate) async fn run(self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        for joined in self.joined {
            assert_eq!(joined.arguments.len(), joined.parameters, "{}", joined.sql);
            let mut left = joined.statements;
            let mut results = connection.fetch_many(sqlx::query_with(&joined.sql, joined.arguments));
            while left > 0 {
                match results.try_next().await.map_err(fault)? {
                    Some(Either::Left(_)) => left -= 1,
                    Some(Either::Right(_)) => {}
                    None => return Err(sqlx::Error::WorkerCrashed.into()),
                }
            }
        }
        Ok(())
    }
}

fn fault(error: sqlx::Error) -> Fault {
    match error.as_database_error() {
        Some(error) if error.message() == NOT_HELD => Fault::Contradiction,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[test]
    fn small_statements_cross_together_and_large_ones_alone() {
        let mut script = Script::default();
        script.add("SELECT 1", 0);
        script.add("UPDATE small", JOINED_PARAMETERS_MAX);
        script.add("UPDATE large", 2 * JOINED_PARAMETERS_MAX);
        script.add("UPDATE another", 1);
        let texts: Vec<&str> = script.joined.iter().map(|joined| &*joined.sql).collect();
        assert_eq!(
            texts,
            ["SELECT 1; UPDATE small", "UPDATE large", "UPDATE another"]
        );
    }

    #[tokio::test]
    async fn nothing_is_run_after_a_condition_that_does_not_hold() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let create = "CREATE TABLE numbers (n INTEGER PRIMARY KEY)";
        connection.execute(create).await.unwrap();
        for (numbers, holds) in [([1, 2], true), ([3, 2], false), ([2, 4], false)] {
            let mut script = Script::default();
            for number in numbers {
                script.add("INSERT INTO numbers VALUES (?) ON CONFLICT DO NOTHING", 1);
                script.bind(number).unwrap();
                script.require_changes(1).unwrap();
            }
            let ran = script.run(&mut connection).await;
            assert_eq!(ran.is_ok(), holds, "{numbers:?}");
            assert!(holds || matches!(ran, Err(Fault::Contradiction)), "{ran:?}");
        }
        let numbers: Vec<i64> = sqlx::query_scalar("SELECT n FROM numbers ORDER BY n")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(numbers, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_condition_that_is_unknown_does_not_hold() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for (condition, holds) in [("1", true), ("0", false), ("NULL", false)] {
            let mut script = Script::default();
            script.require(condition, 0);
            let ran = script.run(&mut connection).await;
            assert_eq!(ran.is_ok(), holds, "{condition}");
            assert!(holds || matches!(ran, Err(Fault::Contradiction)), "{ran:?}");
        }
    }
}
