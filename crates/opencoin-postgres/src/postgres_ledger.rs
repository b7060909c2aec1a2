//! The store and its connections.

use std::sync::Arc;

use opencoin_ledger::KnownBooks;
use sqlx::PgPool;

use crate::durable::Barrier;
use crate::layout::Layout;
use crate::process_slots::ProcessSlots;
use crate::writer::Writer;

/// Books in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    pub(crate) pool: PgPool,
    pub(crate) writer: Writer,
    /// Connections for changes of account data other than balances.
    pub(crate) holders: Writer,
    /// Connections that wait for transactions in doubt.
    pub(crate) doubts: Writer,
    pub(crate) barrier: Barrier,
    /// Whether every transaction is read-only.
    pub(crate) is_read_only: bool,
    /// Where the tables were when this process connected.
    pub(crate) layout: Layout,
    pub(crate) known: KnownBooks,
    pub(crate) slots: Arc<ProcessSlots>,
}
