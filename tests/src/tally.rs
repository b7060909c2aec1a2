//! Counters by name, and violations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The polling interval of waits.
const GLANCE: Duration = Duration::from_millis(5);
/// Later violations are mostly consequences of the first ones.
const VIOLATIONS_KEPT_MAX: usize = 20;

/// Counters, violations and the end of the run, shared by all threads.
pub(crate) struct Tally {
    counts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
    is_broken: AtomicBool,
    time: Duration,
    end: Mutex<Instant>,
}

impl Tally {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            counts: Mutex::default(),
            violations: Mutex::default(),
            is_broken: AtomicBool::new(false),
            time,
            end: Mutex::new(Instant::now() + time),
        }
    }

    /// Starts the time of the run.
    pub(crate) fn restart(&self) {
        *self.end.lock().unwrap() = Instant::now() + self.time;
    }

    pub(crate) fn count(&self, name: &str) {
        self.add(name, 1);
    }

    pub(crate) fn add(&self, name: &str, number: u64) {
        *self.counts.lock().unwrap().entry(name.to_owned()).or_default() += number;
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        self.counts.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Reports something that must never happen, and ends the run.
    pub(crate) fn violate(&self, what: impl Into<String>) {
        let mut violations = self.violations.lock().unwrap();
        if violations.len() < VIOLATIONS_KEPT_MAX {
            violations.push(what.into());
        }
        self.is_broken.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }

    /// Whether no new work may begin: the time is over, or there was a violation.
    pub(crate) fn is_over(&self) -> bool {
        self.is_broken() || Instant::now() >= *self.end.lock().unwrap()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// Runs a part of the program, and reports a panic in it as a violation.
    pub(crate) fn guard<T>(&self, name: &str, part: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(part));
        result
            .map_err(|panic| self.violate(format!("{name} panicked: {}", panic_text(panic.as_ref()))))
            .ok()
    }

    /// Waits until the condition holds, for at most `patience` or until there is a violation. Returns whether it holds.
    pub(crate) fn wait(&self, patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience && !self.is_broken() {
            if condition() {
                return true;
            }
            thread::sleep(GLANCE);
        }
        condition()
    }

    /// Sleeps for this time, or until the run is over.
    pub(crate) fn pause(&self, time: Duration) {
        self.wait(time, || self.is_over());
    }

    /// All counters as a table.
    pub(crate) fn table(&self) -> String {
        let counts = self.counts.lock().unwrap();
        counts.iter().fold(String::new(), |mut table, (name, number)| {
            let _ = writeln!(table, "{number:>10}  {name}");
            table
        })
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}
