//! Any inputs to the keys of the tests: each input in range has the result that the public operation turns into it
//! again, and the others have none, with the portable model and with AVX-512.
//!
//! `cargo +nightly fuzz run private -- -max_len=4200` in `crates/opencoin-lanes`. The first byte chooses the key, and
//! the next eight seed the blinding.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use num_bigint_dig::{BigUint, ModInverse};
use opencoin_lanes::{Instructions, LANES, PrimePart, PrivateOperation};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const PRIMES: &str = include_str!("../../tests/operations/primes.txt");

const E: u32 = 65537;

struct Key {
    n: BigUint,
    /// The model and, where the CPU has it, AVX-512.
    operations: Vec<PrivateOperation>,
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let keys = PRIMES.split("\n\n").skip(1);
    keys.map(|primes| {
        let prime = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).expect("hexadecimal");
        Key::new(&primes.lines().map(prime).collect::<Vec<_>>())
    })
    .collect()
});

impl Key {
    fn new(primes: &[BigUint]) -> Self {
        let mut n = BigUint::from(1_u8);
        let mut part = |p: &BigUint| {
            let inverse = |x: BigUint, m: &BigUint| {
                let inverse = x.mod_inverse(m).expect("prime");
                inverse.to_biguint().expect("reduced").to_bytes_be()
            };
            let coefficient = inverse(&n % p, p);
            n *= p;
            [p.to_bytes_be(), inverse(E.into(), &(p - 1_u8)), coefficient]
        };
        let parts: Vec<[Vec<u8>; 3]> = primes.iter().map(&mut part).collect();
        let parts: Vec<PrimePart<'_>> = parts
            .iter()
            .map(|[prime, exponent, coefficient]| PrimePart {
                prime,
                exponent,
                coefficient,
            })
            .collect();
        let operations = [Some(Instructions::PORTABLE), Instructions::detect()]
            .into_iter()
            .flatten()
            .map(|instructions| {
                PrivateOperation::new(instructions, &n.to_bytes_be(), E.into(), &parts).expect("a supported size")
            })
            .collect();
        Self { n, operations }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(([choice], rest)) = data.split_first_chunk::<1>() else {
        return;
    };
    let Some((seed, rest)) = rest.split_first_chunk::<8>() else {
        return;
    };
    let Key { n, operations } = &KEYS[usize::from(*choice) % KEYS.len()];
    let bytes = n.bits().div_ceil(8);
    let inputs: Vec<&[u8]> = rest.chunks(bytes).take(LANES).collect();
    if inputs.is_empty() {
        return;
    }
    for operation in operations {
        let rng = &mut ChaCha20Rng::seed_from_u64(u64::from_le_bytes(*seed));
        for (input, result) in inputs.iter().zip(operation.raise(&inputs, rng)) {
            let x = BigUint::from_bytes_be(input);
            let in_range = input.len() == bytes && x < *n;
            assert_eq!(result.is_some(), in_range);
            if let Some(result) = result {
                assert_eq!(result.len(), bytes);
                let y = BigUint::from_bytes_be(&result);
                assert!(y < *n && y.modpow(&E.into(), n) == x);
            }
        }
    }
});
