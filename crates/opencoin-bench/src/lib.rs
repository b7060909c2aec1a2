//! `opencoin bench`: measures how fast an issuer is on this machine, compared with RSA alone.
//!
//! The issuer and the optional signer run in separate processes, with a temporary currency and database. Requests are
//! prepared in advance, so that the load generator only sends and reads while a cell of the table is measured. On a
//! small machine it still takes CPU time from the issuer and the database, so the important figures are CPU times per
//! coin relative to raw RSA operations that are measured in the same run.
//!
//! Broken books or a failed issuer end in exit code 1. Refused requests are counted and shown.

mod books;
mod cells;
mod child_process;
mod consoles;
mod currency;
mod engine;
mod engine_rate;
mod full_table;
mod half_load;
mod load;
mod material;
mod measured;
mod measurement;
mod mint_keys;
mod one_by_one;
mod open_loop;
mod plan;
mod plot;
mod processes;
mod public_log;
mod raw;
mod replay;
mod report;
mod storage;
mod targets;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use books::BenchBooks;
use cells::{Bench, Settling};
use child_process::{ChildProcess, IssuerProcess};
use currency::{Currency, NewCurrency};
use engine::Engine;
use engine_rate::EngineRate;
use measured::Measured;
use opencoin_crypto::{LanesState, lanes_state};
use opencoin_terminal::output;
pub use plan::Arguments;
use plan::{LanesMode, Part, Plan};
use report::Report;

/// The longest measurement of one raw operation. It is as long as a cell if that is shorter.
const RAW_DURATION_MAX: Duration = Duration::from_secs(1);

/// Runs the benchmark and writes its report.
///
/// # Errors
/// The issuer does not start, or fails.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (json, svg) = (arguments.json.clone(), arguments.svg.clone());
    let plan = Plan::new(arguments)?;
    let folder = TempDir::with_prefix("opencoin-bench-").context("cannot create a temporary folder")?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // On a signal, dropping the measurement stops the issuer and removes the folder.
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
        let measured = report
            .issuer
            .as_ref()
            .context("no cells of the table were measured")?;
        fs::write(&path, plot::svg(measured)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let is_broken = |measured: &Measured| !measured.broken_invariants.is_empty();
    Ok(if report.issuer.as_ref().is_some_and(is_broken) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn measure(plan: &Plan, folder: &Path) -> Result<Report> {
    // First, while no issuer has filled the caches of the system.
    let replay = if plan.has(Part::Replay) {
        Some(tokio::task::block_in_place(|| {
            replay::measure(&plan.replay, folder)
        })?)
    } else {
        None
    };
    let issuer = if plan.needs_issuer() {
        Some(measure_issuer(plan, folder).await?)
    } else {
        None
    };
    let mut targets = issuer.as_ref().map(targets::of).unwrap_or_default();
    targets.extend(replay.iter().flat_map(targets::of_replay));
    Ok(Report {
        issuer,
        replay,
        targets,
    })
}

async fn measure_issuer(plan: &Plan, folder: &Path) -> Result<Measured> {
    let new = NewCurrency {
        database: plan.database.as_deref(),
        engine: &plan.engine,
        kinds: &plan.keys,
        accounts: plan.accounts,
        is_distributed: plan.is_distributed,
        log: None,
    };
    let currency = Currency::create(folder, &new).await?;
    let books = BenchBooks::open(plan.database.as_deref(), &currency.directory).await?;
    let mut measured = Measured {
        version: env!("CARGO_PKG_VERSION"),
        cores: thread::available_parallelism().map_or(1, NonZeroUsize::get),
        engine: plan.engine.engine,
        issuers: plan.issuers,
        accounts: plan.accounts,
        lanes: lanes_state().name(),
        database: books.database(),
        ledger_coins_per_second: currency.ledger_coins_per_second().await?,
        bare_inserts: books.bare_inserts(plan.cell_duration).await?,
        raw_rsa: Vec::new(),
        engine_rates: Vec::new(),
        cells: Vec::new(),
        half_load: None,
        one_by_one: None,
        consoles: None,
        storage: None,
        public_log: None,
        full_table: None,
        issuer_memory_peak_mib: 0.0,
        signer_memory_peak_mib: None,
        broken_invariants: Vec::new(),
    };
    output::line(&measured.heading())?;
    processes_and_parts(plan, folder, &currency, &books, &mut measured).await?;
    currency.destroy_keys()?;
    Ok(measured)
}

/// Runs the issuer and makes all measurements that need it.
async fn processes_and_parts(
    plan: &Plan,
    folder: &Path,
    currency: &Currency,
    books: &BenchBooks,
    measured: &mut Measured,
) -> Result<()> {
    let raw_duration = plan.cell_duration.min(RAW_DURATION_MAX);
    // The first setting comes last, because the parts beside the table break the books.
    for (pass, lanes) in plan.lanes.iter().rev().enumerate() {
        let signer = match plan.engine.engine {
            Engine::Signer => Some(ChildProcess::start_signer(currency, folder)?),
            Engine::Memory | Engine::Token => None,
        };
        let arguments = ["--signer-lanes", lanes.text()];
        let issuers = (0..plan.issuers)
            .map(|_| IssuerProcess::start(currency, folder, &arguments))
            .collect::<Result<Vec<_>>>()?;
        let in_lanes = *lanes == LanesMode::Auto && lanes_state() == LanesState::Used;
        let mut first = None;
        for (index, key) in currency.mint_keys.keys.iter().enumerate() {
            let raw = tokio::task::block_in_place(|| raw::measure(key.kind, raw_duration))?;
            let engine = match lanes {
                LanesMode::Auto => {
                    engine_rate::measure(currency, key, signer.as_ref(), plan.cell_duration).await?
                }
                LanesMode::Off => EngineRate::without_lanes(&raw),
            };
            let bench = Bench {
                currency,
                books,
                issuers: &issuers,
                signer: signer.as_ref(),
                key,
                raw,
                engine,
                in_lanes,
                duration: plan.cell_duration,
                settling: Settling::None,
            };
            output::line(&Report::raw_heading(&raw, &engine))?;
            if plan.has(Part::Table) {
                for (operation, coins, clients) in plan.cells(index) {
                    measured.cells.push(bench.row(operation, coins, clients).await?);
                }
            }
            measured.raw_rsa.push(raw);
            measured.engine_rates.push(engine);
            first.get_or_insert(bench);
        }
        if pass + 1 == plan.lanes.len() {
            let first = first.context("a bench has keys")?;
            parts(plan, &first, folder, measured).await?;
        }
        for issuer in &issuers {
            let peak_mib = processes::memory(issuer.process.id())?.peak_mib;
            measured.issuer_memory_peak_mib = measured.issuer_memory_peak_mib.max(peak_mib);
        }
        measured.signer_memory_peak_mib = signer
            .as_ref()
            .map(|signer| processes::memory(signer.id()))
            .transpose()?
            .map(|memory| memory.peak_mib);
        issuers.into_iter().try_for_each(|issuer| issuer.process.stop())?;
        signer.map_or(Ok(()), ChildProcess::stop)?;
    }
    Ok(())
}

/// Makes the measurements other than the table, with the first key. The audit comes before the last one, which breaks
/// the books.
async fn parts(plan: &Plan, bench: &Bench<'_>, folder: &Path, measured: &mut Measured) -> Result<()> {
    output::line("")?;
    if plan.has(Part::HalfLoad) {
        measured.half_load = Some(half_load::measure(bench).await?);
    }
    if plan.has(Part::OneByOne) {
        measured.one_by_one = Some(one_by_one::measure(bench, folder).await?);
    }
    if plan.has(Part::Consoles) {
        measured.consoles = Some(consoles::measure(bench, folder).await?);
    }
    if plan.has(Part::Storage) {
        measured.storage = Some(storage::measure(bench.currency, bench.books).await?);
    }
    if plan.has(Part::Log) {
        let (part, broken_invariants) = public_log::measure(plan, bench, folder).await?;
        measured.public_log = Some(part);
        measured.broken_invariants = broken_invariants;
    }
    measured
        .broken_invariants
        .extend(bench.currency.broken_invariants().await?);
    if let Some(rows) = plan.spent_rows {
        measured.full_table =
            Some(full_table::measure_and_break_the_books(bench, rows, plan.is_quick).await?);
    }
    Ok(())
}
