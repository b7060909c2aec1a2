//! The structure of the workspace: no crate depends on its caller, and the modules of a crate have no cycles.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod crates;
mod modules;
mod source;

use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// The folders of all crates.
fn folders() -> Vec<PathBuf> {
    let root = workspace();
    let entries = std::fs::read_dir(root.join("crates")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.push(root.join("tests"));
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    folders.sort();
    folders
}
