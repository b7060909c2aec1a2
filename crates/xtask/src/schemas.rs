//! Programs of Python with which tests compare something with its schema: the files of `deploy/` with those
//! of Kubernetes and of compose files, a running server with its OpenAPI description (schemathesis). They go
//! into `target/schemas` once, in exact versions, and need no network after that.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;

/// What is installed; a copy of it in the folder says that it was, as a whole.
const REQUIREMENTS: &str = "tests/src/deploy/schemas.txt";
const FOLDER: &str = "target/schemas";

/// Installs them unless they are there.
pub(crate) async fn ensure(steps: &mut Steps, workspace: &Path) -> Result<()> {
    let (requirements, folder) = (workspace.join(REQUIREMENTS), workspace.join(FOLDER));
    let wanted = fs::read_to_string(&requirements).with_context(|| requirements.display().to_string())?;
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut environment = Command::new(apt::PYTHON_PATH);
    environment.args(["-m", "venv", "--clear"]).arg(&folder);
    steps.run("schemas", &mut environment).await?;
    let mut install = Command::new(folder.join("bin/python3"));
    // The list is complete. docker-compose wants older companions to run; its schema needs none.
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
