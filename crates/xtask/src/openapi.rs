//! `cargo xtask openapi`: writes the description of the HTTP API, as the program prints it, to `docs/openapi.json`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::test::cargo;

const FILE: &str = "docs/openapi.json";

pub(crate) async fn run(workspace: &Path) -> Result<()> {
    let mut program = cargo(
        workspace,
        &[
            "run", "--quiet", "--bin", "opencoin", "--locked", "--", "issuer", "openapi",
        ],
    );
    let printed = program
        .stderr(std::process::Stdio::inherit())
        .output()
        .await
        .context("cannot start cargo")?;
    ensure!(
        printed.status.success(),
        "the program did not print its description"
    );
    let file = workspace.join(FILE);
    std::fs::write(&file, printed.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{} is written", file.display());
    Ok(())
}
