//! A dishonest issuer, and those who find out: holders by what was promised to them, auditors by a replay of its log. Each
//! fraud ends with one file that convinces somebody who has nothing else.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod auditors;
mod holders;

use opencoin_e2e::{Output, command, run};

/// Runs `opencoin evidence FILE` as a third person does, in a folder with nothing else.
fn shown_to_a_third_person(evidence: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.json");
    std::fs::write(&file, evidence).unwrap();
    let mut command = command();
    command
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("OPENCOIN_WALLET_DIR", folder.path().join("none"));
    run(&mut command, &["evidence", "evidence.json"])
}
