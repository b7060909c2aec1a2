//! What a node says about itself: what is refused, and that reading and writing are inverse.

use std::collections::BTreeMap;

use opencoin_gossip::{NODE_BODY_BYTES_MAX, NODE_LOGS_MAX, NodeRole, NodeSelf, NodeSelfError};
use opencoin_log::key::{KeyType, SigningKey, VerifierKey};
use proptest::prelude::*;
use serde_json::{Value, json};

fn key() -> VerifierKey {
    let name = "auditor.test/a1".parse().unwrap();
    let key = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[7; 32].into()).unwrap();
    key.verifier().clone()
}

fn body() -> Value {
    json!({"logs": {"issuer.test/log": 400}, "name": "auditor.test/a1", "role": "full", "vkey": key().to_string()})
}

fn parse(body: &Value) -> Result<NodeSelf, NodeSelfError> {
    NodeSelf::parse(body.to_string().as_bytes())
}

#[test]
fn a_body_says_what_the_node_is() {
    let node = parse(&body()).unwrap();
    assert_eq!(
        (node.role(), node.name(), node.key()),
        (NodeRole::Full, "auditor.test/a1", &key())
    );
    assert_eq!(node.logs()["issuer.test/log"], 400);
    assert_eq!(node.to_json(), body().to_string());
}

#[test]
fn other_fields_and_values_are_refused() {
    for (field, value, error) in [
        ("more", json!(1), NodeSelfError::Form),
        ("role", json!("miner"), NodeSelfError::Form),
        ("name", json!("auditor.test/a2"), NodeSelfError::Name),
        (
            "vkey",
            json!("auditor.test/a1+00000000+AAAA"),
            NodeSelfError::Form,
        ),
        ("logs", json!({"issuer.test/log": -1}), NodeSelfError::Form),
        ("logs", json!({"issuer.test/log": "400"}), NodeSelfError::Form),
        ("logs", json!({"": 1}), NodeSelfError::Logs),
        ("logs", json!({"a\nb": 1}), NodeSelfError::Logs),
        ("logs", json!({"a".repeat(256): 1}), NodeSelfError::Logs),
    ] {
        let mut body = body();
        body[field] = value.clone();
        assert_eq!(parse(&body), Err(error), "{field}: {value}");
    }
    for field in ["logs", "name", "role", "vkey"] {
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(parse(&body), Err(NodeSelfError::Form), "without {field}");
    }
}

#[test]
fn a_hostile_node_cannot_send_much() {
    let with_logs = |count: usize| {
        let mut body = body();
        let logs: BTreeMap<String, u64> = (0..count).map(|number| (format!("{number}"), 1)).collect();
        body["logs"] = json!(logs);
        parse(&body)
    };
    assert!(with_logs(NODE_LOGS_MAX).is_ok());
    assert_eq!(with_logs(NODE_LOGS_MAX + 1), Err(NodeSelfError::Logs));
    let long = format!("{}{}", body(), " ".repeat(NODE_BODY_BYTES_MAX));
    assert_eq!(NodeSelf::parse(long.as_bytes()), Err(NodeSelfError::TooLong));
    let long_logs = (0..NODE_LOGS_MAX)
        .map(|number| (format!("{number:0255}"), u64::MAX))
        .collect();
    assert_eq!(
        NodeSelf::new(NodeRole::Full, key(), long_logs),
        Err(NodeSelfError::TooLong)
    );
}

proptest! {
    #[test]
    fn a_body_is_the_same_after_writing_and_reading(
        logs in proptest::collection::btree_map("[ -~]{1,30}", any::<u64>(), 0..20),
        role in prop::sample::select(vec![
            NodeRole::Full, NodeRole::Light, NodeRole::Witness, NodeRole::Sealer,
        ]),
    ) {
        let node = NodeSelf::new(role, key(), logs).unwrap();
        prop_assert!(node.to_json().contains(role.word()));
        prop_assert_eq!(NodeSelf::parse(node.to_json().as_bytes()), Ok(node));
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_body(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = NodeSelf::parse(&bytes);
    }
}
