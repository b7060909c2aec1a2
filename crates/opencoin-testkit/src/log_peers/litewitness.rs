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

/// A running witness for one log. Dropping it ends its processes and removes its folder.
#[derive(Debug)]
pub struct LiteWitness {
    url: String,
    vkey: String,
    server: Server,
    // Dropped in this order: the folder last.
    _agent: Server,
    _folder: TempDir,
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
        let mut server = Server::start(&mut command, folder.path(), "litewitness");
        let vkey = server.wait_for("the key", |server| {
            let log = server.log();
            let (_, rest) = log.split_once(VKEY_MARK)?;
            let (vkey, _) = rest.split_once(|end: char| end.is_ascii_whitespace())?;
            Some(vkey.trim_matches('"').to_owned())
        });
        // Another server on the port would not show this key.
        server.wait_for("the page", |_| get_root(port).filter(|page| page.contains(&vkey)));
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            vkey,
            server,
            _agent: agent,
            _folder: folder,
        })
    }

    /// The submission prefix: `POST URL/add-checkpoint`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key with which it cosigns.
    #[must_use]
    pub fn vkey(&self) -> &str {
        &self.vkey
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }
}
