//! The commands of an auditor: one that makes it and follows a currency, and what wrong calls are told.

use std::fs;

use opencoin_e2e::files::{names, text};
use opencoin_e2e::{
    Currency, Database, Log, Process, RFC9474, command, free_port, get_text, opencoin, run, wait_until,
};
use serde_json::Value;

#[test]
fn one_command_audits_a_currency_and_wrong_calls_say_what_to_do() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("auditor");
    let (port, logged) = (free_port(), Log::default());
    let (listen, issuer) = (format!("127.0.0.1:{port}"), currency.url(""));
    let serve = [
        "auditor",
        "serve",
        "--dir",
        text(&dir),
        "--listen",
        &listen,
        &issuer,
    ];
    let server = Process::start(command().args(serve), "serving the auditor ", &logged);
    let status = || -> Value {
        let status = get_text(&format!("http://{listen}/status.json"));
        serde_json::from_str(&status).unwrap()
    };
    wait_until("every rule holds", || {
        status()["currencies"][0]["verdict"] == "good"
    });

    // The id that wallets show, and the fingerprint, both name the master key.
    let (id, key) = (
        &status()["currencies"][0]["id"],
        &status()["currencies"][0]["master_key"],
    );
    let wallet = opencoin(&[
        "wallet",
        "add",
        &issuer,
        "--json",
        "--dir",
        text(&folder.path().join("alice")),
    ]);
    assert_eq!(wallet.success().json()["id"], *id);
    let add = ["auditor", "add", "--dir", text(&dir), &issuer];
    for name in [id, key] {
        let name = ["--master-key", name.as_str().unwrap()];
        let added = opencoin(&[&add[..], &name, &["--json"]].concat());
        assert_eq!(added.success().json()["new"], false);
    }

    let wallet = folder.path().join("alice");
    let before = names(&wallet);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let other_key = "ab".repeat(32);
    let (missing, new) = (folder.path().join("missing"), folder.path().join("new"));
    let (missing, wallet_dir, new, other_port) = (text(&missing), text(&wallet), text(&new), free_port());
    let elsewhere = format!("127.0.0.1:{other_port}");
    let elsewhere = elsewhere.as_str();
    for (arguments, code, expected) in [
        (vec!["list", "--dir", missing], 4, "has no auditor"),
        (vec!["add", "--dir", missing, &issuer], 4, "has no auditor"),
        (vec!["init", "--dir", text(&dir)], 1, "has an auditor already"),
        (vec!["init", "--dir", wallet_dir], 1, "holds other files"),
        (
            vec!["serve", "--dir", wallet_dir, "--listen", elsewhere],
            1,
            "holds other files",
        ),
        (
            vec!["serve", "--dir", text(&dir), "--listen", elsewhere],
            3,
            "another process runs the auditor",
        ),
        (
            vec!["serve", "--dir", new, "--listen", &listen],
            1,
            "cannot listen on",
        ),
        (
            vec!["serve", "--dir", new, "--listen", elsewhere, "--every", "0s"],
            2,
            "at least 100ms",
        ),
        (
            vec!["serve", "--dir", new, "--listen", elsewhere, "--peer", "x"],
            2,
            "not a URL",
        ),
        (
            vec!["add", "--dir", text(&dir), "ftp://issuer.example"],
            2,
            "begins with https://",
        ),
        (
            vec!["add", "--dir", text(&dir), "--master-key", "x", &issuer],
            2,
            "an id has",
        ),
        (
            vec!["add", "--dir", text(&dir), "--master-key", &other_key, &issuer],
            1,
            "not the master key that you named",
        ),
        (vec!["add", "--dir", text(&dir), &nobody], 3, "does it run?"),
        (
            vec!["add", "--dir", text(&dir), &format!("{issuer}/nothing")],
            1,
            "no currency at",
        ),
        (vec!["remove", "--dir", text(&dir), &nobody], 4, "does not follow"),
    ] {
        let output = opencoin(&[&["auditor"][..], &arguments].concat());
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(expected), "{arguments:?}: {output:?}");
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    assert_eq!(names(&wallet), before);
    assert!(!fs::exists(new).unwrap(), "nothing is made for a call that fails");

    server.stop();
    let renamed = [
        "auditor",
        "serve",
        "--dir",
        text(&dir),
        "--listen",
        elsewhere,
        "--name",
        "other/a1",
    ];
    let renamed = opencoin(&renamed);
    assert!(
        renamed.code == Some(1) && renamed.stderr.contains("which cannot change"),
        "{renamed:?}"
    );
}

#[test]
fn the_demo_of_nodes_leaves_a_file_that_proves_the_fraud() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command();
    demo.env("TMPDIR", folder.path());
    let told = run(&mut demo, &["demo", "--nodes", "--keep"]).success().stdout;
    for word in ["auditors", "offline", "final", "second history", "All of it held"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let check = told
        .lines()
        .find_map(|line| line.split("opencoin evidence /").nth(1));
    let file = format!("/{}", check.unwrap());
    let proven = opencoin(&["evidence", &file]).success().stdout;
    assert!(
        proven.contains("PROVEN: split view") && proven.contains("against: the issuer"),
        "{proven}"
    );
}
