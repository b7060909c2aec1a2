//! The permitted dependencies between crates; docs/ARCHITECTURE.md gives the reasons.

use std::collections::{BTreeMap, BTreeSet};

use crate::folders;

/// Each crate, and the crates of the workspace that its production code may use. A crate may use only earlier ones in
/// the table, so it cannot depend on its caller.
const MAY_USE: [(&str, &[&str]); 42] = [
    ("opencoin-api", &[]),
    ("opencoin-connections", &[]),
    ("opencoin-lanes", &[]),
    ("opencoin-logging", &[]),
    ("opencoin-private-files", &[]),
    ("opencoin-schema", &[]),
    ("opencoin-log", &["schema"]),
    ("opencoin-gossip", &["log"]),
    ("opencoin-lock", &[]),
    ("opencoin-pictures", &[]),
    ("opencoin-stack", &["schema"]),
    ("opencoin-transfer", &["schema", "stack"]),
    ("opencoin-relay", &["connections", "transfer"]),
    ("opencoin-text", &[]),
    ("opencoin-bank", &["text"]),
    ("opencoin-log-reader", &["log", "text"]),
    ("opencoin-tls", &[]),
    ("opencoin-ledger", &["bank", "log", "schema", "text"]),
    ("opencoin-crypto", &["lanes", "schema"]),
    ("opencoin-replay", &["crypto", "log", "schema"]),
    (
        "opencoin-evidence",
        &["crypto", "log", "log-reader", "schema", "text"],
    ),
    ("opencoin-audit", &["ledger", "log"]),
    (
        "opencoin-conformance",
        &["audit", "bank", "ledger", "log", "schema"],
    ),
    ("opencoin-sql", &["audit", "bank", "ledger", "log"]),
    ("opencoin-sqlite", &["audit", "ledger", "log", "sql"]),
    ("opencoin-postgres", &["audit", "ledger", "log", "sql", "tls"]),
    ("opencoin-testkit", &["crypto", "log", "schema"]),
    ("opencoin-pkcs11", &["crypto", "schema"]),
    (
        "opencoin-wallet",
        &[
            "api",
            "crypto",
            "evidence",
            "log",
            "log-reader",
            "private-files",
            "schema",
            "stack",
            "text",
        ],
    ),
    ("opencoin-transfer-client", &["schema", "transfer", "wallet"]),
    (
        "opencoin-signer",
        &[
            "crypto",
            "ledger",
            "logging",
            "private-files",
            "schema",
            "text",
            "tls",
        ],
    ),
    (
        "opencoin-witness",
        &["connections", "crypto", "log", "logging", "private-files"],
    ),
    (
        "opencoin-auditor",
        &[
            "connections",
            "crypto",
            "evidence",
            "gossip",
            "log",
            "log-reader",
            "logging",
            "private-files",
            "replay",
            "schema",
            "text",
            "witness",
        ],
    ),
    ("opencoin-config", &["bank", "crypto", "text"]),
    (
        "opencoin-keys",
        &[
            "config",
            "crypto",
            "ledger",
            "log",
            "logging",
            "private-files",
            "schema",
            "text",
        ],
    ),
    (
        "opencoin-issuer",
        &[
            "api",
            "audit",
            "bank",
            "config",
            "crypto",
            "keys",
            "ledger",
            "log",
            "logging",
            "postgres",
            "private-files",
            "schema",
            "sqlite",
            "text",
        ],
    ),
    (
        "opencoin-http",
        &[
            "api",
            "bank",
            "config",
            "connections",
            "issuer",
            "ledger",
            "log",
            "logging",
            "relay",
            "schema",
            "text",
            "tls",
        ],
    ),
    (
        "opencoin-web",
        &[
            "api", "audit", "bank", "config", "http", "issuer", "keys", "ledger", "log", "pictures",
            "schema", "text",
        ],
    ),
    ("opencoin-terminal", &["keys", "private-files", "text"]),
    (
        "opencoin-bench",
        &[
            "audit", "auditor", "config", "crypto", "issuer", "keys", "ledger", "log", "pkcs11", "postgres",
            "replay", "schema", "signer", "sqlite", "terminal", "witness",
        ],
    ),
    (
        "opencoin-cli",
        &[
            "api",
            "audit",
            "auditor",
            "bank",
            "bench",
            "config",
            "crypto",
            "evidence",
            "http",
            "issuer",
            "keys",
            "ledger",
            "lock",
            "log",
            "logging",
            "pictures",
            "pkcs11",
            "private-files",
            "relay",
            "schema",
            "signer",
            "stack",
            "terminal",
            "text",
            "tls",
            "transfer",
            "transfer-client",
            "wallet",
            "web",
            "witness",
        ],
    ),
    ("xtask", &["crypto", "testkit"]),
];

/// The end-to-end tests use the binary, and read and write its books.
const TESTS: (&str, &[&str]) = ("opencoin-e2e", &["evidence", "keys", "log", "testkit"]);

/// The name of a package, its dependencies in this workspace, and those of its tests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Manifest {
    name: String,
    uses: BTreeSet<String>,
    tests_use: BTreeSet<String>,
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let (mut manifest, mut section) = (Self::default(), "");
        for line in text.lines() {
            if let Some(title) = line.strip_prefix('[') {
                section = title.trim_end_matches(']');
            }
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            match section {
                "package" if name == "name" => {
                    manifest.name = line.split('"').nth(1).unwrap_or_default().to_owned();
                }
                "dependencies" if name.starts_with("opencoin-") => {
                    manifest.uses.insert(name.to_owned());
                }
                "dev-dependencies" if name.starts_with("opencoin-") => {
                    manifest.tests_use.insert(name.to_owned());
                }
                _ => {}
            }
        }
        manifest
    }
}

/// The dependencies that the table does not permit.
fn violations(manifests: &[Manifest]) -> Vec<String> {
    let table: Vec<(&str, &[&str])> = MAY_USE.into_iter().chain([TESTS]).collect();
    let place: BTreeMap<&str, usize> = table
        .iter()
        .enumerate()
        .map(|(no, (name, _))| (*name, no))
        .collect();
    let mut violations = Vec::new();
    for (no, (name, may_use)) in table.iter().enumerate() {
        for used in *may_use {
            if place
                .get(format!("opencoin-{used}").as_str())
                .is_none_or(|place| *place >= no)
            {
                violations.push(format!(
                    "the table lets {name} use {used}, which does not come before it"
                ));
            }
        }
    }
    for Manifest {
        name,
        uses,
        tests_use,
    } in manifests
    {
        let Some(no) = place.get(name.as_str()) else {
            violations.push(format!("{name} is not in the table"));
            continue;
        };
        let may_use = table[*no].1;
        for used in uses {
            if !may_use.contains(&used.trim_start_matches("opencoin-")) {
                violations.push(format!("{name} must not use {used}"));
            }
        }
        // Tests may use more crates, but none that depends on the tested one.
        for used in tests_use {
            if dependencies_of(&table, used).contains(name.as_str())
                && !ONLY_FOR_TESTS.contains(&used.as_str())
            {
                violations.push(format!(
                    "the tests of {name} must not use {used}, which uses {name}"
                ));
            }
        }
    }
    violations
}

/// Crates of test code, which depend on the crates whose tests use them.
const ONLY_FOR_TESTS: [&str; 2] = ["opencoin-conformance", "opencoin-testkit"];

/// The transitive dependencies of a crate.
fn dependencies_of<'table>(table: &[(&'table str, &[&'table str])], name: &str) -> BTreeSet<&'table str> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        for (used, _) in table {
            let names = |(user, may_use): &(&str, &[&str])| {
                *user == name && may_use.contains(&used.trim_start_matches("opencoin-"))
            };
            if table.iter().any(names) && found.insert(*used) {
                open.push((*used).to_owned());
            }
        }
    }
    found
}

#[test]
fn no_crate_depends_on_its_caller() {
    let manifest = |folder: &std::path::PathBuf| {
        Manifest::parse(&std::fs::read_to_string(folder.join("Cargo.toml")).unwrap())
    };
    let manifests: Vec<Manifest> = folders().iter().map(manifest).collect();
    assert!(manifests.len() > 20, "only {} crates were found", manifests.len());
    assert_eq!(violations(&manifests), [""; 0]);
}

#[test]
fn a_crate_that_depends_on_its_caller_is_found() {
    let planted = "[package]\nname = \"opencoin-ledger\"\n[dependencies]\nserde.workspace = true\n\
                   opencoin-issuer.workspace = true\n[dev-dependencies]\nopencoin-http = { workspace = true }\n";
    assert_eq!(
        violations(&[Manifest::parse(planted)]),
        [
            "opencoin-ledger must not use opencoin-issuer",
            "the tests of opencoin-ledger must not use opencoin-http, which uses opencoin-ledger"
        ]
    );
    let unknown = "[package]\nname = \"opencoin-utils\"\n";
    assert_eq!(
        violations(&[Manifest::parse(unknown)]),
        ["opencoin-utils is not in the table"]
    );
}
