//! Measures what the public log costs (docs/LOG.md): CPU time and throughput of requests, the speed of sealing, the time
//! until witnesses have cosigned, and the sizes of tree and proofs.
//!
//! A second currency has a log, two witnesses on loopback, and a batch a second. Its cells alternate with those of the
//! currency without a log, so that what else happens on the machine meets both.

mod cost;
mod proof;
mod sealing;
mod witnessed;
mod witnesses;

use std::fs;
use std::path::Path;
use std::slice;

use anyhow::{Context, Result};
use opencoin_terminal::output;
use serde::Serialize;

use crate::books::BenchBooks;
use crate::cells::{Bench, Settling};
use crate::child_process::IssuerProcess;
use crate::currency::{Currency, NewCurrency};
use crate::plan::Plan;

pub(crate) use cost::Cost;
pub(crate) use sealing::Sealing;
pub(crate) use witnessed::Witnessed;

use witnesses::LocalWitnesses;

/// The folder of the currency with the log and of its witnesses, in the folder of the run.
const FOLDER: &str = "with-log";

/// What the public log costs.
#[derive(Debug, Serialize)]
pub(crate) struct PublicLog {
    pub(crate) costs: Vec<Cost>,
    /// CPU time of issuer and database for a batch with one leaf; `None` if the database's cannot be read.
    pub(crate) batch_cpu_ms: Option<f64>,
    pub(crate) witnessed: Witnessed,
    pub(crate) sealing: Sealing,
    pub(crate) proof_file_bytes: usize,
}

/// Measures everything. `bench` is the currency without a log. Also returns the broken invariants of the other one, from
/// the audit before its books are broken.
pub(crate) async fn measure(
    plan: &Plan,
    bench: &Bench<'_>,
    folder: &Path,
) -> Result<(PublicLog, Vec<String>)> {
    let folder = &folder.join(FOLDER);
    fs::create_dir(folder).context("cannot create a folder")?;
    let witnesses = LocalWitnesses::create(folder).await?;
    let new_log = witnesses.log();
    let new = NewCurrency {
        database: plan.log_database.as_deref(),
        engine: &plan.engine,
        kinds: &plan.keys[..1],
        accounts: plan.accounts,
        is_distributed: false,
        log: Some(&new_log),
    };
    let currency = Currency::create(folder, &new).await?;
    let witnesses = witnesses.start(&currency).await?;
    let books = BenchBooks::open(plan.log_database.as_deref(), &currency.directory).await?;
    let issuer = IssuerProcess::start(&currency, folder, &[])?;
    let with = Bench {
        currency: &currency,
        books: &books,
        issuers: slice::from_ref(&issuer),
        key: currency.first_key()?,
        settling: Settling::Log(currency.log.as_ref()),
        ..*bench
    };
    let without = Bench {
        settling: Settling::Pause,
        ..*bench
    };
    fill_equally(&without, &with).await?;

    let costs = cost::measure(&without, &with, &plan.operations, plan.is_quick).await?;
    let batch_cpu_ms = cost::batch_cpu_ms(&without, &with, plan.is_quick).await?;
    let witnessed = witnessed::measure(&with, plan.is_quick).await?;
    let broken = currency.broken_invariants().await?;
    let under_load = sealing::measure_under_load(&with, plan.is_quick).await?;
    issuer.process.stop()?;
    witnesses.stop().await?;
    let alone = sealing::measure_alone(&currency, &books, plan.is_quick).await?;
    currency.destroy_keys()?;
    let measured = PublicLog {
        costs,
        batch_cpu_ms,
        witnessed,
        sealing: Sealing { under_load, alone },
        proof_file_bytes: proof::bytes()?,
    };
    output::line(&measured.proof_text())?;
    let broken = broken.into_iter().map(|broken| format!("with a log: {broken}"));
    Ok((measured, broken.collect()))
}

impl PublicLog {
    fn proof_text(&self) -> String {
        format!(
            "a proof file of a log with {} leaves and {} witnesses: {} bytes",
            proof::LEAVES,
            proof::WITNESSES,
            self.proof_file_bytes
        )
    }
}

/// Gives the books with the log as many coins as those without, so that their tables are of the same size.
async fn fill_equally(without: &Bench<'_>, with: &Bench<'_>) -> Result<()> {
    with.currency.ledger_coins_per_second().await?;
    let missing = issued(without).await?.saturating_sub(issued(with).await?);
    let missing = usize::try_from(missing).context("more coins than fit into memory")?;
    with.currency.record_minted(with.key, missing).await
}

async fn issued(bench: &Bench<'_>) -> Result<u64> {
    let keys = bench.currency.ledger.mint_keys().await?;
    let key = keys.iter().find(|key| key.id == bench.key.ledger_id);
    Ok(key.context("the books have the mint key")?.issued)
}
