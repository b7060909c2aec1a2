//! `cargo xtask openapi`: writes the description of the HTTP API to the files that the server serves.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::test::cargo;

/// The description for operators, and the one for everybody else.
const FILES: [&str; 2] = ["docs/openapi.json", "docs/openapi-public.json"];

pub(crate) async fn run(workspace: &Path) -> Result<()> {
    let generate = "run --quiet --locked --package opencoin-http --features openapi --example openapi --";
    let arguments: Vec<&str> = generate.split(' ').chain(FILES).collect();
    let status = cargo(workspace, &arguments)
        .status()
        .await
        .context("cannot start cargo")?;
    ensure!(status.success(), "the description was not generated");
    println!("{} are written", FILES.join(" and "));
    Ok(())
}
