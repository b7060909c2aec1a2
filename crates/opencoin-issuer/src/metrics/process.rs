//! Metrics of this process from `/proc`. A metric that cannot be read is left out.

use std::fs;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

const BYTES_PER_KIB: i64 = 1024;

/// Registers the memory and open files of the process.
pub(super) fn register(registry: &mut Registry) {
    let figures = [
        (
            "process_resident_memory_bytes",
            "Memory that is in use",
            resident_memory_bytes(),
        ),
        (
            "process_open_fds",
            "Files and connections that are open",
            open_files(),
        ),
    ];
    for (name, help, figure) in figures {
        if let Some(figure) = figure {
            let gauge: Gauge = Gauge::default();
            gauge.set(figure);
            registry.register(name, help, gauge);
        }
    }
}

fn resident_memory_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(BYTES_PER_KIB)
}

fn open_files() -> Option<i64> {
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}
