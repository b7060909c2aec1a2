//! The measured processes. They are separate, so that their CPU time and memory can be measured. Dropping one kills it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::currency::Currency;

/// The text before the address in the first line of an issuer.
const ISSUER_READY: &str = " on http://";
/// The text before the address in the first line of a signer.
const SIGNER_READY: &str = " at ";
/// These variables would take precedence over those that contain the secrets.
const SECRET_FILE_VARIABLES: [&str; 2] = ["OPENCOIN_PASSPHRASE_FILE", "OPENCOIN_PIN_FILE"];

/// A running issuer.
pub(super) struct IssuerProcess {
    pub(super) process: ChildProcess,
    pub(super) address: SocketAddr,
}

/// A running process of this program.
pub(super) struct ChildProcess {
    /// For error texts.
    name: &'static str,
    child: Child,
}

impl IssuerProcess {
    /// Starts `opencoin issuer serve` with these additional options and its log in `folder`. Waits until it serves.
    pub(super) fn start(currency: &Currency, folder: &Path, options: &[&str]) -> Result<Self> {
        let arguments = [&["issuer", "serve", "--listen", "127.0.0.1:0"], options].concat();
        let (process, address) = ChildProcess::start("issuer", currency, folder, &arguments, ISSUER_READY)?;
        Ok(Self {
            process,
            address: address
                .parse()
                .context("the issuer has not printed its address")?,
        })
    }
}

impl ChildProcess {
    /// Starts `opencoin signer` with its log in `folder`. Waits until it listens. It begins with new counts, because
    /// the books contain blinds that it will never sign.
    pub(super) fn start_signer(currency: &Currency, folder: &Path) -> Result<Self> {
        let arguments = ["signer", "--new-counts"];
        Self::start("signer", currency, folder, &arguments, SIGNER_READY).map(|(process, _)| process)
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Starts this program and waits for its first line. Also returns the text after `ready` in that line.
    fn start(
        name: &'static str,
        currency: &Currency,
        folder: &Path,
        arguments: &[&str],
        ready: &str,
    ) -> Result<(Self, String)> {
        let log = folder.join(format!("{name}.log"));
        let log_file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot create the log of the {name}"))?;
        let (variable, secret) = currency.engine.secret();
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        command
            .args(arguments)
            .arg("--dir")
            .arg(currency.directory.root());
        for variable in SECRET_FILE_VARIABLES {
            command.env_remove(variable);
        }
        command
            .env(variable, secret.text().as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        let mut started = Self { name, child };
        let stdout = started.child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .with_context(|| format!("cannot read the output of the {name}"))?;
        let Some((_, address)) = line.trim().split_once(ready) else {
            bail!(
                "the {name} did not start: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
        };
        Ok((started, address.to_owned()))
    }

    /// Stops the process with SIGTERM and checks its exit code.
    pub(super) fn stop(mut self) -> Result<()> {
        let name = self.name;
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("cannot stop the {name}"))?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the {name} ended with {status}");
        Ok(())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Does nothing after `stop`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
