//! `opencoin witness` as an operator runs it: its commands, and its server under SIGKILL.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use opencoin_e2e::files::{text, write_secret};
use opencoin_e2e::{StopAtEnd, WITNESS_NAME, Witness, command, opencoin, run, wait_until};
use reqwest::blocking::Client;
use serde_json::Value;

use crate::log_peers::{Hash, Log, ORIGIN, add_checkpoint, base64, entries, leaf_hash, root};

/// How often the server is killed.
const KILLS: u64 = 6;

fn hashes(size: usize) -> Vec<Hash> {
    entries()[..size].iter().map(|entry| leaf_hash(entry)).collect()
}

fn request(log: &Log, old: usize, new: usize, proof: &[Hash]) -> String {
    let lines: String = proof.iter().map(|hash| base64(hash) + "\n").collect();
    format!("old {old}\n{lines}\n{}", log.checkpoint(new))
}

#[test]
fn commands_make_a_witness_and_keep_its_list_of_logs() {
    let witness = Witness::make(&["--ml-dsa"]);
    let vkey = Log::create().vkey();
    assert_eq!(witness.vkeys.len(), 2);
    assert!(
        witness
            .vkeys
            .iter()
            .all(|vkey| vkey.starts_with(&format!("{WITNESS_NAME}+")))
    );
    assert_eq!(
        witness.run("list", &[]).success().json(),
        Value::Array(Vec::new())
    );
    let added = witness.run("add", &[&vkey, "--url", "https://log.example"]);
    assert_eq!(added.success().json()["changed"], true);
    assert_eq!(witness.run("add", &[&vkey]).success().json()["changed"], false);
    let log = witness.log();
    assert_eq!(
        (&log["origin"], &log["accepted"], &log["size"], &log["url"]),
        (
            &ORIGIN.into(),
            &true.into(),
            &Value::Null,
            &"https://log.example".into()
        )
    );
    let removed = witness.run("remove", &[ORIGIN]).success().json();
    assert_eq!(removed["removed"], true);
    assert_eq!(witness.log()["accepted"], false);
    assert_eq!(
        witness.run("evidence", &[]).success().json(),
        Value::Array(Vec::new())
    );
    let other = witness
        .run("add", &[&vkey, "--origin", "another origin"])
        .success();
    assert_eq!(other.json()["origin"], "another origin");
}

#[test]
fn errors_say_what_to_do() {
    let witness = Witness::make(&[]);
    let (dir, vkey) = (witness.dir(), Log::create().vkey());
    let _again = opencoin(&["witness", "init", "--name", WITNESS_NAME, "--dir", text(&dir)])
        .refused(1, "has a witness already; make another one in another folder");
    let _name = opencoin(&["witness", "init", "--name", "a b", "--dir", "x"]).refused(2, "not a key name");
    let _nobody = opencoin(&["witness", "list", "--dir", "/nowhere"]).refused(4, "opencoin witness init");
    let _unknown = witness
        .run("remove", &[ORIGIN])
        .refused(4, "`opencoin witness list` shows its logs");
    let _key = witness
        .run("add", &["x"])
        .refused(2, "not a key: name, id and key");
    let own = witness.vkeys[0].clone();
    let _kind = witness.run("add", &[&own]).refused(2, "a log has an Ed25519 key");
    let _origin = witness
        .run("add", &[&vkey, "--origin", ""])
        .refused(2, "is not an origin");

    let serve = ["witness", "serve", "--dir", text(&dir), "--listen", "127.0.0.1:0"];
    let mut wrong = command();
    wrong.env("OPENCOIN_WITNESS_PASSPHRASE", "wrong");
    let _wrong = run(&mut wrong, &serve).refused(1, "passphrase");
    let mut none = command();
    none.env_remove("OPENCOIN_WITNESS_PASSPHRASE");
    let _none = run(&mut none, &serve).refused(1, "--passphrase-file FILE, OPENCOIN_WITNESS_PASSPHRASE");
    let open = witness.folder.path().join("passphrase");
    fs::write(&open, "x").unwrap();
    let _open = witness
        .run(
            "serve",
            &["--listen", "127.0.0.1:0", "--passphrase-file", text(&open)],
        )
        .refused(1, "chmod 600");
    write_secret(&open, "wrong");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let _taken = witness
        .run("serve", &["--listen", &address])
        .refused(1, "choose another with --listen");
    // A lost database is not made anew.
    fs::remove_file(dir.join("witness.sqlite")).unwrap();
    let _lost = witness.run("list", &[]).refused(1, "must not cosign any more");
    let _lost = witness
        .run("serve", &["--listen", "127.0.0.1:0"])
        .refused(1, "docs/WITNESS.md");
}

#[test]
fn what_was_answered_survives_sigkill() {
    let (witness, log) = (Witness::make(&[]), Log::create());
    let _added = witness.run("add", &[&log.vkey()]).success();
    let server = witness.serve();
    assert_eq!(add_checkpoint(&witness.url(), &request(&log, 0, 256, &[])).0, 200);
    server.kill();
    let server = witness.serve();
    assert_eq!(
        add_checkpoint(&witness.url(), &request(&log, 0, 256, &[])),
        (409, "256\n".to_owned())
    );
    let (status, lines) = add_checkpoint(&witness.url(), &request(&log, 256, 256, &[]));
    assert_eq!(status, 200, "{lines}");
    let listed = witness.log();
    assert_eq!(
        (&listed["size"], &listed["accepted"]),
        (&256.into(), &true.into())
    );
    server.stop();
}

#[test]
fn a_server_that_is_killed_under_load_never_goes_back() {
    let (witness, log) = (Witness::make(&[]), Log::create());
    let _added = witness.run("add", &[&log.vkey()]).success();
    let first = witness.serve();
    assert_eq!(add_checkpoint(&witness.url(), &request(&log, 0, 256, &[])).0, 200);
    let (acknowledged, is_over) = (AtomicU64::new(256), AtomicBool::new(false));
    // From 256 on, each next tree, until the server is away; then from what was acknowledged.
    let client = Client::new();
    thread::scope(|scope| {
        let _stop = StopAtEnd(&is_over);
        scope.spawn(|| {
            let mut new = 257;
            while !is_over.load(Ordering::SeqCst) {
                let old = usize::try_from(acknowledged.load(Ordering::SeqCst)).unwrap();
                let answer = client
                    .post(format!("{}/add-checkpoint", witness.url()))
                    .body(submission(&log, old, new))
                    .send();
                let Ok(answer) = answer else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                match (answer.status().as_u16(), answer.text()) {
                    (200, Ok(_)) => acknowledged.store(new as u64, Ordering::SeqCst),
                    // It was stored and the answer was lost: the size is the submitted one, and no older one.
                    (409, Ok(size)) => {
                        assert_eq!(size, format!("{new}\n"));
                        acknowledged.store(new as u64, Ordering::SeqCst);
                    }
                    (_, Err(_)) => continue,
                    other => panic!("{other:?}"),
                }
                new = (new + 1).min(512);
            }
        });
        let mut server = first;
        for _ in 0..KILLS {
            let begun = acknowledged.load(Ordering::SeqCst);
            wait_until("some submissions", || {
                acknowledged.load(Ordering::SeqCst) >= (begun + 5).min(512)
            });
            server.kill();
            let before = acknowledged.load(Ordering::SeqCst);
            assert!(witness.log()["size"].as_u64().unwrap() >= before);
            server = witness.serve();
        }
        server.stop();
    });
    assert!(
        !witness.logged.text().contains("ALARM"),
        "{}",
        witness.logged.text()
    );
}

/// A submission between trees of 256 to 512 leaves.
fn submission(log: &Log, old: usize, new: usize) -> String {
    request(log, old, new, &proof(old, &hashes(new), true))
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn proof(old: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut hashes, sibling) = if old <= left.len() {
        (proof(old, left, is_known), root(right))
    } else {
        (proof(old - left.len(), right, false), root(left))
    };
    hashes.push(sibling);
    hashes
}

#[test]
fn a_log_that_contradicts_itself_is_shown_to_the_operator() {
    let (witness, log) = (Witness::make(&[]), Log::create());
    let _added = witness.run("add", &[&log.vkey()]).success();
    let server = witness.serve();
    let good = request(&log, 0, 256, &[]);
    assert_eq!(add_checkpoint(&witness.url(), &good).0, 200);
    let other = log.checkpoint_of(256, &[7; 32]);
    let (status, _) = add_checkpoint(&witness.url(), &format!("old 256\n\n{other}"));
    assert_eq!(status, 422);
    server.stop();
    assert!(
        witness
            .logged
            .text()
            .contains("ALARM: a log has signed two trees")
    );
    let found = witness.run("evidence", &[ORIGIN]).success().json();
    assert_eq!(found[0]["contradicting"], other);
    assert_eq!(found[0]["size"], 256);
    assert_eq!(witness.log()["contradictions"], 1);
}
