//! Compares the results with the performance targets of the issuer. The targets are set for two cores, books in
//! PostgreSQL and keys in memory. A missed target does not fail the run.

use serde::Serialize;

use super::measured::Measured;
use super::measurement::{Measurement, number_or_unknown};
use super::plan::Operation;

/// The key size of the targets.
const KEY_BITS: usize = 2048;
const COINS: usize = 64;
/// The clients of full load. In a run with fewer clients the largest number counts.
const CLIENTS_MAX: usize = 64;
const CLIENTS_FEW: usize = 8;
const CLIENTS_MANY: usize = 256;

const MINT_RATIO_MAX: f64 = 1.10;
const RENEW_RATIO_MAX: f64 = 1.15;
const REDEEM_RATIO_MAX: f64 = 2.5;
const BATCH_GAIN_MIN: f64 = 3.0;
const HALF_LOAD_P99_MS_MAX: f64 = 10.0;
const FULL_TABLE_KEPT_MIN: f64 = 0.7;
const MEMORY_MIB_MAX: f64 = 128.0;
const BYTES_PER_COIN_MAX: f64 = 450.0;
const BYTES_PER_PRUNED_COIN_MAX: f64 = 80.0;
/// Throughput must not decrease. Measurement noise is up to 5 %.
const THROUGHPUT_KEPT_MIN: f64 = 0.95;

/// One target and the measured value.
#[derive(Debug, Serialize)]
pub(super) struct Target {
    what: String,
    limit: Limit,
    /// `None` if this run did not measure it.
    measured: Option<f64>,
    met: Option<bool>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// All targets, with the measured values of this run.
pub(super) fn of(measured: &Measured) -> Vec<Target> {
    let ratios = [
        (Operation::Mint, "CPU a coin / private operation", MINT_RATIO_MAX),
        (
            Operation::Renew,
            "CPU a coin / private and public operation",
            RENEW_RATIO_MAX,
        ),
        (
            Operation::Redeem,
            "CPU a coin / public operation",
            REDEEM_RATIO_MAX,
        ),
    ];
    let mut targets: Vec<_> = ratios
        .map(|(operation, unit, limit)| ratio(measured, operation, unit, limit))
        .into();

    let gain = measured.one_by_one.as_ref().map(|part| part.gain());
    targets.push(Target::new(
        "redeem 1 coin, 64 clients: batches / one by one".to_owned(),
        Limit::AtLeast(BATCH_GAIN_MIN),
        gain,
    ));
    let p99 = measured.half_load.as_ref().map(|part| part.alone.p99_ms);
    targets.push(Target::new(
        "mint 1 coin at half load: p99 in ms".to_owned(),
        Limit::AtMost(HALF_LOAD_P99_MS_MAX),
        p99,
    ));
    targets.extend(full_table(measured));
    let memory = Some(measured.issuer_memory_peak_mib);
    targets.push(Target::new(
        "resident memory of the issuer in MiB".to_owned(),
        Limit::AtMost(MEMORY_MIB_MAX),
        memory,
    ));
    for (what, limit, bytes) in [
        (
            "minted and redeemed",
            BYTES_PER_COIN_MAX,
            measured.storage.map(|part| part.minted_and_redeemed),
        ),
        (
            "pruned",
            BYTES_PER_PRUNED_COIN_MAX,
            measured.storage.map(|part| part.pruned),
        ),
    ] {
        targets.push(Target::new(
            format!("bytes in the database for a coin that was {what}"),
            Limit::AtMost(limit),
            bytes,
        ));
    }
    for operation in Operation::ALL {
        targets.extend([1, COINS].map(|coins| throughput(measured, operation, coins)));
    }
    targets
}

fn ratio(measured: &Measured, operation: Operation, unit: &str, limit: f64) -> Target {
    let cells = measured.cells.iter().map(|cell| (cell.cell, cell));
    let of_load =
        cells.filter(|(cell, _)| (cell.operation, cell.key_bits, cell.coins) == (operation, KEY_BITS, COINS));
    let cell = of_load
        .filter(|(cell, _)| cell.clients <= CLIENTS_MAX)
        .max_by_key(|(cell, _)| cell.clients);
    let clients = cell.map_or(CLIENTS_MAX, |(cell, _)| cell.clients);
    let measured = cell.and_then(|(_, measured)| measured.ratio);
    Target::new(
        format!("{operation} {COINS} coins, {clients} clients: {unit}"),
        Limit::AtMost(limit),
        measured,
    )
}

/// One target for each load; without measurements, one target without a value.
fn full_table(measured: &Measured) -> Vec<Target> {
    let limit = Limit::AtLeast(FULL_TABLE_KEPT_MIN);
    let Some(part) = &measured.full_table else {
        return vec![Target::new(
            "redeem with 20000000 spent coins / with few".to_owned(),
            limit,
            None,
        )];
    };
    let target = |(before, after): (&Measurement, &Measurement)| {
        let (coins, clients) = (before.cell.coins, before.cell.clients);
        let what = format!(
            "redeem {}, {clients} clients: with {} spent / with few",
            count(coins),
            part.rows
        );
        Target::new(
            what,
            limit,
            Some(after.coins_per_second / before.coins_per_second),
        )
    };
    part.before.iter().zip(&part.after).map(target).collect()
}

fn throughput(measured: &Measured, operation: Operation, coins: usize) -> Target {
    let rate = |clients| {
        let is_meant = |measured: &&Measurement| {
            let cell = measured.cell;
            (cell.operation, cell.key_bits, cell.coins, cell.clients) == (operation, KEY_BITS, coins, clients)
        };
        measured
            .cells
            .iter()
            .find(is_meant)
            .map(|measured| measured.coins_per_second)
    };
    let kept = rate(CLIENTS_MANY)
        .zip(rate(CLIENTS_FEW))
        .map(|(many, few)| many / few);
    let what = format!(
        "{operation} {}: throughput with {CLIENTS_MANY} clients / with {CLIENTS_FEW}",
        count(coins)
    );
    Target::new(what, Limit::AtLeast(THROUGHPUT_KEPT_MIN), kept)
}

fn count(coins: usize) -> String {
    if coins == 1 {
        "1 coin".to_owned()
    } else {
        format!("{coins} coins")
    }
}

impl Target {
    pub(super) fn heading() -> String {
        format!("{:<70}{:>10}{:>10}  met", "target", "limit", "measured")
    }

    fn new(what: String, limit: Limit, measured: Option<f64>) -> Self {
        let met = measured.map(|measured| match limit {
            Limit::AtMost(most) => measured <= most,
            Limit::AtLeast(least) => measured >= least,
        });
        Self {
            what,
            limit,
            measured,
            met,
        }
    }

    pub(super) fn row(&self) -> String {
        let limit = match self.limit {
            Limit::AtMost(most) => format!("<= {most:.2}"),
            Limit::AtLeast(least) => format!(">= {least:.2}"),
        };
        let (measured, met) = match self.met {
            Some(met) => (
                number_or_unknown(self.measured, 2),
                if met { "yes" } else { "NO" },
            ),
            None => ("-".to_owned(), "not measured"),
        };
        format!("{:<70}{limit:>10}{measured:>10}  {met}", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_up_to_its_limit_and_unknown_without_a_value() {
        let met = |limit, measured| Target::new(String::new(), limit, measured).met;
        assert_eq!(
            [1.1, 1.11].map(|measured| met(Limit::AtMost(1.1), Some(measured))),
            [Some(true), Some(false)]
        );
        assert_eq!(
            [3.0, 2.9].map(|measured| met(Limit::AtLeast(3.0), Some(measured))),
            [Some(true), Some(false)]
        );
        assert_eq!(met(Limit::AtMost(1.0), None), None);
    }
}
