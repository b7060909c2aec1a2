//! A short code in any text is read without a panic, and what was read has the same text again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_stack::find_code;

fuzz_target!(|text: &str| {
    if let Some(Ok(code)) = find_code(text) {
        assert_eq!(find_code(&code.to_text()), Some(Ok(code)));
    }
});
