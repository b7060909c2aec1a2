//! Everything that was measured: as a table for people, as JSON for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::books::{BareInserts, Database};
use super::engine::Engine;
use super::engine_rate::EngineRate;
use super::full_table::FullTable;
use super::half_load::HalfLoad;
use super::measurement::{Measurement, number_or_unknown};
use super::one_by_one::OneByOne;
use super::plan::Operation;
use super::raw::{Rates, RawRsa};
use super::targets::Target;

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) cores: usize,
    pub(super) engine: Engine,
    pub(super) database: Database,
    /// Coins that the ledger alone takes back in a second.
    pub(super) ledger_coins_per_second: f64,
    pub(super) bare_inserts: BareInserts,
    pub(super) raw_rsa: Vec<RawRsa>,
    /// With each size of key, as `raw_rsa`.
    pub(super) engine_rates: Vec<EngineRate>,
    pub(super) cells: Vec<Measurement>,
    pub(super) half_load: Option<HalfLoad>,
    pub(super) one_by_one: Option<OneByOne>,
    pub(super) full_table: Option<FullTable>,
    pub(super) issuer_memory_peak_mib: f64,
    /// `None` without a signer process.
    pub(super) signer_memory_peak_mib: Option<f64>,
    /// Of the audit, before the table of spent coins is filled.
    pub(super) broken_invariants: Vec<String>,
    pub(super) targets: Vec<Target>,
}

impl Report {
    /// What is known before an issuer runs.
    pub(super) fn heading(&self) -> String {
        let books = match self.database {
            Database::Sqlite => "SQLite (its CPU time is the issuer's)",
            Database::Postgres => "PostgreSQL on this machine",
            Database::PostgresElsewhere => "PostgreSQL whose processes cannot be read (n/a)",
        };
        format!(
            "{} cores, shared by issuer, database and load; books in {books}; engine {}: {}\n\
             ledger alone, no HTTP and no RSA: {:.0} coins/s\n\
             database alone, bare inserts of 64 rows a commit: {:.0} rows/s, {} us of CPU a row",
            self.cores,
            self.engine,
            self.engine.text(),
            self.ledger_coins_per_second,
            self.bare_inserts.rows_per_second,
            number_or_unknown(self.bare_inserts.cpu_us_per_row, 1),
        )
    }

    /// Costs of RSA and of the engine with one key, before its rows.
    pub(super) fn raw_heading(raw: &RawRsa, engine: &EngineRate) -> String {
        let line = |name, rates: Rates| {
            format!(
                "RSA {} {name}: {:.1} us of CPU; {:.0}/s on one core, {:.0}/s on all",
                raw.key_bits, rates.cpu_us, rates.one_core_per_second, rates.all_cores_per_second
            )
        };
        let columns = "          key  coins  clients     req/s   coins/s   p50 ms   p99 ms  issuer us  signer us   db us  ratio  of engine   MiB  refused";
        let [private, public] = [line("private", raw.private), line("public", raw.public)];
        format!(
            "\n{private}\n{public}\n{}\n{}\n{columns}",
            line("verification", raw.verification),
            engine.text()
        )
    }

    /// What comes after the rows.
    pub(super) fn conclusion(&self) -> String {
        let ratios = Operation::ALL
            .map(|operation| format!("{operation} {}", operation.rsa_text(self.engine)))
            .join(", ");
        let mut lines = vec![
            format!(
                "\nissuer us, signer us, db us: CPU time of a coin; ratio: their sum / RSA alone ({ratios})"
            ),
            "of engine: coins/s / signatures/s of the engine alone".to_owned(),
            format!("issuer memory: at most {:.0} MiB", self.issuer_memory_peak_mib),
        ];
        lines.extend(
            self.signer_memory_peak_mib
                .map(|peak| format!("signer memory: at most {peak:.0} MiB")),
        );
        let mut refused: BTreeMap<u16, usize> = BTreeMap::new();
        for (status, count) in self.measurements().flat_map(|cell| &cell.refused) {
            *refused.entry(*status).or_default() += count;
        }
        lines.push(if refused.is_empty() {
            "refused: nothing".to_owned()
        } else {
            format!("refused, answers by status: {refused:?}")
        });
        match self.broken_invariants.as_slice() {
            [] => lines.push("audit: every invariant holds".to_owned()),
            broken => lines.extend(
                broken
                    .iter()
                    .map(|invariant| format!("audit: BROKEN: {invariant}")),
            ),
        }
        lines.push(format!("\n{}", Target::heading()));
        lines.extend(self.targets.iter().map(Target::row));
        lines.join("\n")
    }

    /// Every row that was shown.
    fn measurements(&self) -> impl Iterator<Item = &Measurement> {
        let half_load = self.half_load.iter().map(|part| &part.best);
        let one_by_one = self
            .one_by_one
            .iter()
            .flat_map(|part| [&part.in_batches, &part.one_by_one]);
        let full_table = self
            .full_table
            .iter()
            .flat_map(|part| part.before.iter().chain(&part.after));
        self.cells
            .iter()
            .chain(half_load)
            .chain(one_by_one)
            .chain(full_table)
    }
}
