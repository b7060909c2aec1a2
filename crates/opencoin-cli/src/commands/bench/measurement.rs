//! One cell of the table, measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::books::Database;
use super::load::Answers;
use super::plan::Cell;
use super::raw::RawRsa;

/// What one cell came to.
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
    /// Of the database's own processes; `None` when they cannot be read.
    pub(super) database_cpu_us_per_coin: Option<f64>,
    /// CPU time of a coin in units of what RSA alone costs: see `Operation::rsa_us`.
    pub(super) ratio: Option<f64>,
    pub(super) issuer_memory_mib: f64,
    /// Answers with another status than 200, by status.
    pub(super) refused: BTreeMap<u16, usize>,
}

/// What the processes used while a cell was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) issuer: Duration,
    /// `None` when it cannot be read.
    pub(super) database: Option<Duration>,
    pub(super) issuer_memory_mib: f64,
}

impl Measurement {
    /// Puts together what is known of one cell. `answers` must hold at least one with status 200.
    pub(super) fn new(cell: Cell, answers: Answers, used: Used, raw: &RawRsa) -> Self {
        let requests = answers.latencies.len();
        let coins = (requests * cell.coins) as f64;
        let seconds = answers.elapsed.as_secs_f64();
        let us_per_coin = |time: Duration| time.as_secs_f64() * 1e6 / coins;
        let (issuer, database) = (us_per_coin(used.issuer), used.database.map(us_per_coin));
        Self {
            cell,
            seconds,
            requests_per_second: requests as f64 / seconds,
            coins_per_second: coins / seconds,
            p50_ms: percentile_ms(&answers.latencies, 50),
            p99_ms: percentile_ms(&answers.latencies, 99),
            issuer_cpu_us_per_coin: issuer,
            database_cpu_us_per_coin: database,
            ratio: database.map(|database| (issuer + database) / cell.operation.rsa_us(raw)),
            issuer_memory_mib: used.issuer_memory_mib,
            refused: answers.refused,
        }
    }

    /// Its row of the table.
    pub(super) fn row(&self, database: Database) -> String {
        let Cell { operation, key_bits, coins, clients } = self.cell;
        let database = match (database, self.database_cpu_us_per_coin) {
            (Database::Sqlite, _) => "-".to_owned(),
            (Database::Postgres | Database::PostgresElsewhere, us) => number_or_unknown(us, 1),
        };
        format!(
            "{:<8}{key_bits:>5}{coins:>7}{clients:>9}{:>10.0}{:>10.0}{:>9.2}{:>9.2}{:>11.1}{database:>8}{:>7}{:>6.0}{:>9}",
            operation.to_string(),
            self.requests_per_second,
            self.coins_per_second,
            self.p50_ms,
            self.p99_ms,
            self.issuer_cpu_us_per_coin,
            number_or_unknown(self.ratio, 2),
            self.issuer_memory_mib,
            self.refused.values().sum::<usize>(),
        )
    }
}

/// A number with so many decimals, or that it is not known.
pub(super) fn number_or_unknown(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| "n/a".to_owned(), |number| format!("{number:.decimals$}"))
}

/// The nearest-rank percentile of sorted latencies.
pub(super) fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_were_measured() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!((percentile_ms(&sorted, 50), percentile_ms(&sorted, 99)), (100.0, 198.0));
        assert_eq!(percentile_ms(&sorted[..1], 99), 1.0);
        assert_eq!(percentile_ms(&[], 99), 0.0);
    }
}
