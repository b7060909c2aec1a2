//! Measures how fast an auditor replays a public log: every leaf is read, hashed and checked by all rules.
//!
//! The log is written first, or is one that an earlier run has left in a folder.

mod accounts;
mod currency;
mod generator;
mod log_folder;
mod mint_keys;
mod pipeline;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opencoin_auditor::{SpentFiles, SpentRuns};
use opencoin_terminal::output;
use serde::Serialize;

use crate::plan::ReplayPlan;
use crate::processes;
use generator::BATCH_LEAVES;
use log_folder::LogFolder;

/// The leaves of the log to which the time is extrapolated.
const LARGE_LOG_LEAVES: u64 = 100_000_000;
const BYTES_PER_MB: f64 = 1e6;

/// How fast a log is replayed.
#[derive(Debug, Serialize)]
pub(crate) struct LogReplay {
    pub(crate) version: &'static str,
    pub(crate) cores: usize,
    pub(crate) leaves: u64,
    pub(crate) batches: u64,
    /// Of all entries, as a reader downloads them.
    pub(crate) entry_bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) hashing_cpu_seconds: f64,
    pub(crate) rules_cpu_seconds: f64,
    /// Of the whole process, with what else it does.
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_peak_mib: f64,
    /// Of the index of spent coins, on the disk.
    pub(crate) index_bytes: u64,
}

/// Writes the log if there is none, and replays it. `folder` is that of the run.
pub(crate) fn measure(plan: &ReplayPlan, folder: &Path) -> Result<LogReplay> {
    measure_batches_of(BATCH_LEAVES, plan, folder)
}

fn measure_batches_of(batch_leaves: u64, plan: &ReplayPlan, folder: &Path) -> Result<LogReplay> {
    let log_folder = plan.log_folder.clone();
    let log_folder = log_folder.unwrap_or_else(|| folder.join("log-to-replay"));
    let log = match LogFolder::open(&log_folder)? {
        Some(log) => log,
        None => {
            generator::generate(&log_folder, plan.leaves, batch_leaves)?;
            LogFolder::open(&log_folder)?.context("the log was written")?
        }
    };
    ensure!(
        log.size() == plan.leaves,
        "--log-folder: the log has {} leaves; name another folder, or --leaves {}",
        log.size(),
        log.size()
    );
    let index_folder = folder.join("spent");
    let mut index = SpentFiles::open(&index_folder, &SpentRuns::default())?;
    let process = std::process::id();
    processes::forget_peak_memory()?;
    let (begun, cpu_begun) = (Instant::now(), processes::cpu_time(process)?);
    let replayed = pipeline::replay(&log, &mut index)?;
    let runs = index.store()?;
    index.stored(&runs)?;
    let measured = LogReplay {
        version: env!("CARGO_PKG_VERSION"),
        cores: thread::available_parallelism().map_or(1, NonZeroUsize::get),
        leaves: log.size(),
        batches: replayed.batches,
        entry_bytes: replayed.entry_bytes,
        seconds: begun.elapsed().as_secs_f64(),
        hashing_cpu_seconds: replayed.hashing.as_secs_f64(),
        rules_cpu_seconds: replayed.rules.as_secs_f64(),
        cpu_seconds: (processes::cpu_time(process)? - cpu_begun).as_secs_f64(),
        memory_peak_mib: processes::memory(process)?.peak_mib,
        index_bytes: bytes_in(&index_folder)?,
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl LogReplay {
    pub(crate) fn leaves_per_second(&self) -> f64 {
        self.leaves as f64 / self.seconds
    }

    pub(crate) fn leaves_per_second_and_core(&self) -> f64 {
        self.leaves as f64 / self.cpu_seconds
    }

    /// The time for [`LARGE_LOG_LEAVES`] at the same rate.
    pub(crate) fn seconds_of_large_log(&self) -> f64 {
        LARGE_LOG_LEAVES as f64 / self.leaves_per_second()
    }

    fn text(&self) -> String {
        let ns = |seconds: f64| seconds * 1e9 / self.leaves as f64;
        format!(
            "replay of {} leaves in {} batches, {:.0} MB: {:.1} s, {:.0} leaves/s; {:.0} leaves/s and core\n\
             CPU of a leaf: {:.0} ns, of which reading and hashing {:.0} ns, rules and index {:.0} ns\n\
             memory: at most {:.0} MiB; index of spent coins: {:.0} MB\n\
             {LARGE_LOG_LEAVES} leaves at the same rate: {:.0} s",
            self.leaves,
            self.batches,
            self.entry_bytes as f64 / BYTES_PER_MB,
            self.seconds,
            self.leaves_per_second(),
            self.leaves_per_second_and_core(),
            ns(self.cpu_seconds),
            ns(self.hashing_cpu_seconds),
            ns(self.rules_cpu_seconds),
            self.memory_peak_mib,
            self.index_bytes as f64 / BYTES_PER_MB,
            self.seconds_of_large_log(),
        )
    }
}

/// The bytes of the files in a folder.
fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LEAVES_MIN;

    /// Not a multiple of 256, so that there are incomplete files.
    const LEAVES: u64 = 130_001;
    /// So few that mint keys succeed each other.
    const BATCH_LEAVES: u64 = 2000;

    #[test]
    fn a_written_log_obeys_every_rule_and_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let measure = |leaves| {
            let plan = ReplayPlan {
                leaves,
                log_folder: Some(folder.path().join("log")),
            };
            measure_batches_of(BATCH_LEAVES, &plan, folder.path())
        };
        let first = measure(LEAVES).unwrap();
        assert_eq!((first.leaves, first.batches), (LEAVES, 66));
        let checkpoint = fs::read(folder.path().join("log/checkpoint")).unwrap();
        let again = measure(LEAVES).unwrap();
        assert_eq!(again.entry_bytes, first.entry_bytes);
        assert_eq!(
            fs::read(folder.path().join("log/checkpoint")).unwrap(),
            checkpoint
        );
        let refused = measure(LEAVES - 1).unwrap_err();
        assert!(refused.to_string().contains("--leaves 130001"), "{refused}");
    }

    #[test]
    fn a_changed_log_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let plan = ReplayPlan {
            leaves: LEAVES_MIN,
            log_folder: Some(folder.path().join("log")),
        };
        measure(&plan, folder.path()).unwrap();
        let bundle = folder.path().join("log/tile/entries/020");
        let mut bytes = fs::read(&bundle).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&bundle, bytes).unwrap();
        let found = measure(&plan, folder.path()).unwrap_err();
        assert!(found.to_string().contains("checkpoint"), "{found}");
        fs::remove_file(folder.path().join("log/checkpoint")).unwrap();
        let refused = measure(&plan, folder.path()).unwrap_err();
        assert!(refused.to_string().contains("no complete log"), "{refused}");
    }
}
