//! The message: what is refused, and that reading and writing are inverse.

use opencoin_gossip::{BODY_BYTES_MAX, GossipKind, GossipMessage, GossipMessageError, HOPS_MAX, content_id};
use proptest::prelude::*;
use serde_json::{Value, json};

fn body() -> Value {
    json!({"hops": 3, "id": content_id("a text"), "kind": "evidence", "text": "a text"})
}

fn parse(body: &Value) -> Result<GossipMessage, GossipMessageError> {
    GossipMessage::parse(body.to_string().as_bytes())
}

#[test]
fn a_message_is_written_in_one_way() {
    let message = parse(&body()).unwrap();
    assert_eq!(
        (message.hops(), message.kind(), message.text()),
        (3, GossipKind::Evidence, "a text")
    );
    assert_eq!(
        message.to_json(),
        "{\"hops\":3,\"id\":\"734194ede5b063e654d63cb95a682ca1551b45e3cc86e88f1a85c1286eedd4ac\",\
         \"kind\":\"evidence\",\"text\":\"a text\"}"
    );
}

#[test]
fn other_fields_and_values_are_refused() {
    let changes: [(&str, Value, GossipMessageError); 14] = [
        ("more", json!(1), GossipMessageError::Form),
        ("hops", json!(-1), GossipMessageError::Form),
        ("hops", json!(1.5), GossipMessageError::Form),
        ("hops", json!("1"), GossipMessageError::Form),
        ("hops", json!(HOPS_MAX + 1), GossipMessageError::Hops),
        ("hops", json!(256), GossipMessageError::Hops),
        ("hops", json!(u64::MAX), GossipMessageError::Hops),
        ("kind", json!("transaction"), GossipMessageError::Form),
        ("kind", json!(null), GossipMessageError::Form),
        ("id", json!(content_id("another text")), GossipMessageError::Id),
        (
            "id",
            json!(content_id("a text").to_string().to_uppercase()),
            GossipMessageError::Form,
        ),
        (
            "id",
            json!(&content_id("a text").to_string()[1..]),
            GossipMessageError::Form,
        ),
        ("text", json!("a text "), GossipMessageError::Id),
        ("text", json!(["a text"]), GossipMessageError::Form),
    ];
    for (field, value, error) in changes {
        let mut body = body();
        body[field] = value.clone();
        assert_eq!(parse(&body), Err(error), "{field}: {value}");
    }
    for field in ["hops", "id", "kind", "text"] {
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(parse(&body), Err(GossipMessageError::Form), "without {field}");
    }
    let twice = body().to_string().replacen('{', "{\"hops\":2,", 1);
    assert_eq!(
        GossipMessage::parse(twice.as_bytes()),
        Err(GossipMessageError::Form)
    );
    let and_more = format!("{}{{}}", body());
    assert_eq!(
        GossipMessage::parse(and_more.as_bytes()),
        Err(GossipMessageError::Form)
    );
    let no_utf8 = body().to_string().replace("a text", "a \u{0}").into_bytes();
    let no_utf8: Vec<u8> = no_utf8
        .into_iter()
        .map(|byte| if byte == 0 { 0xff } else { byte })
        .collect();
    assert_eq!(GossipMessage::parse(&no_utf8), Err(GossipMessageError::Form));
}

#[test]
fn the_longest_message_has_64_kib() {
    let around = GossipMessage::new(GossipKind::Evidence, String::new())
        .unwrap()
        .to_json()
        .len();
    let longest = "x".repeat(BODY_BYTES_MAX - around);
    let message = GossipMessage::new(GossipKind::Evidence, longest.clone()).unwrap();
    assert_eq!(message.to_json().len(), BODY_BYTES_MAX);
    assert_eq!(
        GossipMessage::parse(message.to_json().as_bytes()),
        Ok(message.clone())
    );
    let too_long = GossipMessage::new(GossipKind::Evidence, longest + "x");
    assert_eq!(too_long, Err(GossipMessageError::TooLong));
    let with_space = format!("{} ", message.to_json());
    assert_eq!(
        GossipMessage::parse(with_space.as_bytes()),
        Err(GossipMessageError::TooLong)
    );
}

proptest! {
    #[test]
    fn a_message_is_the_same_after_writing_and_reading(text in ".{0,200}", is_checkpoint: bool) {
        let kind = if is_checkpoint { GossipKind::Checkpoint } else { GossipKind::Evidence };
        let message = GossipMessage::new(kind, text.clone()).unwrap();
        prop_assert_eq!(message.id(), &content_id(&text));
        prop_assert_eq!(GossipMessage::parse(message.to_json().as_bytes()), Ok(message));
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_message(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = GossipMessage::parse(&bytes) {
            prop_assert_eq!(GossipMessage::parse(message.to_json().as_bytes()), Ok(message));
        }
    }

    #[test]
    fn a_changed_byte_of_the_text_changes_the_id(text in "[a-z]{1,50}", at: prop::sample::Index) {
        let message = GossipMessage::new(GossipKind::Evidence, text.clone()).unwrap();
        let json = message.to_json();
        let begin = json.rfind(&format!("\"{text}\"")).unwrap() + 1;
        let mut bytes = json.into_bytes();
        bytes[begin + at.index(text.len())] ^= 1 << 4;
        prop_assert!(matches!(
            GossipMessage::parse(&bytes),
            Err(GossipMessageError::Id | GossipMessageError::Form)
        ));
    }
}
