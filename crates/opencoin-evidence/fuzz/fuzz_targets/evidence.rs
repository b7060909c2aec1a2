//! Any bytes: a file of evidence is refused or says what it proves, and is neither slow nor a panic. Anybody can hand such
//! a file to anybody. `cargo +nightly fuzz run evidence` in `crates/opencoin-evidence`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_evidence::check_evidence;

fuzz_target!(|bytes: &[u8]| {
    let _checked = check_evidence(bytes);
});
