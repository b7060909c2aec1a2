//! No text makes the collector of parts panic, and what is complete holds to its limits. A single message comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_pictures::{MESSAGE_BYTES_MAX, Parts, find_parts, single_text};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        let mut parts = Parts::default();
        for part in find_parts(text) {
            let _ = parts.receive(part);
        }
        if let Ok(Some(message)) = parts.message() {
            assert!(message.bytes.len() <= MESSAGE_BYTES_MAX);
        }
    }
    let text = single_text("opencoin-stack", data).expect("the type is one");
    let mut parts = Parts::default();
    if parts.receive(&text).is_ok() {
        assert!(parts.message().is_ok_and(|message| message.is_some_and(|message| message.bytes == data)));
    }
});
