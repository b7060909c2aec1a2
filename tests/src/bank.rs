//! Files for and from banks, checked against the schemas of ISO 20022.

use std::path::Path;
use std::process::Command;

/// Python with the schemas and their validator, installed by `cargo xtask test`.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemas/bin/python3");
const VALIDATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bank/validate.py");

/// Asserts that the files follow their schemas, and returns what messages they are.
pub fn validate(files: &[&Path]) -> Vec<String> {
    assert!(
        Path::new(PYTHON).exists(),
        "{PYTHON} does not exist; `cargo xtask test` installs it"
    );
    let output = Command::new(PYTHON).arg(VALIDATOR).args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said.lines().map(str::to_owned).collect()
}
