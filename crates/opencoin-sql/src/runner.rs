//! How work gets a connection.

use std::pin::Pin;

use opencoin_ledger::LedgerError;

use crate::{Executor, SqlError};

/// Work that is under way.
pub type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, SqlError>> + Send + 'c>>;

/// Work on a connection. It may run several times, and captures nothing: what it needs is in its arguments.
pub type Work<A, T> = for<'c> fn(&'c mut (dyn Executor + 'c), &'c A) -> Working<'c, T>;

/// A store's way to run reads and transactions, with its limits of time and its repetitions.
pub trait Runner: Send + Sync {
    /// Runs a read. `name` is what the log calls it.
    ///
    /// # Errors
    /// The database does not answer in time, or a row makes no sense.
    fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;

    /// Runs a transaction, commits it, and repeats it where another process won a race. It is all or nothing, and
    /// the store may finish it even where the caller is dropped.
    ///
    /// # Errors
    /// The same.
    fn change<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;
}
