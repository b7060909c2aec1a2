//! The database of a torture run, and its faults: crashes, closed connections, and triggers that make one kind of
//! statement fail.

use std::path::PathBuf;
use std::sync::Mutex;

use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};
use opencoin_testkit::postgres_proxy::{PostgresProxy, Rates};

use crate::sqlite;

/// Every error of a trigger begins with this text, which is searched for in logs.
pub(super) const TRIGGER_MARK: &str = "torture fails <";
/// The text after a trigger's name.
pub(super) const TRIGGER_END: &str = ">";

/// The statements with which a running issuer writes, except `INSERT INTO mint_keys` for a new currency and
/// `DELETE FROM spent` for expired keys.
const STATEMENTS: [(&str, &str); 6] = [
    ("INSERT", "accounts"),
    ("INSERT", "transactions"),
    ("INSERT", "blinds"),
    ("INSERT", "spent"),
    ("UPDATE", "accounts"),
    ("UPDATE", "signing"),
];
/// The statement that counts the coins of mint keys.
const SQLITE_COUNTS: (&str, &str) = ("UPDATE", "mint_keys");
const POSTGRES_COUNTS: (&str, &str) = ("UPDATE", "mint_key_counts");

/// High enough for every run to have such faults, and low enough for most work to succeed.
const COMMIT_FAULTS: Rates = Rates {
    before_commit: 15,
    in_commit: 15,
    after_commit: 15,
};

/// The names of the counters of commit faults.
pub(super) const COMMIT_FAULT_NAMES: [&str; 3] = [
    "PostgreSQL cut before a commit",
    "PostgreSQL cut in a commit",
    "PostgreSQL cut after a commit, the issuer not told",
];

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
            Books::Postgres { .. } => (POSTGRES_COUNTS, &[Way::Refused, Way::DiskFull, Way::AtCommit]),
        };
        let each = STATEMENTS
            .iter()
            .chain([&counts])
            .flat_map(|(statement, table)| ways.iter().map(move |way| (*statement, *table, *way)));
        each.map(|(statement, table, way)| Self {
            statement,
            table,
            way,
        })
        .collect()
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

    /// The URL for `opencoin issuer init --database`.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Sqlite { file } => format!("sqlite:{}", file.display()),
            Self::Postgres { proxy, .. } => proxy.url(),
        }
    }

    /// Makes some commits fail from now on: the connection closes before, during or after the commit.
    pub(super) fn strike_commits(&self, seed: u64) {
        if let Self::Postgres { proxy, .. } = self {
            proxy.strike_at_random(seed, COMMIT_FAULTS);
        }
    }

    /// Stops the faults of commits. Returns the number of each kind.
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
        let message = format!("{TRIGGER_MARK}{}{TRIGGER_END}", trigger.name());
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

    /// Closes every connection of the issuers, possibly during a statement or a commit.
    pub(super) fn cut_connections(&self) -> Result<(), String> {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opencoin'",
        )
    }

    fn execute(&self, statements: &str) -> Result<(), String> {
        match self {
            Self::Sqlite { file } => sqlite::execute(file, statements),
            Self::Postgres { database, .. } => database.try_execute(statements),
        }
    }
}
