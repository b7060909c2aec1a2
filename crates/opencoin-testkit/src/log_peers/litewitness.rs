//! litewitness, the witness of the authors of the formats.
//!
//! It keeps what it has cosigned in SQLite, and its key in an ssh-agent, which this module starts. It has no monitoring
//! endpoint.

use std::os::unix::net::UnixStream;
use std::process::Command;

use tempfile::TempDir;

use super::server::{Server, get_root, run};
use super::{LITEWITNESS, Missing};
use crate::ports::free_port;

const NAME: &str = "witness.example/litewitness";
/// What precedes the witness's key in its log.
const VKEY_MARK: &str = "vkey=";

/// A witness for one log. Dropping it ends its processes and removes its folder.
#[derive(Debug)]
pub struct LiteWitness {
    port: u16,
    url: String,
    vkey: String,
    command: Command,
    /// `None` while it is down.
    server: Option<Server>,
    // Dropped in this order: the folder last.
    _agent: Server,
    folder: TempDir,
}

impl LiteWitness {
    /// Starts a witness that accepts checkpoints of this origin, signed by this key.
    ///
    /// # Errors
    /// It is not installed.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(origin: &str, log_vkey: &str) -> Result<Self, Missing> {
        let program = LITEWITNESS.find()?;
        // Short, because the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new()
            .prefix("oc-wit-")
            .tempdir()
            .expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);

        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(path("key")));
        let mut command = Command::new("ssh-agent");
        let mut agent = Server::start(
            command.arg("-D").arg("-a").arg(path("agent")),
            folder.path(),
            "ssh-agent",
        );
        // The file appears before the agent listens.
        agent.wait_for("the socket", |_| UnixStream::connect(path("agent")).ok());
        run(Command::new("ssh-add")
            .arg("-q")
            .arg(path("key"))
            .env("SSH_AUTH_SOCK", path("agent")));
        // The second word of the answer.
        let fingerprint = run(Command::new("ssh-keygen").arg("-lf").arg(path("key.pub")));
        let fingerprint = fingerprint.split(' ').nth(1).expect("a key has a fingerprint");

        let control = |arguments: &[&str]| {
            let mut command = Command::new(program.with_file_name("witnessctl"));
            command.arg(arguments[0]).arg("-db").arg(path("db"));
            run(command.args(["-origin", origin]).args(&arguments[1..]));
        };
        control(&["add-log"]);
        control(&["add-key", "-key", log_vkey]);

        let port = free_port();
        let mut command = Command::new(&program);
        command.arg("-db").arg(path("db")).args(["-name", NAME]);
        command
            .arg("-ssh-agent")
            .arg(path("agent"))
            .args(["-key", fingerprint]);
        command.arg("-listen").arg(format!("127.0.0.1:{port}"));
        let (server, vkey) = serve(&mut command, &folder, port);
        Ok(Self {
            port,
            url: format!("http://127.0.0.1:{port}"),
            vkey,
            command,
            server: Some(server),
            _agent: agent,
            folder,
        })
    }

    /// Ends the witness as a crash does. Its key stays in the ssh-agent.
    ///
    /// # Panics
    /// It is down already, or has ended by itself.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the witness runs");
        server.assert_runs();
    }

    /// Starts the witness again, with the same database and key, and waits until it answers.
    ///
    /// # Panics
    /// It runs, does not start, or has another key.
    pub fn revive(&mut self) {
        assert!(self.server.is_none(), "the witness runs");
        let (server, vkey) = serve(&mut self.command, &self.folder, self.port);
        assert_eq!(vkey, self.vkey, "the key of the witness");
        self.server = Some(server);
    }

    /// The submission prefix: `POST URL/add-checkpoint`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port of `127.0.0.1` on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The key with which it cosigns.
    #[must_use]
    pub fn vkey(&self) -> &str {
        &self.vkey
    }

    /// What it has logged since it was started last.
    ///
    /// # Panics
    /// It is down.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.as_ref().expect("the witness runs").log()
    }
}

/// Starts the server, waits until it answers, and returns it with its key.
fn serve(command: &mut Command, folder: &TempDir, port: u16) -> (Server, String) {
    let mut server = Server::start(command, folder.path(), "litewitness");
    let vkey = server.wait_for("the key", |server| {
        let log = server.log();
        let (_, rest) = log.split_once(VKEY_MARK)?;
        let (vkey, _) = rest.split_once(|end: char| end.is_ascii_whitespace())?;
        Some(vkey.trim_matches('"').to_owned())
    });
    // Another server on the port would not show this key.
    server.wait_for("the page", |_| get_root(port).filter(|page| page.contains(&vkey)));
    (server, vkey)
}
