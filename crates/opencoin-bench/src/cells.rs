//! Measures one cell of the table.

use std::iter::Sum;
use std::time::Duration;

use anyhow::{Context, Result};
use opencoin_terminal::output;

use super::books::BenchBooks;
use super::child_process::{ChildProcess, IssuerProcess};
use super::currency::{Currency, Sender};
use super::engine_rate::EngineRate;
use super::load::Request;
use super::measurement::{CpuTimes, Measurement, Used};
use super::mint_keys::SigningKey;
use super::plan::{Cell, Operation};
use super::raw::RawRsa;
use super::{load, material, processes};

/// The warm-up has one request per client, up to this number, but at least [`WARM_UP_COINS`] coins.
const WARM_UP_REQUESTS: usize = 16;
const WARM_UP_COINS: usize = 256;
/// The warm-up normally ends earlier, when its requests are answered.
const WARM_UP_DURATION_MAX: Duration = Duration::from_secs(60);
/// The number of requests is planned from the warm-up. A warm issuer is faster, so more are prepared.
const PLAN_FACTOR: f64 = 1.5;
/// The fewest requests per client, so that a cell measures more than its beginning.
const REQUESTS_PER_CLIENT_MIN: usize = 2;

/// The environment of a measurement.
#[derive(Clone, Copy)]
pub(super) struct Bench<'run> {
    pub(super) currency: &'run Currency,
    pub(super) books: &'run BenchBooks,
    /// At least one.
    pub(super) issuers: &'run [IssuerProcess],
    pub(super) signer: Option<&'run ChildProcess>,
    pub(super) key: &'run SigningKey,
    pub(super) raw: RawRsa,
    pub(super) engine: EngineRate,
    /// Whether the issuers calculate RSA in lanes.
    pub(super) in_lanes: bool,
    /// The duration of a cell.
    pub(super) duration: Duration,
}

impl Bench<'_> {
    /// Measures an operation and shows the row.
    pub(super) async fn row(
        &self,
        operation: Operation,
        coins: usize,
        clients: usize,
    ) -> Result<Measurement> {
        let cell = Cell {
            operation,
            key_bits: self.raw.key_bits,
            key_primes: self.raw.key_primes,
            in_lanes: self.in_lanes,
            coins,
            clients,
        };
        let measured = self
            .cell(cell)
            .await
            .with_context(|| format!("measuring {cell:?}"))?;
        output::line(&measured.row(self.books.database()))?;
        Ok(measured)
    }

    /// Prepares `count` requests of `coins` coins.
    pub(super) async fn requests(
        &self,
        sender: Sender,
        operation: Operation,
        coins: usize,
        count: usize,
    ) -> Result<Vec<Request>> {
        material::prepare(self.currency, self.key, sender, operation, coins, count).await
    }

    /// Warms the issuer up, prepares requests according to the rate of the warm-up, and measures.
    async fn cell(&self, cell: Cell) -> Result<Measurement> {
        let Cell {
            operation,
            coins,
            clients,
            ..
        } = cell;
        let addresses: Vec<_> = self.issuers.iter().map(|issuer| issuer.address).collect();
        let drive = |requests, limit| load::drive(&addresses, clients, requests, limit);

        let count = clients.min(WARM_UP_REQUESTS).max(WARM_UP_COINS.div_ceil(coins));
        let warm_up = drive(
            self.requests(Sender::Clients, operation, coins, count).await?,
            WARM_UP_DURATION_MAX,
        )
        .await?;
        let per_second = warm_up.latencies.len() as f64 / warm_up.elapsed.as_secs_f64();
        let planned = (per_second * PLAN_FACTOR * self.duration.as_secs_f64()).ceil() as usize;
        let coins_max = if operation.spends() {
            material::COINS_MAX
        } else {
            usize::MAX
        };
        let count = planned
            .min(coins_max / coins)
            .max(clients * REQUESTS_PER_CLIENT_MIN);
        let requests = self.requests(Sender::Clients, operation, coins, count).await?;

        let begun = self.cpu_times()?;
        let answers = drive(requests, self.duration).await?;
        let used = Used {
            cpu: self.cpu_times()?.since(begun),
            issuer_memory_mib: self.issuers_sum(|id| Ok(processes::memory(id)?.resident_mib))?,
            signer_memory_mib: self
                .signer
                .map(|signer| processes::memory(signer.id()))
                .transpose()?
                .map(|memory| memory.resident_mib),
        };
        answers.require_success()?;
        Ok(Measurement::new(cell, answers, used, &self.raw, &self.engine))
    }

    /// The sum of a quantity over the processes of the issuers.
    fn issuers_sum<T: Sum>(&self, of: impl Fn(u32) -> Result<T>) -> Result<T> {
        self.issuers.iter().map(|issuer| of(issuer.process.id())).sum()
    }

    fn cpu_times(&self) -> Result<CpuTimes> {
        Ok(CpuTimes {
            issuer: self.issuers_sum(processes::cpu_time)?,
            signer: self
                .signer
                .map(|signer| processes::cpu_time(signer.id()))
                .transpose()?,
            database: self.books.cpu_time()?,
        })
    }
}
