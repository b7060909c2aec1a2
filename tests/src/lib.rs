//! Helpers for the end-to-end tests: a currency with a real server process, the real binary, and a wallet that
//! uses no library of this project.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "helpers of tests")]

mod currency;
mod cutting_proxy;
pub mod deploy;
pub mod failover;
pub mod files;
pub mod foreign_wallet;
pub mod load;
pub mod machines;
mod master;
mod process;
mod program;
pub mod raw_http;
mod round_robin;
pub mod sqlite;
pub mod thief;
pub mod torture;
mod wallet;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

pub use currency::{Currency, Database, SQLITE, metrics};
pub use cutting_proxy::{Answers, CuttingProxy};
pub use master::create_master_key;
pub use opencoin_testkit::wait::{PATIENCE, wait_for, wait_until};
pub use process::{Log, Process, send_signal};
pub use program::{MASTER_PASSPHRASE, Output, PASSPHRASE, command, opencoin, run};
pub use round_robin::RoundRobin;
pub use wallet::Wallet;

/// The cipher suite of the specification's own run.
pub const CHAUM82: &str = "RSA-SHA256-PSS-CHAUM82";
/// The default cipher suite.
pub const RFC9474: &str = "RSA-SHA384-PSS-RFC9474";

/// A migration of a later version with which this program is compatible.
pub const COMPATIBLE_MIGRATION: &str = "
    ALTER TABLE accounts ADD COLUMN of_the_future int8 NOT NULL DEFAULT 0;
    ALTER TABLE transactions ADD COLUMN of_the_future int8;
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'from the future', true, '\\x00', 0);";

/// The range of [`free_port`]. Each process begins somewhere else in it.
const FIRST_PORT: u16 = 15_000;
const PORTS: u32 = 15_000;
const PORT_STEP: u32 = 97;
/// The first words that a server prints once it accepts connections.
const SERVER_LINE: &str = "serving ";
/// The first words that a signer prints once it accepts connections.
const SIGNER_LINE: &str = "signing for ";

/// A port that nobody listens on. The system does not give ports of this range to clients, so nobody takes it
/// while a currency is made.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let candidate = (std::process::id().wrapping_mul(PORT_STEP))
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
            % PORTS;
        let port = FIRST_PORT + u16::try_from(candidate).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Sets a flag when it is dropped, so that threads stop also when a test fails. Without it, the failed test would wait
/// for them forever.
pub struct StopAtEnd<'flag>(pub &'flag AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The body of a successful answer to a GET.
#[must_use]
pub fn get_text(url: &str) -> String {
    let answer = reqwest::blocking::get(url).unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.text().unwrap()
}

/// Runs an action with the numbers from 0 in as many threads at once, and returns the results in this order.
pub fn in_parallel<T: Send>(threads: usize, action: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let action = &action;
        let running: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || action(number)))
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
