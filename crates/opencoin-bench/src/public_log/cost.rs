//! The cost of a log in requests: the same cells without and with one, alternately.

use std::time::Duration;

use anyhow::{Result, ensure};
use opencoin_terminal::output;
use serde::Serialize;

use crate::cells::Bench;
use crate::currency::Sender;
use crate::load::{Connection, OK};
use crate::measurement::{Measurement, number_or_unknown};
use crate::plan::Operation;

const CLIENTS: usize = 64;
/// CPU time is compared with many coins a request, and throughput with one.
const COINS: [usize; 2] = [1, 64];
/// Cells of each kind. The first one of a pair alternates.
const ROUNDS: usize = 6;
/// Cells of redeems end when their coins are spent, after a fraction of their time, so there are more of them.
const ROUNDS_REDEEM: usize = 12;
const ROUNDS_QUICK: usize = 1;
/// Batches with one leaf each, whose price is measured.
const BATCHES: usize = 10;
const BATCHES_QUICK: usize = 2;
/// Longer than the issuer waits before it seals a leaf.
const BATCH_PAUSE: Duration = Duration::from_millis(1400);

/// The cells of one operation and load.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) operation: Operation,
    pub(crate) coins: usize,
    pub(crate) clients: usize,
    pub(crate) without: Vec<Measurement>,
    pub(crate) with: Vec<Measurement>,
}

pub(super) async fn measure(
    without: &Bench<'_>,
    with: &Bench<'_>,
    operations: &[Operation],
    is_quick: bool,
) -> Result<Vec<Cost>> {
    let rounds = |operation: Operation| match (is_quick, operation.signs()) {
        (true, _) => ROUNDS_QUICK,
        (false, true) => ROUNDS,
        (false, false) => ROUNDS_REDEEM,
    };
    let mut costs = Vec::new();
    for operation in operations {
        for coins in COINS {
            let cost = Cost::measure(without, with, *operation, coins, rounds(*operation)).await?;
            output::line(&cost.text())?;
            costs.push(cost);
        }
    }
    Ok(costs)
}

/// The CPU time in milliseconds of a batch with hardly any leaves: that of issuer and database with the log, above that
/// without, for one mint every [`BATCH_PAUSE`]. `None` if the database's cannot be read.
pub(super) async fn batch_cpu_ms(
    without: &Bench<'_>,
    with: &Bench<'_>,
    is_quick: bool,
) -> Result<Option<f64>> {
    let batches = if is_quick { BATCHES_QUICK } else { BATCHES };
    let mut used = Vec::new();
    for bench in [without, with] {
        let mints = bench
            .requests(Sender::Clients, Operation::Mint, 1, batches)
            .await?;
        let mut connections = Connection::open_many(&[bench.issuers[0].address], 1).await?;
        bench.settling.settle().await?;
        let begun = bench.cpu_times()?;
        for mint in mints.iter().take(batches) {
            for connection in &mut connections {
                let status = connection.exchange(mint).await?;
                ensure!(status == OK, "a mint was answered with status {status}");
            }
            tokio::time::sleep(BATCH_PAUSE).await;
        }
        let cpu = bench.cpu_times()?.since(begun);
        used.push(
            cpu.database
                .map(|database| (cpu.issuer + database).as_secs_f64() * 1e3),
        );
    }
    let difference = match used.as_slice() {
        [Some(without), Some(with)] => Some(with - without),
        _ => None,
    };
    let of_batch = difference.map(|difference| difference / batches as f64);
    output::line(&format!(
        "\na batch with one leaf: {} ms of CPU",
        number_or_unknown(of_batch, 1)
    ))?;
    Ok(of_batch)
}

impl Cost {
    async fn measure(
        without: &Bench<'_>,
        with: &Bench<'_>,
        operation: Operation,
        coins: usize,
        rounds: usize,
    ) -> Result<Self> {
        output::line("\nwithout a public log and with one, in the order off on, on off:")?;
        let mut cost = Self {
            operation,
            coins,
            clients: CLIENTS,
            without: Vec::new(),
            with: Vec::new(),
        };
        for round in 0..rounds {
            for turn in 0..2 {
                let (bench, measured) = if (round + turn) % 2 == 0 {
                    (without, &mut cost.without)
                } else {
                    (with, &mut cost.with)
                };
                measured.push(bench.row(operation, coins, CLIENTS).await?);
            }
        }
        Ok(cost)
    }

    /// The CPU time of issuer and database that the log adds to a coin, in percent; `None` if the database's cannot be
    /// read.
    pub(crate) fn added_cpu_percent(&self) -> Option<f64> {
        let (without, with) = (cpu_us_per_coin(&self.without)?, cpu_us_per_coin(&self.with)?);
        Some((with / without - 1.0) * 100.0)
    }

    /// The throughput with the log, divided by that without: of the median cells.
    pub(crate) fn throughput_kept(&self) -> f64 {
        coins_per_second(&self.with) / coins_per_second(&self.without)
    }

    fn text(&self) -> String {
        let us = |cells| number_or_unknown(cpu_us_per_coin(cells), 2);
        format!(
            "{} of {} coins, {CLIENTS} clients: {} us of CPU a coin, with the log {}: {} % more; \
             {:.0} coins/s, with the log {:.0}: {:.3}",
            self.operation,
            self.coins,
            us(&self.without),
            us(&self.with),
            number_or_unknown(self.added_cpu_percent(), 1),
            coins_per_second(&self.without),
            coins_per_second(&self.with),
            self.throughput_kept(),
        )
    }
}

/// The CPU time of all cells, divided by their coins.
fn cpu_us_per_coin(cells: &[Measurement]) -> Option<f64> {
    let coins = |cell: &Measurement| cell.coins_per_second * cell.seconds;
    let used = |cell: &Measurement| {
        let of_one = cell.issuer_cpu_us_per_coin + cell.database_cpu_us_per_coin?;
        Some(of_one * coins(cell))
    };
    let used: f64 = cells.iter().map(used).sum::<Option<f64>>()?;
    Some(used / cells.iter().map(coins).sum::<f64>())
}

/// That of the median cell.
fn coins_per_second(cells: &[Measurement]) -> f64 {
    let mut rates: Vec<f64> = cells.iter().map(|cell| cell.coins_per_second).collect();
    rates.sort_unstable_by(f64::total_cmp);
    let middle = rates.len() / 2;
    match rates.as_slice() {
        [] => 0.0,
        rates if rates.len() % 2 == 1 => rates[middle],
        rates => f64::midpoint(rates[middle - 1], rates[middle]),
    }
}
