//! Any bytes: the decoder refuses them or gives a document that survives being written and read again.
//!
//! `cargo +nightly fuzz run decode` in `crates/opencoin-schema`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_schema::{AnyDocument, Envelope, text};

fuzz_target!(|json: &[u8]| {
    let _ = Envelope::peek(json);
    if let Ok(document) = AnyDocument::from_json(json) {
        let _ = text::pretty(&document);
        let again = AnyDocument::from_json(text::compact(&document).as_bytes());
        assert_eq!(again.as_ref(), Ok(&document));
    }
});
