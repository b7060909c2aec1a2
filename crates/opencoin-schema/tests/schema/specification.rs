//! The specification's 25 examples are read, written again and compared byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use opencoin_schema::*;

/// The specification prints long numbers as this many digits and `...`.
const DIGITS_SHOWN: usize = 42;
/// Long numbers have 512 bits.
const LONG_NUMBER_DIGITS: usize = 128;

/// The text of the specification's examples, by name.
fn printed() -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spec");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The examples by name, as JSON with whole numbers: zeros replace the digits that the specification does not
/// print.
pub(crate) fn examples() -> BTreeMap<String, String> {
    let zeros = "0".repeat(LONG_NUMBER_DIGITS - DIGITS_SHOWN);
    let fill = |(name, text): (String, String)| (name, text.replace("...\"", &format!("{zeros}\"")));
    printed().into_iter().map(fill).collect()
}

/// Cuts long numbers as the specification prints them.
fn cut_long_numbers(text: &str) -> String {
    let cut = |part: &str| {
        if part.len() > DIGITS_SHOWN && part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("{}...", &part[..DIGITS_SHOWN])
        } else {
            part.to_owned()
        }
    };
    text.split('"').map(cut).collect::<Vec<_>>().join("\"")
}

#[test]
fn every_example_is_reproduced_byte_for_byte() {
    let printed = printed();
    let (mut documents, mut secret_keys) = (0, 0);
    for (name, json) in examples() {
        let pretty = if name.ends_with("_secret") {
            secret_keys += 1;
            assert_eq!(AnyDocument::from_json(json.as_bytes()).unwrap_err().path, "type");
            let secret_key: serde_json::Value = serde_json::from_str(&json).unwrap();
            text::pretty(&secret_key)
        } else {
            documents += 1;
            let document = AnyDocument::from_json(json.as_bytes());
            text::pretty(&document.unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        assert_eq!(cut_long_numbers(&pretty), printed[&name], "{name}");
    }
    assert_eq!((documents, secret_keys), (23, 2));
}
