//! `cargo xtask screenshots`: takes the picture of the public page in the documentation again, and shows how long
//! browsers take to paint it.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::optional::Retry;
use crate::steps::Steps;
use crate::{browser, test};

/// The test that compares the picture with the page, and the variable with which it takes a new one.
const PICTURE_TEST: &str = "pages_picture::the_picture_in_the_readme_is_not_older_than_the_page";
const RENEW: (&str, &str) = ("OPENCOIN_TEST_RENEW_PICTURES", "1");

/// Runs the test that takes it.
pub(crate) async fn run(workspace: &Path) -> Result<()> {
    let mut steps = Steps::new()?;
    let missing = browser::ensure(&mut steps, workspace, Retry::Always).await?;
    ensure!(missing.is_none(), "there is no browser; the reason is above");
    let mut build = test::cargo(workspace, &["build", "--locked", "--package", "opencoin-cli"]);
    steps.run("build", &mut build).await?;
    let package = [
        "test",
        "--locked",
        "--package",
        "opencoin-e2e",
        "--test",
        "e2e",
        "--",
    ];
    let mut take = test::cargo(workspace, &package);
    take.args(["--exact", PICTURE_TEST, "--nocapture"])
        .env(RENEW.0, RENEW.1);
    steps.run("picture of the public page", &mut take).await
}
