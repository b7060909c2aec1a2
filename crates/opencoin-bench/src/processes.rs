//! CPU time and memory of other processes, from `/proc` (Linux; see proc_pid_stat(5)). In steps of the
//! kernel's clock tick, 10 ms as a rule.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// What a PostgreSQL process calls itself.
const POSTGRES_NAME: &str = "postgres";
/// Positions in `/proc/PID/stat` behind the name of the program.
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

/// What a process needs of the memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Now.
    pub(super) resident_mib: f64,
    /// At most so far.
    pub(super) peak_mib: f64,
}

/// CPU time that a process has used.
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    Ok(Stat::read(process)?.own())
}

/// Memory of a process.
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

impl PostgresProcesses {
    /// The server that one of whose backends has this id; nothing when it runs elsewhere.
    pub(super) fn of_backend(backend: u32) -> Option<Self> {
        let backend = Stat::read(backend).ok().filter(Stat::is_postgres)?;
        let postmaster = backend
            .field(PARENT)
            .and_then(|parent| u32::try_from(parent).ok())?;
        Stat::read(postmaster).ok().filter(Stat::is_postgres)?;
        Some(Self { postmaster })
    }

    /// CPU time that they have used, those that have ended included.
    pub(super) fn cpu_time(self) -> Result<Duration> {
        let postmaster = Stat::read(self.postmaster)?;
        let mut sum = postmaster.own() + postmaster.ended_children();
        for entry in fs::read_dir("/proc").context("cannot read /proc")? {
            let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that ends between two steps is counted by its parent the next time.
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

    /// The name stands in brackets and may itself hold brackets and spaces.
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
    fn our_own_work_is_seen() {
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
