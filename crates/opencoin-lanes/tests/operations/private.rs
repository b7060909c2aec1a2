//! x^d mod n.

use std::thread;

use num_bigint_dig::{BigUint, RandBigInt};
use opencoin_lanes::{Instructions, LANES};

use crate::keys::{self, E, Key};
use crate::{rng, slices, with_all_instructions};

/// Raises these numbers in groups of eight, and each of them alone, and checks each result.
fn check(key: &Key, instructions: Instructions, inputs: &[BigUint]) {
    let operation = key.private(instructions);
    for group in inputs.chunks(LANES).chain(inputs.chunks(1)) {
        let bytes: Vec<Vec<u8>> = group.iter().map(|x| key.padded(x)).collect();
        for (x, y) in group.iter().zip(operation.raise(&slices(&bytes), &mut rng(1))) {
            let bits = key.n.bits();
            let primes = key.primes.len();
            assert!(
                y.is_some_and(|y| key.is_signed(x, &y)),
                "{x}, {bits} bits, {primes} primes, {instructions:?}"
            );
        }
    }
}

#[test]
fn random_numbers_agree_with_big_numbers_for_keys_of_every_size() {
    with_all_instructions(|instructions| {
        for key in keys::all() {
            let inputs: Vec<BigUint> = (0..8).map(|seed| rng(seed).gen_biguint_below(&key.n)).collect();
            check(&key, instructions, &inputs);
        }
    });
}

#[test]
fn the_result_is_the_power_with_the_whole_private_exponent() {
    with_all_instructions(|instructions| {
        let key = keys::key(1024, 3);
        let x = rng(3).gen_biguint_below(&key.n);
        let y = key.private(instructions).raise(&[&key.padded(&x)], &mut rng(4));
        assert_eq!(y, [Some(key.padded(&x.modpow(&key.d, &key.n)))]);
    });
}

#[test]
fn numbers_at_the_edges_agree_with_big_numbers() {
    with_all_instructions(|instructions| {
        for key in [
            keys::key(256, 2),
            keys::key(1024, 2),
            keys::key(2048, 3),
            keys::key(4152, 6),
        ] {
            let mut inputs: Vec<BigUint> = [0_u8, 1, 2].map(BigUint::from).into();
            inputs.extend([2_u8, 1].map(|less| &key.n - less));
            for p in &key.primes {
                inputs.extend([p.clone(), &key.n - p, p * 2_u8, p - 1_u8, p + 1_u8, &key.n / p]);
            }
            inputs.extend([52, 520, key.n.bits() - 1].map(|bits| (BigUint::from(1_u8) << bits) - 1_u8));
            inputs.retain(|x| *x < key.n);
            check(&key, instructions, &inputs);
        }
    });
}

#[test]
fn numbers_out_of_range_are_refused_and_their_neighbours_raised() {
    with_all_instructions(|instructions| {
        let key = keys::key(1024, 2);
        let good = key.padded(&2_u8.into());
        let refused = [
            key.n.to_bytes_be(),
            (&key.n + 1_u8).to_bytes_be(),
            vec![0xff; 128],
            vec![2],
            vec![],
            [vec![0], good.clone()].concat(),
        ];
        let inputs = [std::slice::from_ref(&good), &refused, std::slice::from_ref(&good)].concat();
        let results = key.private(instructions).raise(&slices(&inputs), &mut rng(5));
        let is_right = |y: &Option<Vec<u8>>| y.as_ref().is_some_and(|y| key.is_signed(&2_u8.into(), y));
        assert!(is_right(&results[0]) && is_right(&results[7]));
        assert_eq!(results[1..7], vec![None; refused.len()]);
    });
}

#[test]
fn groups_of_one_to_eight_give_a_result_for_each_number() {
    with_all_instructions(|instructions| {
        for key in keys::all() {
            let operation = key.private(instructions);
            let numbers: Vec<BigUint> = (0..8).map(|seed| rng(seed).gen_biguint_below(&key.n)).collect();
            let inputs: Vec<Vec<u8>> = numbers.iter().map(|x| key.padded(x)).collect();
            for count in 1..=LANES {
                let results = operation.raise(&slices(&inputs)[..count], &mut rng(6));
                assert_eq!(results.len(), count);
                for (x, y) in numbers.iter().zip(results) {
                    let name = format!("{x} of {count}, {} primes", key.primes.len());
                    assert!(y.is_some_and(|y| key.is_signed(x, &y)), "{name}");
                }
            }
        }
    });
}

/// A blinding is squared after each use and drawn again after 32.
#[test]
fn results_are_right_with_every_use_of_a_blinding_and_with_the_next_one() {
    with_all_instructions(|instructions| {
        let key = keys::key(1024, 3);
        let operation = key.private(instructions);
        let (rng, x) = (&mut rng(7), BigUint::from(7_u8));
        let input = key.padded(&x);
        let first = operation.raise(&[&input[..]; LANES], rng);
        assert!(first.iter().flatten().all(|y| key.is_signed(&x, y)));
        for _ in 0..70 {
            assert_eq!(operation.raise(&[&input[..]; LANES], rng), first);
        }
    });
}

#[test]
fn threads_share_a_key() {
    with_all_instructions(|instructions| {
        let key = keys::key(1024, 3);
        let operation = key.private(instructions);
        let of_thread = |seed: u64| {
            let rng = &mut rng(seed);
            for _ in 0..10 {
                let x = rng.gen_biguint_below(&key.n);
                for y in operation.raise(&[&key.padded(&x)[..]; LANES], rng) {
                    assert!(y.is_some_and(|y| key.is_signed(&x, &y)), "{x}");
                }
            }
        };
        thread::scope(|scope| {
            for seed in 0..4 {
                scope.spawn(move || of_thread(seed));
            }
        });
    });
}

#[test]
fn unsupported_keys_are_refused() {
    with_all_instructions(|instructions| {
        let key = keys::key(2048, 3);
        let parts = key.parts();
        assert!(
            key.private_of(instructions, E, &parts[..1]).is_none(),
            "one prime"
        );
        assert!(key.private_of(instructions, 0, &parts).is_none(), "e = 0");
        assert!(
            key.private_of(instructions, 1 << 52, &parts).is_none(),
            "e is too long"
        );
        let mut longer = parts.clone();
        longer[1].exponent.insert(0, 1);
        longer[1].exponent.insert(0, 1);
        assert!(
            key.private_of(instructions, E, &longer).is_none(),
            "an exponent longer than its prime"
        );
        let mut mixed = parts;
        mixed[2] = keys::key(2048, 2).parts()[0].clone();
        assert!(
            key.private_of(instructions, E, &mixed).is_none(),
            "primes of different lengths"
        );
    });
}
