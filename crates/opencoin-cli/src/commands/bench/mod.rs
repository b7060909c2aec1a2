//! `opencoin bench`: how fast an issuer is on this machine, and how near to what RSA alone costs.
//!
//! The issuer is a process of its own, on a throw-away currency and database. Requests are made beforehand, so that while a
//! cell of the table is measured the load generator only sends and reads. It still takes CPU from issuer and database on a small
//! machine: the figures that count are CPU time a coin in units of raw RSA operations measured in the same run.
//!
//! Broken books, or an issuer that fails, end in exit code 1; refused requests are counted and shown.

mod currency;
mod issuer_process;
mod load;
mod material;
mod plan;
mod plot;
mod processes;
mod raw;
mod report;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use opencoin_postgres::PostgresLedger;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::output;
use currency::{Currency, SigningKey};
use issuer_process::IssuerProcess;
pub(crate) use plan::Arguments;
use plan::{Cell, Plan};
use processes::PostgresProcesses;
use raw::RawRsa;
use report::{Database, Measurement, Report, Used};

/// Coins of the warm-up, or one request of each client if that is more.
const WARM_UP_COINS: usize = 256;
/// Warm-up ends by itself, when its requests are answered.
const WARM_UP_DURATION_MAX: Duration = Duration::from_secs(60);
/// A warm issuer is faster than a cold one, by which the material is planned.
const PLAN_FACTOR: f64 = 1.5;

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (json, svg) = (arguments.json.clone(), arguments.svg.clone());
    let plan = Plan::new(arguments)?;
    let folder = TempDir::with_prefix("opencoin-bench-").context("cannot make a temporary folder")?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Dropping the measurement ends the issuer and removes the folder.
    let report = tokio::select! {
        report = measure(&plan, folder.path()) => report?,
        _ = terminate.recv() => bail!("stopped"),
        _ = interrupt.recv() => bail!("stopped"),
    };
    output::line(&report.conclusion())?;
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = svg {
        fs::write(&path, plot::svg(&report)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if report.broken_invariants.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(plan: &Plan, folder: &Path) -> Result<Report> {
    let currency = Currency::create(folder, plan.database.as_deref(), &plan.key_bits).await?;
    let postgres = match &plan.database {
        Some(url) => postgres_processes(url).await?,
        None => None,
    };
    let database = match (&plan.database, postgres) {
        (None, _) => Database::Sqlite,
        (Some(_), Some(_)) => Database::Postgres,
        (Some(_), None) => Database::PostgresElsewhere,
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let ledger_coins_per_second = currency.ledger_coins_per_second().await?;
    output::line(&Report::heading(database, cores, ledger_coins_per_second))?;

    let issuer = IssuerProcess::start(currency.directory(), folder)?;
    let bench = Bench { currency: &currency, issuer: &issuer, database, postgres, duration: plan.cell_duration };
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        cores,
        database,
        ledger_coins_per_second,
        raw_rsa: Vec::new(),
        cells: Vec::new(),
        issuer_memory_peak_mib: 0.0,
        broken_invariants: Vec::new(),
    };
    for key in currency.keys() {
        let raw = tokio::task::block_in_place(|| raw::measure(&key.private, plan.cell_duration.min(Duration::from_secs(1))))?;
        output::line(&Report::raw_heading(&raw))?;
        for cell in plan.cells(raw.key_bits) {
            let measured = bench.cell(cell, key, &raw).await.with_context(|| format!("measuring {cell:?}"))?;
            output::line(&report.row(&measured))?;
            report.cells.push(measured);
        }
        report.raw_rsa.push(raw);
    }
    report.issuer_memory_peak_mib = processes::memory(issuer.id())?.peak_mib;
    issuer.stop()?;
    report.broken_invariants = currency.broken_invariants().await?;
    Ok(report)
}

/// The server's processes, when they are on this machine.
async fn postgres_processes(url: &str) -> Result<Option<PostgresProcesses>> {
    let ledger = PostgresLedger::connect(url).await?;
    let backend = ledger.backend_process_id().await?;
    let processes = PostgresProcesses::of_backend(backend);
    ledger.close().await;
    Ok(processes)
}

/// What every cell is measured with.
struct Bench<'run> {
    currency: &'run Currency,
    issuer: &'run IssuerProcess,
    database: Database,
    postgres: Option<PostgresProcesses>,
    duration: Duration,
}

impl Bench<'_> {
    /// Warms up, makes as many requests as the warm-up suggests, and measures.
    async fn cell(&self, cell: Cell, key: &SigningKey, raw: &RawRsa) -> Result<Measurement> {
        let prepare = |requests| material::prepare(self.currency, key, cell.operation, cell.coins, requests);
        let drive = |requests, limit| load::drive(self.issuer.address(), cell.clients, requests, limit);

        let warm_up = prepare(cell.clients.max(WARM_UP_COINS.div_ceil(cell.coins))).await?;
        let warm_up = drive(warm_up, WARM_UP_DURATION_MAX).await?;
        let per_second = warm_up.latencies.len() as f64 / warm_up.elapsed.as_secs_f64();
        let planned = (per_second * PLAN_FACTOR * self.duration.as_secs_f64()).ceil() as usize;
        let coins_max = if cell.operation.spends() { material::COINS_MAX } else { usize::MAX };
        let requests = prepare(planned.min(coins_max / cell.coins).max(cell.clients)).await?;

        let (issuer, database) = (self.issuer_cpu_time()?, self.database_cpu_time()?);
        let answers = drive(requests, self.duration).await?;
        let used = Used {
            issuer: self.issuer_cpu_time()? - issuer,
            database: self.database_cpu_time()?.zip(database).map(|(end, begin)| end.saturating_sub(begin)),
            issuer_memory_mib: processes::memory(self.issuer.id())?.resident_mib,
        };
        ensure!(!answers.latencies.is_empty(), "no request was answered with status 200, but {:?}", answers.refused);
        Ok(Measurement::new(cell, answers, used, raw))
    }

    fn issuer_cpu_time(&self) -> Result<Duration> {
        processes::cpu_time(self.issuer.id())
    }

    fn database_cpu_time(&self) -> Result<Option<Duration>> {
        match self.database {
            Database::Sqlite => Ok(Some(Duration::ZERO)),
            Database::Postgres | Database::PostgresElsewhere => self.postgres.map(PostgresProcesses::cpu_time).transpose(),
        }
    }
}
