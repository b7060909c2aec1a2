//! Both operations against a slow library of big numbers, with the portable model and, where the CPU has it, with
//! AVX-512.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod faults;
mod keys;
mod private;
mod public;

use num_bigint_dig::BigUint;
use opencoin_lanes::Instructions;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Runs a test with the model, and again with AVX-512 where the CPU has it.
fn with_all_instructions(test: impl Fn(Instructions)) {
    test(Instructions::PORTABLE);
    match Instructions::detect() {
        Some(instructions) => test(instructions),
        None => println!("SKIPPED: this CPU has no AVX-512 IFMA"),
    }
}

/// Big-endian, extended by zeros.
fn padded(x: &BigUint, bytes: usize) -> Vec<u8> {
    let digits = if *x == BigUint::from(0_u8) {
        Vec::new()
    } else {
        x.to_bytes_be()
    };
    [vec![0; bytes - digits.len()], digits].concat()
}

fn slices(inputs: &[Vec<u8>]) -> Vec<&[u8]> {
    inputs.iter().map(Vec::as_slice).collect()
}
