//! A wrong result never leaves: it could reveal a prime.

use opencoin_lanes::{Instructions, LANES, PrivateOperation};

use crate::keys::{self, E, Key, Part};
use crate::{rng, with_all_instructions};

/// Numbers that no prime of a test key divides, and that are not their own powers.
fn gives_nothing(key: &Key, operation: &PrivateOperation) -> bool {
    let inputs: Vec<Vec<u8>> = (2..).take(LANES).map(|x: u8| key.padded(&x.into())).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    // Full groups and small ones are raised in different ways.
    [LANES, 1].into_iter().all(|count| {
        let results = operation.raise(&inputs[..count], &mut rng(8));
        results.len() == count && results.iter().all(Option::is_none)
    })
}

/// Changes a byte of each part of each prime in turn, and expects no result.
fn spoil_each_prime(key: &Key, instructions: Instructions, spoil: impl Fn(&mut Part)) {
    for index in 0..key.primes.len() {
        let mut parts = key.parts();
        spoil(&mut parts[index]);
        // The parts are of the same lengths, so the operation can be made.
        let operation = key.private_of(instructions, E, &parts).unwrap();
        assert!(gives_nothing(key, &operation), "prime {index}, {instructions:?}");
    }
}

fn spoil(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
}

#[test]
fn a_spoiled_prime_gives_no_result() {
    with_all_instructions(|instructions| {
        for key in [keys::key(1024, 2), keys::key(2048, 3)] {
            spoil_each_prime(&key, instructions, |part| spoil(&mut part.prime));
        }
    });
}

#[test]
fn a_spoiled_exponent_gives_no_result() {
    with_all_instructions(|instructions| {
        for key in [keys::key(1024, 2), keys::key(2048, 3)] {
            spoil_each_prime(&key, instructions, |part| spoil(&mut part.exponent));
        }
    });
}

#[test]
fn a_spoiled_coefficient_gives_no_result() {
    with_all_instructions(|instructions| {
        for key in [keys::key(1024, 2), keys::key(2048, 3)] {
            for index in 1..key.primes.len() {
                let mut parts = key.parts();
                spoil(&mut parts[index].coefficient);
                let operation = key.private_of(instructions, E, &parts).unwrap();
                assert!(gives_nothing(&key, &operation), "prime {index}, {instructions:?}");
            }
        }
    });
}

#[test]
fn another_public_exponent_gives_no_result() {
    with_all_instructions(|instructions| {
        for key in [keys::key(1024, 2), keys::key(2048, 3)] {
            let operation = key.private_of(instructions, E + 2, &key.parts()).unwrap();
            assert!(gives_nothing(&key, &operation), "{instructions:?}");
        }
    });
}

#[test]
fn swapped_primes_give_no_result() {
    with_all_instructions(|instructions| {
        let key = keys::key(2048, 3);
        let mut parts = key.parts();
        let other = parts[2].prime.clone();
        parts[2].prime = std::mem::replace(&mut parts[1].prime, other);
        let operation = key.private_of(instructions, E, &parts).unwrap();
        assert!(gives_nothing(&key, &operation), "{instructions:?}");
    });
}

/// The first prime has no coefficient, so any will do.
#[test]
fn the_coefficient_of_the_first_prime_is_not_used() {
    with_all_instructions(|instructions| {
        let key = keys::key(1024, 2);
        let mut parts = key.parts();
        parts[0].coefficient.clear();
        let operation = key.private_of(instructions, E, &parts).unwrap();
        assert!(!gives_nothing(&key, &operation));
    });
}
