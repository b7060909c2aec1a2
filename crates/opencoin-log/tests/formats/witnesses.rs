//! Policies, messages of witnesses, and proofs in files.

use std::collections::BTreeSet;

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::policy::{CosignedBy, Policy, PolicyError};
use opencoin_log::proof_file::{ProofFile, ProofFileVerifyError};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tree::{ProofError, root, verify_consistency};
use opencoin_log::witness::{
    ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, WitnessMessageError, checkpoint_path, parse_size_body, size_body,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::notes::key;
use crate::vectors::{list, number, text, unhex, vectors};

fn names(value: &Value) -> BTreeSet<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect()
}

#[test]
fn policies_of_other_implementations_are_read() {
    let Some(vectors) = vectors("tlog_policy") else {
        return;
    };
    for case in list(&vectors, "valid") {
        let policy: Policy = text(case, "text").parse().unwrap();
        for cosigned in list(case, "satisfied_by") {
            assert!(policy.is_satisfied(&names(cosigned)), "{cosigned}");
        }
        for cosigned in list(case, "not_by") {
            assert!(!policy.is_satisfied(&names(cosigned)), "{cosigned}");
        }
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    for case in list(&vectors, "invalid") {
        assert!(
            text(case, "text").parse::<Policy>().is_err(),
            "{}",
            text(case, "why")
        );
    }
}

fn log() -> SigningKey {
    key("log.example/log", KeyType::Ed25519Note, 1)
}

fn witness(number: u8) -> SigningKey {
    let key_type = [KeyType::Ed25519Cosignature, KeyType::MlDsa44Cosignature][usize::from(number % 2)];
    key(&format!("w{number}.example"), key_type, 10 + number)
}

/// Two of three witnesses, and a group of its own.
fn policy() -> Policy {
    let mut text = format!("log {} https://log.example/log\n", log().verifier());
    for number in 0..4 {
        text += &format!("witness w{number} {}\n", witness(number).verifier());
    }
    text += " \t# a comment\ngroup two 2 w0 w1\t w2\n\ngroup joint any w3\nquorum two";
    text.parse().unwrap()
}

fn signed(by: &[(&SigningKey, u64)]) -> SignedCheckpoint {
    let root = root(&[leaf_hash(b"entry")]);
    let mut signed = SignedCheckpoint::new(Checkpoint::new("log.example/log", 1, root).unwrap()).unwrap();
    for (key, time) in by {
        signed.sign(key, *time).unwrap();
    }
    signed
}

#[test]
fn a_checkpoint_needs_its_log_and_the_quorum() {
    let (policy, log) = (policy(), log());
    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(witness);
    let both = signed(&[(&log, 1), (&w0, 100), (&w1, 200), (&w3, 300)]);
    let verified = policy.verify_checkpoint(&both, None).unwrap();
    let cosigned_by = [("w0", 100), ("w1", 200), ("w3", 300)].map(|(witness, time)| CosignedBy {
        witness: witness.to_owned(),
        time,
    });
    assert_eq!(verified.cosigned_by, cosigned_by);
    assert_eq!(verified.witnesses_after(100), BTreeSet::from(["w1", "w3"]));
    assert_eq!(policy.is_met("joint", &verified.witnesses_after(0)), Some(true));
    assert_eq!(policy.is_met("joint", &BTreeSet::from(["w1"])), Some(false));
    assert_eq!(policy.is_met("unknown", &BTreeSet::new()), None);
    // What is later than the clock does not count.
    assert!(policy.verify_checkpoint(&both, Some(200)).is_ok());
    assert_eq!(
        policy.verify_checkpoint(&both, Some(199)),
        Err(PolicyError::Quorum)
    );
    let one = signed(&[(&log, 1), (&w2, 100), (&w2, 200), (&w3, 300)]);
    assert_eq!(policy.verify_checkpoint(&one, None), Err(PolicyError::Quorum));
    let without_log = signed(&[(&w0, 100), (&w1, 200)]);
    assert_eq!(
        policy.verify_checkpoint(&without_log, None),
        Err(PolicyError::NotByLog)
    );
    // The key of a log signs for its own origin only.
    let mut other =
        SignedCheckpoint::new(Checkpoint::new("other.example", 1, Hash::EMPTY_TREE).unwrap()).unwrap();
    other.sign(&log, 1).unwrap();
    assert!(policy.verify_checkpoint(&other, None).is_err());
    // A witness that signed again counts once, with its latest time.
    let again = signed(&[(&log, 1), (&w0, 200), (&w0, 100), (&w1, 150)]);
    let verified = policy.verify_checkpoint(&again, None).unwrap();
    assert_eq!(verified.witnesses_after(150), BTreeSet::from(["w0"]));
    assert!(Policy::default().verify_checkpoint(&both, None).is_err());
}

#[test]
fn a_policy_says_who_counts_for_what() {
    let policy = policy();
    assert_eq!(policy.quorum(), Some("two"));
    assert_eq!(policy.names_in_quorum(), BTreeSet::from(["w0", "w1", "w2"]));
    assert_eq!(policy.names_in("joint"), BTreeSet::from(["w3"]));
    assert_eq!(policy.names_in("w1"), BTreeSet::from(["w1"]));
    assert_eq!(policy.names_in("nobody"), BTreeSet::new());
    let (needed, members) = policy.group_of_witnesses("two").unwrap();
    assert_eq!((needed, members.len()), (2, 3));
    assert_eq!(policy.group_of_witnesses("w0"), None);
    let nested = policy.to_string().replace(
        "quorum two",
        "group both all two joint\ngroup some 1 both\nquorum some",
    );
    let nested: Policy = nested.parse().unwrap();
    assert_eq!(nested.names_in_quorum(), BTreeSet::from(["w0", "w1", "w2", "w3"]));
    assert_eq!(nested.group_of_witnesses("both"), None);
    assert_eq!(Policy::default().names_in_quorum(), BTreeSet::new());
}

#[test]
fn a_log_may_sign_with_ml_dsa() {
    let log = key("log.example/log", KeyType::MlDsa44Cosignature, 1);
    let policy: Policy = format!("log {}\nquorum none\n", log.verifier()).parse().unwrap();
    assert!(policy.verify_checkpoint(&signed(&[(&log, 5)]), None).is_ok());
}

#[test]
fn other_texts_of_a_policy_are_refused() {
    let good = policy().to_string();
    assert!(good.parse::<Policy>().is_ok());
    let (log, w0) = (log().verifier().to_string(), witness(0).verifier().to_string());
    for more in [
        format!("log {log}"),
        format!("log {w0}"),
        format!("witness w9 {log}"),
        format!(
            "witness w9 {}",
            key("w9", KeyType::Ed25519Cosignature, 1).verifier()
        ),
        format!(
            "witness none {}",
            key("w9", KeyType::Ed25519Cosignature, 9).verifier()
        ),
        format!(
            "witness w9 {} ftp://w9",
            key("w9", KeyType::Ed25519Cosignature, 9).verifier()
        ),
        "group".to_owned(),
        "group g 1".to_owned(),
        "group g any".to_owned(),
        "group g 1 w0".to_owned(),
        "group g 01 two".to_owned(),
        "group g some two".to_owned(),
        "group g 1 g".to_owned(),
        "quorum two".to_owned(),
        "Quorum two".to_owned(),
        "quorum two # comment".to_owned(),
        "\u{7f}".to_owned(),
        "\u{b}".to_owned(),
    ] {
        let error = format!("{good}{more}\n").parse::<Policy>().unwrap_err();
        assert_eq!(error.line, good.lines().count() + 1, "{more}");
    }
    let error = "# nothing\n".parse::<Policy>().unwrap_err().to_string();
    assert_eq!(error, "line 3 of the policy: there is no quorum");
}

/// Answers as a witness does whose last size and root are these; what a strict reader refuses gets 400.
fn status(request: &str, log: &str, size: u64, root: &Hash) -> u64 {
    let Ok(request) = request.parse::<AddCheckpoint>() else {
        return 400;
    };
    let checkpoint = request.checkpoint.checkpoint();
    let key: opencoin_log::key::VerifierKey = log.parse().unwrap();
    if checkpoint.origin() != key.name().as_str() {
        return 404;
    }
    if request.checkpoint.note().verify(&[key]).is_err() {
        return 403;
    }
    if request.old_size != size {
        return 409;
    }
    match verify_consistency(size, checkpoint.size(), root, checkpoint.root(), &request.proof) {
        Ok(()) => 200,
        Err(_) => 422,
    }
}

#[test]
fn requests_of_another_implementation_get_its_answers() {
    let Some(vectors) = vectors("witness") else { return };
    let (mut size, mut root) = (0, Hash::EMPTY_TREE);
    for case in list(&vectors, "requests") {
        let body = text(case, "body");
        let answer = status(body, text(&vectors, "log_vkey"), size, &root);
        let expected = if case.get("note").is_some() {
            400
        } else {
            number(case, "status")
        };
        assert_eq!(answer, expected, "{body}");
        match body.parse::<AddCheckpoint>() {
            Ok(request) => {
                assert_eq!(request.to_string(), body);
                if answer == 200 {
                    size = request.checkpoint.checkpoint().size();
                    root = *request.checkpoint.checkpoint().root();
                }
            }
            Err(_) => assert_eq!(answer, 400),
        }
        if answer == 409 {
            assert_eq!(text(case, "response"), size_body(size));
            assert_eq!(parse_size_body(text(case, "response")), Ok(size));
        }
    }
}

#[test]
fn messages_of_witnesses_are_read_strictly() {
    let signed = signed(&[(&log(), 1)]);
    let hash = Hash::EMPTY_TREE.to_base64();
    let proof = |hashes: usize| format!("{hash}\n").repeat(hashes);
    let parse = |text: String| text.parse::<AddCheckpoint>();
    assert!(parse(format!("old 1\n{}\n{signed}", proof(63))).is_ok());
    let error = Err(WitnessMessageError::Proof);
    assert_eq!(parse(format!("old 1\n{}\n{signed}", proof(64))), error);
    assert_eq!(parse(format!("old 1\n{hash} \n\n{signed}")), error);
    for size in ["Old 1", "old", "old 01", "old 1 ", "old\t1", ""] {
        assert_eq!(
            parse(format!("{size}\n\n{signed}")),
            Err(WitnessMessageError::Size),
            "{size:?}"
        );
    }
    assert!(parse(format!("old 1\n\n\n{signed}")).is_err());
    let long = format!("old 1\n\n{}", "a".repeat(ADD_CHECKPOINT_BYTES_MAX));
    assert_eq!(parse(long), Err(WitnessMessageError::TooLong));
    for body in ["", "1", "01\n", "1\n\n", " 1\n"] {
        assert_eq!(parse_size_body(body), Err(WitnessMessageError::Size), "{body:?}");
    }
    assert_eq!(
        checkpoint_path("example.com/opencoin-log")
            .split_once('/')
            .unwrap()
            .1,
        "checkpoint"
    );
    assert_eq!(checkpoint_path("").as_bytes()[..4], *b"e3b0");
}

#[test]
fn a_proof_of_another_implementation_verifies() {
    let Some(vectors) = vectors("tlog_proof") else {
        return;
    };
    let policies = crate::vectors::vectors("tlog_policy").unwrap();
    let policy: Policy = text(&list(&policies, "valid")[0], "text").parse().unwrap();
    let leaf = leaf_hash(&unhex(text(&vectors, "leaf")));
    for name in ["text", "with_extra"] {
        let proof: ProofFile = text(&vectors, name).parse().unwrap();
        assert_eq!(proof.to_string(), text(&vectors, name));
        assert_eq!(proof.index, number(&vectors, "index"));
        assert_eq!(proof.extra.is_empty(), name == "text");
        let verified = proof.verify(&policy, &leaf, None).unwrap();
        assert_eq!(verified.cosigned_by.len(), 3);
        assert_eq!(
            proof.verify(&policy, &Hash::EMPTY_TREE, None),
            Err(ProofFileVerifyError::Inclusion(ProofError::Root))
        );
        assert_eq!(
            proof.verify(&policy, &leaf, Some(1)),
            Err(ProofFileVerifyError::Checkpoint(PolicyError::Quorum))
        );
    }
}

#[test]
fn other_texts_of_a_proof_are_refused() {
    let signed = signed(&[(&log(), 1)]);
    let head = "c2sp.org/tlog-proof@v1\n";
    assert!(format!("{head}index 0\n\n{signed}").parse::<ProofFile>().is_ok());
    for text in [
        format!("index 0\n\n{signed}"),
        format!("{head}index 00\n\n{signed}"),
        format!("{head}index 0\n{signed}"),
        format!("{head}extra \nindex 0\n\n{signed}"),
        format!("{head}extra AA\nindex 0\n\n{signed}"),
        format!("{head}extra AA==\nextra AA==\nindex 0\n\n{signed}"),
        format!("{head}index 0\nextra AA==\n\n{signed}"),
        format!("{head}\nindex 0\n\n{signed}"),
        format!("{head}index 0\n\n{signed} "),
    ] {
        assert!(text.parse::<ProofFile>().is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn messages_and_proofs_are_the_same_after_writing_and_reading(
        number: u64,
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..=63),
        extra in prop::collection::vec(any::<u8>(), 0..9)
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash::new).collect();
        let checkpoint = signed(&[(&log(), 1), (&witness(0), 9)]);
        let file = ProofFile { extra, index: number, proof: proof.clone(), checkpoint: checkpoint.clone() };
        prop_assert_eq!(file.to_string().parse(), Ok(file));
        let request = AddCheckpoint { old_size: number, proof, checkpoint };
        prop_assert_eq!(request.to_string().parse(), Ok(request));
        prop_assert_eq!(parse_size_body(&size_body(number)), Ok(number));
    }
}
