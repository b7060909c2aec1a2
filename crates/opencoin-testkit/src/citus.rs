//! Three PostgreSQL servers with Citus on this machine: a coordinator and two workers.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ports::free_port;
use crate::postgres::{EphemeralPostgres, TestDatabase};
use crate::postgres_proxy::PostgresProxy;

/// Names the folder with `initdb` and `postgres` of a PostgreSQL that has Citus. No Linux distribution has one.
pub const PROGRAMS_VARIABLE: &str = "OPENCOIN_TEST_CITUS";

/// The number of servers: a coordinator and two workers.
pub const SERVERS: usize = 3;

/// A coordinator and two workers. Dropping it stops them.
pub struct CitusCluster {
    /// The coordinator, and then the workers.
    servers: [Server; SERVERS],
    databases: AtomicU64,
    /// Citus cannot create two databases at once.
    creating: Mutex<()>,
}

/// A database on all servers of the cluster.
pub struct CitusDatabase {
    name: String,
    /// The ports at which the coordinator finds its workers.
    worker_ports: Vec<u16>,
    /// Between the coordinator and each worker, if there are any.
    proxies: Vec<PostgresProxy>,
    /// The database on the coordinator, and then on the workers.
    databases: [TestDatabase; SERVERS],
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
            servers: [server(), server(), server()],
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
        self.create(|_| None)
    }

    /// The same with a proxy between the coordinator and each worker.
    ///
    /// # Panics
    /// Citus refuses.
    #[must_use]
    pub fn create_database_with_proxies(&self) -> CitusDatabase {
        self.create(|worker| Some(PostgresProxy::start(&worker.url())))
    }

    fn create(&self, proxy: impl Fn(&TestDatabase) -> Option<PostgresProxy>) -> CitusDatabase {
        let _creating = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("books_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let databases = self.servers.each_ref().map(|server| {
            let database = TestDatabase::create_named(&server.postgres.url(), &name);
            database.execute("CREATE EXTENSION citus");
            database
        });
        let [coordinator, workers @ ..] = &self.servers;
        let proxies: Vec<Option<PostgresProxy>> = databases[1..].iter().map(proxy).collect();
        databases[0].execute(&format!(
            "SELECT citus_set_coordinator_host('127.0.0.1', {})",
            coordinator.port
        ));
        let worker_ports: Vec<u16> = workers
            .iter()
            .zip(&proxies)
            .map(|(worker, proxy)| proxy.as_ref().map_or(worker.port, PostgresProxy::port))
            .collect();
        for port in &worker_ports {
            databases[0].execute(&format!("SELECT citus_add_node('127.0.0.1', {port})"));
        }
        CitusDatabase {
            name,
            worker_ports,
            proxies: proxies.into_iter().flatten().collect(),
            databases,
        }
    }

    /// Crashes a server: 0 is the coordinator, 1 and 2 are the workers. See [`EphemeralPostgres::crash`].
    ///
    /// # Panics
    /// The server is not running.
    pub fn crash(&mut self, server: usize) {
        self.servers[server].postgres.crash();
    }

    /// Starts a server after [`Self::crash`].
    ///
    /// # Panics
    /// The server does not start.
    pub fn restart(&mut self, server: usize) {
        self.servers[server].postgres.restart();
    }
}

impl CitusDatabase {
    /// The URL of the database on the coordinator.
    #[must_use]
    pub fn url(&self) -> String {
        self.databases[0].url()
    }

    /// The name of the database on every server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The proxies between the coordinator and the workers, if there are any.
    #[must_use]
    pub fn proxies(&self) -> &[PostgresProxy] {
        &self.proxies
    }

    /// The database on the coordinator, and then on the workers.
    #[must_use]
    pub fn on_each_server(&self) -> &[TestDatabase; SERVERS] {
        &self.databases
    }

    /// The number of rows of a distributed table on each worker.
    ///
    /// # Panics
    /// A server does not answer.
    #[must_use]
    pub fn rows_on_each_worker(&self, table: &str) -> Vec<i64> {
        let rows = |port: &u16| {
            self.databases[0].number(&format!(
                "SELECT coalesce(sum(result::int8), 0)::int8
                FROM run_command_on_placements('{table}', 'SELECT count(*) FROM %s') WHERE nodeport = {port}"
            ))
        };
        self.worker_ports.iter().map(rows).collect()
    }

    /// Runs SQL statements on the coordinator.
    ///
    /// # Panics
    /// A statement fails.
    pub fn execute(&self, statements: &str) {
        self.databases[0].execute(statements);
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
