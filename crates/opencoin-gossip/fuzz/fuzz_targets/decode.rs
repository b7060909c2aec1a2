//! Any bytes: each decoder refuses them or gives a value that is the same after writing and reading.
//!
//! `cargo +nightly fuzz run decode` in `crates/opencoin-gossip`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_gossip::{BODY_BYTES_MAX, GossipMessage, HOPS_MAX, NodeSelf, UnresolvedCheckpoints, content_id};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = GossipMessage::parse(bytes) {
        let json = message.to_json();
        assert!(json.len() <= BODY_BYTES_MAX && message.hops() <= HOPS_MAX);
        assert_eq!(content_id(message.text()), *message.id());
        assert_eq!(GossipMessage::parse(json.as_bytes()), Ok(message));
    }
    if let Ok(node) = NodeSelf::parse(bytes) {
        assert_eq!(NodeSelf::parse(node.to_json().as_bytes()), Ok(node));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = UnresolvedCheckpoints::parse(text).map(|unresolved| {
            assert_eq!(UnresolvedCheckpoints::parse(&unresolved.to_json()), Ok(unresolved));
        });
    }
});
