//! The compact encoding and the line of text: nothing is lost, and damage is always noticed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;

use opencoin_schema::{BigInt, Coin, CoinStack, PROTOCOL_VERSION, Payload, from_json, text};
use opencoin_stack::{
    COINS_MAX, PREFIX, StackError, URL_BYTES_MAX, decode, encode, find_locked_text, find_text,
    locked_to_text, to_text,
};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = BigInt> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| BigInt::from_be_bytes(&bytes)),
        (0..3_u8).prop_map(|small| BigInt::from_be_bytes(&[small])),
    ]
}

fn location() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("https://issuer.example".to_owned()),
        1 => Just(PROTOCOL_VERSION.to_owned()),
        1 => any::<String>(),
        1 => (URL_BYTES_MAX - 1..URL_BYTES_MAX + 2).prop_map(|length| "l".repeat(length)),
    ]
}

prop_compose! {
    fn coin()(
        cdd_location in location(),
        denomination in prop_oneof![0..4_u64, any::<u64>()],
        issuer_id in number(),
        mint_key_id in number(),
        protocol_version in prop_oneof![3 => Just(PROTOCOL_VERSION.to_owned()), 1 => location()],
        serial in number(),
        signature in number(),
    ) -> Coin {
        let payload =
            Payload { cdd_location, denomination, issuer_id, mint_key_id, protocol_version, serial };
        Coin { payload, signature }
    }
}

prop_compose! {
    /// Coins of a few kinds in any order, so that they share currencies and mint keys.
    fn stack()(
        kinds in proptest::collection::vec(coin(), 1..4),
        chosen in proptest::collection::vec((any::<prop::sample::Index>(), number(), number()), 0..12),
        subject in any::<String>(),
    ) -> CoinStack {
        let coins = chosen.into_iter().map(|(kind, serial, signature)| {
            let payload = Payload { serial, ..kind.get(&kinds).payload.clone() };
            Coin { payload, signature }
        });
        CoinStack { coins: coins.collect(), subject }
    }
}

proptest! {
    #[test]
    fn every_stack_comes_back(stack in stack()) {
        prop_assert_eq!(&decode(&encode(&stack)).unwrap(), &stack);
        prop_assert_eq!(&find_text(&to_text(&stack)).unwrap().unwrap(), &stack);
    }

    #[test]
    fn locked_bytes_come_back(locked: Vec<u8>, at in any::<prop::sample::Index>()) {
        let text = locked_to_text(&locked);
        let mail = format!("Here:\n> {text}\nBye");
        prop_assert_eq!(find_locked_text(&mail), Some(Ok(locked)));
        prop_assert_eq!(find_text(&text), None);
        let at = "opencoinlocked1".len() + at.index(text.len() - "opencoinlocked1=".len());
        prop_assert_eq!(find_locked_text(&text[..at]), Some(Err(StackError::Damaged)));
    }

    #[test]
    fn bytes_that_are_accepted_are_the_only_encoding(stack in stack(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = encode(&stack);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = decode(&bytes) {
            prop_assert_eq!(encode(&other), bytes);
        }
        let cut = &encode(&stack)[..at];
        prop_assert!(decode(cut).is_err());
    }

    #[test]
    fn a_changed_text_is_damaged(stack in stack(), at in any::<prop::sample::Index>(), other in "[ -~]") {
        let text = to_text(&stack);
        // The prefix and the "=" have rules of their own.
        let body = PREFIX.len() + 1..text.len() - 1;
        let at = body.start + at.index(body.len());
        let damaged = StackError::Damaged;
        let missing = format!("{}{}", &text[..at], &text[at + 1..]);
        prop_assert_eq!(find_text(&missing).unwrap(), Err(damaged.clone()));
        let cut = &text[..at];
        prop_assert_eq!(find_text(cut).unwrap(), Err(damaged.clone()));
        if other != text[at..=at] {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(find_text(&changed).unwrap(), Err(damaged));
        }
    }
}

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read_vector(name: &str) -> String {
    fs::read_to_string(folder("fixtures/transfer").join(name)).unwrap()
}

/// The stack of the vector.
fn example() -> CoinStack {
    from_json(read_vector("coinstack.json").as_bytes()).unwrap()
}

#[test]
fn the_example_of_the_specification_comes_back_byte_for_byte() {
    let path = folder("../shared/spec/examples/coinstack.json");
    let Ok(json) = fs::read_to_string(&path) else {
        println!("SKIPPED: there is no {}", path.display());
        return;
    };
    let stack = from_json(json.as_bytes()).unwrap();
    let back = decode(&encode(&stack)).unwrap();
    assert_eq!(text::pretty(&back).trim_end(), json.trim_end());
    assert!(encode(&stack).len() * 3 < text::compact(&stack).len());
}

/// The vector of docs/TRANSFER.md, for other implementations.
#[test]
fn the_vector_is_what_this_crate_writes() {
    let stack = example();
    let hex: String = encode(&stack).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, read_vector("coinstack.cbor.hex").trim_end());
    assert_eq!(to_text(&stack), read_vector("coinstack.txt").trim_end());
}

#[test]
fn a_text_survives_mail_and_messengers() {
    let stack = example();
    let line = to_text(&stack);
    assert!(
        line.chars()
            .all(|char| char.is_ascii_alphanumeric() || "+/=".contains(char))
    );
    let wrapped: Vec<&str> = line
        .as_bytes()
        .chunks(60)
        .map(|part| str::from_utf8(part).unwrap())
        .collect();
    for text in [
        line.clone(),
        line.trim_end_matches('=').to_owned(),
        line.replacen("opencoin", "Opencoin", 1),
        format!("Here you are: {line} Have fun, Alice"),
        format!(
            "On Monday Alice wrote:\r\n> {}\r\n> Have fun\r\n",
            wrapped.join("\r\n> ")
        ),
        wrapped.join("\u{200b}"),
    ] {
        assert_eq!(find_text(&text).unwrap().unwrap(), stack, "{text}");
    }
    assert_eq!(find_text("Here you are: nothing"), None);
    assert_eq!(find_text(PREFIX), Some(Err(StackError::Damaged)));
    assert_eq!(
        find_text(&line.replacen('1', "2", 1)),
        Some(Err(StackError::OtherVersion(2)))
    );
}

#[test]
fn a_stack_beyond_the_limits_travels_as_json() {
    let stack = example();
    let repeated = |count| CoinStack {
        coins: stack.coins.iter().cycle().take(count).cloned().collect(),
        subject: stack.subject.clone(),
    };
    let (most, more) = (repeated(COINS_MAX), repeated(COINS_MAX + 1));
    let compact_ratio = text::compact(&most).len() / encode(&most).len();
    assert!(compact_ratio >= 3);
    assert!(encode(&more).len() > text::compact(&more).len());
    for stack in [most, more] {
        assert!(decode(&encode(&stack)).unwrap() == stack);
    }
}

#[test]
fn other_encodings_are_refused() {
    let empty = CoinStack {
        coins: Vec::new(),
        subject: String::new(),
    };
    assert_eq!(encode(&empty), [0x85, 0x01, 0x60, 0x80, 0x80, 0x80]);
    let malformed = |bytes: &[u8]| matches!(decode(bytes), Err(StackError::Malformed(_)));
    let json = text::compact(&empty);
    let mut as_json = vec![0x78, json.len() as u8];
    as_json.extend(json.as_bytes());
    for bytes in [
        &[][..],
        // A trailing byte, a long length, an indefinite length, a long integer, four parts.
        &[0x85, 0x01, 0x60, 0x80, 0x80, 0x80, 0x00],
        &[0x98, 0x05, 0x01, 0x60, 0x80, 0x80, 0x80],
        &[0x9f, 0x01, 0x60, 0x80, 0x80, 0x80, 0xff],
        &[0x85, 0x18, 0x01, 0x60, 0x80, 0x80, 0x80],
        &[0x84, 0x01, 0x60, 0x80, 0x80],
        // A currency that no coin uses, a coin of a mint key that is not there, 2^64 - 1 coins.
        &[0x85, 0x01, 0x60, 0x81, 0x83, 0x41, 0x01, 0x60, 0xf6, 0x80, 0x80],
        &[
            0x85, 0x01, 0x60, 0x80, 0x80, 0x81, 0x83, 0x00, 0x41, 0x01, 0x41, 0x01,
        ],
        &[
            0x85, 0x01, 0x60, 0x80, 0x80, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        // The JSON text of a stack that has a compact form.
        &as_json,
    ] {
        assert!(malformed(bytes), "{bytes:02x?}");
    }
    assert_eq!(
        decode(&[0x86, 0x02, 0x60, 0x80, 0x80, 0x80, 0x80]),
        Err(StackError::OtherVersion(2))
    );
}
