//! The result of one cell of the table.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::books::Database;
use super::engine_rate::EngineRate;
use super::load::Answers;
use super::plan::Cell;
use super::raw::RawRsa;

/// The result of one cell.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measurement {
    #[serde(flatten)]
    pub(super) cell: Cell,
    pub(super) seconds: f64,
    pub(super) requests_per_second: f64,
    pub(super) coins_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) issuer_cpu_us_per_coin: f64,
    /// `None` without a signer process.
    pub(super) signer_cpu_us_per_coin: Option<f64>,
    /// `None` if the processes of the database cannot be read.
    pub(super) database_cpu_us_per_coin: Option<f64>,
    /// CPU time per coin relative to RSA alone: see `Operation::rsa_us`.
    pub(super) ratio: Option<f64>,
    /// Coins a second relative to the signatures a second of the engine alone; `None` if nothing is signed.
    pub(super) of_engine: Option<f64>,
    pub(super) issuer_memory_mib: f64,
    /// `None` without a signer process.
    pub(super) signer_memory_mib: Option<f64>,
    /// The number of answers with each status other than 200.
    pub(super) refused: BTreeMap<u16, usize>,
}

/// CPU times of the processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuTimes {
    pub(super) issuer: Duration,
    /// `None` without a signer process.
    pub(super) signer: Option<Duration>,
    /// `None` if it cannot be read.
    pub(super) database: Option<Duration>,
}

/// The resources that the processes used during a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) cpu: CpuTimes,
    pub(super) issuer_memory_mib: f64,
    pub(super) signer_memory_mib: Option<f64>,
}

impl CpuTimes {
    /// The difference to an earlier measurement.
    pub(super) fn since(self, earlier: Self) -> Self {
        let since = |now: Option<Duration>, then: Option<Duration>| {
            now.zip(then).map(|(now, then)| now.saturating_sub(then))
        };
        Self {
            issuer: self.issuer.saturating_sub(earlier.issuer),
            signer: since(self.signer, earlier.signer),
            database: since(self.database, earlier.database),
        }
    }
}

impl Measurement {
    /// Computes the result of a cell. `answers` must contain at least one with status 200.
    pub(super) fn new(cell: Cell, answers: Answers, used: Used, raw: &RawRsa, engine: &EngineRate) -> Self {
        let requests = answers.latencies.len();
        let coins = (requests * cell.coins) as f64;
        let seconds = answers.elapsed.as_secs_f64();
        let us_per_coin = |time: Duration| time.as_secs_f64() * 1e6 / coins;
        let issuer = us_per_coin(used.cpu.issuer);
        let signer = used.cpu.signer.map(us_per_coin);
        let database = used.cpu.database.map(us_per_coin);
        let rsa_us = cell.operation.rsa_us(raw, engine);
        let coins_per_second = coins / seconds;
        Self {
            cell,
            seconds,
            requests_per_second: requests as f64 / seconds,
            coins_per_second,
            p50_ms: percentile_ms(&answers.latencies, 50),
            p99_ms: percentile_ms(&answers.latencies, 99),
            issuer_cpu_us_per_coin: issuer,
            signer_cpu_us_per_coin: signer,
            database_cpu_us_per_coin: database,
            ratio: database.map(|database| (issuer + signer.unwrap_or(0.0) + database) / rsa_us),
            of_engine: cell
                .operation
                .signs()
                .then(|| coins_per_second / engine.signatures_per_second),
            issuer_memory_mib: used.issuer_memory_mib,
            signer_memory_mib: used.signer_memory_mib,
            refused: answers.refused,
        }
    }

    /// The row of the table.
    pub(super) fn row(&self, database: Database) -> String {
        let Cell {
            operation,
            key_bits,
            key_primes,
            in_lanes,
            coins,
            clients,
        } = self.cell;
        let lanes = if in_lanes { "on" } else { "off" };
        let database = match (database, self.database_cpu_us_per_coin) {
            (Database::Sqlite, _) => "-".to_owned(),
            (Database::Postgres | Database::PostgresElsewhere, us) => number_or_unknown(us, 1),
        };
        let or_dash = |number: Option<f64>, decimals| {
            number.map_or("-".to_owned(), |number| format!("{number:.decimals$}"))
        };
        format!(
            "{:<8}{key_bits:>5}{key_primes:>8}{lanes:>7}{coins:>7}{clients:>9}{:>10.0}{:>10.0}{:>9.2}{:>9.2}{:>11.1}{:>11}{database:>8}{:>7}{:>11}{:>6.0}{:>9}",
            operation.to_string(),
            self.requests_per_second,
            self.coins_per_second,
            self.p50_ms,
            self.p99_ms,
            self.issuer_cpu_us_per_coin,
            or_dash(self.signer_cpu_us_per_coin, 1),
            number_or_unknown(self.ratio, 2),
            or_dash(self.of_engine, 2),
            self.issuer_memory_mib,
            self.refused.values().sum::<usize>(),
        )
    }
}

/// A number with this many decimals, or `n/a`.
pub(super) fn number_or_unknown(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| "n/a".to_owned(), |number| format!("{number:.decimals$}"))
}

/// The nearest-rank percentile of sorted latencies.
pub(super) fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted
        .get(rank - 1)
        .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_latencies() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(
            (percentile_ms(&sorted, 50), percentile_ms(&sorted, 99)),
            (100.0, 198.0)
        );
        assert_eq!(percentile_ms(&sorted[..1], 99), 1.0);
        assert_eq!(percentile_ms(&[], 99), 0.0);
    }
}
