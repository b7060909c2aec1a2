//! The database under torture: crashes, cut connections, and triggers that fail one kind of statement.

use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};
use opencoin_testkit::postgres_proxy::{PostgresProxy, Rates};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

/// Every error that a trigger raises begins with this; logs are searched for it.
pub(super) const TRIGGER_MARK: &str = "torture fails ";

/// The statements by which the issuer writes while it serves. Two more exist: `INSERT INTO mint_keys` when a
/// currency begins, and `DELETE FROM spent` when keys have expired.
const STATEMENTS: [(&str, &str); 6] = [
    ("INSERT", "accounts"),
    ("INSERT", "transactions"),
    ("INSERT", "spent"),
    ("UPDATE", "accounts"),
    ("UPDATE", "mint_keys"),
    ("UPDATE", "signing"),
];

/// Enough to happen in every run, and few enough that work is done.
const COMMIT_FAULTS: Rates = Rates {
    before_commit: 15,
    in_commit: 15,
    after_commit: 15,
};

/// The names under which commits that were cut off are counted.
pub(super) const COMMIT_FAULT_NAMES: [&str; 3] = [
    "PostgreSQL cut before a commit",
    "PostgreSQL cut in a commit",
    "PostgreSQL cut after a commit, the issuer not told",
];

/// Where the books are.
pub(super) enum Books {
    Sqlite {
        file: PathBuf,
    },
    // The database is dropped before its server.
    Postgres {
        proxy: PostgresProxy,
        database: TestDatabase,
        server: Box<Mutex<EphemeralPostgres>>,
    },
}

/// A way to fail a statement.
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
    /// The statement fails as it does on a full disk. SQLite then ends the whole transaction by itself.
    DiskFull,
    /// The statement works and the commit fails; PostgreSQL only.
    AtCommit,
}

impl Trigger {
    /// All triggers that these books can have.
    pub(super) fn all(books: &Books) -> Vec<Self> {
        let ways: &[Way] = match books {
            Books::Sqlite { .. } => &[Way::Refused, Way::DiskFull],
            Books::Postgres { .. } => &[Way::Refused, Way::DiskFull, Way::AtCommit],
        };
        let each = STATEMENTS
            .iter()
            .flat_map(|(statement, table)| ways.iter().map(move |way| (*statement, *table, *way)));
        each.map(|(statement, table, way)| Self {
            statement,
            table,
            way,
        })
        .collect()
    }

    /// What its errors say after the mark, and the name under which its errors are counted.
    pub(super) fn name(self) -> String {
        let way = match self.way {
            Way::Refused => "",
            Way::DiskFull => ", disk full",
            Way::AtCommit => ", at commit",
        };
        format!("{} {}{way}", self.statement, self.table)
    }
}

impl Books {
    /// A database of its own on a server of its own.
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

    /// What `opencoin issuer init --database` is told.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite:{}", file.display()),
            Self::Postgres { proxy, .. } => proxy.url(),
        }
    }

    /// From now on some commits are cut off: before the server hears of them, in the middle, or before the
    /// issuer is told.
    pub(super) fn strike_commits(&self, seed: u64) {
        if let Self::Postgres { proxy, .. } = self {
            proxy.strike_at_random(seed, COMMIT_FAULTS);
        }
    }

    /// No commit is cut off any more. Gives how many were, by kind.
    pub(super) fn spare_commits(&self) -> Vec<(&'static str, u64)> {
        let Self::Postgres { proxy, .. } = self else {
            return Vec::new();
        };
        proxy.strike_no_more();
        let counts = proxy.counts();
        let [before, within, after] = COMMIT_FAULT_NAMES;
        vec![
            ("PostgreSQL commits of writes", counts.commits),
            (before, counts.before_commit),
            (within, counts.in_commit),
            (after, counts.after_commit),
        ]
    }

    pub(super) fn install(&self, trigger: Trigger) -> Result<(), String> {
        let Trigger {
            statement,
            table,
            way,
        } = trigger;
        let message = format!("{TRIGGER_MARK}{}", trigger.name());
        match self {
            Self::Sqlite { .. } => {
                let action = if way == Way::DiskFull { "ROLLBACK" } else { "ABORT" };
                self.execute(&format!(
                    "CREATE TRIGGER torture BEFORE {statement} ON {table} BEGIN SELECT RAISE({action}, '{message}'); END"
                ))
            }
            Self::Postgres { .. } => {
                let (state, timing) = match way {
                    Way::Refused => ("P0001", "TRIGGER torture BEFORE"),
                    Way::DiskFull => ("53100", "TRIGGER torture BEFORE"),
                    Way::AtCommit => ("P0001", "CONSTRAINT TRIGGER torture AFTER"),
                };
                let deferred = if way == Way::AtCommit {
                    "DEFERRABLE INITIALLY DEFERRED"
                } else {
                    ""
                };
                self.execute(&format!(
                    "CREATE OR REPLACE FUNCTION torture() RETURNS trigger LANGUAGE plpgsql
                        AS $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{state}'; END $$;
                    CREATE {timing} {statement} ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION torture()"
                ))
            }
        }
    }

    pub(super) fn remove(&self, trigger: Trigger) -> Result<(), String> {
        match self {
            Self::Sqlite { .. } => self.execute("DROP TRIGGER IF EXISTS torture"),
            Self::Postgres { .. } => {
                self.execute(&format!("DROP TRIGGER IF EXISTS torture ON {}", trigger.table))
            }
        }
    }

    /// Ends every connection of an issuer; it may be in the middle of a statement or of a commit.
    pub(super) fn cut_connections(&self) -> Result<(), String> {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opencoin'",
        )
    }

    fn execute(&self, statements: &str) -> Result<(), String> {
        match self {
            Self::Sqlite { file } => execute_in_file(file, statements),
            Self::Postgres { database, .. } => database.try_execute(statements),
        }
    }
}

/// Runs statements on a thread of its own, so that it can be called inside and outside a runtime.
fn execute_in_file(file: &std::path::Path, statements: &str) -> Result<(), String> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
            connection.execute(sqlx::raw_sql(statements)).await?;
            connection.close().await
        })
    };
    let result: Result<(), sqlx::Error> = thread::scope(|scope| scope.spawn(run).join().unwrap());
    result.map_err(|error| error.to_string())
}
