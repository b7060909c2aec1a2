//! Installs what the tests need on Debian, Ubuntu and similar systems: PostgreSQL, SoftHSM for hardware tokens, the
//! servers for which `deploy/` has settings, Go and its packages for transparency logs, a browser.
//!
//! Debian starts a server when its package is installed. The tests start their own servers, so a program
//! `policy-rc.d` forbids it meanwhile, unless the system has one already.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Error, Result, ensure};
use opencoin_testkit::{browser, log_peers, postgres, softhsm};
use rustix::process::geteuid;
use tokio::process::Command;

use crate::interrupts::Interrupted;
use crate::steps::Steps;

/// The attempts, in case a mirror fails or another program holds a lock.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);
/// How long apt waits for another program's lock.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=120";

/// The program that Debian asks whether a server may start. Exit code 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A package that the tests use.
#[derive(Debug)]
pub(crate) struct Package {
    name: &'static str,
    apt_name: &'static str,
    is_there: fn() -> bool,
    /// Instructions for systems without apt.
    by_hand: &'static str,
}

const fn package(
    name: &'static str,
    apt_name: &'static str,
    is_there: fn() -> bool,
    by_hand: &'static str,
) -> Package {
    Package {
        name,
        apt_name,
        is_there,
        by_hand,
    }
}

pub(crate) const POSTGRES: Package = package(
    "PostgreSQL",
    "postgresql",
    || postgres::programs().is_some(),
    "install PostgreSQL so that initdb and postgres are in PATH, or set OPENCOIN_TEST_POSTGRES to the URL of a server \
     (postgres://USER@HOST/postgres, as a user who may create databases)",
);

/// Looks at pages.
pub(crate) const CHROMIUM: Package = package(
    "Chromium",
    "chromium",
    browser::has_programs,
    "install Chromium so that chromium is in PATH",
);
pub(crate) const CHROMIUM_DRIVER: Package = package(
    "Chromium's driver",
    "chromium-driver",
    browser::has_programs,
    "install the driver of the same version of Chromium so that chromedriver is in PATH",
);

/// The system's Python. Another one in PATH may lack the modules of Debian's packages.
pub(crate) const PYTHON_PATH: &str = "/usr/bin/python3";

/// The packages besides PostgreSQL, which the caller may have elsewhere.
pub(crate) const OTHERS: [Package; 11] = [
    package(
        "SoftHSM",
        "softhsm2",
        || softhsm::module().is_some(),
        "install SoftHSM 2 so that softhsm2-util is in PATH, and set OPENCOIN_TEST_SOFTHSM to the path of libsofthsm2.so \
         if it is in an unusual place",
    ),
    package("OpenSSL", "openssl", || is_in_path("openssl"), "install OpenSSL"),
    package(
        "nginx",
        "nginx",
        || is_in_path("nginx") || Path::new("/usr/sbin/nginx").is_file(),
        "install nginx",
    ),
    package("Caddy", "caddy", || is_in_path("caddy"), "install Caddy 2"),
    package(
        "Prometheus",
        "prometheus",
        || is_in_path("prometheus") && is_in_path("promtool"),
        "install Prometheus so that prometheus and promtool are in PATH",
    ),
    // Checks units without running them.
    package(
        "systemd-analyze",
        "systemd",
        || is_in_path("systemd-analyze"),
        "install systemd",
    ),
    package("man", "man-db", || is_in_path("man"), "install man"),
    // Builds the verifier of `log_peers`.
    package("Go", "golang-go", || is_in_path("go"), "install Go"),
    package(
        "Go's package golang.org/x/mod",
        "golang-golang-x-mod-dev",
        || {
            Path::new(log_peers::GO_PATH)
                .join("src/golang.org/x/mod/sumdb/tlog")
                .is_dir()
        },
        "install the source of golang.org/x/mod below /usr/share/gocode/src",
    ),
    // Signs for one of the witnesses of `log_peers`.
    package(
        "OpenSSH's agent",
        "openssh-client",
        || ["ssh-agent", "ssh-add", "ssh-keygen"].iter().all(is_in_path),
        "install OpenSSH so that ssh-agent, ssh-add and ssh-keygen are in PATH",
    ),
    // Creates the environments of `python`.
    package(
        "Python with venv",
        "python3-venv",
        || Path::new(PYTHON_PATH).is_file() && has_venv(),
        "install Python 3 with venv and pip as /usr/bin/python3",
    ),
];

/// Installs missing packages.
pub(crate) async fn ensure(steps: &mut Steps, packages: &[&Package]) -> Result<()> {
    let missing: Vec<_> = packages
        .iter()
        .copied()
        .filter(|package| !(package.is_there)())
        .collect();
    let names = join(&missing, " and ", |package| package.name.to_owned());
    let by_hand = join(&missing, "; ", |package| package.by_hand.to_owned());
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(
        is_in_path("apt-get"),
        "{names}: not found, and there is no apt-get to install it with: {by_hand}"
    );
    let may_install = geteuid().is_root() || is_in_path("sudo");
    ensure!(
        may_install,
        "{names}: not found, and installing it takes root or sudo: {by_hand}"
    );
    let or_by_hand = |error: Error| {
        if error.is::<Interrupted>() {
            error
        } else {
            error.context(by_hand.clone())
        }
    };
    update(steps).await.map_err(or_by_hand)?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing.iter().map(|package| package.apt_name));
    let policy = NoStarts::begin(steps).await?;
    let heading = format!("installation of {names}");
    let installed = persist(steps, &heading, || apt_get(&arguments)).await;
    policy.end(steps).await?;
    installed.map_err(or_by_hand)?;
    for package in missing {
        ensure!(
            (package.is_there)(),
            "apt-get installed {}, but its programs are not found: {}",
            package.name,
            package.by_hand
        );
    }
    Ok(())
}

/// Prevents the installation of a package from starting a server.
struct NoStarts {
    /// Whether to remove the program at the end, because there was none before.
    is_ours: bool,
}

impl NoStarts {
    async fn begin(steps: &mut Steps) -> Result<Self> {
        let is_ours = !Path::new(POLICY).exists();
        if is_ours {
            let script = format!("printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}");
            steps
                .run("no server starts by itself", as_root("sh").args(["-c", &script]))
                .await?;
        }
        Ok(Self { is_ours })
    }

    async fn end(self, steps: &mut Steps) -> Result<()> {
        if self.is_ours {
            steps
                .run("servers may start again", as_root("rm").args(["-f", POLICY]))
                .await?;
        }
        Ok(())
    }
}

/// Whether Python's module `ensurepip` is installed, which `venv` needs and which is in a package of its own.
fn has_venv() -> bool {
    let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    libraries
        .map(|entry| entry.path().join("ensurepip/__init__.py"))
        .any(|installer| installer.is_file())
}

fn join(packages: &[&Package], between: &str, text: impl Fn(&Package) -> String) -> String {
    packages
        .iter()
        .map(|package| text(package))
        .collect::<Vec<_>>()
        .join(between)
}

/// Reads the lists of the packages that the system's mirrors have.
pub(crate) async fn update(steps: &mut Steps) -> Result<()> {
    persist(steps, "package lists", || apt_get(&["update"])).await
}

/// Runs a command, and runs it again when it fails, because a mirror may fail or another program hold a lock.
pub(crate) async fn persist(steps: &mut Steps, heading: &str, command: impl Fn() -> Command) -> Result<()> {
    let mut attempt = 1;
    loop {
        match steps.run(heading, &mut command()).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Interrupted>() || attempt == TRIES => return Err(error),
            Err(error) => println!("{error:#}; trying again in {} s", PAUSE.as_secs()),
        }
        steps.pause(PAUSE).await?;
        attempt += 1;
    }
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = as_root("env");
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", LOCK_TIMEOUT])
        .args(arguments);
    command
}

/// Runs the program as root. sudo drops environment variables, and must not wait for a password.
pub(crate) fn as_root(program: &str) -> Command {
    if geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

pub(crate) fn is_in_path(program: impl AsRef<OsStr>) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program.as_ref()).is_file())
}
