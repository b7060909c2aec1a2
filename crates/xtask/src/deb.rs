//! `cargo xtask deb`: builds the Debian package in `target/debian`, and checks that it can be installed, used and
//! removed.
//!
//! The program itself writes its manual and the completions of shells. `crates/opencoin-cli/Cargo.toml` lists the
//! other files of the package.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;
use crate::test::cargo;

/// The version of cargo-deb, which is installed in `target/tools`.
const CARGO_DEB_VERSION: &str = "3.8.0";
/// The build profile of the program in the package; see `Cargo.toml`.
const PROFILE: &str = "dist";
const CHECK: &str = "deploy/debian/check.sh";
/// Shells and the names of their files with completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "opencoin"),
    ("zsh", "_opencoin"),
    ("fish", "opencoin.fish"),
];

/// What to do with the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Build it.
    Build,
    /// Build it, install it on this machine, serve a currency, remove it and purge it.
    Check,
}

pub(crate) async fn run(workspace: &Path, mode: Mode) -> Result<()> {
    let mut steps = Steps::new()?;
    let packer = packer(&mut steps, workspace).await?;
    let build = [
        "build",
        "--profile",
        PROFILE,
        "--locked",
        "--package",
        "opencoin-cli",
    ];
    steps.run("program", &mut cargo(workspace, &build)).await?;

    let folder = workspace.join("target/debian");
    if folder.exists() {
        // Otherwise manual pages of removed commands would be packed.
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let program = workspace.join("target").join(PROFILE).join("opencoin");
    write_documents(&program, &folder).await?;
    let mut pack = Command::new(packer);
    pack.args(["--no-build", "--locked", "--profile", PROFILE])
        .args(["--package", "opencoin-cli", "--output"])
        .arg(&folder);
    steps.run("package", pack.current_dir(workspace)).await?;
    let package = package(&folder)?;
    println!("\n{}", package.display());
    if mode == Mode::Check {
        steps
            .run(
                "check",
                apt::as_root("sh").arg(workspace.join(CHECK)).arg(&package),
            )
            .await?;
    }
    Ok(())
}

/// Installs cargo-deb if it is missing.
async fn packer(steps: &mut Steps, workspace: &Path) -> Result<PathBuf> {
    let root = workspace.join("target/tools");
    let program = root.join("bin/cargo-deb");
    let version = Command::new(&program).arg("--version").output().await;
    if !version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .ends_with(CARGO_DEB_VERSION)
    }) {
        let mut install = cargo(
            workspace,
            &[
                "install",
                "--locked",
                "cargo-deb",
                "--version",
                CARGO_DEB_VERSION,
                "--root",
            ],
        );
        steps.run("cargo-deb", install.arg(root)).await?;
    }
    Ok(program)
}

/// Makes the program write its manual and completions.
async fn write_documents(program: &Path, folder: &Path) -> Result<()> {
    let opencoin = async |arguments: &[&OsStr]| -> Result<Vec<u8>> {
        let output = Command::new(program)
            .args(arguments)
            .output()
            .await
            .with_context(|| program.display().to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{} {}: {said}",
            program.display(),
            arguments.join(OsStr::new(" ")).display()
        );
        Ok(output.stdout)
    };
    let (manual, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&completions).with_context(|| completions.display().to_string())?;
    opencoin(&["man".as_ref(), "--dir".as_ref(), manual.as_ref()]).await?;
    for (shell, name) in COMPLETIONS {
        let script = opencoin(&["completions".as_ref(), shell.as_ref()]).await?;
        fs::write(completions.join(name), script)
            .with_context(|| completions.join(name).display().to_string())?;
    }
    Ok(())
}

/// The path of the package in the folder.
fn package(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut packages = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some("deb".as_ref()));
    packages
        .next()
        .with_context(|| format!("cargo-deb has left no package in {}", folder.display()))
}
