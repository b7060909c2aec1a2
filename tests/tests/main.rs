//! All end-to-end tests in one program, a module for each subject: linking the dependencies once instead of once
//! for each subject saves most of the time that building the tests takes.

mod accounts;
mod accounts_http;
mod audit;
mod bad_clients;
mod bench;
mod cdd_changes;
mod command_line;
mod concurrency;
mod deploy_files;
mod deploy_monitoring;
mod deploy_proxies;
mod failover;
mod foreign_wallet;
mod interrupted_keys;
mod issuer_check;
mod key_commands;
mod lost_answers;
mod manual;
mod metrics;
mod openapi;
mod overload;
mod payouts;
mod recoup;
mod restored_books;
mod rolling_upgrade;
mod rotation;
mod secrets;
mod settings;
mod signer_process;
mod theft;
mod token_and_signer;
mod torture;
mod traffic_secrets;
mod waiting_mints;

use std::fs;
use std::path::Path;

/// A file that is missing in the list above would not be compiled, and nobody would notice.
#[test]
fn every_file_of_tests_is_a_module() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let modules = include_str!("main.rs");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let line = format!("mod {name};");
        assert!(
            name == "main" || modules.lines().any(|module| module == line),
            "{} is not a module of main.rs",
            path.display()
        );
    }
}
