//! Groups in lanes against AWS-LC, with lanes that calculate rightly and with spoiled ones.

use rsa::rand_core::RngCore;

use super::*;
use crate::KeyPrimes;

/// A key of 1024 bits with these lanes.
fn key_with(primes: KeyPrimes, lanes: impl FnOnce(&PrivateKey) -> Option<PrivateOperation>) -> PrivateKey {
    let key = PrivateKey::generate_with(1024, primes).unwrap();
    assert!(key.lanes.set(lanes(&key)).is_ok(), "a new key has no lanes yet");
    key
}

fn all_instructions() -> impl Iterator<Item = Instructions> {
    let detected = Instructions::detect();
    if detected.is_none() {
        println!("SKIPPED: this CPU has no AVX-512 IFMA");
    }
    [Some(Instructions::PORTABLE), detected].into_iter().flatten()
}

/// Lanes that calculate modulo each prime with the exponent of the other one.
fn spoiled(key: &PrivateKey, instructions: Instructions) -> Option<PrivateOperation> {
    let parts = pkcs1::parts(&key.stored).unwrap();
    let [n, _, _, p, q, d_p, d_q, q_inv] = &parts[..] else {
        panic!("two primes");
    };
    let part = |prime, exponent, coefficient| PrimePart {
        prime,
        exponent,
        coefficient,
    };
    let primes = [part(q, d_p, &[]), part(p, d_q, q_inv)];
    PrivateOperation::new(instructions, n, PUBLIC_EXPONENT, &primes)
}

/// Random numbers in range.
fn inputs(key: &PrivateKey, count: usize) -> Vec<Vec<u8>> {
    let input = || {
        let mut input = vec![0; key.public.modulus_bytes()];
        OsRng.fill_bytes(&mut input[1..]);
        input
    };
    std::iter::repeat_with(input).take(count).collect()
}

fn signed_alone(key: &PrivateKey, inputs: &[&[u8]]) -> Vec<Result<Vec<u8>, OperationError>> {
    inputs.iter().map(|input| key.raw_sign(input)).collect()
}

#[test]
fn groups_of_every_size_are_signed_as_aws_lc_signs_each_number() {
    for instructions in all_instructions() {
        for primes in [KeyPrimes::Two, KeyPrimes::Three] {
            let key = key_with(primes, |key| key.new_lanes(instructions));
            let inputs = inputs(&key, 20);
            let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            let signatures = signed_alone(&key, &inputs);
            let lanes = key.lanes().unwrap();
            for count in 1..=LANES {
                let in_lanes = inputs
                    .chunks(count)
                    .flat_map(|group| lanes.raise(group, &mut OsRng));
                assert_eq!(
                    in_lanes.collect::<Option<Vec<_>>>(),
                    signatures.iter().cloned().collect::<Result<Vec<_>, _>>().ok(),
                    "groups of {count}, {primes}"
                );
            }
            for count in 1..=inputs.len() {
                assert_eq!(
                    key.raw_sign_all(&inputs[..count]),
                    signatures[..count],
                    "{count} of {primes}"
                );
            }
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused_and_their_neighbours_signed() {
    for instructions in all_instructions() {
        let key = key_with(KeyPrimes::Two, |key| key.new_lanes(instructions));
        let modulus = key.public.document().modulus.as_be_bytes();
        let less_one = key.public.modulus_less_one().as_be_bytes();
        let (zero, mut one) = (vec![0; modulus.len()], vec![0; modulus.len()]);
        one[modulus.len() - 1] = 1;
        let too_long = [&[0], modulus].concat();
        let refused: [&[u8]; 7] = [&zero, &one, less_one, modulus, &[0xff; 128], &[2], &too_long];
        let good = inputs(&key, 1 + LANES);
        let mut all: Vec<&[u8]> = vec![&good[0]];
        all.extend(refused);
        all.extend(good[1..].iter().map(Vec::as_slice));
        let results = key.raw_sign_all(&all);
        assert_eq!(results, signed_alone(&key, &all));
        let is_signed: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(is_signed, [&[true][..], &[false; 7], &[true; LANES]].concat());
    }
}

#[test]
fn what_lanes_get_wrong_is_signed_by_aws_lc_and_counted() {
    for instructions in all_instructions() {
        let key = key_with(KeyPrimes::Two, |key| spoiled(key, instructions));
        let inputs = inputs(&key, 2 * LANES);
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let before = lanes::lanes_faults();
        let signatures = key.raw_sign_all(&inputs);
        assert!(lanes::lanes_faults() - before >= inputs.len() as u64);
        assert_eq!(signatures, signed_alone(&key, &inputs));
        for (signature, input) in signatures.into_iter().zip(inputs) {
            assert_eq!(key.public.raw_public(&signature.unwrap()).unwrap(), input);
        }
    }
}

#[test]
fn lanes_that_disagree_with_aws_lc_about_a_key_are_found_when_it_is_loaded() {
    for instructions in all_instructions() {
        let key = PrivateKey::generate(1024).unwrap();
        assert!(key.agrees(&key.new_lanes(instructions).unwrap()));
        assert!(!key.agrees(&spoiled(&key, instructions).unwrap()));
    }
}
