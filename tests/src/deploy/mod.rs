//! Runs the third-party programs for which `deploy/` has settings, on the ports and in the folders of a test.

mod prometheus;
mod proxies;
mod service;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use prometheus::Prometheus;
pub use proxies::{
    caddy, caddy_of_auditor, caddy_of_relay, caddy_of_witness, nginx, nginx_of_auditor, nginx_of_relay,
    nginx_of_three, nginx_of_witness,
};
pub use service::Service;
pub use tls::Authority;

/// A file or folder of `deploy/`.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// The text of a file of `deploy/`.
#[must_use]
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// Replaces each of these texts, as an operator would. Each of them must occur.
#[must_use]
pub fn changed(mut text: String, changes: &[(&str, String)]) -> String {
    for (old, new) in changes {
        assert!(text.contains(old), "{old:?} is not in this file:\n{text}");
        text = text.replace(old, new);
    }
    text
}

/// Runs a program to its end, requires success, and returns its standard output and standard error.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}
