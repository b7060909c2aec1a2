//! Measures the gain of batches: redeems with batches, and with one request per transaction, on the same books.

use std::path::Path;
use std::slice;

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

/// Measures both. The log of the second issuer goes to `folder`.
pub(super) async fn measure(bench: &Bench<'_>, folder: &Path) -> Result<OneByOne> {
    output::line("in batches, then one request per transaction:")?;
    let in_batches = bench.row(Operation::Redeem, 1, CLIENTS).await?;
    let issuer = IssuerProcess::start(bench.currency, folder, &["--batch-commands-max", "1"])?;
    let one_by_one = Bench {
        issuers: slice::from_ref(&issuer),
        ..*bench
    }
    .row(Operation::Redeem, 1, CLIENTS)
    .await?;
    issuer.process.stop()?;
    Ok(OneByOne {
        in_batches,
        one_by_one,
    })
}

impl OneByOne {
    /// The throughput of batches relative to single requests.
    pub(super) fn gain(&self) -> f64 {
        self.in_batches.coins_per_second / self.one_by_one.coins_per_second
    }
}
