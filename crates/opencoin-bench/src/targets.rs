//! Compares the results with the performance targets of the issuer. The targets are set for two cores, books in
//! PostgreSQL and keys in memory. A missed target does not fail the run.

use serde::Serialize;

use super::books::Database;
use super::measured::Measured;
use super::measurement::{Measurement, number_or_unknown};
use super::plan::{Cell, Operation};
use super::public_log::{Cost, PublicLog};
use super::replay::LogReplay;

/// The key size of the targets.
const KEY_BITS: usize = 2048;
const COINS: usize = 64;
/// The clients of full load. In a run with fewer clients the largest number counts.
const CLIENTS_MAX: usize = 64;
const CLIENTS_FEW: usize = 8;
const CLIENTS_MANY: usize = 256;

/// Signatures a second of the engine, by the number of primes, compared with one AWS-LC operation after the other.
const ENGINE_GAIN_MIN: [(u64, f64); 2] = [(2, 1.5), (3, 2.8)];
const PUBLIC_GAIN_MIN: f64 = 3.0;
/// Of a mint and of a renew of 64 coins, by the number of primes.
const SIGNING_RATIO_MAX: [(u64, f64); 2] = [(2, 0.75), (3, 0.45)];
const REDEEM_RATIO_MAX: f64 = 1.4;
const REDEEM_RATIO_ON_SQLITE_MAX: f64 = 1.9;
const SMALL_MINT_RATIO_MAX: f64 = 1.1;
/// One client, who mints one coin after the other, on SQLite.
const LONE_MINT_RATIO_ON_SQLITE_MAX: f64 = 2.0;
const BATCH_GAIN_MIN: f64 = 3.0;
const HALF_LOAD_P99_MS_MAX: f64 = 4.0;
const BESIDE_P99_MS_MAX: f64 = 20.0;
const FULL_TABLE_KEPT_MIN: f64 = 0.8;
const MEMORY_MIB_MAX: f64 = 96.0;
const BYTES_PER_COIN_MAX: f64 = 450.0;
const BYTES_PER_PRUNED_COIN_MAX: f64 = 80.0;
/// Throughput must not decrease. Measurement noise is up to 5 %.
const THROUGHPUT_KEPT_MIN: f64 = 0.95;

/// CPU time that the log adds to a coin, in percent.
const LOG_ADDED_PERCENT_MAX: [(Operation, f64); 3] = [
    (Operation::Mint, 1.0),
    (Operation::Renew, 2.0),
    (Operation::Redeem, 6.0),
];
const LOG_THROUGHPUT_KEPT_MIN: f64 = 0.92;
const SEALED_PER_SECOND_MIN: f64 = 250_000.0;
const SEALING_SECONDS_MAX: f64 = 5.0;
const SEALING_MEMORY_MIB_MAX: f64 = 256.0;
const SEALING_P99_RATIO_MAX: f64 = 2.0;
const WITNESSED_P99_MS_MAX: f64 = 2000.0;
const BYTES_PER_LEAF_MAX: f64 = 80.0;
const REPLAYED_PER_SECOND_AND_CORE_MIN: f64 = 500_000.0;
const REPLAY_SECONDS_MAX: f64 = 300.0;
const PROOF_FILE_BYTES_MAX: f64 = 2100.0;

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
    let mut targets = engine(measured);
    for (primes, limit) in SIGNING_RATIO_MAX {
        for operation in [Operation::Mint, Operation::Renew] {
            targets.push(ratio(measured, operation, primes, COINS, CLIENTS_MAX, limit));
        }
    }
    let is_sqlite = matches!(measured.database, Database::Sqlite);
    let limit = if is_sqlite {
        REDEEM_RATIO_ON_SQLITE_MAX
    } else {
        REDEEM_RATIO_MAX
    };
    targets.push(ratio(measured, Operation::Redeem, 2, COINS, CLIENTS_MAX, limit));
    targets.push(ratio(
        measured,
        Operation::Mint,
        2,
        1,
        CLIENTS_MAX,
        SMALL_MINT_RATIO_MAX,
    ));
    if is_sqlite {
        let limit = LONE_MINT_RATIO_ON_SQLITE_MAX;
        targets.push(ratio(measured, Operation::Mint, 2, 1, 1, limit));
    }

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
    let p99 = measured.half_load.as_ref().map(|part| part.beside_large.p99_ms);
    targets.push(Target::new(
        "the same beside a client that mints 1000 coins a request: p99 in ms".to_owned(),
        Limit::AtMost(BESIDE_P99_MS_MAX),
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
    targets.extend(measured.public_log.iter().flat_map(public_log));
    targets
}

/// Those of the public log.
fn public_log(part: &PublicLog) -> Vec<Target> {
    let mut targets: Vec<Target> = part.costs.iter().filter_map(log_cost).collect();
    let (under_load, alone) = (&part.sealing.under_load, &part.sealing.alone);
    let at_most = |what: String, limit, measured| Target::new(what, Limit::AtMost(limit), Some(measured));
    targets.push(Target::new(
        "sealing, durable: leaves a second".to_owned(),
        Limit::AtLeast(SEALED_PER_SECOND_MIN),
        Some(alone.leaves_per_second()),
    ));
    targets.extend([
        at_most(
            format!("sealing a batch of {} leaves: seconds", alone.leaves),
            SEALING_SECONDS_MAX,
            alone.longest_seconds(),
        ),
        at_most(
            format!("sealing {} leaves: growth of memory in MiB", under_load.leaves),
            SEALING_MEMORY_MIB_MAX,
            under_load.memory_growth_mib,
        ),
        at_most(
            "mint 1 coin while they are sealed: p99 / p99 before".to_owned(),
            SEALING_P99_RATIO_MAX,
            under_load.p99_ratio(),
        ),
        at_most(
            "from accepted to witnessed, a batch a second: p99 in ms".to_owned(),
            WITNESSED_P99_MS_MAX,
            part.witnessed.p99_ms,
        ),
        at_most(
            "bytes in the database for a leaf of the log".to_owned(),
            BYTES_PER_LEAF_MAX,
            alone.bytes_per_leaf,
        ),
        at_most(
            "proof file, 10^9 leaves and 3 witnesses: bytes".to_owned(),
            PROOF_FILE_BYTES_MAX,
            part.proof_file_bytes as f64,
        ),
    ]);
    targets
}

/// Those of an auditor.
pub(super) fn of_replay(replay: &LogReplay) -> Vec<Target> {
    vec![
        Target::new(
            "replay: leaves a second and core".to_owned(),
            Limit::AtLeast(REPLAYED_PER_SECOND_AND_CORE_MIN),
            Some(replay.leaves_per_second_and_core()),
        ),
        Target::new(
            "replay of 100000000 leaves at the same rate: seconds".to_owned(),
            Limit::AtMost(REPLAY_SECONDS_MAX),
            Some(replay.seconds_of_large_log()),
        ),
    ]
}

/// CPU time for many coins a request, throughput for one.
fn log_cost(cost: &Cost) -> Option<Target> {
    let (operation, clients) = (cost.operation, cost.clients);
    match cost.coins {
        COINS => {
            let (_, limit) = LOG_ADDED_PERCENT_MAX
                .into_iter()
                .find(|(limited, _)| *limited == operation)?;
            let what =
                format!("{operation} {COINS} coins, {clients} clients: CPU a coin that a log adds, in %");
            Some(Target::new(what, Limit::AtMost(limit), cost.added_cpu_percent()))
        }
        1 => Some(Target::new(
            format!("{operation} 1 coin, {clients} clients: throughput with a log / without"),
            Limit::AtLeast(LOG_THROUGHPUT_KEPT_MIN),
            Some(cost.throughput_kept()),
        )),
        _ => None,
    }
}

/// The rates of the engine and of verification, compared with AWS-LC.
fn engine(measured: &Measured) -> Vec<Target> {
    let kinds = || measured.raw_rsa.iter().zip(&measured.engine_rates);
    let of_primes = |primes| {
        kinds()
            .filter(move |(raw, _)| (raw.key_bits, raw.key_primes) == (KEY_BITS, primes))
            .map(|(raw, engine)| engine.signatures_per_second / raw.private.all_cores_per_second)
            .reduce(f64::max)
    };
    let mut targets: Vec<Target> = ENGINE_GAIN_MIN
        .map(|(primes, limit)| {
            let what = format!("engine alone, {primes} primes: signatures/s / AWS-LC's");
            Target::new(what, Limit::AtLeast(limit), of_primes(primes))
        })
        .into();
    let public = kinds().find_map(|(raw, _)| {
        let in_lanes = raw.public_in_lanes.filter(|_| raw.key_bits == KEY_BITS)?;
        Some(raw.public.cpu_us / in_lanes.cpu_us)
    });
    let what = "public operation: in lanes / AWS-LC's".to_owned();
    targets.push(Target::new(what, Limit::AtLeast(PUBLIC_GAIN_MIN), public));
    targets
}

/// The ratio of a row with at most this many clients, in lanes if there is such a row.
fn ratio(
    measured: &Measured,
    operation: Operation,
    primes: u64,
    coins: usize,
    clients_max: usize,
    limit: f64,
) -> Target {
    let is_meant = |cell: &Cell| {
        (cell.operation, cell.key_bits, cell.key_primes, cell.coins) == (operation, KEY_BITS, primes, coins)
    };
    let row = measured
        .cells
        .iter()
        .filter(|row| is_meant(&row.cell) && row.cell.clients <= clients_max)
        .max_by_key(|row| (row.cell.in_lanes, row.cell.clients));
    let clients = row.map_or(clients_max, |row| row.cell.clients);
    let of_primes = if operation.signs() {
        format!(", {primes} primes")
    } else {
        String::new()
    };
    Target::new(
        format!(
            "{operation} {}, {}{of_primes}: CPU a coin / {}",
            count(coins, "coin"),
            count(clients, "client"),
            operation.rsa_text(measured.engine)
        ),
        Limit::AtMost(limit),
        row.and_then(|row| row.ratio),
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
            count(coins, "coin"),
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
    let in_lanes = measured.cells.iter().any(|row| row.cell.in_lanes);
    let rate = |clients| {
        let is_meant = |measured: &&Measurement| {
            let cell = measured.cell;
            (cell.operation, cell.key_bits, cell.coins, cell.clients) == (operation, KEY_BITS, coins, clients)
                && measured.cell.in_lanes == in_lanes
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
        count(coins, "coin")
    );
    Target::new(what, Limit::AtLeast(THROUGHPUT_KEPT_MIN), kept)
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

impl Target {
    pub(super) fn heading() -> String {
        format!("{:<70}{:>13}{:>12}  met", "target", "limit", "measured")
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
        format!("{:<70}{limit:>13}{measured:>12}  {met}", self.what)
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
