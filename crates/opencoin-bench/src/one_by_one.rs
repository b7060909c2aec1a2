//! What batches are worth: the same issuer, on the same books, once as it is and once with one request a
//! transaction.

use std::path::Path;

use anyhow::Result;
use opencoin_terminal::output;
use serde::Serialize;

use super::cells::Bench;
use super::child_process::IssuerProcess;
use super::measurement::Measurement;
use super::plan::Operation;

const CLIENTS: usize = 64;

/// Redeems of one coin.
#[derive(Debug, Serialize)]
pub(super) struct OneByOne {
    pub(super) in_batches: Measurement,
    pub(super) one_by_one: Measurement,
}

/// Measures both, the log of the second issuer in `folder`.
pub(super) async fn measure(bench: &Bench<'_>, folder: &Path) -> Result<OneByOne> {
    output::line("in batches, then one request a transaction:")?;
    let in_batches = bench.row(Operation::Redeem, 1, CLIENTS).await?;
    let issuer = IssuerProcess::start(bench.currency, folder, &["--batch-commands-max", "1"])?;
    let one_by_one = Bench {
        issuer: &issuer,
        ..*bench
    }
    .row(Operation::Redeem, 1, CLIENTS)
    .await?;
    issuer.stop()?;
    Ok(OneByOne {
        in_batches,
        one_by_one,
    })
}

impl OneByOne {
    /// How many times as fast batches are.
    pub(super) fn gain(&self) -> f64 {
        self.in_batches.coins_per_second / self.one_by_one.coins_per_second
    }
}
