//! Three PostgreSQL servers with Citus on this machine: a coordinator and two workers.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::postgres::{EphemeralPostgres, TestDatabase, free_port};

/// Names the folder with `initdb` and `postgres` of a PostgreSQL that has Citus. No Linux distribution has one.
pub const PROGRAMS_VARIABLE: &str = "OPENCOIN_TEST_CITUS";

/// A coordinator and two workers. Dropping it stops them.
pub struct CitusCluster {
    coordinator: Server,
    workers: [Server; 2],
    databases: AtomicU64,
    /// Citus cannot create two databases at once.
    creating: Mutex<()>,
}

/// A database on all servers of the cluster.
pub struct CitusDatabase {
    name: String,
    coordinator: TestDatabase,
    _workers: [TestDatabase; 2],
}

struct Server {
    postgres: EphemeralPostgres,
    port: u16,
}

impl CitusCluster {
    /// Starts the servers; `None` if [`PROGRAMS_VARIABLE`] is not set. The caller says then that it tests nothing.
    ///
    /// # Panics
    /// The servers do not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let programs = PathBuf::from(env::var_os(PROGRAMS_VARIABLE)?);
        let server = || Server::start(&programs);
        Some(Self {
            coordinator: server(),
            workers: [server(), server()],
            databases: AtomicU64::new(0),
            creating: Mutex::new(()),
        })
    }

    /// Creates a database in which the coordinator knows its workers.
    ///
    /// # Panics
    /// Citus refuses.
    #[must_use]
    pub fn create_database(&self) -> CitusDatabase {
        let _creating = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("books_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = |server: &Server| {
            let database = TestDatabase::create_named(&server.postgres.url(), &name);
            database.execute("CREATE EXTENSION citus");
            database
        };
        let workers = self.workers.each_ref().map(create);
        let coordinator = create(&self.coordinator);
        coordinator.execute(&format!(
            "SELECT citus_set_coordinator_host('127.0.0.1', {})",
            self.coordinator.port
        ));
        for worker in &self.workers {
            coordinator.execute(&format!("SELECT citus_add_node('127.0.0.1', {})", worker.port));
        }
        CitusDatabase {
            name,
            coordinator,
            _workers: workers,
        }
    }
}

impl CitusDatabase {
    /// The URL of the database on the coordinator.
    #[must_use]
    pub fn url(&self) -> String {
        self.coordinator.url()
    }

    /// The name of the database on every server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL statements on the coordinator.
    ///
    /// # Panics
    /// A statement fails.
    pub fn execute(&self, statements: &str) {
        self.coordinator.execute(statements);
    }
}

impl Server {
    fn start(programs: &Path) -> Self {
        let port = free_port();
        let settings = [
            "listen_addresses=127.0.0.1",
            "shared_preload_libraries=citus",
            "citus.use_secondary_nodes=never",
            // Citus would make a certificate. The servers are on one machine.
            "ssl=off",
            "citus.node_conninfo=sslmode=disable",
            "max_prepared_transactions=200",
            "max_worker_processes=64",
            // Transactions in doubt are recovered soon.
            "citus.recover_2pc_interval=1s",
        ];
        let arguments = settings.map(|setting| ["-c".to_owned(), setting.to_owned()]);
        let postgres = EphemeralPostgres::start_with(programs.to_owned(), Some(port), |_| arguments.concat());
        Self { postgres, port }
    }
}
