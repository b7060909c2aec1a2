//! Messages as texts of codes: any parts that carry the message are enough, in any order, and damage is noticed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_pictures::{
    DrawError, Drawing, FRAGMENTS_MAX, FRAME_VERSION_MAX, MESSAGE_BYTES_MAX, Message, PartError, Parts,
    Sequence, VERSION_MAX, draw, find_parts, single_text,
};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TYPE: &str = "opencoin-stack";

fn message(seed: u64, bytes: usize) -> Vec<u8> {
    let mut message = vec![0; bytes];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut message);
    message
}

fn texts(message: &[u8], version: u8, count: usize) -> Vec<String> {
    let mut sequence = Sequence::new(TYPE, message, version).unwrap();
    (0..count).map(|_| sequence.next_text().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_parts_that_are_complete_give_the_message(
        seed: u64,
        bytes in 1..6000_usize,
        version in 5..=FRAME_VERSION_MAX,
        skipped in 0..200_usize,
    ) {
        let message = message(seed, bytes);
        let sequence = Sequence::new(TYPE, &message, version).unwrap();
        let needed = sequence.fragments();
        let needed = skipped + 3 * needed + 20;
        let mut texts = texts(&message, version, needed);
        texts.drain(..skipped);
        texts.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut parts = Parts::default();
        for text in texts {
            if parts.is_complete() {
                break;
            }
            let before = parts.progress().0;
            parts.receive(&text).unwrap();
            prop_assert!(parts.progress().0 <= before + 1);
            // Again, it says nothing new.
            let after = parts.progress();
            parts.receive(&text).unwrap();
            prop_assert_eq!(parts.progress(), after);
        }
        let found = parts.message().unwrap();
        let expected = Message { ur_type: TYPE.to_owned(), bytes: message };
        prop_assert!(found == Some(expected));
    }

    #[test]
    fn a_changed_part_is_damaged(seed: u64, at in any::<prop::sample::Index>(), letter in "[A-Z]", bytes in 1..3000_usize) {
        let message = message(seed, bytes);
        let single = single_text(TYPE, &message).unwrap();
        let part = texts(&message, 10, 1).remove(0);
        for text in [single, part] {
            let body = text.rfind('/').unwrap() + 1;
            let at = body + at.index(text.len() - body);
            if text[at..=at] == letter {
                continue;
            }
            let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(Parts::default().receive(&changed), Err(PartError::Damaged));
            prop_assert_eq!(Parts::default().receive(&text[..at]), Err(PartError::Damaged));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(?i)ur:[a-z-]{0,9}/([0-9]{1,3}-[0-9]{1,3}/)?[a-z]{0,40}") {
        let _ = Parts::default().receive(&text);
    }
}

#[test]
fn a_third_of_what_is_written_may_be_missing() {
    let seed = 20_260_101;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for bytes in [1_300, 5_000, 12_000, 34_700, 69_000] {
        let message = message(seed, bytes);
        let sequence = Sequence::new(TYPE, &message, FRAME_VERSION_MAX).unwrap();
        let (written, fragments) = (sequence.written(), sequence.fragments());
        let mut texts = texts(&message, FRAME_VERSION_MAX, written);
        for _ in 0..100 {
            texts.shuffle(&mut random);
            let mut parts = Parts::default();
            let mut needed = 0;
            for text in texts.iter().take(written - written / 3) {
                needed += usize::from(!parts.is_complete());
                parts.receive(text).unwrap();
            }
            assert!(
                parts.is_complete(),
                "{bytes} bytes, {fragments} fragments, {written} written: {:?}",
                parts.progress()
            );
            assert!(needed <= written - written / 3);
        }
    }
}

#[test]
fn what_fits_is_one_code() {
    let Ok(Drawing::Single(frame)) = draw(TYPE, &message(1, 980), VERSION_MAX) else {
        panic!("980 bytes are more than one code");
    };
    assert!(frame.text.starts_with("UR:OPENCOIN-STACK/"));
    let Ok(Drawing::Sequence(sequence)) = draw(TYPE, &message(1, 990), VERSION_MAX) else {
        panic!("990 bytes are one code");
    };
    assert_eq!(sequence.fragments(), 2);
    assert!(
        sequence.version() < FRAME_VERSION_MAX,
        "two halves need no large codes"
    );
}

#[test]
fn limits_are_checked_when_drawing() {
    let large = message(1, MESSAGE_BYTES_MAX + 1);
    assert!(matches!(
        draw(TYPE, &large, VERSION_MAX),
        Err(DrawError::TooLong(_))
    ));
    let most = &large[..MESSAGE_BYTES_MAX];
    assert!(matches!(draw(TYPE, most, 4), Err(DrawError::TooManyFragments(_))));
    assert!(matches!(draw(TYPE, most, VERSION_MAX), Ok(Drawing::Sequence(_))));
    assert!(matches!(
        draw("two words", &[1], VERSION_MAX),
        Err(DrawError::Type)
    ));
    assert!(matches!(draw(TYPE, &[1; 2000], 1), Err(DrawError::Type)));
}

#[test]
fn parts_of_different_messages_are_refused() {
    let (one, other) = (message(1, 3000), message(2, 3000));
    let mut parts = Parts::default();
    parts.receive(&texts(&one, 10, 1)[0]).unwrap();
    assert_eq!(parts.receive(&texts(&other, 10, 2)[1]), Err(PartError::Mixed));
    assert_eq!(
        parts.receive(&texts(&one, 12, 2)[1]),
        Err(PartError::Mixed),
        "cut differently"
    );
    assert_eq!(
        parts.receive(&single_text(TYPE, &one).unwrap()),
        Err(PartError::Mixed)
    );
    assert_eq!(parts.progress().0, 1);
    let mut parts = Parts::default();
    parts.receive(&single_text(TYPE, &one).unwrap()).unwrap();
    assert_eq!(
        parts.receive(&single_text(TYPE, &other).unwrap()),
        Err(PartError::Mixed)
    );
    assert_eq!(parts.receive(&texts(&one, 10, 1)[0]), Err(PartError::Mixed));
    assert_eq!(
        parts.receive("https://issuer.example/"),
        Err(PartError::NotResource)
    );
}

/// A part with these numbers, whose own checksum is right.
fn part(number: u32, fragments: u32, message_bytes: u32, data: &[u8]) -> String {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    encoder
        .array(5)
        .unwrap()
        .u32(number)
        .unwrap()
        .u32(fragments)
        .unwrap();
    encoder
        .u32(message_bytes)
        .unwrap()
        .u32(7)
        .unwrap()
        .bytes(data)
        .unwrap();
    let body = ur::bytewords::encode(&encoder.into_writer(), ur::bytewords::Style::Minimal);
    format!("ur:{TYPE}/{number}-{fragments}/{body}")
}

#[test]
fn a_part_that_claims_too_much_is_refused_before_anything_is_reserved() {
    let receive = |text: String| Parts::default().receive(&text);
    assert_eq!(receive(part(1, 2, 4, &[1, 2])), Ok(()));
    assert_eq!(
        receive(part(u32::MAX, u32::MAX, 4, &[1])),
        Err(PartError::TooLarge)
    );
    assert_eq!(
        receive(part(1, FRAGMENTS_MAX as u32 + 1, 4, &[1])),
        Err(PartError::TooLarge)
    );
    assert_eq!(
        receive(part(1, 1, MESSAGE_BYTES_MAX as u32 + 1, &[1])),
        Err(PartError::TooLarge)
    );
    for (number, fragments, bytes, data) in [
        (0, 2, 4, &[1, 2][..]),
        (1, 0, 4, &[1, 2]),
        (1, 2, 5, &[1, 2]),
        (1, 2, 0, &[]),
        (1, 2, 2, &[1, 2]),
    ] {
        assert_eq!(
            receive(part(number, fragments, bytes, data)),
            Err(PartError::Damaged)
        );
    }
    let renumbered = part(1, 2, 4, &[1, 2]).replace("/1-2/", "/2-2/");
    assert_eq!(receive(renumbered), Err(PartError::Damaged));
}

#[test]
fn parts_that_contradict_each_other_or_the_checksum_are_damaged() {
    let mut parts = Parts::default();
    parts.receive(&part(1, 2, 4, &[1, 2])).unwrap();
    assert_eq!(parts.receive(&part(1, 2, 4, &[1, 3])), Err(PartError::Damaged));
    parts.receive(&part(2, 2, 4, &[3, 4])).unwrap();
    assert!(parts.is_complete());
    assert!(
        parts.message() == Err(PartError::Damaged),
        "the checksum of the message is wrong"
    );
}

#[test]
fn parts_are_found_among_other_words() {
    let parts = texts(&message(3, 1500), 15, 3);
    let mail = format!(
        "> Hi!\n> {}\n<desc>{}</desc> ur: your:x/y \"{}\".",
        parts[0],
        parts[1].to_lowercase(),
        parts[2]
    );
    let found: Vec<String> = find_parts(&mail).map(str::to_uppercase).collect();
    assert_eq!(found, parts);
}

fn vector(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/transfer/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

/// The vectors of docs/TRANSFER.md, for other implementations.
#[test]
fn the_vectors_are_what_this_crate_writes() {
    let hex = vector("coinstack.cbor.hex");
    let bytes = hex.trim_end().as_bytes().chunks(2);
    let message: Vec<u8> = bytes
        .map(|hex| u8::from_str_radix(str::from_utf8(hex).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(
        single_text(TYPE, &message).unwrap(),
        vector("coinstack.ur.txt").trim_end()
    );
    let parts = vector("coinstack.ur-parts.txt");
    let count = parts.lines().count();
    assert_eq!(texts(&message, 4, count), parts.lines().collect::<Vec<_>>());
    let mut read = Parts::default();
    // Without the fragments themselves, which come first.
    let fragments = Sequence::new(TYPE, &message, 4).unwrap().fragments();
    parts
        .lines()
        .skip(fragments)
        .for_each(|part| read.receive(part).unwrap());
    let expected = Message {
        ur_type: TYPE.to_owned(),
        bytes: message,
    };
    assert!(read.message() == Ok(Some(expected)));
}
