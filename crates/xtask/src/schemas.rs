//! Python programs with which tests validate against schemas: the files of `deploy/` against those of Kubernetes and
//! Docker Compose, a running server against its OpenAPI description (schemathesis). They are installed into
//! `target/schemas` once, in exact versions, and need no network later.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;

/// The list of packages. A copy in the folder, with the path of the folder, marks a complete installation. The installed
/// scripts contain that path, so they do not run after the folder was moved.
const REQUIREMENTS: &str = "tests/src/deploy/schemas.txt";
const FOLDER: &str = "target/schemas";

/// Installs them if they are missing.
pub(crate) async fn ensure(steps: &mut Steps, workspace: &Path) -> Result<()> {
    let (requirements, folder) = (workspace.join(REQUIREMENTS), workspace.join(FOLDER));
    let packages = fs::read_to_string(&requirements).with_context(|| requirements.display().to_string())?;
    let wanted = format!("{}\n{packages}", folder.display());
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut environment = Command::new(apt::PYTHON_PATH);
    environment.args(["-m", "venv", "--clear"]).arg(&folder);
    steps.run("schemas", &mut environment).await?;
    let mut install = Command::new(folder.join("bin/python3"));
    // The list is complete. docker-compose depends on older packages, which its schema does not need.
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--requirement",
    ]);
    steps.run("schemas", install.arg(&requirements)).await?;
    fs::write(&installed, wanted).with_context(|| installed.display().to_string())
}
