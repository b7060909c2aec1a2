//! No file makes the readers of pictures panic or take more memory than their limits allow.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_pictures::Reader;

fuzz_target!(|data: &[u8]| {
    let mut reader = Reader::default();
    let _ = reader.read(data);
    let _ = reader.finish();
});
