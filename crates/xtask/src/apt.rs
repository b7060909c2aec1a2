//! Installing PostgreSQL on Debian, Ubuntu and their like.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use opencoin_testkit::postgres;
use rustix::process::geteuid;
use tokio::process::Command;

use crate::interrupts::Interrupted;
use crate::steps::Steps;

/// A mirror in trouble, or a lock that another program holds, gets a second and a third chance.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);
/// How long apt itself waits for another program's lock.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=120";

/// Finds the programs of PostgreSQL, or installs them.
pub(crate) async fn ensure_postgres(steps: &mut Steps) -> Result<PathBuf> {
    if let Some(programs) = postgres::programs() {
        return Ok(programs);
    }
    ensure!(is_in_path("apt-get"), "PostgreSQL was not found, and there is no apt-get to install it with: {}", by_hand());
    ensure!(
        geteuid().is_root() || is_in_path("sudo"),
        "PostgreSQL was not found, and installing it takes root or sudo: {}",
        by_hand()
    );
    run(steps, "package lists", &["update"]).await?;
    run(steps, "installation of PostgreSQL", &["install", "-y", "--no-install-recommends", "postgresql"]).await?;
    postgres::programs().with_context(|| format!("apt-get installed PostgreSQL, but its programs are not found: {}", by_hand()))
}

async fn run(steps: &mut Steps, heading: &str, arguments: &[&str]) -> Result<()> {
    let mut attempt = 1;
    loop {
        match steps.run(heading, &mut apt_get(arguments)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) if attempt == TRIES => return Err(error.context(by_hand())),
            Err(error) => println!("{error:#}; trying again in {} s", PAUSE.as_secs()),
        }
        steps.pause(PAUSE).await?;
        attempt += 1;
    }
}

fn apt_get(arguments: &[&str]) -> Command {
    // sudo keeps no variables of ours, and must not wait for a password that nobody types.
    let mut command = if geteuid().is_root() { Command::new("env") } else { Command::new("sudo") };
    if !geteuid().is_root() {
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", LOCK_TIMEOUT]).args(arguments);
    command
}

fn is_in_path(program: impl AsRef<OsStr>) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}

fn by_hand() -> String {
    let variable = postgres::SERVER_VARIABLE;
    format!(
        "install PostgreSQL so that initdb and postgres are in PATH, or set {variable} to the URL of a server \
         (postgres://USER@HOST/postgres, as a user who may create databases)"
    )
}
