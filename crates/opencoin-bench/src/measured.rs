//! The results of a run.

use serde::Serialize;

use super::books::{BareInserts, Database};
use super::consoles::Consoles;
use super::engine::Engine;
use super::engine_rate::EngineRate;
use super::full_table::FullTable;
use super::half_load::HalfLoad;
use super::measurement::{Measurement, number_or_unknown};
use super::one_by_one::OneByOne;
use super::public_log::PublicLog;
use super::raw::RawRsa;
use super::storage::Storage;

/// The results of a run.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) version: &'static str,
    pub(super) cores: usize,
    pub(super) engine: Engine,
    pub(super) issuers: usize,
    pub(super) accounts: usize,
    /// Whether this machine calculates RSA in lanes, or why not.
    pub(super) lanes: &'static str,
    pub(super) database: Database,
    /// Coins that the ledger alone redeems in a second.
    pub(super) ledger_coins_per_second: f64,
    pub(super) bare_inserts: BareInserts,
    /// One for each key, and again for each value of `--lanes`.
    pub(super) raw_rsa: Vec<RawRsa>,
    /// One for each key, and again for each value of `--lanes`.
    pub(super) engine_rates: Vec<EngineRate>,
    pub(super) cells: Vec<Measurement>,
    pub(super) half_load: Option<HalfLoad>,
    pub(super) one_by_one: Option<OneByOne>,
    pub(super) consoles: Option<Consoles>,
    pub(super) storage: Option<Storage>,
    pub(super) public_log: Option<PublicLog>,
    pub(super) full_table: Option<FullTable>,
    pub(super) issuer_memory_peak_mib: f64,
    /// `None` without a signer process.
    pub(super) signer_memory_peak_mib: Option<f64>,
    /// From the audit before the table of spent coins is filled.
    pub(super) broken_invariants: Vec<String>,
}

impl Measured {
    /// The results from before the issuer runs.
    pub(super) fn heading(&self) -> String {
        let books = match self.database {
            Database::Sqlite => "SQLite (its CPU time is the issuer's)",
            Database::Postgres => "PostgreSQL on this machine",
            Database::PostgresElsewhere => "PostgreSQL whose processes cannot be read (n/a)",
        };
        format!(
            "{} cores, shared by {} issuer process(es), database and load; books in {books}; engine {}: {}; lanes: {}\n\
             ledger alone, no HTTP and no RSA: {:.0} coins/s\n\
             database alone, bare inserts of 64 rows a commit: {:.0} rows/s, {} us of CPU a row",
            self.cores,
            self.issuers,
            self.engine,
            self.engine.text(),
            self.lanes,
            self.ledger_coins_per_second,
            self.bare_inserts.rows_per_second,
            number_or_unknown(self.bare_inserts.cpu_us_per_row, 1),
        )
    }

    /// All rows of all parts.
    pub(super) fn measurements(&self) -> impl Iterator<Item = &Measurement> {
        let half_load = self.half_load.iter().map(|part| &part.best);
        let one_by_one = self
            .one_by_one
            .iter()
            .flat_map(|part| [&part.in_batches, &part.one_by_one]);
        let consoles = self.consoles.iter();
        let consoles = consoles.flat_map(|part| part.alone.iter().chain(&part.with_consoles));
        let costs = self.public_log.iter().flat_map(|part| &part.costs);
        let public_log = costs.flat_map(|cost| cost.without.iter().chain(&cost.with));
        let full_table = self
            .full_table
            .iter()
            .flat_map(|part| part.before.iter().chain(&part.after));
        self.cells
            .iter()
            .chain(half_load)
            .chain(one_by_one)
            .chain(consoles)
            .chain(public_log)
            .chain(full_table)
    }
}
