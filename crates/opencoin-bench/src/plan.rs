//! The options of the command line, and the cells of the table that follow from them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use opencoin_crypto::KeyPrimes;
use opencoin_issuer::admission::ITEMS_MAX;
use serde::Serialize;

use super::engine::{Engine, EngineArguments, EngineSettings};
use super::engine_rate::EngineRate;
use super::mint_keys::KeyKind;
use super::raw::RawRsa;

const SECONDS_PER_CELL_DEFAULT: f64 = 2.0;
const SECONDS_PER_CELL_QUICK: f64 = 0.2;
const SECONDS_PER_CELL_MAX: f64 = 600.0;
/// A limit for the ports and file handles of a machine.
const CLIENTS_MAX: usize = 4096;
const ISSUERS_MAX: i64 = 64;
const ACCOUNTS_MAX: i64 = 10_000;
/// More than a disk can store.
const SPENT_ROWS_MAX: u64 = 10_000_000_000;
/// The fewest leaves of a log that is replayed: enough for its first batch and a small second one.
pub(super) const LEAVES_MIN: u64 = 10_000;
const LEAVES_DEFAULT: u64 = 20_000_000;
const LEAVES_QUICK: u64 = 200_000;
/// More than a disk can store.
const LEAVES_MAX: u64 = 10_000_000_000;

/// The options of `opencoin bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An empty PostgreSQL database for the books, postgres://... Default: SQLite in a temporary folder.
    #[arg(
        long,
        value_name = "URL",
        env = "OPENCOIN_BENCH_DATABASE",
        hide_env_values = true
    )]
    pub(super) database: Option<String>,
    /// Another empty PostgreSQL database, for the currency with a public log. `--parts log` needs it with `--database`.
    #[arg(
        long,
        value_name = "URL",
        env = "OPENCOIN_BENCH_LOG_DATABASE",
        hide_env_values = true,
        requires = "database"
    )]
    log_database: Option<String>,
    #[command(flatten)]
    engine: EngineArguments,
    /// Distribute the tables that grow over the servers of Citus. `--database` names its coordinator.
    #[arg(long, requires = "database")]
    distributed: bool,
    /// The number of issuer processes that serve the clients. More than one need PostgreSQL.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=ISSUERS_MAX))]
    issuers: u8,
    /// The number of accounts that the requests use in turn. Requests of one account wait for each other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=ACCOUNTS_MAX))]
    accounts: u16,
    /// Measure a small table in about 20 seconds, to see that the benchmark works.
    #[arg(long)]
    quick: bool,
    /// The duration of each cell of the table, in seconds. A cell ends earlier when its coins are used up.
    #[arg(long, value_name = "N", value_parser = parse_seconds)]
    seconds_per_cell: Option<f64>,
    /// The sizes of mint keys.
    #[arg(long, value_name = "BITS", value_delimiter = ',')]
    key_bits: Vec<usize>,
    /// The numbers of primes of mint keys: 2, 3, or both. RSA alone, to which ratios are relative, is measured with 2.
    #[arg(long, value_name = "PRIMES", value_delimiter = ',', default_values_t = [KeyPrimes::Two])]
    key_primes: Vec<KeyPrimes>,
    /// Whether the issuer calculates RSA in lanes (`signer.lanes`): auto, off, or both. The parts beside the table are
    /// measured with the first.
    #[arg(long, value_name = "LANES", value_delimiter = ',', default_values_t = [LanesMode::Auto])]
    lanes: Vec<LanesMode>,
    /// The numbers of coins per request.
    #[arg(long, value_name = "COINS", value_delimiter = ',')]
    coins: Vec<usize>,
    /// The numbers of concurrent clients.
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',')]
    clients: Vec<usize>,
    /// The operations in the table.
    #[arg(long, value_name = "OPERATIONS", value_delimiter = ',', default_values_t = Operation::ALL)]
    operations: Vec<Operation>,
    /// The parts of the benchmark.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', default_values = ["table", "half-load", "one-by-one", "storage"])]
    parts: Vec<Part>,
    /// At the end, measure redeems before and after adding this many spent coins to the books. 20000000 takes minutes
    /// and 4 GB.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..=SPENT_ROWS_MAX))]
    spent_rows: Option<u64>,
    /// The leaves of the log for `--parts replay`. Default: 20000000, for which the log takes 1.6 GB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(LEAVES_MIN..=LEAVES_MAX))]
    leaves: Option<u64>,
    /// Where the log for `--parts replay` is: written if the folder is empty, and kept. Default: a temporary folder.
    #[arg(long, value_name = "DIR")]
    log_folder: Option<PathBuf>,
    /// Write the figures as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a plot as SVG to this file.
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    Mint,
    Renew,
    Redeem,
}

/// A value of the setting `signer.lanes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LanesMode {
    Auto,
    Off,
}

/// The parts of a run, except the full table of spent coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Operations by coins per request and clients.
    Table,
    /// Latency of small mints at half the best rate.
    HalfLoad,
    /// Redeems in batches, and with one request per transaction.
    OneByOne,
    /// Renews alone, and while ten operators have the console open.
    Consoles,
    /// Bytes of the database for each coin.
    Storage,
    /// The public log: what it costs in mints, renews and redeems, how fast it is sealed, and when witnesses have
    /// cosigned what was accepted. Takes minutes.
    Log,
    /// How fast an auditor replays a public log, which is written first. Needs no issuer.
    Replay,
}

/// One cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) operation: Operation,
    pub(super) key_bits: usize,
    pub(super) key_primes: u64,
    /// Whether the issuer calculates RSA in lanes.
    pub(super) in_lanes: bool,
    pub(super) coins: usize,
    pub(super) clients: usize,
}

/// What is replayed.
pub(super) struct ReplayPlan {
    pub(super) leaves: u64,
    /// `None` for a temporary folder.
    pub(super) log_folder: Option<PathBuf>,
}

/// The validated options, with defaults filled in.
pub(super) struct Plan {
    pub(super) database: Option<String>,
    pub(super) log_database: Option<String>,
    pub(super) engine: EngineSettings,
    pub(super) is_distributed: bool,
    pub(super) issuers: usize,
    pub(super) accounts: usize,
    pub(super) cell_duration: Duration,
    /// One mint key of each kind.
    pub(super) keys: Vec<KeyKind>,
    pub(super) lanes: Vec<LanesMode>,
    pub(super) spent_rows: Option<u64>,
    coins: Vec<usize>,
    /// Empty for the defaults, which depend on the key.
    clients: Vec<usize>,
    pub(super) is_quick: bool,
    pub(super) operations: Vec<Operation>,
    pub(super) replay: ReplayPlan,
    parts: Vec<Part>,
}

impl Plan {
    pub(super) fn new(arguments: Arguments) -> Result<Self> {
        let quick = arguments.quick;
        let seconds_default = if quick {
            SECONDS_PER_CELL_QUICK
        } else {
            SECONDS_PER_CELL_DEFAULT
        };
        let or = |given: Vec<usize>, quickly: &[usize], fully: &[usize]| {
            let default = if quick { quickly } else { fully };
            if given.is_empty() { default.to_vec() } else { given }
        };
        let key_bits = or(arguments.key_bits, &[2048], &[2048, 3072]);
        let of_bits = |bits: usize| {
            let kind = move |primes: &KeyPrimes| KeyKind {
                bits,
                primes: *primes,
            };
            arguments.key_primes.iter().map(kind)
        };
        let plan = Self {
            database: arguments.database,
            log_database: arguments.log_database,
            engine: EngineSettings::new(arguments.engine)?,
            is_distributed: arguments.distributed,
            issuers: arguments.issuers.into(),
            accounts: arguments.accounts.into(),
            cell_duration: Duration::from_secs_f64(arguments.seconds_per_cell.unwrap_or(seconds_default)),
            keys: key_bits.iter().copied().flat_map(of_bits).collect(),
            lanes: arguments.lanes,
            spent_rows: arguments.spent_rows,
            coins: or(arguments.coins, &[1, 64], &[1, 8, 64]),
            clients: arguments.clients,
            is_quick: quick,
            operations: arguments.operations,
            replay: ReplayPlan {
                leaves: arguments
                    .leaves
                    .unwrap_or(if quick { LEAVES_QUICK } else { LEAVES_DEFAULT }),
                log_folder: arguments.log_folder,
            },
            parts: arguments.parts,
        };
        ensure!(
            plan.coins.iter().all(|coins| (1..=ITEMS_MAX).contains(coins)),
            "--coins: a request has 1 to {ITEMS_MAX}"
        );
        ensure!(
            plan.issuers == 1 || plan.database.is_some(),
            "--issuers: several processes need --database, because SQLite has one"
        );
        ensure!(
            !plan.lanes.contains(&LanesMode::Off) || plan.engine.engine == Engine::Memory,
            "--lanes off: only with --engine memory"
        );
        let is_simple = plan.engine.engine == Engine::Memory && plan.issuers == 1 && !plan.is_distributed;
        ensure!(
            !plan.has(Part::Log) || is_simple,
            "--parts log: only with --engine memory, one issuer, and without --distributed"
        );
        ensure!(
            !plan.has(Part::Log) || plan.database.is_some() == plan.log_database.is_some(),
            "--parts log: with --database, name another empty database with --log-database"
        );
        let clients_fit = plan
            .clients
            .iter()
            .all(|clients| (1..=CLIENTS_MAX).contains(clients));
        ensure!(clients_fit, "--clients: 1 to {CLIENTS_MAX} at once");
        Ok(plan)
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether something but the replay is measured, for which an issuer runs.
    pub(super) fn needs_issuer(&self) -> bool {
        self.spent_rows.is_some() || self.parts.iter().any(|part| *part != Part::Replay)
    }

    /// The cells of the table for the key with this index: operation, coins, clients.
    pub(super) fn cells(&self, key: usize) -> Vec<(Operation, usize, usize)> {
        let is_first_size = self.keys[key].bits == self.keys[0].bits;
        let clients = match (self.clients.as_slice(), self.is_quick, is_first_size) {
            ([], true, _) => &[1, 8],
            ([], false, true) => &[1, 8, 64, 256][..],
            // Larger keys are slow, and the first size already shows the effect of many clients.
            ([], false, _) => &[1, 8, 64],
            (given, _, _) => given,
        };
        let mut cells = Vec::new();
        for operation in &self.operations {
            for coins in &self.coins {
                cells.extend(clients.iter().map(|clients| (*operation, *coins, *clients)));
            }
        }
        cells
    }
}

impl LanesMode {
    /// The value of the setting.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for LanesMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Mint, Self::Renew, Self::Redeem];

    /// Whether requests contain coins.
    pub(super) fn spends(self) -> bool {
        match self {
            Self::Mint => false,
            Self::Renew | Self::Redeem => true,
        }
    }

    /// The CPU time in microseconds that RSA alone needs for a coin. Ratios are relative to this.
    pub(super) fn rsa_us(self, raw: &RawRsa, engine: &EngineRate) -> f64 {
        let private = match engine.engine {
            // A token does not use AWS-LC.
            Engine::Token => engine.cpu_us_per_signature,
            Engine::Memory | Engine::Signer => raw.private.cpu_us,
        };
        match self {
            Self::Mint => private,
            Self::Renew => private + raw.public.cpu_us,
            Self::Redeem => raw.public.cpu_us,
        }
    }

    pub(super) fn rsa_text(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Mint, Engine::Memory | Engine::Signer) => "one private operation",
            (Self::Renew, Engine::Memory | Engine::Signer) => "one private and one public",
            (Self::Mint, Engine::Token) => "one signature of the token",
            (Self::Renew, Engine::Token) => "one signature of the token and one public operation",
            (Self::Redeem, _) => "one public",
        }
    }

    /// Whether the issuer signs coins.
    pub(super) fn signs(self) -> bool {
        match self {
            Self::Mint | Self::Renew => true,
            Self::Redeem => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mint => "mint",
            Self::Renew => "renew",
            Self::Redeem => "redeem",
        })
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let fits = seconds > 0.0 && seconds <= SECONDS_PER_CELL_MAX;
    if fits {
        Ok(seconds)
    } else {
        Err(format!("more than 0 and at most {SECONDS_PER_CELL_MAX}"))
    }
}
