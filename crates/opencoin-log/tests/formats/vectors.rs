//! Reads the test vectors.

use std::fs;
use std::path::PathBuf;

use opencoin_log::hash::Hash;
use serde_json::Value;

/// A file of `shared/spec`; `None`, with a line that says so, when it is missing.
pub(crate) fn shared_file(name: &str) -> Option<Vec<u8>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/spec")
        .join(name);
    let content = fs::read(&file).ok();
    if content.is_none() {
        println!("SKIPPED: there is no {}", file.display());
    }
    content
}

/// One part of the vectors.
pub(crate) fn vectors(part: &str) -> Option<Value> {
    let mut all: Value = serde_json::from_slice(&shared_file("log-vectors.json")?).unwrap();
    Some(all[part].take())
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap()
}

pub(crate) fn hashes(value: &Value) -> Vec<Hash> {
    let hashes = value.as_array().unwrap().iter();
    hashes
        .map(|hash| hash.as_str().unwrap().parse().unwrap())
        .collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    (0..text.len() / 2).map(digits).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
