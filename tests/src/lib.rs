//! Helpers for the end-to-end tests: a currency with a real server process, the real binary, and a wallet that
//! uses no library of this project.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "helpers of tests")]

mod auditor;
pub mod bank;
pub mod browser;
mod currency;
mod cutting_proxy;
mod demo_site;
pub mod deploy;
pub mod dishonest;
pub mod failover;
mod file_server;
pub mod files;
pub mod foreign_wallet;
pub mod key_holder;
pub mod live;
pub mod load;
pub mod machines;
mod master;
pub mod nodes;
mod process;
mod program;
pub mod raw_http;
pub mod replayed_log;
mod round_robin;
mod rows;
pub mod socks;
pub mod sqlite;
mod tally;
mod test_auditor;
pub mod thief;
pub mod torture;
mod wallet;
mod watched_witness;
mod witness;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub use auditor::Auditor;
pub use currency::{Currency, Database, SHORT_LOG_RHYTHM, SQLITE, metrics};
pub use cutting_proxy::{Answers, CuttingProxy};
pub use demo_site::DemoSite;
pub use file_server::FileServer;
pub use master::create_master_key;
pub use opencoin_testkit::ports::free_port;
pub use opencoin_testkit::wait::{PATIENCE, wait_for, wait_until};
pub use process::{Log, Process, send_signal};
pub use program::{MASTER_PASSPHRASE, Output, PASSPHRASE, command, opencoin, run};
pub use round_robin::RoundRobin;
pub use rows::Rows;
pub use test_auditor::TestAuditor;
pub use wallet::Wallet;
pub use watched_witness::WatchedWitness;
pub use witness::{WITNESS_NAME, Witness};

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

/// The first words that a server prints once it accepts connections.
const SERVER_LINE: &str = "serving ";
/// The first words that a signer prints once it accepts connections.
const SIGNER_LINE: &str = "signing for ";

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
