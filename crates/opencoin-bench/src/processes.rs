//! CPU time and memory of other processes, from `/proc` (Linux; see proc_pid_stat(5)). The resolution of CPU times is
//! the kernel's clock tick, usually 10 ms.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// The process name of PostgreSQL.
const POSTGRES_NAME: &str = "postgres";
/// Written to `/proc/self/clear_refs`, sets the peak of the resident memory to its present size.
const RESET_PEAK: &str = "5";
/// Positions in `/proc/PID/stat` after the process name.
const PARENT: usize = 1;
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const ENDED_CHILDREN_USER_TICKS: usize = 13;
const ENDED_CHILDREN_SYSTEM_TICKS: usize = 14;

/// All processes of one PostgreSQL server on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct PostgresProcesses {
    postmaster: u32,
}

/// The resident memory of a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) resident_mib: f64,
    pub(super) peak_mib: f64,
}

/// The CPU time that a process has used.
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    Ok(Stat::read(process)?.own())
}

pub(super) fn memory(process: u32) -> Result<Memory> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let mib = |name: &str| {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name))?
            .split_whitespace()
            .next()?;
        value.parse::<f64>().ok().map(|kib| kib / 1024.0)
    };
    let field = |name| mib(name).with_context(|| format!("{path} has no {name}"));
    Ok(Memory {
        resident_mib: field("VmRSS:")?,
        peak_mib: field("VmHWM:")?,
    })
}

/// Lets the peak memory of this process begin with what it has now.
pub(super) fn forget_peak_memory() -> Result<()> {
    let path = "/proc/self/clear_refs";
    fs::write(path, RESET_PEAK).with_context(|| format!("cannot write {path}"))
}

impl PostgresProcesses {
    /// Finds the server of the backend with this process id; `None` if it runs on another machine.
    pub(super) fn of_backend(backend: u32) -> Option<Self> {
        let backend = Stat::read(backend).ok().filter(Stat::is_postgres)?;
        let postmaster = backend
            .field(PARENT)
            .and_then(|parent| u32::try_from(parent).ok())?;
        Stat::read(postmaster).ok().filter(Stat::is_postgres)?;
        Some(Self { postmaster })
    }

    /// The CPU time of all processes, including terminated ones.
    pub(super) fn cpu_time(self) -> Result<Duration> {
        let postmaster = Stat::read(self.postmaster)?;
        let mut sum = postmaster.own() + postmaster.ended_children();
        for entry in fs::read_dir("/proc").context("cannot read /proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // The postmaster counts a process that terminates meanwhile.
            let Ok(stat) = Stat::read(process) else { continue };
            if stat.field(PARENT) == Some(u64::from(self.postmaster)) {
                sum += stat.own();
            }
        }
        Ok(sum)
    }
}

/// `/proc/PID/stat`.
struct Stat {
    name: String,
    fields: Vec<String>,
}

impl Stat {
    fn read(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/stat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&text).with_context(|| format!("cannot understand {path}"))
    }

    /// The name is in brackets and may contain brackets and spaces.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<String> = after.split_whitespace().map(str::to_owned).collect();
        (fields.len() > ENDED_CHILDREN_SYSTEM_TICKS).then(|| Self {
            name: name.to_owned(),
            fields,
        })
    }

    fn is_postgres(&self) -> bool {
        self.name == POSTGRES_NAME
    }

    fn field(&self, position: usize) -> Option<u64> {
        self.fields.get(position)?.parse().ok()
    }

    fn own(&self) -> Duration {
        self.time(USER_TICKS) + self.time(SYSTEM_TICKS)
    }

    fn ended_children(&self) -> Duration {
        self.time(ENDED_CHILDREN_USER_TICKS) + self.time(ENDED_CHILDREN_SYSTEM_TICKS)
    }

    fn time(&self, position: usize) -> Duration {
        Duration::from_secs_f64(self.field(position).unwrap_or(0) as f64 / clock_ticks_per_second() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = Stat::parse("17 (a) b (c) S 4 17 17 0 -1 1 2 3 4 5 250 50 30 20 20 0 1").unwrap();
        assert_eq!((stat.name.as_str(), stat.field(PARENT)), ("a) b (c", Some(4)));
        assert_eq!(
            stat.time(USER_TICKS) * 30,
            stat.time(ENDED_CHILDREN_USER_TICKS) * 250
        );
        assert!(Stat::parse("17 (short) S 4").is_none());
    }

    #[test]
    fn the_cpu_time_and_memory_of_this_process_are_measured() {
        let me = std::process::id();
        let begun = cpu_time(me).unwrap();
        while cpu_time(me).unwrap() == begun {}
        let memory = memory(me).unwrap();
        assert!(
            memory.resident_mib > 0.1 && memory.peak_mib >= memory.resident_mib,
            "{memory:?}"
        );
        assert!(PostgresProcesses::of_backend(me).is_none());
    }
}
