//! All end-to-end tests in one program, with a module for each subject. One program is linked much faster than a program
//! for each subject.

mod accounts;
mod accounts_http;
mod audit;
mod auditor_commands;
mod backup;
mod bad_clients;
mod bank_files;
mod bench;
mod cdd_changes;
mod citus;
mod command_line;
mod concurrency;
mod demo_site;
mod deploy_auditor;
mod deploy_files;
mod deploy_monitoring;
mod deploy_proxies;
mod failover;
mod foreign_wallet;
mod frauds;
mod interrupted_keys;
mod interrupted_seals;
mod issuer_check;
mod joint_signature;
mod key_accounts;
mod key_commands;
mod key_payments;
mod key_recovery;
mod lanes;
mod linkage;
mod live_transfer;
mod log_peers;
mod log_recovery;
mod lost_answers;
mod maintain;
mod manual;
mod metrics;
mod nodes;
mod openapi;
mod overload;
mod overview;
mod pages;
mod pages_across_origins;
mod pages_in_use;
mod pages_of_holders;
mod pages_of_keys;
mod pages_of_operators;
mod pages_of_the_bank;
mod pages_picture;
mod paired_wallet;
mod payouts;
mod pictures;
mod public_log;
mod recoup;
mod relay_memory;
mod restored_books;
mod rolling_upgrade;
mod rotation;
mod second_person;
mod secrets;
mod settings;
mod signer_process;
mod socks;
mod statements;
mod theft;
mod three_issuers;
mod three_primes;
mod token_and_signer;
mod torture;
mod traffic_secrets;
mod two_sealers;
mod waiting_mints;
mod witness;
mod witness_peers;

use std::path::Path;

use opencoin_e2e::files::names;

/// A file that is missing in the list above would not be compiled, without any warning.
#[test]
fn every_file_of_tests_is_a_module() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let modules = include_str!("main.rs");
    for file in names(&folder) {
        let line = format!("mod {};", file.trim_end_matches(".rs"));
        assert!(
            file == "main.rs" || modules.lines().any(|module| module == line),
            "{file} is not a module of main.rs"
        );
    }
}
