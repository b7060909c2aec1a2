//! Installs the browser that tests of pages use: Chromium with its driver by apt, axe from PyPI, where it is in a package
//! for another driver.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use opencoin_testkit::browser;

use crate::optional::{Retry, attempt};
use crate::steps::Steps;
use crate::{apt, python};

const NAME: &str = "Chromium with axe";

/// Installs what is missing, and returns the name if it cannot be installed.
pub(crate) async fn ensure(
    steps: &mut Steps,
    workspace: &Path,
    retry: Retry,
) -> Result<Option<&'static str>> {
    let failed = browser::failure_file();
    let folder = failed.parent().context("the file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let is_there = attempt(NAME, &failed, retry, async || {
        let installed = apt::ensure(steps, &[&apt::CHROMIUM, &apt::CHROMIUM_DRIVER]).await;
        installed.context("chromium and chromium-driver are not installed, and apt cannot install them")?;
        let installed = python::ensure(steps, workspace, &python::AXE).await;
        installed.context("PyPI does not have the packages of tests/browser/axe.txt")
    });
    Ok(if is_there.await? { None } else { Some(NAME) })
}
