//! Keys, notes, checkpoints and cosignatures.

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::cosignature::{self, CosignatureError, cosign, ed25519_message, ml_dsa_44_message};
use opencoin_log::hash::{HASH_BYTES, Hash};
use opencoin_log::key::{KeyName, KeyType, SigningKey, VerifierKey, VerifierKeyError};
use opencoin_log::note::{NOTE_BYTES_MAX, Note, NoteError, NoteVerifyError, Verified};
use opencoin_log::signature_line::{SIGNATURES_MAX, SignatureLine, SignatureLineError, parse_lines};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::vectors::{list, number, text, unhex, vectors};

pub(crate) fn key(name: &str, key_type: KeyType, seed: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), key_type, &Zeroizing::new([seed; 32])).unwrap()
}

const ALL_TYPES: [KeyType; 4] = [
    KeyType::Ed25519Note,
    KeyType::Ed25519Cosignature,
    KeyType::MlDsa44Cosignature,
    KeyType::Ed25519Promise,
];

#[test]
fn keys_of_other_implementations_are_read_and_made() {
    let Some(vectors) = vectors("vkeys") else { return };
    for case in list(&vectors, "valid") {
        let key_type = match number(case, "type") {
            1 => KeyType::Ed25519Note,
            4 => KeyType::Ed25519Cosignature,
            other => panic!("type {other}"),
        };
        let seed = Zeroizing::new(unhex(text(case, "seed")).try_into().unwrap());
        let signing = SigningKey::from_seed(text(case, "name").parse().unwrap(), key_type, &seed).unwrap();
        assert_eq!(signing.verifier().to_string(), text(case, "vkey"));
        assert_eq!(signing.verifier().public_key(), unhex(text(case, "public_key")));
        assert_eq!(signing.verifier().id().to_vec(), unhex(text(case, "key_id")));
    }
    for case in list(&vectors, "valid").iter().chain(list(&vectors, "also")) {
        let key: VerifierKey = text(case, "vkey").parse().unwrap();
        assert_eq!(key.to_string(), text(case, "vkey"));
    }
    for case in list(&vectors, "invalid") {
        assert!(
            text(case, "vkey").parse::<VerifierKey>().is_err(),
            "{}",
            text(case, "why")
        );
    }
}

#[test]
fn every_type_of_key_is_the_same_after_writing_and_reading() {
    for key_type in ALL_TYPES {
        let key = key("log.example/log", key_type, 7);
        let read: VerifierKey = key.verifier().to_string().parse().unwrap();
        assert_eq!(read, *key.verifier());
        assert_eq!(read.key_type(), key_type);
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), key_type.signature_bytes());
        assert!(read.verifies(b"message", &signature));
        assert!(!read.verifies(b"Message", &signature) && !read.verifies(b"message", &signature[1..]));
        assert_eq!(format!("{key:?}"), format!("SigningKey({read})"));
    }
    let key = key("name", KeyType::Ed25519Note, 7).verifier().to_string();
    for (changed, error) in [
        (key.replacen("name", "nam", 1), VerifierKeyError::Id),
        (key.to_uppercase(), VerifierKeyError::Form),
        (key.replace('+', "-"), VerifierKeyError::Form),
        (format!("{key}="), VerifierKeyError::Form),
    ] {
        assert_eq!(changed.parse::<VerifierKey>(), Err(error), "{changed}");
    }
}

#[test]
fn keys_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&key("name", KeyType::MlDsa44Cosignature, 1));
}

#[test]
fn names_with_spaces_or_plus_signs_are_refused() {
    for name in [
        "",
        " ",
        "a b",
        "a+b",
        "a\u{a0}b",
        "a\u{2003}",
        "a\nb",
        "a\u{7f}",
        &"a".repeat(256),
    ] {
        assert!(name.parse::<KeyName>().is_err(), "{name:?}");
    }
    for name in ["a", "log.example/log", "ä.example", &"a".repeat(255)] {
        assert_eq!(name.parse::<KeyName>().unwrap().as_str(), name);
    }
}

#[test]
fn notes_of_other_implementations_verify_and_changed_ones_do_not() {
    let Some(vectors) = vectors("signed_note") else {
        return;
    };
    for case in vectors.as_array().unwrap() {
        let key: VerifierKey = text(case, "vkey").parse().unwrap();
        let note = text(case, "note");
        let parsed = note.parse::<Note>();
        if let Ok(parsed) = &parsed {
            assert_eq!(parsed.to_string(), note);
        }
        let is_valid = parsed.is_ok_and(|parsed| parsed.verify(&[key]).is_ok());
        assert_eq!(is_valid, case["valid"], "{}", case["why"]);
    }
}

#[test]
fn checkpoints_of_other_implementations_are_read() {
    let Some(vectors) = vectors("checkpoint") else {
        return;
    };
    for body in list(&vectors, "valid") {
        let checkpoint: Checkpoint = body.as_str().unwrap().parse().unwrap();
        assert_eq!(checkpoint.to_string(), body.as_str().unwrap());
    }
    for case in list(&vectors, "invalid") {
        assert!(
            text(case, "body").parse::<Checkpoint>().is_err(),
            "{}",
            text(case, "why")
        );
    }
    let signed = &vectors["signed"];
    let log: VerifierKey = text(signed, "log_vkey").parse().unwrap();
    let checkpoint: SignedCheckpoint = text(signed, "note").parse().unwrap();
    assert_eq!(
        checkpoint.note().verify(&[log]),
        Ok(vec![Verified { key: 0, time: None }])
    );
    let mut again = SignedCheckpoint::new(checkpoint.checkpoint().clone()).unwrap();
    again
        .sign(&key("example.com/opencoin-log", KeyType::Ed25519Note, 1), 1)
        .unwrap();
    assert_eq!(again.to_string(), text(signed, "note"));
}

#[test]
fn cosignatures_of_other_implementations_verify() {
    let Some(vectors) = vectors("cosignature") else {
        return;
    };
    let body = text(&vectors, "body");
    let mut keys = vec![text(&vectors, "log_vkey").parse().unwrap()];
    let mut verified = vec![Verified { key: 0, time: None }];
    for (seed, case) in (2..).zip(list(&vectors, "ed25519")) {
        let (vkey, time) = (text(case, "vkey"), number(case, "time"));
        let signing = key(vkey.split('+').next().unwrap(), KeyType::Ed25519Cosignature, seed);
        assert_eq!(signing.verifier().to_string(), vkey);
        assert_eq!(
            ed25519_message(time, body),
            text(case, "signed_message").as_bytes()
        );
        let line = cosign(&signing, time, body).unwrap();
        assert_eq!(format!("{line}\n"), text(case, "line"));
        verified.push(Verified {
            key: keys.len(),
            time: Some(time),
        });
        keys.push(signing.verifier().clone());
    }
    let note: Note = text(&vectors, "note").parse().unwrap();
    assert_eq!(note.verify(&keys), Ok(verified));

    let case = &vectors["ml_dsa_44"];
    let vkey: VerifierKey = text(case, "vkey").parse().unwrap();
    let lines = parse_lines(text(case, "line")).unwrap();
    assert!(lines[0].names(&vkey));
    assert_eq!(
        cosignature::verify(&vkey, body, &lines[0].signature),
        Ok(number(case, "time"))
    );
    let other = body.replace("\n8\n", "\n9\n");
    assert_eq!(
        cosignature::verify(&vkey, &other, &lines[0].signature),
        Err(CosignatureError::Signature)
    );

    let case = &vectors["ml_dsa_44_signed_message"];
    let hash = text(case, "hash").parse().unwrap();
    let [time, start, end] = ["timestamp", "start", "end"].map(|name| number(case, name));
    let message = ml_dsa_44_message(
        text(case, "cosigner"),
        time,
        text(case, "origin"),
        start,
        end,
        &hash,
    );
    assert_eq!(message, Some(unhex(text(case, "hex"))));
}

fn checkpoint() -> SignedCheckpoint {
    SignedCheckpoint::new(Checkpoint::new("log.example/log", 3, Hash::new([7; HASH_BYTES])).unwrap()).unwrap()
}

#[test]
fn a_log_and_witnesses_of_both_types_sign_one_checkpoint() {
    let log = key("log.example/log", KeyType::Ed25519Note, 1);
    let witnesses = [
        key("w1.example", KeyType::Ed25519Cosignature, 2),
        key("w2.example", KeyType::MlDsa44Cosignature, 3),
    ];
    let mut signed = checkpoint();
    signed.sign(&log, 0).unwrap();
    for witness in &witnesses {
        signed.sign(witness, 1_795_877_272).unwrap();
    }
    let read: SignedCheckpoint = signed.to_string().parse().unwrap();
    assert_eq!(read, signed);
    let mut keys: Vec<VerifierKey> = witnesses.iter().map(|key| key.verifier().clone()).collect();
    let time = Some(1_795_877_272);
    assert_eq!(
        read.note().verify(&keys),
        Ok(vec![Verified { key: 0, time }, Verified { key: 1, time }])
    );
    keys.truncate(1);
    assert_eq!(read.note().verify(&keys), Ok(vec![Verified { key: 0, time }]));
    assert_eq!(read.note().verify(&[]), Err(NoteVerifyError::NoKnownKey));
    // Another time under the same signature.
    let line = signed.note().signatures()[1].clone();
    let mut later = line.clone();
    later.signature[7] ^= 1;
    signed.add(later).unwrap();
    assert_eq!(
        signed.note().verify(&keys),
        Err(NoteVerifyError::Signature(line.name))
    );
}

#[test]
fn keys_sign_only_what_their_type_is_for() {
    let promise = key("log.example/log/promise", KeyType::Ed25519Promise, 1);
    assert!(checkpoint().sign(&promise, 1).is_err());
    let log = key("log.example/log", KeyType::Ed25519Note, 1);
    let text = checkpoint().note().text().to_owned();
    assert_eq!(cosign(&log, 1, &text), Err(CosignatureError::KeyType));
    let witness = key("w1.example", KeyType::Ed25519Cosignature, 1);
    assert_eq!(Note::new(&text).unwrap().sign(&witness), Err(NoteError::KeyType));
    for time in [0, 1 << 63] {
        assert_eq!(cosign(&witness, time, &text), Err(CosignatureError::Time));
    }
    assert!(matches!(
        cosign(&witness, 1, "text\n"),
        Err(CosignatureError::Checkpoint(_))
    ));
}

#[test]
fn a_note_has_limits() {
    let line = "\u{2014} a AAAAAAAA\n";
    let notes = |lines: usize| format!("text\n\n{}", line.repeat(lines)).parse::<Note>();
    assert!(notes(SIGNATURES_MAX).is_ok());
    let too_many = NoteError::Signature(SignatureLineError::TooMany);
    assert_eq!(notes(SIGNATURES_MAX + 1), Err(too_many));
    let long = format!("{}\n", "a".repeat(NOTE_BYTES_MAX));
    assert_eq!(Note::new(&long), Err(NoteError::TooLong));
    assert_eq!(long.parse::<Note>(), Err(NoteError::TooLong));
    let mut note = notes(SIGNATURES_MAX).unwrap();
    let line: SignatureLine = line.trim_end().parse().unwrap();
    assert_eq!(note.add(line.clone()), Ok(()));
    let signature = vec![1];
    assert_eq!(note.add(SignatureLine { signature, ..line }), Err(too_many));
    for text in ["", "text", "a\tb\n", "a\r\n"] {
        assert_eq!(Note::new(text), Err(NoteError::Text), "{text:?}");
    }
}

fn any_line() -> impl Strategy<Value = SignatureLine> {
    let signature = prop::collection::vec(any::<u8>(), 1..80);
    ("[a-z./ä]{1,12}", any::<[u8; 4]>(), signature).prop_map(|(name, key_id, signature)| SignatureLine {
        name: name.parse().unwrap(),
        key_id,
        signature,
    })
}

proptest! {
    #[test]
    fn a_note_is_the_same_after_writing_and_reading(
        text in "[ -~\n—ä]{0,80}\n", lines in prop::collection::hash_set(any_line(), 1..5)
    ) {
        let mut note = Note::new(&text).unwrap();
        for line in lines {
            note.add(line).unwrap();
        }
        prop_assert_eq!(note.to_string().parse(), Ok(note));
    }

    #[test]
    fn what_reads_as_a_note_or_checkpoint_is_written_the_same(
        text in "[a\n ]{0,9}\n\n?(— [a+ ]{1,2} [A=]{4,8}\n){0,3}",
        size in "[+0]?[0-9]{0,3}",
        end in "[a\n]{0,3}"
    ) {
        if let Ok(note) = text.parse::<Note>() {
            prop_assert_eq!(note.to_string(), text);
        }
        let text = format!("origin\n{size}\n{}\n{end}", Hash::EMPTY_TREE.to_base64());
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }
}
