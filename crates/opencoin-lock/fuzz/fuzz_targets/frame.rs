//! No input makes a reader of locked messages panic, and each CBOR form that is accepted is the only one.
//!
//! What asks for work is not unlocked: that would measure scrypt.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_lock::{armored, find_armored, from_cbor, to_cbor, unlock};

fuzz_target!(|data: &[u8]| {
    if let Ok(locked) = from_cbor(data) {
        assert_eq!(to_cbor(&locked), data);
    }
    // An age file has a header, so it is never empty.
    if !data.is_empty() {
        assert_eq!(find_armored(&armored(data)), Some(Ok(data.to_vec())));
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = find_armored(text);
    }
    if !data.windows(6).any(|window| window == b"scrypt") {
        let _ = unlock(data, "passphrase");
    }
});
