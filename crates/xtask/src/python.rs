//! Python programs that tests use, from PyPI. Each environment is installed once into a folder of its own, in exact
//! versions, and needs no network later.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use opencoin_testkit::{browser, log_peers};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;

/// A folder with Python programs.
pub(crate) struct Environment {
    name: &'static str,
    /// The list of packages, complete with those that they depend on. A copy in the folder, with the path of the folder,
    /// marks a complete installation. The installed scripts contain that path, so they do not run after the folder was
    /// moved.
    requirements: &'static str,
    folder: &'static str,
    /// Further arguments of `pip install`.
    arguments: &'static [&'static str],
    /// Python that must run for the installation to be complete.
    check: &'static str,
}

/// What validates against schemas: the files of `deploy/` against those of Kubernetes and Docker Compose, a running
/// server against its OpenAPI description (schemathesis), files for and from banks against those of ISO 20022, which
/// camt053 and sepaxml contain.
pub(crate) const SCHEMAS: Environment = Environment {
    name: "schemas",
    requirements: "tests/src/deploy/schemas.txt",
    folder: "target/schemas",
    arguments: &[],
    check: "",
};

/// A witness and verifiers of transparency logs.
pub(crate) const LOG_PEERS: Environment = Environment {
    name: "witness and verifiers",
    requirements: "tests/interop/python.txt",
    folder: log_peers::PYTHON_FOLDER,
    // aics-witness asks for Python 3.12, but runs on 3.11 as well, which Debian 12 has.
    arguments: &["--ignore-requires-python"],
    check: "import aics_tlog, aics_witness.feeder, tlog_scales.cli",
};

/// What finds barriers in pages: a script for browsers.
pub(crate) const AXE: Environment = Environment {
    name: "axe",
    requirements: "tests/browser/axe.txt",
    folder: browser::AXE_FOLDER,
    arguments: &[],
    check: "",
};

/// Installs the environment if it is missing.
pub(crate) async fn ensure(steps: &mut Steps, workspace: &Path, environment: &Environment) -> Result<()> {
    let requirements = workspace.join(environment.requirements);
    let folder = workspace.join(environment.folder);
    let packages = fs::read_to_string(&requirements).with_context(|| requirements.display().to_string())?;
    let wanted = format!("{}\n{packages}", folder.display());
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut create = Command::new(apt::PYTHON_PATH);
    create.args(["-m", "venv", "--clear"]).arg(&folder);
    steps.run(environment.name, &mut create).await?;
    let python = || Command::new(folder.join("bin/python3"));
    let mut install = python();
    // The list is complete. docker-compose depends on older packages, which its schema does not need.
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]);
    install.args(environment.arguments).arg("--requirement");
    steps.run(environment.name, install.arg(&requirements)).await?;
    if !environment.check.is_empty() {
        let mut check = python();
        steps
            .run(environment.name, check.args(["-c", environment.check]))
            .await?;
    }
    fs::write(&installed, wanted).with_context(|| installed.display().to_string())
}
