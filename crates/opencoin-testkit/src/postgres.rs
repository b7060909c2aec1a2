//! Temporary PostgreSQL for tests: a server in a temporary folder and a fresh database for each test.
//!
//! The server listens only on a Unix socket in its folder and keeps its durable settings. When the tests run as
//! root, it runs as `postgres` or `nobody`, because PostgreSQL refuses root. A watcher process owns the server.
//! When the test program exits or is killed, the watcher's standard input closes; the watcher then stops the
//! server and removes the folder.
//!
//! Set [`SERVER_VARIABLE`] to use another server, for example to share one among many test programs.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use crate::ports::free_port;

/// The environment variable with the URL of the server to use. The URL names a maintenance database and a user
/// who may create databases.
pub const SERVER_VARIABLE: &str = "OPENCOIN_TEST_POSTGRES";

/// Users that the server may run as when the tests run as root; the first that exists is taken.
const SERVER_USERS: [&str; 2] = ["postgres", "nobody"];

const CONNECTIONS_MAX: u32 = 300;
/// Part of the socket's name when the server listens on no TCP port.
const POSTGRES_PORT: u16 = 5432;

/// Starts the server, prints `ready`, and reads orders from standard input until it closes, which happens when
/// the test program ends. Arguments: the server's folder, the folder of PostgreSQL's programs, the maximum
/// number of connections, the port, and further arguments for the server.
const WATCHER: &str = r#"
folder=$1 programs=$2 connections=$3 port=$4
shift 4
trap '' INT TERM HUP PIPE
finish() { rm -rf "$folder/data" "$folder/socket" "$folder/log" "$folder/tls"; rmdir "$folder" 2>/dev/null; exit "$1"; }
start() {
    "$programs/postgres" -D "$folder/data" -c listen_addresses= -c "unix_socket_directories=$folder/socket" \
        -c "max_connections=$connections" -c "port=$port" "$@" >>"$folder/log" 2>&1 </dev/null &
    server=$!
    tries=0
    until "$programs/pg_isready" -q -h "$folder/socket" -p "$port" -U postgres; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
            cat "$folder/log" >&2; kill -QUIT "$server" 2>/dev/null; wait "$server"; echo failed; finish 1
        fi
        sleep 0.1
    done
    echo ready
}
"$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$folder/log" 2>&1 </dev/null ||
    { cat "$folder/log" >&2; echo failed; finish 1; }
mkdir "$folder/socket"
start "$@"
while read -r order; do
    case $order in
        crash) kill -QUIT "$server"; wait "$server"; server=; echo crashed ;;
        start) start "$@" ;;
    esac
done
[ -n "$server" ] && kill -INT "$server" && wait "$server"
finish 0
"#;

/// A temporary PostgreSQL server. Dropping it stops the server and removes its folder.
pub struct EphemeralPostgres {
    watcher: Child,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    /// The port of `127.0.0.1` on which it listens, if it does.
    port: Option<u16>,
}

impl EphemeralPostgres {
    /// Starts a server.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or the server does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(installed_programs(), None, |_| Vec::new())
    }

    /// Starts a server that also listens on a port of `127.0.0.1`, where it accepts TLS only. Both files are PEM.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        Self::start_with(installed_programs(), Some(free_port()), |folder| {
            tls_settings(folder, [certificate, key])
        })
    }

    /// Starts a server with these programs. With a port, the arguments that `settings` returns make it listen on the
    /// port of `127.0.0.1`.
    pub(crate) fn start_with(
        programs: PathBuf,
        port: Option<u16>,
        settings: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("opencoin-pg-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHER, "opencoin-postgres-watcher"])
            .arg(&folder)
            .arg(programs);
        command.arg(CONNECTIONS_MAX.to_string()).current_dir("/");
        command.arg(port.unwrap_or(POSTGRES_PORT).to_string());
        command.args(settings(&folder));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0); // so that Ctrl-C reaches the tests only
        if let Some((user, group)) = server_user() {
            chown(&folder, Some(user), Some(group)).expect("root gives its folder away");
            command.uid(user).gid(group);
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).expect("our own folder");
        let mut watcher = command.spawn().expect("a shell");
        let answers = BufReader::new(watcher.stdout.take().expect("standard output is piped"));
        let mut server = Self {
            watcher,
            answers,
            folder,
            port,
        };
        server.expect("ready");
        server
    }

    /// Simulates a crash (`pg_ctl stop -m immediate`): closes all connections without a checkpoint, so the next
    /// start recovers from the write-ahead log.
    ///
    /// # Panics
    /// The server is not running.
    pub fn crash(&mut self) {
        self.order("crash");
        self.expect("crashed");
    }

    /// Starts the server after [`Self::crash`] and waits until it accepts connections.
    ///
    /// # Panics
    /// The server does not start.
    pub fn restart(&mut self) {
        self.order("start");
        self.expect("ready");
    }

    fn order(&mut self, order: &str) {
        let watcher = self.watcher.stdin.as_mut().expect("standard input is piped");
        writeln!(watcher, "{order}").expect("the watcher takes orders");
    }

    fn expect(&mut self, state: &str) {
        let mut said = String::new();
        self.answers
            .read_line(&mut said)
            .expect("the watcher reports the outcome");
        assert_eq!(said.trim(), state, "PostgreSQL is not {state}; its log is above");
    }

    /// The URL of the maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        let socket = self.folder.join("socket");
        let port = self.port.unwrap_or(POSTGRES_PORT);
        format!(
            "postgres://postgres@localhost:{port}/postgres?host={}",
            socket.display()
        )
    }

    /// The port for TLS connections.
    ///
    /// # Panics
    /// The server was started without TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.port.expect("the server was started with TLS")
    }

    /// The server's log so far.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> io::Result<String> {
        fs::read_to_string(self.folder.join("log"))
    }
}

impl Drop for EphemeralPostgres {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        if let Ok(status) = self.watcher.wait() {
            assert!(
                status.success() || std::thread::panicking(),
                "the watcher of PostgreSQL failed: {status}"
            );
        }
    }
}

/// Copies certificate and key to files that the server's user may read, and returns the server's arguments.
fn tls_settings(folder: &Path, files: [&Path; 2]) -> Vec<String> {
    let tls = folder.join("tls");
    fs::create_dir(&tls).expect("our own folder");
    fs::write(
        tls.join("hba"),
        "local all all trust\nhostssl all all 127.0.0.1/32 trust\n",
    )
    .expect("our own folder");
    for (file, name) in files.into_iter().zip(["certificate", "key"]) {
        fs::copy(file, tls.join(name)).expect("the certificate and its key are there");
    }
    fs::set_permissions(tls.join("key"), fs::Permissions::from_mode(0o600)).expect("our own file");
    if let Some((user, group)) = server_user() {
        for path in [
            tls.clone(),
            tls.join("hba"),
            tls.join("certificate"),
            tls.join("key"),
        ] {
            chown(path, Some(user), Some(group)).expect("root gives its files away");
        }
    }
    let path = |name: &str| tls.join(name).display().to_string();
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", path("certificate")),
        format!("ssl_key_file={}", path("key")),
        format!("hba_file={}", path("hba")),
    ];
    settings
        .into_iter()
        .flat_map(|setting| ["-c".to_owned(), setting])
        .collect()
}

/// The database of one test. Dropping this removes the database.
pub struct TestDatabase {
    server_url: String,
    name: String,
}

impl TestDatabase {
    /// Creates an empty database on the server that [`SERVER_VARIABLE`] names. Without that variable, all tests
    /// of this program share a server that it starts.
    ///
    /// # Panics
    /// The server cannot be reached or started.
    #[must_use]
    pub fn create() -> Self {
        static SERVER: OnceLock<EphemeralPostgres> = OnceLock::new();
        let server_url =
            env::var(SERVER_VARIABLE).unwrap_or_else(|_| SERVER.get_or_init(EphemeralPostgres::start).url());
        Self::create_on(&server_url)
    }

    /// Creates an empty database on this server.
    ///
    /// # Panics
    /// The server does not answer.
    #[must_use]
    pub fn create_on(server_url: &str) -> Self {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        Self::create_named(server_url, &format!("opencoin_{}_{number}", std::process::id()))
    }

    /// Creates an empty database of this name on this server.
    ///
    /// # Panics
    /// The server does not answer.
    pub(crate) fn create_named(server_url: &str, name: &str) -> Self {
        // A killed test program with the same process id may have left its database behind.
        execute(
            server_url,
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .expect("the test server answers");
        execute(server_url, &format!("CREATE DATABASE {name}")).expect("the test server makes a database");
        Self {
            server_url: server_url.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The database's URL.
    #[must_use]
    pub fn url(&self) -> String {
        let (address, parameters) = self.server_url.split_once('?').unwrap_or((&self.server_url, ""));
        let (server, _) = address
            .rsplit_once('/')
            .expect("a server's URL names its maintenance database");
        format!("{server}/{}?{parameters}", self.name)
    }

    /// The database's name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements in the database, past the program under test.
    ///
    /// # Panics
    /// A statement fails.
    pub fn execute(&self, statements: &str) {
        self.try_execute(statements).expect("the statements of the test");
    }

    /// The number that a query returns, past the program under test.
    ///
    /// # Panics
    /// The query fails, or returns something else.
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        query(&self.url(), sql).expect("the query of the test")
    }

    /// The texts that a query returns, one for each row, past the program under test.
    ///
    /// # Panics
    /// The query fails, or returns something else.
    #[must_use]
    pub fn texts(&self, sql: &str) -> Vec<String> {
        connected(&self.url(), async |connection| {
            sqlx::query_scalar(sql).fetch_all(connection).await
        })
        .expect("the query of the test")
    }

    /// Like [`Self::execute`], for statements that may fail.
    ///
    /// # Errors
    /// The server's error message.
    pub fn try_execute(&self, statements: &str) -> Result<(), String> {
        execute(&self.url(), statements).map_err(|error| error.to_string())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Best effort: the server is temporary, too.
        drop(execute(
            &self.server_url,
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        ));
    }
}

/// An open session of a test, for locks that the program under test waits for. Dropping it releases them.
pub struct TestSession {
    runtime: Runtime,
    /// `None` while it is being dropped.
    connection: Option<PgConnection>,
}

impl TestSession {
    /// Connects to the database.
    ///
    /// # Panics
    /// The server does not answer.
    #[must_use]
    pub fn open(database: &TestDatabase) -> Self {
        let runtime = runtime();
        let connection = runtime.block_on(PgConnection::connect(&database.url()));
        Self {
            runtime,
            connection: Some(connection.expect("the test server answers")),
        }
    }

    /// Runs statements.
    ///
    /// # Panics
    /// A statement fails.
    pub fn execute(&mut self, statements: &str) {
        let connection = self.connection.as_mut().expect("it is open");
        let done = connection.execute(sqlx::raw_sql(statements));
        self.runtime.block_on(done).expect("the statements of the test");
    }
}

impl Drop for TestSession {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server closes the session in any case.
            drop(self.runtime.block_on(connection.close()));
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

pub(crate) fn execute(url: &str, statements: &str) -> Result<(), sqlx::Error> {
    connected(url, async |connection| {
        connection.execute(sqlx::raw_sql(statements)).await.map(|_| ())
    })
}

/// Runs a query that returns one value.
pub(crate) fn query<T>(url: &str, query: &str) -> Result<T, sqlx::Error>
where
    T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'row> sqlx::Decode<'row, sqlx::Postgres>,
{
    connected(url, async |connection| {
        sqlx::query_scalar(query).fetch_one(connection).await
    })
}

/// Runs a closure with a connection on a separate thread, so that tests can call it inside and outside a
/// runtime.
fn connected<T: Send>(
    url: &str,
    action: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error> + Send,
) -> Result<T, sqlx::Error> {
    let run = || {
        runtime().block_on(async {
            let mut connection = PgConnection::connect(url).await?;
            let result = action(&mut connection).await?;
            connection.close().await?;
            Ok(result)
        })
    };
    std::thread::scope(|scope| {
        scope
            .spawn(run)
            .join()
            .expect("a database client that does not panic")
    })
}

fn installed_programs() -> PathBuf {
    programs().unwrap_or_else(|| {
        panic!(
            "cannot find PostgreSQL's programs: run `cargo xtask setup` to install them, or set \
             {SERVER_VARIABLE} to the URL of a server"
        )
    })
}

/// The folder of `initdb` and `postgres`: from PATH, or the newest version that a Linux distribution installed.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).find(|folder| complete(folder));
    let version = |folder: &PathBuf| {
        folder
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut installed: Vec<PathBuf> = installed.filter(|folder| complete(&folder.join("bin"))).collect();
    installed.sort_by_key(version);
    in_path.or_else(|| installed.pop().map(|folder| folder.join("bin")))
}

/// The user and group id for the server when the tests run as root.
pub(crate) fn server_user() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").expect("Linux").uid() == 0;
    let users = root.then(|| fs::read_to_string("/etc/passwd").expect("a list of users"))?;
    let ids = |name: &&str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        SERVER_USERS
            .iter()
            .find_map(ids)
            .expect("root runs PostgreSQL as postgres or nobody, and neither exists"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_survives_a_crash() {
        let mut server = EphemeralPostgres::start();
        let database = TestDatabase::create_on(&server.url());
        database.execute("CREATE TABLE t (n int8 PRIMARY KEY); INSERT INTO t VALUES (1)");
        server.crash();
        assert!(database.try_execute("SELECT 1").is_err());
        server.restart();
        assert!(
            database.try_execute("INSERT INTO t VALUES (1)").is_err(),
            "the row is there"
        );
        database.execute("INSERT INTO t VALUES (2)");
        server.crash();
        drop(server);
    }

    #[test]
    fn a_server_starts_serves_databases_and_leaves_nothing() {
        let server = EphemeralPostgres::start();
        let database = TestDatabase::create_on(&server.url());
        database.execute("CREATE TABLE t (n int8); INSERT INTO t VALUES (1)");
        let (url, folder) = (server.url(), server.folder.clone());
        drop(database);
        drop(server);
        assert!(!folder.exists(), "{}", folder.display());
        assert!(execute(&url, "SELECT 1").is_err());
    }
}
