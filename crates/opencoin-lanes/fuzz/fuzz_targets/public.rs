//! Any modulus, exponent and inputs: the key is refused, or each input in range has the right result and the others
//! none, with the portable model and with AVX-512.
//!
//! `cargo +nightly fuzz run public -- -max_len=2000` in `crates/opencoin-lanes`. The first eight bytes are the exponent,
//! the next two the length of the modulus, which follows; the rest are the inputs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use num_bigint_dig::BigUint;
use opencoin_lanes::{Instructions, LANES, PublicOperation};

fuzz_target!(|data: &[u8]| {
    let Some((exponent, rest)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Some((length, rest)) = rest.split_first_chunk::<2>() else {
        return;
    };
    let exponent = u64::from_le_bytes(*exponent);
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (modulus, rest) = rest.split_at(length);
    let inputs: Vec<&[u8]> = rest.chunks(length.max(1)).take(LANES).collect();
    if inputs.is_empty() {
        return;
    }
    let n = BigUint::from_bytes_be(modulus);
    let supported = (128..=4152).contains(&n.bits())
        && modulus[0] != 0
        && modulus[length - 1] % 2 == 1
        && exponent > 0;
    for instructions in [Some(Instructions::PORTABLE), Instructions::detect()].into_iter().flatten() {
        let operation = PublicOperation::new(instructions, modulus, exponent);
        assert_eq!(operation.is_some(), supported);
        let Some(operation) = operation else {
            continue;
        };
        for (input, result) in inputs.iter().zip(operation.raise(&inputs)) {
            let x = BigUint::from_bytes_be(input);
            let expected = (input.len() == length && x < n).then(|| x.modpow(&exponent.into(), &n));
            let result = result.map(|bytes| {
                assert_eq!(bytes.len(), length);
                BigUint::from_bytes_be(&bytes)
            });
            assert_eq!(result, expected);
        }
    }
});
