//! aics-witness, a witness in Python. It has a monitoring endpoint and keeps evidence of logs that contradict themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::server::{Server, run};
use super::{Missing, PYTHON};

const NAME: &str = "witness.example/aics-witness";
/// What precedes the witness's URL in its log.
const URL_MARK: &str = "listening on ";

/// A running witness for one log. Dropping it ends its process and removes its folder.
#[derive(Debug)]
pub struct AicsWitness {
    url: String,
    vkey: String,
    program: PathBuf,
    // Dropped in this order: the folder last.
    server: Server,
    folder: TempDir,
}

impl AicsWitness {
    /// Starts a witness that accepts checkpoints of this origin, signed by this key.
    ///
    /// # Errors
    /// It is not installed.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(origin: &str, log_vkey: &str) -> Result<Self, Missing> {
        let program = PYTHON.find()?;
        let folder = tempfile::Builder::new()
            .prefix("opencoin-witness-")
            .tempdir()
            .expect("a temporary folder");
        let vkey = run(command(&program, folder.path(), "init").args(["--name", NAME]));
        run(command(&program, folder.path(), "add-log").args(["--origin", origin, "--vkey", log_vkey]));
        // It takes a free port and logs its URL once it listens.
        let mut serve = command(&program, folder.path(), "serve");
        serve.args(["--listen", "127.0.0.1:0"]);
        let mut server = Server::start(&mut serve, folder.path(), "aics-witness");
        let url = server.wait_for("the URL", |server| {
            let log = server.log();
            let (_, rest) = log.split_once(URL_MARK)?;
            rest.split_once(' ').map(|(url, _)| url.to_owned())
        });
        Ok(Self {
            url,
            vkey: vkey.trim().to_owned(),
            program,
            server,
            folder,
        })
    }

    /// The submission prefix: `POST URL/add-checkpoint`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The monitoring prefix: `GET URL/HASH/checkpoint`, with the hexadecimal SHA-256 of the origin.
    #[must_use]
    pub fn monitoring_url(&self) -> &str {
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

    /// The requests that the log has signed and that contradict what the witness has cosigned, as JSON.
    ///
    /// # Panics
    /// The program fails.
    #[must_use]
    pub fn evidence(&self) -> String {
        run(&mut command(&self.program, self.folder.path(), "evidence"))
    }
}

/// One of its commands, with the configuration in this folder.
fn command(program: &Path, folder: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(name)
        .arg("--config")
        .arg(folder.join("witness.json"))
        // Would take the place of the key in the folder.
        .env_remove("WITNESS_SEED_HEX");
    command
}
