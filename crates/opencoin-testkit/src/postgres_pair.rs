//! A PostgreSQL primary and its synchronous standby, for failover tests: kill the primary, promote the standby,
//! and add a new standby.
//!
//! As with [`EphemeralPostgres`](crate::postgres::EphemeralPostgres), each server listens on a Unix socket only,
//! and a watcher stops it when the test program exits or is killed. Replication is synchronous, so commits wait
//! while no standby is connected.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::postgres::{execute, programs, query, server_user};
use crate::wait::wait_until;

const STANDBY_IS_SYNCHRONOUS: &str =
    "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'";

/// Starts a server on an existing data folder, prints `ready`, and waits for the order `kill` or the end of
/// standard input, which comes when the test program ends. Arguments: the data folder, the folder of
/// PostgreSQL's programs.
///
/// `kill` acts like a power cut: it ends the server and its children at once.
const WATCHER: &str = r#"
data=$1 socket=$1.socket log=$1.log programs=$2
trap '' INT TERM HUP PIPE
mkdir "$socket"
"$programs/postgres" -D "$data" -c listen_addresses= -c "unix_socket_directories=$socket" -c max_connections=100 \
    -c "synchronous_standby_names=*" >>"$log" 2>&1 </dev/null &
server=$!
tries=0
until "$programs/pg_isready" -q -h "$socket" -U postgres; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$log" >&2; kill -QUIT "$server" 2>/dev/null; wait "$server"; echo failed; exit 1
    fi
    sleep 0.1
done
echo ready
read -r order
if [ "$order" = kill ]; then
    children=$(cat "/proc/$server/task/$server/children")
    { kill -KILL "$server" $children; wait "$server"; } 2>/dev/null # some children may have ended already
else
    kill -QUIT "$server"
    wait "$server"
fi
rm -rf "$data" "$socket" "$log"
rmdir "$(dirname "$data")" 2>/dev/null
echo ended
"#;

/// A primary and its synchronous standby. Dropping it stops both and removes their folder.
pub struct PostgresPair {
    primary: Server,
    standby: Option<Server>,
    folder: PathBuf,
    servers_made: u32,
    /// The standby's connection string to the primary, saved while it is detached.
    detached_from: String,
}

impl PostgresPair {
    /// Starts both and waits until commits wait for the standby.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or a server does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("opencoin-pg-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        if let Some((user, group)) = server_user() {
            chown(&folder, Some(user), Some(group)).expect("root gives its folder away");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).expect("our own folder");
        let data = folder.join("0");
        let data_text = data.to_str().expect("a temporary folder has a plain name");
        run(
            "initdb",
            &format!("-D {data_text} -U postgres -A trust -E UTF8 --no-locale --no-sync"),
        );
        let mut pair = Self {
            primary: Server::start(&data),
            standby: None,
            folder,
            servers_made: 1,
            detached_from: String::new(),
        };
        pair.add_standby();
        pair
    }

    /// The URL of a database on the primary.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.primary.url(database)
    }

    /// The URL of the same database on the standby, which is read-only.
    ///
    /// # Panics
    /// There is no standby.
    #[must_use]
    pub fn standby_url(&self, database: &str) -> String {
        self.standby.as_ref().expect("a standby to read").url(database)
    }

    /// Creates an empty database.
    ///
    /// # Panics
    /// The primary refuses.
    pub fn create_database(&self, name: &str) {
        execute(&self.url("postgres"), &format!("CREATE DATABASE {name}"))
            .expect("the primary makes a database");
    }

    /// Kills the primary, as a power cut does.
    ///
    /// # Panics
    /// The primary was killed before, and no standby has been promoted since.
    pub fn kill_primary(&mut self) {
        self.primary.kill();
    }

    /// Promotes the standby. Commits then wait until [`Self::add_standby`] is called.
    ///
    /// # Panics
    /// There is no standby, or the promotion fails.
    pub fn promote_standby(&mut self) {
        self.primary = self.standby.take().expect("a standby to promote");
        let promoted = query::<bool>(&self.url("postgres"), "SELECT pg_promote(true, 60)");
        assert_eq!(promoted.ok(), Some(true), "the standby does not take over");
    }

    /// Stops replication: commits wait from now on, and the standby keeps its data.
    ///
    /// # Panics
    /// There is no standby, or it does not disconnect.
    pub fn detach_standby(&mut self) {
        let standby = self.standby_url("postgres");
        self.detached_from =
            query(&standby, "SHOW primary_conninfo").expect("the standby has a connection string");
        self.follow("");
        self.await_primary("SELECT count(*) = 0 FROM pg_stat_replication");
    }

    /// Resumes replication after [`Self::detach_standby`] and waits until it is synchronous.
    ///
    /// # Panics
    /// There is no standby, or it does not catch up.
    pub fn attach_standby(&self) {
        self.follow(&self.detached_from);
        self.await_primary(STANDBY_IS_SYNCHRONOUS);
    }

    fn follow(&self, connection: &str) {
        let setting = format!(
            "ALTER SYSTEM SET primary_conninfo = '{}'",
            connection.replace('\'', "''")
        );
        let standby = self.standby_url("postgres");
        // One at a time: ALTER SYSTEM cannot run inside a transaction.
        for sql in [&setting[..], "SELECT pg_reload_conf()"] {
            execute(&standby, sql).expect("the standby takes a setting");
        }
    }

    /// Kills a process of the primary, which then restarts: all connections are lost, and commits that were
    /// waiting for the standby become visible.
    ///
    /// # Panics
    /// The primary does not restart.
    pub fn crash_primary(&self) {
        let started = "SELECT extract(epoch FROM pg_postmaster_start_time())::text || pid
            FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        let url = self.url("postgres");
        let before: String = query(&url, started).expect("a primary to crash");
        let pid: i32 = query(
            &url,
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
        )
        .expect("a primary to crash");
        let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        assert!(killed.expect("kill").success(), "the process was there");
        wait_until("the primary restarts", || {
            query::<String>(&url, started).is_ok_and(|now| now != before)
        });
    }

    /// Waits until at least this many commits wait for the standby.
    ///
    /// # Panics
    /// This takes too long.
    pub fn await_waiting_commits(&self, commits: u32) {
        self.await_primary(&format!(
            "SELECT count(*) >= {commits} FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        ));
    }

    /// Waits until at least this many statements wait for locks.
    ///
    /// # Panics
    /// This takes too long.
    pub fn await_waiting_locks(&self, statements: u32) {
        self.await_primary(&format!(
            "SELECT count(*) >= {statements} FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ));
    }

    fn await_primary(&self, condition: &str) {
        let url = self.url("postgres");
        wait_until(condition, || query(&url, condition).ok() == Some(true));
    }

    /// Creates a new standby from the primary and waits until replication is synchronous.
    ///
    /// # Panics
    /// There is already a standby, or the new one does not catch up.
    pub fn add_standby(&mut self) {
        assert!(self.standby.is_none(), "one standby at a time");
        let data = self.folder.join(self.servers_made.to_string());
        self.servers_made += 1;
        let [from, to] =
            [&self.primary.socket(), &data].map(|path| path.to_str().expect("a plain name").to_owned());
        run(
            "pg_basebackup",
            &format!("-h {from} -U postgres -D {to} -R -X stream -c fast --no-sync"),
        );
        self.standby = Some(Server::start(&data));
        self.await_primary(STANDBY_IS_SYNCHRONOUS);
    }
}

/// A server and its watcher. Dropping it stops the server and removes its folder.
struct Server {
    watcher: Child,
    answers: BufReader<ChildStdout>,
    data: PathBuf,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHER, "opencoin-postgres-watcher"])
            .arg(data)
            .arg(program_folder());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0); // so that Ctrl-C reaches the tests only
        let mut watcher = as_server_user(&mut command).spawn().expect("a shell");
        let answers = BufReader::new(watcher.stdout.take().expect("standard output is piped"));
        let mut server = Self {
            watcher,
            answers,
            data: data.to_owned(),
        };
        server.expect("ready");
        server
    }

    fn kill(&mut self) {
        let watcher = self.watcher.stdin.as_mut().expect("standard input is piped");
        writeln!(watcher, "kill").expect("the watcher takes orders");
        self.expect("ended");
    }

    fn expect(&mut self, state: &str) {
        let mut said = String::new();
        self.answers
            .read_line(&mut said)
            .expect("the watcher reports the outcome");
        assert_eq!(said.trim(), state, "PostgreSQL is not {state}; its log is above");
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.socket().display()
        )
    }

    fn socket(&self) -> PathBuf {
        self.data.with_extension("socket")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        // An error here leaves nothing to clean up.
        let _ = self.watcher.wait();
    }
}

fn program_folder() -> PathBuf {
    programs().expect("cannot find PostgreSQL's programs: run `cargo xtask setup` to install them")
}

/// Runs a program of PostgreSQL. No argument contains a space.
fn run(program: &str, arguments: &str) {
    let mut command = Command::new(program_folder().join(program));
    let output = as_server_user(command.args(arguments.split(' ')))
        .stdin(Stdio::null())
        .output()
        .expect("a program of PostgreSQL");
    assert!(
        output.status.success(),
        "{program} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn as_server_user(command: &mut Command) -> &mut Command {
    command.current_dir("/");
    match server_user() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_confirmed_survives_the_primary_and_nothing_is_left_behind() {
        let mut pair = PostgresPair::start();
        pair.create_database("kept");
        for round in 0..2 {
            let sql = format!("CREATE TABLE t{round} (n int8); INSERT INTO t{round} VALUES (1)");
            execute(&pair.url("kept"), &sql).unwrap();
            let old = pair.url("kept");
            pair.kill_primary();
            assert!(execute(&old, "SELECT 1").is_err());
            pair.promote_standby();
            assert!(query::<bool>(&pair.url("kept"), &format!("SELECT count(*) = 1 FROM t{round}")).unwrap());
            pair.add_standby();
        }
        let folder = pair.folder.clone();
        drop(pair);
        assert!(!folder.exists(), "{}", folder.display());
    }
}
