//! The database of a torture run, and its faults: crashes, closed connections, and triggers that make one kind of
//! statement fail.

use std::path::PathBuf;
use std::sync::Mutex;

use opencoin_testkit::citus::{CitusCluster, CitusDatabase, PROGRAMS_VARIABLE};
use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};
use opencoin_testkit::postgres_proxy::{PostgresProxy, Rates};

use crate::{Rows, sqlite};

/// Every error of a trigger begins with this text, which is searched for in logs.
pub(super) const TRIGGER_MARK: &str = "torture fails <";
/// The text after a trigger's name.
pub(super) const TRIGGER_END: &str = ">";

/// The statements with which a running issuer writes, except `INSERT INTO mint_keys` for a new currency and
/// `DELETE FROM spent` for expired keys.
const STATEMENTS: [(&str, &str); 7] = [
    ("INSERT", "accounts"),
    ("INSERT", "transactions"),
    ("INSERT", "blinds"),
    ("INSERT", "spent"),
    ("UPDATE", "accounts"),
    ("UPDATE", "signing"),
    ("INSERT", "log_pending"),
];
/// One statement of each transaction of the public log. There is one a second at most.
const OF_THE_LOG: [(&str, &str); 2] = [("UPDATE", "log_head"), ("UPDATE", "log_checkpoint")];
/// The tables whose rows Citus distributes. Their triggers belong to the shards on the workers.
const DISTRIBUTED: [&str; 3] = ["transactions", "blinds", "spent"];

/// The statement that counts the coins of mint keys.
const SQLITE_COUNTS: (&str, &str) = ("UPDATE", "mint_keys");
const POSTGRES_COUNTS: (&str, &str) = ("UPDATE", "mint_key_counts");

/// High enough for every run to have such faults, and low enough for most work to succeed.
const COMMIT_FAULTS: Rates = Rates {
    before_commit: 15,
    in_commit: 15,
    after_commit: 15,
};

/// The number of commits of writes, and the names of the counters of commit faults.
type CommitFaultNames = [&'static str; 4];
const COMMIT_FAULT_NAMES: CommitFaultNames = [
    "PostgreSQL commits of writes",
    "PostgreSQL cut before a commit",
    "PostgreSQL cut in a commit",
    "PostgreSQL cut after a commit, the issuer not told",
];
/// The same between coordinator and workers. A commit has two phases there, and each counts.
const PHASE_FAULT_NAMES: CommitFaultNames = [
    "Citus phases of commits",
    "Citus cut before a phase of a commit",
    "Citus cut in a phase of a commit",
    "Citus cut after a phase of a commit, the coordinator not told",
];

/// Names of counters.
pub(super) const CONNECTIONS_CUT: &str = "PostgreSQL connections cut";
const POSTGRES_CRASHED: &str = "PostgreSQL crashed";
const COORDINATOR_CRASHED: &str = "Citus coordinator crashed";
const WORKER_CRASHED: &str = "Citus worker crashed";

/// The number of the coordinator among the servers.
const COORDINATOR: usize = 0;

/// The database.
pub(super) enum Books {
    Sqlite {
        file: PathBuf,
    },
    // Fields are dropped in this order: the database before its server.
    Postgres {
        proxy: PostgresProxy,
        database: TestDatabase,
        server: Box<Mutex<EphemeralPostgres>>,
    },
    Citus {
        proxy: PostgresProxy,
        database: CitusDatabase,
        cluster: Box<Mutex<CitusCluster>>,
    },
}

/// A trigger that makes a statement fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trigger {
    pub(super) statement: &'static str,
    pub(super) table: &'static str,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The statement fails.
    Refused,
    /// The statement fails as on a full disk. SQLite then rolls the whole transaction back by itself.
    DiskFull,
    /// The statement succeeds and the commit fails; PostgreSQL only.
    AtCommit,
}

impl Trigger {
    /// All triggers for this database.
    pub(super) fn all(books: &Books) -> Vec<Self> {
        let (counts, ways): (_, &[Way]) = match books {
            Books::Sqlite { .. } => (SQLITE_COUNTS, &[Way::Refused, Way::DiskFull]),
            Books::Postgres { .. } | Books::Citus { .. } => {
                (POSTGRES_COUNTS, &[Way::Refused, Way::DiskFull, Way::AtCommit])
            }
        };
        let each = STATEMENTS
            .iter()
            .chain([&counts])
            .flat_map(|(statement, table)| ways.iter().map(move |way| (*statement, *table, *way)))
            .chain(OF_THE_LOG.map(|(statement, table)| (statement, table, Way::Refused)));
        each.map(|(statement, table, way)| Self {
            statement,
            table,
            way,
        })
        .collect()
    }

    /// Whether it is rarely reached.
    pub(super) fn is_rare(self) -> bool {
        OF_THE_LOG.contains(&(self.statement, self.table))
    }

    /// The text between the marks in its errors.
    pub(super) fn name(self) -> String {
        let way = match self.way {
            Way::Refused => "",
            Way::DiskFull => ", disk full",
            Way::AtCommit => ", at commit",
        };
        format!("{} {}{way}", self.statement, self.table)
    }
}

/// The name of the counter of a trigger's errors.
pub(super) fn fired(trigger: &str) -> String {
    format!("trigger fired: {trigger}")
}

impl Books {
    /// A fresh database on a separate server.
    pub(super) fn postgres() -> Self {
        let server = EphemeralPostgres::start();
        let database = TestDatabase::create_on(&server.url());
        let proxy = PostgresProxy::start(&database.url());
        Self::Postgres {
            proxy,
            database,
            server: Box::new(Mutex::new(server)),
        }
    }

    /// A fresh database that a separate coordinator distributes over two workers.
    pub(super) fn citus() -> Self {
        let cluster = CitusCluster::start()
            .unwrap_or_else(|| panic!("{PROGRAMS_VARIABLE} names no programs of a PostgreSQL with Citus"));
        let database = cluster.create_database_with_proxies();
        let proxy = PostgresProxy::start(&database.url());
        Self::Citus {
            proxy,
            database,
            cluster: Box::new(Mutex::new(cluster)),
        }
    }

    /// Its tables, past the proxies.
    pub(super) fn rows(&self) -> Rows<'_> {
        match self {
            Self::Sqlite { file } => Rows::Sqlite(file.clone()),
            Self::Postgres { database, .. } => Rows::Postgres(database),
            Self::Citus { database, .. } => Rows::Postgres(&database.on_each_server()[COORDINATOR]),
        }
    }

    pub(super) fn is_distributed(&self) -> bool {
        matches!(self, Self::Citus { .. })
    }

    /// The URL for `opencoin issuer init --database`.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite:{}", file.display()),
            Self::Postgres { proxy, .. } | Self::Citus { proxy, .. } => proxy.url(),
        }
    }

    /// The proxies in which commits fail, and the names of their counters.
    fn proxies(&self) -> Vec<(&PostgresProxy, CommitFaultNames)> {
        match self {
            Self::Sqlite { .. } => Vec::new(),
            Self::Postgres { proxy, .. } => vec![(proxy, COMMIT_FAULT_NAMES)],
            Self::Citus { proxy, database, .. } => {
                let workers = database.proxies().iter().map(|proxy| (proxy, PHASE_FAULT_NAMES));
                [(proxy, COMMIT_FAULT_NAMES)].into_iter().chain(workers).collect()
            }
        }
    }

    /// The names of the counters of all faults of this database except triggers.
    pub(super) fn fault_names(&self) -> Vec<&'static str> {
        let commits = self
            .proxies()
            .into_iter()
            .flat_map(|(_, [_, faults @ ..])| faults);
        let crashes: &[&str] = match self {
            Self::Sqlite { .. } => &[],
            Self::Postgres { .. } => &[POSTGRES_CRASHED, CONNECTIONS_CUT],
            Self::Citus { .. } => &[COORDINATOR_CRASHED, WORKER_CRASHED, CONNECTIONS_CUT],
        };
        crashes.iter().copied().chain(commits).collect()
    }

    /// Makes some commits fail from now on: the connection closes before, during or after the commit.
    pub(super) fn strike_commits(&self, seed: u64) {
        for (place, (proxy, _)) in (0..).zip(self.proxies()) {
            proxy.strike_at_random(seed.wrapping_add(place), COMMIT_FAULTS);
        }
    }

    /// Stops the faults of commits. Returns the number of each kind.
    pub(super) fn spare_commits(&self) -> Vec<(&'static str, u64)> {
        let spare = |(proxy, names): (&PostgresProxy, CommitFaultNames)| {
            proxy.strike_no_more();
            let counts = proxy.counts();
            let numbers = [
                counts.commits,
                counts.before_commit,
                counts.in_commit,
                counts.after_commit,
            ];
            names.into_iter().zip(numbers)
        };
        self.proxies().into_iter().flat_map(spare).collect()
    }

    /// The servers that crash, each as often as it is named.
    pub(super) fn servers(&self) -> &[usize] {
        match self {
            Self::Sqlite { .. } => &[],
            Self::Postgres { .. } => &[0, 0],
            Self::Citus { .. } => &[COORDINATOR, 1, 2],
        }
    }

    /// Crashes a server of the database, waits, and starts it again. Returns the name of the counter.
    pub(super) fn crash(&self, server: usize, wait: impl FnOnce()) -> &'static str {
        match self {
            Self::Sqlite { .. } => panic!("SQLite has no server"),
            Self::Postgres { server, .. } => {
                let mut server = server.lock().unwrap();
                server.crash();
                wait();
                server.restart();
                POSTGRES_CRASHED
            }
            Self::Citus { cluster, .. } => {
                let mut cluster = cluster.lock().unwrap();
                cluster.crash(server);
                wait();
                cluster.restart(server);
                if server == COORDINATOR {
                    COORDINATOR_CRASHED
                } else {
                    WORKER_CRASHED
                }
            }
        }
    }

    /// The rows of each distributed table that grows with the coins, on each server.
    pub(super) fn rows_on_each_worker(&self) -> Vec<(&'static str, Vec<i64>)> {
        match self {
            Self::Sqlite { .. } | Self::Postgres { .. } => Vec::new(),
            Self::Citus { database, .. } => ["blinds", "spent"]
                .map(|table| (table, database.rows_on_each_worker(table)))
                .to_vec(),
        }
    }

    pub(super) fn install(&self, trigger: Trigger) -> Result<(), String> {
        let message = format!("{TRIGGER_MARK}{}{TRIGGER_END}", trigger.name());
        match self {
            Self::Sqlite { file } => {
                let action = if trigger.way == Way::DiskFull {
                    "ROLLBACK"
                } else {
                    "ABORT"
                };
                let Trigger { statement, table, .. } = trigger;
                sqlite::execute(
                    file,
                    &format!(
                        "CREATE TRIGGER torture BEFORE {statement} ON {table} BEGIN SELECT RAISE({action}, '{message}'); END"
                    ),
                )
            }
            Self::Postgres { database, .. } => {
                database.try_execute(&install_in_postgres(trigger, &message, ""))
            }
            Self::Citus { database, .. } => {
                let (databases, suffix) = databases_with(database, trigger.table);
                let statements = install_in_postgres(trigger, &message, suffix);
                databases
                    .iter()
                    .try_for_each(|database| database.try_execute(&statements))
            }
        }
    }

    pub(super) fn remove(&self, trigger: Trigger) -> Result<(), String> {
        let remove = |suffix| for_each_table(trigger.table, suffix, "DROP TRIGGER IF EXISTS torture ON %s");
        match self {
            Self::Sqlite { file } => sqlite::execute(file, "DROP TRIGGER IF EXISTS torture"),
            Self::Postgres { database, .. } => database.try_execute(&remove("")),
            Self::Citus { database, .. } => {
                let (databases, suffix) = databases_with(database, trigger.table);
                databases
                    .iter()
                    .try_for_each(|database| database.try_execute(&remove(suffix)))
            }
        }
    }

    /// Takes the lease of the public log away from the issuer that has it, if the database is there. Otherwise nothing
    /// would be sealed for seconds after that is killed; and one that lives seals at the same time as the next holder.
    pub(super) fn end_lease(&self) {
        const STATEMENT: &str = "DELETE FROM log_lease";
        let _ended = match self {
            Self::Sqlite { file } => sqlite::execute(file, STATEMENT),
            Self::Postgres { database, .. } => database.try_execute(STATEMENT),
            Self::Citus { database, .. } => database.on_each_server()[COORDINATOR].try_execute(STATEMENT),
        };
    }

    /// Closes every connection of the issuers, and of the coordinator to its workers, possibly during a statement or a
    /// commit.
    pub(super) fn cut_connections(&self) -> Result<(), String> {
        let cut = |database: &TestDatabase, name: &str| {
            database.try_execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '{name}'"
            ))
        };
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { database, .. } => cut(database, "opencoin"),
            Self::Citus { database, .. } => {
                let [coordinator, workers @ ..] = database.on_each_server();
                workers
                    .iter()
                    .try_for_each(|worker| cut(worker, "citus_internal%"))?;
                cut(coordinator, "opencoin")
            }
        }
    }
}

/// The databases that have the rows of this table, and the pattern that follows its name there.
fn databases_with<'a>(database: &'a CitusDatabase, table: &str) -> (&'a [TestDatabase], &'static str) {
    let [coordinator, workers @ ..] = database.on_each_server();
    if DISTRIBUTED.contains(&table) {
        (workers, "_[0-9]+")
    } else {
        (std::slice::from_ref(coordinator), "")
    }
}

/// Statements that create the trigger's function, and the trigger on each table whose name matches.
fn install_in_postgres(trigger: Trigger, message: &str, suffix: &str) -> String {
    let Trigger {
        statement,
        table,
        way,
    } = trigger;
    let (state, timing, deferred) = match way {
        Way::Refused => ("P0001", "TRIGGER torture BEFORE", ""),
        Way::DiskFull => ("53100", "TRIGGER torture BEFORE", ""),
        Way::AtCommit => (
            "P0001",
            "CONSTRAINT TRIGGER torture AFTER",
            "DEFERRABLE INITIALLY DEFERRED",
        ),
    };
    let create =
        format!("CREATE {timing} {statement} ON %s {deferred} FOR EACH ROW EXECUTE FUNCTION torture()");
    format!(
        "SELECT set_config('citus.enable_ddl_propagation', 'off', false);
        CREATE OR REPLACE FUNCTION torture() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{state}'; END $$;
        {}",
        for_each_table(table, suffix, &create)
    )
}

/// A statement that runs `action`, with the name for `%s`, for each table whose name is `table` and something that
/// matches `suffix`.
fn for_each_table(table: &str, suffix: &str, action: &str) -> String {
    format!(
        "DO $do$ DECLARE found regclass; BEGIN
            -- Citus hides shards and protects them.
            PERFORM set_config('citus.override_table_visibility', 'off', true);
            PERFORM set_config('citus.enable_manual_changes_to_shards', 'on', true);
            FOR found IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relname ~ '^{table}{suffix}$' LOOP
                EXECUTE format('{action}', found);
            END LOOP;
        END $do$"
    )
}
