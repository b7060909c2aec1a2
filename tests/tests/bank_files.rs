//! Files for and from banks follow the schemas of ISO 20022.

use std::path::Path;

use opencoin_e2e::bank;

/// The samples with which the readers and writers are tested.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/opencoin-bank/tests/files");

#[test]
fn samples_follow_their_schemas() {
    let sample = |name: &str| Path::new(SAMPLES).join(name);
    let files = ["camt053-02.xml", "camt053-08.xml", "pain001.xml"].map(sample);
    let files = files.each_ref().map(|file| file.as_path());
    assert_eq!(
        bank::validate(&files),
        ["camt.053.001.02", "camt.053.001.08", "pain.001.001.09"]
    );
}
