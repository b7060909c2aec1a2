//! Measures the latency of small mints at half of the best rate, alone and beside large mints.

use anyhow::Result;
use opencoin_issuer::admission::ITEMS_MAX;
use opencoin_terminal::output;
use serde::Serialize;

use super::cells::Bench;
use super::currency::Sender;
use super::load::Answers;
use super::measurement::{Measurement, percentile_ms};
use super::plan::Operation;
use super::{load, open_loop};

/// Clients of the closed loop that measures the best rate.
const CLIENTS: usize = 64;
/// A 99th percentile needs many requests, so this takes longer than a cell.
const DURATION_FACTOR: u32 = 2;
/// More large requests are prepared than RSA or the engine alone could answer in the time, by this factor.
const LARGE_MARGIN: f64 = 1.25;

/// Small mints at half the best rate.
#[derive(Debug, Serialize)]
pub(super) struct HalfLoad {
    /// The best rate: 64 clients without pauses.
    pub(super) best: Measurement,
    pub(super) requests_per_second: f64,
    pub(super) alone: Latencies,
    /// While a client with another account mints 1000 coins per request without pauses.
    pub(super) beside_large: Latencies,
    pub(super) large_answered: usize,
}

/// Latencies of an open loop.
#[derive(Debug, Serialize)]
pub(super) struct Latencies {
    pub(super) answered: usize,
    pub(super) refused: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

pub(super) async fn measure(bench: &Bench<'_>) -> Result<HalfLoad> {
    let best = bench.row(Operation::Mint, 1, CLIENTS).await?;
    let requests_per_second = best.requests_per_second / 2.0;
    let duration = bench.duration * DURATION_FACTOR;
    let address = bench.issuers[0].address;
    let addresses = [address];

    let count = (requests_per_second * duration.as_secs_f64()).ceil() as usize;
    let small = || bench.requests(Sender::Clients, Operation::Mint, 1, count);
    let arrivals = || open_loop::arrivals(count, requests_per_second);
    let alone = open_loop::drive(address, small().await?, arrivals()).await?;

    let signatures_per_second = bench
        .raw
        .private
        .all_cores_per_second
        .max(bench.engine.signatures_per_second);
    let coins = signatures_per_second * duration.as_secs_f64() * LARGE_MARGIN;
    let large = bench
        .requests(
            Sender::Neighbour,
            Operation::Mint,
            ITEMS_MAX,
            1 + (coins / ITEMS_MAX as f64).ceil() as usize,
        )
        .await?;
    let small = open_loop::drive(address, small().await?, arrivals());
    let (small, large) = tokio::try_join!(small, load::drive(&addresses, 1, large, duration))?;

    let (alone, beside_large) = (Latencies::of(&alone)?, Latencies::of(&small)?);
    let measured = HalfLoad {
        best,
        requests_per_second,
        alone,
        beside_large,
        large_answered: large.latencies.len(),
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl HalfLoad {
    fn text(&self) -> String {
        format!(
            "half load, {:.0} mints of 1 coin a second, not waiting for answers: {}\n\
             the same beside one client that mints {ITEMS_MAX} coins a request ({} answered): {}",
            self.requests_per_second,
            self.alone.text(),
            self.large_answered,
            self.beside_large.text()
        )
    }
}

impl Latencies {
    pub(super) fn of(answers: &Answers) -> Result<Self> {
        answers.require_success()?;
        Ok(Self {
            answered: answers.latencies.len(),
            refused: answers.refused.values().sum(),
            p50_ms: percentile_ms(&answers.latencies, 50),
            p99_ms: percentile_ms(&answers.latencies, 99),
        })
    }

    pub(super) fn text(&self) -> String {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms, {} refused of {}",
            self.p50_ms,
            self.p99_ms,
            self.refused,
            self.refused + self.answered
        )
    }
}
