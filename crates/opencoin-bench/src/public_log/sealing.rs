//! How fast what waits is sealed, how much memory that takes, and how long mints take meanwhile.
//!
//! Large batches of invented leaves are added to the books, which do not know their coins. First the issuer seals one
//! while it mints; then, without an issuer, this process seals some through the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::{LogStore, LogTerms, LogTotals, SealOutcome};
use opencoin_log::digest::IssuedDigest;
use opencoin_log::leaf::{COIN_LEAF_BYTES, issued_leaf};
use opencoin_terminal::output;
use serde::Serialize;
use tokio::time::sleep;

use crate::books::BenchBooks;
use crate::cells::Bench;
use crate::currency::{Currency, Sender, now, random_bytes};
use crate::half_load::Latencies;
use crate::load::Answers;
use crate::plan::Operation;
use crate::{open_loop, processes};

const LEAVES: usize = 1_000_000;
const LEAVES_QUICK: usize = 20_000;
/// Leaves of one commit, as of four requests of 64 coins.
const LEAVES_PER_ROW: usize = 256;
const DIGEST_BYTES: usize = 32;
/// Batches that the issuer seals. A 99th percentile needs many mints, and a batch takes only a second.
const BATCHES_UNDER_LOAD: usize = 5;
/// Batches that are sealed without an issuer.
const BATCHES_ALONE: usize = 3;
const BATCHES_QUICK: usize = 1;
/// Mints of one coin a second while a batch is sealed: a few percent of what an issuer can do.
const MINTS_PER_SECOND: f64 = 500.0;
/// How long they are measured before, and at most while a batch is sealed.
const MINTS_DURATION: Duration = Duration::from_secs(10);
const MINTS_DURATION_QUICK: Duration = Duration::from_secs(1);
const SEALING_DURATION_MAX: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(20);
const MIB: f64 = 1024.0 * 1024.0;

/// The speed of sealing.
#[derive(Debug, Serialize)]
pub(crate) struct Sealing {
    pub(crate) under_load: UnderLoad,
    pub(crate) alone: Alone,
}

/// An issuer seals batches while it mints.
#[derive(Debug, Serialize)]
pub(crate) struct UnderLoad {
    pub(crate) leaves: usize,
    /// Until a batch is sealed, from the commit of its leaves. The pause between two batches is part of it.
    pub(crate) seconds: Vec<f64>,
    /// Of the issuer, above its memory before.
    pub(crate) memory_growth_mib: f64,
    pub(crate) mints_per_second: f64,
    pub(crate) before: Latencies,
    pub(crate) meanwhile: Latencies,
}

/// Batches that are sealed without an issuer.
#[derive(Debug, Serialize)]
pub(crate) struct Alone {
    pub(crate) leaves: usize,
    /// Of each batch.
    pub(crate) seconds: Vec<f64>,
    /// Of the tree in the database.
    pub(crate) bytes_per_leaf: f64,
}

pub(super) async fn measure_under_load(bench: &Bench<'_>, is_quick: bool) -> Result<UnderLoad> {
    let leaves = leaves(is_quick);
    let issuer = &bench.issuers[0];
    let duration = if is_quick {
        MINTS_DURATION_QUICK
    } else {
        MINTS_DURATION
    };
    let mints = |duration: Duration| (MINTS_PER_SECOND * duration.as_secs_f64()) as usize;
    let mint = |duration| bench.requests(Sender::Clients, Operation::Mint, 1, mints(duration));
    let arrivals = |duration| open_loop::arrivals(mints(duration), MINTS_PER_SECOND);

    let requests = mint(duration).await?;
    let before = open_loop::drive(issuer.address, requests, arrivals(duration)).await?;
    let memory_before = processes::memory(issuer.process.id())?;
    let (mut meanwhile, mut seconds) = (Answers::default(), Vec::new());
    for _ in 0..batches(is_quick, BATCHES_UNDER_LOAD) {
        let requests = mint(SEALING_DURATION_MAX).await?;
        bench.settling.settle().await?;
        let begun = add(bench.currency, bench.books, leaves).await?;
        let is_sealed = Arc::new(AtomicBool::new(false));
        let arrivals = arrivals(SEALING_DURATION_MAX);
        let (answers, took) = tokio::try_join!(
            open_loop::drive_until(issuer.address, requests, arrivals, Arc::clone(&is_sealed)),
            sealed(bench.currency.log.as_ref(), leaves, begun, &is_sealed),
        )?;
        meanwhile.append(answers);
        seconds.push(took);
    }
    meanwhile.latencies.sort_unstable();
    let memory = processes::memory(issuer.process.id())?;
    let measured = UnderLoad {
        leaves,
        seconds,
        memory_growth_mib: memory.peak_mib - memory_before.resident_mib,
        mints_per_second: MINTS_PER_SECOND,
        before: Latencies::of(&before)?,
        meanwhile: Latencies::of(&meanwhile)?,
    };
    output::line(&measured.text())?;
    Ok(measured)
}

pub(super) async fn measure_alone(currency: &Currency, books: &BenchBooks, is_quick: bool) -> Result<Alone> {
    let (log, leaves) = (&currency.log, leaves(is_quick));
    // They matter for key accounts alone.
    let terms = LogTerms {
        origin: "bench.example/log".to_owned(),
        within_s: 3600,
    };
    let bytes_before = books.log_bytes().await?;
    let (mut seconds, mut sealed) = (Vec::new(), 0);
    for _ in 0..batches(is_quick, BATCHES_ALONE) {
        add(currency, books, leaves).await?;
        let open = log.head().await?.context("the currency has a log")?.batch;
        let begun = Instant::now();
        let outcome = log.seal(open, now(), &terms).await?;
        seconds.push(begun.elapsed().as_secs_f64());
        match outcome {
            SealOutcome::Sealed(batch) => sealed += batch.count,
            other => bail!("a batch was not sealed: {other:?}"),
        }
    }
    let bytes = books.log_bytes().await?.saturating_sub(bytes_before);
    let measured = Alone {
        leaves,
        seconds,
        bytes_per_leaf: bytes as f64 / sealed as f64,
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl UnderLoad {
    /// The 99th percentile of mints while a batch is sealed, divided by that before.
    pub(crate) fn p99_ratio(&self) -> f64 {
        self.meanwhile.p99_ms / self.before.p99_ms
    }

    fn text(&self) -> String {
        format!(
            "sealing of {} leaves by the issuer, {} batches, each after at most {:.1} s: memory grows by {:.0} MiB\n\
             {:.0} mints of 1 coin a second, not waiting for answers, before: {}\n\
             the same until they are sealed: {}",
            self.leaves,
            self.seconds.len(),
            longest(&self.seconds),
            self.memory_growth_mib,
            self.mints_per_second,
            self.before.text(),
            self.meanwhile.text()
        )
    }
}

impl Alone {
    /// Of all batches.
    pub(crate) fn leaves_per_second(&self) -> f64 {
        (self.leaves * self.seconds.len()) as f64 / self.seconds.iter().sum::<f64>()
    }

    /// The longest time of a batch.
    pub(crate) fn longest_seconds(&self) -> f64 {
        longest(&self.seconds)
    }

    fn text(&self) -> String {
        format!(
            "sealing of {} leaves alone, {} batches: at most {:.2} s, {:.0} leaves/s; {:.1} bytes in the database for each leaf",
            self.leaves,
            self.seconds.len(),
            self.longest_seconds(),
            self.leaves_per_second(),
            self.bytes_per_leaf
        )
    }
}

fn longest(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(0.0, f64::max)
}

fn batches(is_quick: bool, fully: usize) -> usize {
    if is_quick { BATCHES_QUICK } else { fully }
}

fn leaves(is_quick: bool) -> usize {
    if is_quick { LEAVES_QUICK } else { LEAVES }
}

/// Adds leaves of blinds of the first key that wait to be sealed, and money that was paid in for them, so that the totals
/// of the log add up. Returns when they were committed.
async fn add(currency: &Currency, books: &BenchBooks, leaves: usize) -> Result<Instant> {
    let key = currency.first_key()?;
    let keys = currency.ledger.mint_keys().await?;
    let status = keys.iter().find(|status| status.id == key.ledger_id);
    let key_no = status.context("the books have the mint key")?.no.key_no();
    let row = |first: usize| {
        let count = LEAVES_PER_ROW.min(leaves - first);
        let random = random_bytes(count * DIGEST_BYTES);
        let (digests, _) = random.as_chunks();
        let leaf = |digest: &[u8; DIGEST_BYTES]| issued_leaf(key_no, &IssuedDigest::new(*digest));
        let paid_in = i128::from(key.denomination) * count as i128;
        PendingLeaves {
            coins: digests.iter().flat_map(leaf).collect(),
            totals: LogTotals {
                paid_in,
                ..LogTotals::default()
            },
            ..PendingLeaves::default()
        }
    };
    let rows: Vec<PendingLeaves> = (0..leaves).step_by(LEAVES_PER_ROW).map(row).collect();
    books.add_pending_and_break(&rows, now()).await?;
    Ok(Instant::now())
}

/// Waits until the log has no row of a large batch any more, and returns the seconds since `begun`.
async fn sealed(log: &dyn LogStore, leaves: usize, begun: Instant, is_sealed: &AtomicBool) -> Result<f64> {
    let is_there = |coins: u64| coins >= leaves as u64;
    while is_there(log.pending().await?.coins) {
        ensure!(
            begun.elapsed() < SEALING_DURATION_MAX,
            "the issuer does not seal {leaves} leaves ({:.0} MiB)",
            (leaves * COIN_LEAF_BYTES) as f64 / MIB
        );
        sleep(LOOK_PAUSE).await;
    }
    is_sealed.store(true, Ordering::Relaxed);
    Ok(begun.elapsed().as_secs_f64())
}
