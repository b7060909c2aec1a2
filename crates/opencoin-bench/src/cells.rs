//! Measures one cell of the table.

use std::iter::Sum;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use opencoin_ledger::{LedgerError, LogStore};
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

/// How long a cell with [`Settling::Pause`] waits, about as long as leaves wait for their batch.
const SETTLING_PAUSE: Duration = Duration::from_millis(1250);
/// How often a cell looks whether the log has all leaves. More often would cost CPU time of the database.
const SETTLING_TURN: Duration = Duration::from_millis(100);
/// A batch waits for at most seconds.
const SETTLING_DURATION_MAX: Duration = Duration::from_secs(60);

/// What a cell waits for before and after its load, while its CPU time is counted.
#[derive(Clone, Copy)]
pub(super) enum Settling<'run> {
    /// Nothing.
    None,
    /// A while, as a cell with a log does that is compared with it.
    Pause,
    /// All leaves are sealed and published. So a cell pays for those of its own requests and for no others.
    Log(&'run dyn LogStore),
}

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
    pub(super) settling: Settling<'run>,
}

impl Settling<'_> {
    pub(super) async fn settle(self) -> Result<()> {
        let log = match self {
            Settling::None => return Ok(()),
            Settling::Pause => {
                tokio::time::sleep(SETTLING_PAUSE).await;
                return Ok(());
            }
            Settling::Log(log) => log,
        };
        let begun = Instant::now();
        while !is_published(log).await? {
            ensure!(
                begun.elapsed() < SETTLING_DURATION_MAX,
                "the issuer does not publish its log"
            );
            tokio::time::sleep(SETTLING_TURN).await;
        }
        Ok(())
    }
}

/// Whether nothing waits for the log, and all of it is published.
async fn is_published(log: &dyn LogStore) -> Result<bool, LedgerError> {
    if log.pending().await?.oldest.is_some() {
        return Ok(false);
    }
    let (head, published) = (log.head().await?, log.published().await?);
    Ok(head.map(|head| head.size) == published.map(|published| published.size))
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

        self.settling.settle().await?;
        let begun = self.cpu_times()?;
        let answers = drive(requests, self.duration).await?;
        self.settling.settle().await?;
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

    pub(super) fn cpu_times(&self) -> Result<CpuTimes> {
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
