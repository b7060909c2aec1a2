//! What happened, counted by name, and what must not have happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait looks whether it is over.
const GLANCE: Duration = Duration::from_millis(5);
/// The first violations tell the story; the rest are its echo.
const VIOLATIONS_KEPT_MAX: usize = 20;

/// Counters, violations, and whether the time is over. Shared by everything that runs.
pub(super) struct Tally {
    counts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<String>>,
    is_broken: AtomicBool,
    time: Duration,
    end: Mutex<Instant>,
}

impl Tally {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            counts: Mutex::default(),
            violations: Mutex::default(),
            is_broken: AtomicBool::new(false),
            time,
            end: Mutex::new(Instant::now() + time),
        }
    }

    /// The time begins now.
    pub(super) fn restart(&self) {
        *self.end.lock().unwrap() = Instant::now() + self.time;
    }

    pub(super) fn count(&self, name: &str) {
        self.add(name, 1);
    }

    pub(super) fn add(&self, name: &str, number: u64) {
        *self.counts.lock().unwrap().entry(name.to_owned()).or_default() += number;
    }

    pub(super) fn get(&self, name: &str) -> u64 {
        self.counts.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Something that must never happen. The run ends.
    pub(super) fn violate(&self, what: impl Into<String>) {
        let mut violations = self.violations.lock().unwrap();
        if violations.len() < VIOLATIONS_KEPT_MAX {
            violations.push(what.into());
        }
        self.is_broken.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }

    /// No new work: the time is over, or something was violated.
    pub(super) fn is_over(&self) -> bool {
        self.is_broken() || Instant::now() >= *self.end.lock().unwrap()
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// Runs a part of the program; a panic in it is a violation and ends nothing else.
    pub(super) fn guard<T>(&self, name: &str, part: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(part));
        result
            .map_err(|panic| self.violate(format!("{name} panicked: {}", panic_text(panic.as_ref()))))
            .ok()
    }

    /// Waits until the condition holds, at most `patience`. Gives up early when the run is broken.
    pub(super) fn wait(&self, patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience && !self.is_broken() {
            if condition() {
                return true;
            }
            thread::sleep(GLANCE);
        }
        condition()
    }

    /// Lets the others work for so long, or until the time is over.
    pub(super) fn pause(&self, time: Duration) {
        self.wait(time, || self.is_over());
    }

    /// All counters as a table.
    pub(super) fn table(&self) -> String {
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
