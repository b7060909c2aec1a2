//! No input makes a decoder panic, and each accepted encoding is the only one of its stack.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(stack) = opencoin_stack::decode(data) {
        assert_eq!(opencoin_stack::encode(&stack), data);
        let line = opencoin_stack::to_text(&stack);
        assert_eq!(opencoin_stack::find_text(&line), Some(Ok(stack)));
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = opencoin_stack::find_text(text);
        let _ = opencoin_stack::find_locked_text(text);
    }
    let line = opencoin_stack::locked_to_text(data);
    assert_eq!(opencoin_stack::find_locked_text(&line), Some(Ok(data.to_vec())));
});
