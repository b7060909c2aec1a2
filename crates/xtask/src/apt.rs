//! Installing what the tests need on Debian, Ubuntu and their like: PostgreSQL, and SoftHSM for the hardware tokens.

use std::env;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Result, ensure};
use opencoin_testkit::{postgres, softhsm};
use rustix::process::geteuid;
use tokio::process::Command;

use crate::interrupts::Interrupted;
use crate::steps::Steps;

/// A mirror in trouble, or a lock that another program holds, gets a second and a third chance.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);
/// How long apt itself waits for another program's lock.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=120";

/// A program that the tests use.
#[derive(Debug)]
pub(crate) struct Package {
    name: &'static str,
    apt_name: &'static str,
    is_there: fn() -> bool,
    /// What to do where apt cannot.
    by_hand: fn() -> String,
}

pub(crate) const POSTGRES: Package = Package {
    name: "PostgreSQL",
    apt_name: "postgresql",
    is_there: || postgres::programs().is_some(),
    by_hand: || {
        format!(
            "install PostgreSQL so that initdb and postgres are in PATH, or set {} to the URL of a server \
             (postgres://USER@HOST/postgres, as a user who may create databases)",
            postgres::SERVER_VARIABLE
        )
    },
};

pub(crate) const SOFTHSM: Package = Package {
    name: "SoftHSM",
    apt_name: "softhsm2",
    is_there: || softhsm::module().is_some(),
    by_hand: || {
        format!(
            "install SoftHSM 2 so that softhsm2-util is in PATH, and set {} to the path of libsofthsm2.so if it is in an unusual place",
            softhsm::MODULE_VARIABLE
        )
    },
};

/// Opens and makes files that this project makes and reads, so that the tests see that others can.
pub(crate) const OPENSSL: Package = Package {
    name: "OpenSSL",
    apt_name: "openssl",
    is_there: || is_in_path("openssl"),
    by_hand: || "install OpenSSL so that openssl is in PATH".to_owned(),
};

/// Installs those that are missing.
pub(crate) async fn ensure(steps: &mut Steps, packages: &[Package]) -> Result<()> {
    let missing: Vec<_> = packages.iter().filter(|package| !(package.is_there)()).collect();
    let names = join(&missing, " and ", |package| package.name.to_owned());
    let by_hand = join(&missing, "; ", |package| (package.by_hand)());
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(is_in_path("apt-get"), "{names}: not found, and there is no apt-get to install it with: {by_hand}");
    let may_install = geteuid().is_root() || is_in_path("sudo");
    ensure!(may_install, "{names}: not found, and installing it takes root or sudo: {by_hand}");
    run(steps, "package lists", &["update"], &by_hand).await?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing.iter().map(|package| package.apt_name));
    run(steps, &format!("installation of {names}"), &arguments, &by_hand).await?;
    for package in missing {
        ensure!(
            (package.is_there)(),
            "apt-get installed {}, but its programs are not found: {}",
            package.name,
            (package.by_hand)()
        );
    }
    Ok(())
}

fn join(packages: &[&Package], between: &str, text: impl Fn(&Package) -> String) -> String {
    packages.iter().map(|package| text(package)).collect::<Vec<_>>().join(between)
}

async fn run(steps: &mut Steps, heading: &str, arguments: &[&str], by_hand: &str) -> Result<()> {
    let mut attempt = 1;
    loop {
        match steps.run(heading, &mut apt_get(arguments)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) if attempt == TRIES => return Err(error.context(by_hand.to_owned())),
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
