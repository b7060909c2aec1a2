//! Measures redeems with few spent coins in the books, and with many millions.

use std::time::Instant;

use anyhow::Result;
use opencoin_terminal::output;
use serde::Serialize;

use super::cells::Bench;
use super::measurement::Measurement;
use super::plan::Operation;

/// Coins per request, and clients.
const LOADS: [(usize, usize); 3] = [(1, 64), (64, 8), (64, 64)];
const LOADS_QUICK: [(usize, usize); 2] = [(1, 64), (64, 8)];

/// The same loads before and after.
#[derive(Debug, Serialize)]
pub(super) struct FullTable {
    /// The number of added spent coins.
    pub(super) rows: u64,
    pub(super) fill_seconds: f64,
    pub(super) before: Vec<Measurement>,
    pub(super) after: Vec<Measurement>,
}

/// Measures, fills the table with `rows` coins, and measures again. The books do not balance afterwards.
pub(super) async fn measure_and_break_the_books(
    bench: &Bench<'_>,
    rows: u64,
    is_quick: bool,
) -> Result<FullTable> {
    let all: &[_] = if is_quick { &LOADS_QUICK } else { &LOADS };
    output::line("\nredeems, before the table of spent coins is full:")?;
    let before = loads(bench, all).await?;
    let begun = Instant::now();
    bench
        .books
        .fill_spent_and_break(bench.key.ledger_id, rows)
        .await?;
    // Otherwise the system would write the new files to the disk while redeems are measured, and their commits would
    // wait for that.
    rustix::fs::sync();
    let fill_seconds = begun.elapsed().as_secs_f64();
    output::line(&format!(
        "redeems, with {rows} more spent coins (added in {fill_seconds:.0} s):"
    ))?;
    let after = loads(bench, all).await?;
    Ok(FullTable {
        rows,
        fill_seconds,
        before,
        after,
    })
}

async fn loads(bench: &Bench<'_>, all: &[(usize, usize)]) -> Result<Vec<Measurement>> {
    let mut measured = Vec::new();
    for (coins, clients) in all {
        measured.push(bench.row(Operation::Redeem, *coins, *clients).await?);
    }
    Ok(measured)
}
