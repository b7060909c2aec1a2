//! The processes that are measured, each of its own, so that its CPU time and memory are its own. Killed when
//! dropped, unless stopped.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::currency::Currency;

/// What an issuer says, before its address, when it can be reached.
const ISSUER_READY: &str = " on http://";
/// The same of a signer.
const SIGNER_READY: &str = " at ";
/// Would be read before the variables that hold the secrets themselves.
const SECRET_FILE_VARIABLES: [&str; 2] = ["OPENCOIN_PASSPHRASE_FILE", "OPENCOIN_PIN_FILE"];

/// A running issuer.
pub(super) struct IssuerProcess {
    process: ChildProcess,
    address: SocketAddr,
}

/// A running signer.
pub(super) struct SignerProcess {
    process: ChildProcess,
}

struct ChildProcess {
    /// What people call it.
    name: &'static str,
    child: Child,
}

impl IssuerProcess {
    /// Starts `opencoin issuer serve` as an operator would, with these further options and its log in
    /// `folder`, and waits until it serves.
    pub(super) fn start(currency: &Currency, folder: &Path, options: &[&str]) -> Result<Self> {
        let arguments = [&["issuer", "serve", "--listen", "127.0.0.1:0"], options].concat();
        let (process, address) = ChildProcess::start("issuer", currency, folder, &arguments, ISSUER_READY)?;
        Ok(Self {
            process,
            address: address.parse().context("the issuer says where it serves")?,
        })
    }

    /// Where it serves.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Stops it as an operator would, and demands that it ends well.
    pub(super) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

impl SignerProcess {
    /// Starts `opencoin signer` as an operator would, with its log in `folder`, and waits until it listens.
    /// It has new counts, because the books hold blinds that it will never be asked for.
    pub(super) fn start(currency: &Currency, folder: &Path) -> Result<Self> {
        let (process, _) = ChildProcess::start(
            "signer",
            currency,
            folder,
            &["signer", "--new-counts"],
            SIGNER_READY,
        )?;
        Ok(Self { process })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Stops it as an operator would, and demands that it ends well.
    pub(super) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

impl ChildProcess {
    /// Starts this program and waits for its first line; also gives what stands there behind `ready`.
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
            .with_context(|| format!("cannot make the {name}'s log"))?;
        let (variable, secret) = currency.engine().secret();
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        command
            .args(arguments)
            .arg("--dir")
            .arg(currency.directory().root());
        SECRET_FILE_VARIABLES
            .iter()
            .for_each(|variable| _ = command.env_remove(variable));
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
            .with_context(|| format!("cannot read what the {name} says"))?;
        let Some((_, address)) = line.trim().split_once(ready) else {
            bail!(
                "the {name} did not start: {}",
                fs::read_to_string(&log).unwrap_or_default()
            );
        };
        Ok((started, address.to_owned()))
    }

    fn stop(mut self) -> Result<()> {
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
        // Does nothing when it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
