//! The issuer that is measured: a process of its own, so that its CPU time and memory are its own. Killed when dropped,
//! unless it was stopped.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use opencoin_issuer::Directory;
use rustix::process::{Pid, Signal, kill_process};

use super::currency::PASSPHRASE;

/// What the issuer says, before its address, when it can be reached.
const ADDRESS_PREFIX: &str = "http://";

/// A running issuer.
pub(super) struct IssuerProcess {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl IssuerProcess {
    /// Starts `opencoin issuer serve` as an operator would, with these further options and its log in `folder`, and waits until
    /// it serves.
    pub(super) fn start(directory: &Directory, folder: &Path, options: &[&str]) -> Result<Self> {
        let log = folder.join("issuer.log");
        let mut child = Command::new(env::current_exe().context("cannot find this program")?)
            .args(["issuer", "serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(directory.root())
            .args(options)
            .env("OPENCOIN_PASSPHRASE", PASSPHRASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log).context("cannot make the issuer's log")?)
            .spawn()
            .context("cannot start the issuer")?;
        let mut line = String::new();
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut started = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log };
        BufReader::new(stdout).read_line(&mut line).context("cannot read what the issuer says")?;
        let Some((_, address)) = line.trim().split_once(ADDRESS_PREFIX) else {
            bail!("the issuer did not start: {}", fs::read_to_string(&started.log).unwrap_or_default());
        };
        started.address = address.parse().context("the issuer says where it serves")?;
        Ok(started)
    }

    /// Where it serves.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator would, and demands that it ends well.
    pub(super) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot stop the issuer")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the issuer ended with {status}");
        Ok(())
    }
}

impl Drop for IssuerProcess {
    fn drop(&mut self) {
        // Does nothing when it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
