//! Every status that the specification of `add-checkpoint` names, and the order of the checks.

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, VerifierKey};
use opencoin_log::signature_line::parse_lines;
use opencoin_log::witness::AddCheckpoint;
use opencoin_witness::WitnessServerOptions;

use crate::support::{ORIGIN, START, TestLog, World};

#[tokio::test]
async fn a_log_that_grows_is_cosigned_and_the_same_checkpoint_gets_a_fresh_time() {
    let log = TestLog::new(ORIGIN, 20);
    let world = World::start(&[&log]).await;
    let [key] = &world.witness().keys().vkeys()[..] else {
        panic!("one key");
    };
    let mut time = START;
    for (old, new) in [(0, 0), (0, 1), (1, 1), (1, 3), (3, 8), (8, 8), (8, 20), (20, 20)] {
        world.set_clock(time);
        let request = log.request(old, new);
        let reply = world.post(&request.to_string()).await;
        assert_eq!(reply.status, 200, "{old} to {new}: {reply:?}");
        let mut signed = request.checkpoint.clone();
        for line in parse_lines(&reply.body).unwrap() {
            signed.add(line).unwrap();
        }
        let verified = signed.note().verify(std::slice::from_ref(key)).unwrap();
        assert_eq!(verified[0].time, Some(time), "{old} to {new}");
        time += 10;
    }
    assert_eq!(world.size(&log).await, Some(20));
}

#[tokio::test]
async fn each_key_of_the_witness_cosigns() {
    let log = TestLog::new(ORIGIN, 5);
    let world = World::start_with(&[&log], true, WitnessServerOptions::default()).await;
    let keys = world.witness().keys().vkeys();
    let types: Vec<KeyType> = keys.iter().map(VerifierKey::key_type).collect();
    assert_eq!(types, [KeyType::Ed25519Cosignature, KeyType::MlDsa44Cosignature]);
    let request = log.request(0, 5);
    let reply = world.post(&request.to_string()).await;
    let mut signed = request.checkpoint;
    for line in parse_lines(&reply.body).unwrap() {
        signed.add(line).unwrap();
    }
    let verified = signed.note().verify(&keys).unwrap();
    assert_eq!(verified.iter().map(|line| line.key).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn what_is_wrong_gets_its_status_and_changes_nothing() {
    let (log, stranger) = (TestLog::new(ORIGIN, 20), TestLog::new("log.example/other", 20));
    let fork = log.forked_at(2, 1);
    let thief = TestLog::with_key(ORIGIN, KeyType::Ed25519Note, 8, 20);
    let world = World::start(&[&log]).await;
    assert_eq!(world.post(&log.request(0, 5).to_string()).await.status, 200);

    let old = |old: u64, request: AddCheckpoint| AddCheckpoint {
        old_size: old,
        ..request
    };
    let with_proof = |proof: Vec<Hash>, request: AddCheckpoint| AddCheckpoint { proof, ..request };
    let (good, root) = (log.request(5, 9), log.root(9));
    let unsigned_line = good
        .to_string()
        .replace("\u{2014} log.example/one", "\u{2014} log.example/two");
    let cases = [
        ("nothing", String::new(), 400),
        ("no size", good.to_string().replace("old 5", "old"), 400),
        (
            "no hash",
            good.to_string().replace("old 5\n", "old 5\nnot a hash\n"),
            400,
        ),
        ("an enormous tree", big_checkpoint(&log), 400),
        ("unknown origin", stranger.request(5, 9).to_string(), 404),
        // The origin is checked before the signature, and the signature before the sizes.
        ("another key", thief.request(5, 9).to_string(), 403),
        ("no known key", unsigned_line, 403),
        (
            "another key, old too large",
            old(10, thief.request(5, 9)).to_string(),
            403,
        ),
        ("old too large", old(10, log.request(5, 9)).to_string(), 400),
        ("old unknown", log.request(0, 9).to_string(), 409),
        (
            "old unknown, bad proof",
            old(4, log.request(5, 9)).to_string(),
            409,
        ),
        ("smaller", log.request(2, 3).to_string(), 409),
        ("proof of a fork", fork.request(5, 9).to_string(), 422),
        (
            "no proof",
            with_proof(Vec::new(), log.request(5, 9)).to_string(),
            422,
        ),
        (
            "a proof of too much",
            with_proof(vec![root; 9], log.request(5, 9)).to_string(),
            422,
        ),
        (
            "a proof that is not needed",
            with_proof(vec![root], log.request(5, 5)).to_string(),
            422,
        ),
        ("another root", fork.request(5, 5).to_string(), 422),
    ];
    for (what, body, status) in cases {
        let reply = world.post(&body).await;
        assert_eq!(reply.status, status, "{what}: {reply:?}");
        assert_eq!(world.size(&log).await, Some(5), "{what}");
        let is_size = reply.head.contains("content-type: text/x.tlog.size\r\n");
        assert_eq!(is_size, status == 409, "{what}: {reply:?}");
        if status == 409 {
            assert_eq!(reply.body, "5\n", "{what}");
        }
    }
    assert_eq!(world.post(&good.to_string()).await.status, 200);
}

/// A checkpoint of 2^63 leaves, which no proof reaches.
fn big_checkpoint(log: &TestLog) -> String {
    let checkpoint = Checkpoint::new(ORIGIN, 1 << 63, log.root(9)).unwrap();
    format!("old 5\n\n{}", log.sign(checkpoint))
}

#[tokio::test]
async fn the_first_checkpoint_needs_no_proof_and_the_empty_tree_has_one_root() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    let other_empty = log.sign(Checkpoint::new(ORIGIN, 0, log.root(1)).unwrap());
    assert_eq!(world.post(&format!("old 0\n\n{other_empty}")).await.status, 422);
    let with_proof = AddCheckpoint {
        proof: vec![log.root(1)],
        ..log.request(0, 9)
    };
    assert_eq!(world.post(&with_proof.to_string()).await.status, 422);
    assert_eq!(world.size(&log).await, None);
    assert_eq!(world.post(&log.request(0, 0).to_string()).await.status, 200);
    assert_eq!(world.post(&format!("old 0\n\n{other_empty}")).await.status, 422);
    assert_eq!(world.post(&log.request(0, 9).to_string()).await.status, 200);
}

#[tokio::test]
async fn a_contradiction_is_kept_once_whatever_the_request_says() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    assert_eq!(world.post(&log.request(0, 9).to_string()).await.status, 200);
    let fork = log.forked_at(3, 1);
    for (old, status) in [(9, 422), (9, 422), (0, 409), (10, 400)] {
        let request = AddCheckpoint {
            old_size: old,
            ..fork.request(9, 9)
        };
        assert_eq!(world.post(&request.to_string()).await.status, status, "{old}");
    }
    let [found] = &world
        .witness()
        .store()
        .contradictions(Some(ORIGIN))
        .await
        .unwrap()[..]
    else {
        panic!("one contradiction");
    };
    assert_eq!((found.size, found.root), (9, fork.root(9)));
    // Both are signed by the log, so that anybody can check the evidence.
    let key = log.key.verifier().clone();
    for note in [&found.cosigned, &found.contradicting] {
        let signed: opencoin_log::signed_checkpoint::SignedCheckpoint = note.parse().unwrap();
        signed.note().verify(std::slice::from_ref(&key)).unwrap();
    }
    assert!(found.contradicting.contains(&fork.root(9).to_base64()));
    // A tree of a stranger is no evidence.
    let thief = TestLog::with_key(ORIGIN, KeyType::Ed25519Note, 8, 9).forked_at(1, 2);
    let stolen = TestLog {
        key: TestLog::with_key(ORIGIN, KeyType::Ed25519Note, 8, 0).key,
        ..thief
    };
    assert_eq!(world.post(&stolen.request(9, 9).to_string()).await.status, 403);
    assert_eq!(
        world.witness().store().contradictions(None).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn lines_after_the_root_need_a_signature_that_covers_them() {
    let ed25519 = TestLog::new(ORIGIN, 5);
    let ml_dsa = TestLog::with_key("log.example/pq", KeyType::MlDsa44Cosignature, 9, 5);
    let world = World::start(&[&ed25519, &ml_dsa]).await;
    assert_eq!(world.post(&ml_dsa.request(0, 5).to_string()).await.status, 200);
    for (log, status) in [(&ed25519, 200), (&ml_dsa, 403)] {
        let (size, root) = (log.leaves.len(), log.root(5).to_base64());
        let text = format!("{}\n{size}\n{root}\na line\n", log.origin);
        let signed = log.sign(text.parse().unwrap());
        let old = if status == 200 { 0 } else { 5 };
        let reply = world.post(&format!("old {old}\n\n{signed}")).await;
        assert_eq!(reply.status, status, "{reply:?}");
    }
}

#[tokio::test]
async fn logs_come_and_go_while_the_server_runs() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[]).await;
    let store = world.witness_folder().store().await.unwrap();
    let key = log.vkey().parse().unwrap();
    let request = log.request(0, 5).to_string();
    assert_eq!(world.post(&request).await.status, 404);
    assert!(
        store
            .add_log(ORIGIN, &key, Some("https://log.example"))
            .await
            .unwrap()
    );
    assert!(!store.add_log(ORIGIN, &key, None).await.unwrap());
    assert_eq!(world.post(&request).await.status, 200);
    assert!(store.remove_log(ORIGIN).await.unwrap());
    assert!(!store.remove_log(ORIGIN).await.unwrap());
    assert_eq!(world.post(&log.request(5, 9).to_string()).await.status, 404);

    // The state has stayed, so another history is not cosigned.
    assert!(store.add_log(ORIGIN, &key, None).await.unwrap());
    assert_eq!(
        world
            .post(&log.forked_at(1, 1).request(0, 9).to_string())
            .await
            .status,
        409
    );
    assert_eq!(world.post(&log.request(5, 9).to_string()).await.status, 200);
    let logs = store.logs().await.unwrap();
    assert_eq!(logs[0].url.as_deref(), Some("https://log.example"));
}
