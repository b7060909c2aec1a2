//! Every document that can be written is the same when it is read again, and no text makes the decoder panic.

use chrono::DateTime;
use opencoin_schema::*;
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use serde_json::Value;

use crate::refusals::recoup;
use crate::specification::examples;

/// The fields that hold a [`BigInt`].
const NUMBERS: [&str; 11] = [
    "blind_signature",
    "blinded_payload_hash",
    "blinding_seed",
    "id",
    "issuer_id",
    "mint_key_id",
    "mint_key_ids",
    "modulus",
    "serial",
    "signature",
    "transaction_reference",
];

/// An example of the specification, or a recoup, with random values in its fields.
fn document() -> impl Strategy<Value = AnyDocument> {
    let documents = examples()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("_secret"));
    let texts = documents.map(|(_, json)| json).chain([recoup("5eed")]);
    let examples: Vec<Value> = texts.map(|json| serde_json::from_str(&json).unwrap()).collect();
    prop::sample::select(examples).prop_perturb(|mut json, mut rng| {
        randomize(&mut json, "", &mut rng);
        let read = AnyDocument::from_json(json.to_string().as_bytes());
        read.unwrap_or_else(|error| panic!("{error}: {json}"))
    })
}

fn randomize(value: &mut Value, field: &str, rng: &mut TestRng) {
    match value {
        Value::Object(_) if field == "cddc" && rng.random_ratio(1, 4) => *value = Value::Null,
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "type") {
                randomize(value, name, rng);
            }
        }
        Value::Array(items) => {
            // A weighted URL keeps both of its items.
            if !matches!(items[..], [Value::Number(_), Value::String(_)]) {
                items.truncate(rng.random_range(0..=items.len()));
            }
            items.iter_mut().for_each(|item| randomize(item, field, rng));
        }
        Value::Number(_) => {
            let is_signed = field.ends_with("_service") || field == "message_reference" && rng.random();
            *value = match field {
                "status_code" => rng.random::<u16>().into(),
                _ if is_signed => rng.random::<i64>().into(),
                _ => rng.random::<u64>().into(),
            };
        }
        Value::String(text) => {
            *text = if NUMBERS.contains(&field) {
                let bytes: Vec<u8> = (0..rng.random_range(0..48)).map(|_| rng.random()).collect();
                BigInt::from_be_bytes(&bytes).to_string()
            } else if text.parse::<Timestamp>().is_ok() {
                let unix_us = rng.random_range(0..4_000_000_000_000_000);
                Timestamp::from_utc(DateTime::from_timestamp_micros(unix_us).unwrap()).to_string()
            } else {
                let ascii = |rng: &mut TestRng| char::from(rng.random_range(0..0x80_u8));
                (0..rng.random_range(0..8))
                    .map(|_| if rng.random() { ascii(rng) } else { rng.random() })
                    .collect()
            };
        }
        Value::Null | Value::Bool(_) => unreachable!("no example has such a value"),
    }
}

proptest! {
    #[test]
    fn every_document_is_the_same_after_writing_and_reading(document in document()) {
        let compact = text::compact(&document);
        prop_assert!(compact.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
        prop_assert_eq!(&AnyDocument::from_json(compact.as_bytes()).unwrap(), &document);
        prop_assert!(text::pretty(&document).bytes().all(|byte| byte == b'\n' || (0x20..=0x7e).contains(&byte)));
    }

    #[test]
    fn random_bytes_never_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AnyDocument::from_json(&bytes);
        let _ = Envelope::peek(&bytes);
    }

    #[test]
    fn mutated_documents_never_cause_a_panic(document in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = text::compact(&document).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(read) = AnyDocument::from_json(&json) {
            prop_assert_eq!(AnyDocument::from_json(text::compact(&read).as_bytes()).unwrap(), read);
        }
    }
}
