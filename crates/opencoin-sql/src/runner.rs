//! How the shared SQL gets a connection, a time limit and retries from the store.

use std::pin::Pin;

use opencoin_ledger::LedgerError;

use crate::{Executor, SqlError};

/// The future of a [`Work`] that has started.
pub type Working<'c, T> = Pin<Box<dyn Future<Output = Result<T, SqlError>> + Send + 'c>>;

/// Work on a connection. It may run several times. It captures nothing; its input is in its arguments.
pub type Work<A, T> = for<'c> fn(&'c mut (dyn Executor + 'c), &'c A) -> Working<'c, T>;

/// Runs reads and transactions on a store's connections, with the store's time limits and retries.
pub trait Runner: Send + Sync {
    /// Runs a read. `name` identifies it in the log.
    ///
    /// # Errors
    /// The database does not answer in time, or a row is invalid.
    fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;

    /// Runs a transaction, commits it, and repeats it after a conflict with another process. It takes effect
    /// completely or not at all, and the store may finish it even if the caller is dropped.
    ///
    /// # Errors
    /// As [`Self::read`], or the transaction failed; [`LedgerError`] says whether it may have been committed.
    fn change<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send;
}
