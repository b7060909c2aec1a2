//! x^e mod n.

use num_bigint_dig::{BigUint, RandBigInt};
use opencoin_lanes::{LANES, PublicOperation};

use crate::{padded, rng, slices, with_all_instructions};

/// The longest modulus: 80 limbs of 52 bits, less the headroom.
const BITS_MAX: usize = 4152;

/// All shapes, at both of their ends, and lengths that are in use.
const BITS: [usize; 22] = [
    128, 135, 512, 683, 720, 721, 768, 772, 773, 1024, 1032, 1033, 1366, 1448, 1449, 1536, 1552, 1553, 2048,
    2072, 3072, 4096,
];

fn power_of_two(exponent: usize) -> BigUint {
    BigUint::from(1_u8) << exponent
}

/// Odd moduli of this length: random, the least, and the greatest.
fn moduli(bits: usize) -> [BigUint; 3] {
    let random = rng(bits as u64).gen_biguint(bits);
    let highest = power_of_two(bits - 1);
    [
        ((random % &highest) | BigUint::from(1_u8)) + &highest,
        highest + 1_u8,
        power_of_two(bits) - 1_u8,
    ]
}

/// Numbers below n at its ends, of limbs of ones, and random ones.
fn inputs(n: &BigUint) -> Vec<BigUint> {
    let mut inputs: Vec<BigUint> = [0_u8, 1, 2].map(BigUint::from).into();
    inputs.extend([2_u8, 1].map(|less| n - less));
    inputs.extend([52, 64, n.bits() - 1].map(|bits| power_of_two(bits) - 1_u8));
    inputs.extend((0..8).map(|seed| rng(seed).gen_biguint_below(n)));
    inputs
}

#[test]
fn moduli_of_every_shape_agree_with_big_numbers() {
    with_all_instructions(|instructions| {
        for bits in BITS.into_iter().chain([2073, 3112, 3113, BITS_MAX]) {
            for n in moduli(bits) {
                let operation = PublicOperation::new(instructions, &n.to_bytes_be(), 65537).unwrap();
                assert_eq!(operation.modulus_bytes(), bits.div_ceil(8));
                let inputs = inputs(&n);
                let bytes: Vec<Vec<u8>> = inputs.iter().map(|x| padded(x, bits.div_ceil(8))).collect();
                let raised = slices(&bytes)
                    .chunks(LANES)
                    .flat_map(|group| operation.raise(group))
                    .collect::<Vec<_>>();
                for (x, y) in inputs.iter().zip(raised) {
                    let expected = x.modpow(&65537_u32.into(), &n);
                    assert_eq!(
                        y,
                        Some(padded(&expected, bits.div_ceil(8))),
                        "{bits} bits, {x} mod {n}, {instructions:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn every_exponent_agrees_with_big_numbers() {
    with_all_instructions(|instructions| {
        let [n, ..] = moduli(683);
        let bytes: Vec<Vec<u8>> = inputs(&n)[..LANES].iter().map(|x| padded(x, 86)).collect();
        for exponent in [1, 2, 3, 4, 17, 65537, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let operation = PublicOperation::new(instructions, &n.to_bytes_be(), exponent).unwrap();
            for (x, y) in inputs(&n).iter().zip(operation.raise(&slices(&bytes))) {
                assert_eq!(
                    y,
                    Some(padded(&x.modpow(&exponent.into(), &n), 86)),
                    "{x}^{exponent}"
                );
            }
        }
    });
}

#[test]
fn numbers_out_of_range_are_refused_and_their_neighbours_raised() {
    with_all_instructions(|instructions| {
        let [n, ..] = moduli(1024);
        let operation = PublicOperation::new(instructions, &n.to_bytes_be(), 3).unwrap();
        let two = padded(&2_u8.into(), 128);
        let refused = [
            n.to_bytes_be(),
            (&n + 1_u8).to_bytes_be(),
            vec![0xff; 128],
            vec![2],
            vec![],
            [vec![0], two.clone()].concat(),
        ];
        let inputs = [std::slice::from_ref(&two), &refused, std::slice::from_ref(&two)].concat();
        let results = operation.raise(&slices(&inputs));
        let eight = Some(padded(&8_u8.into(), 128));
        let refusals = vec![None; refused.len()];
        assert_eq!(results, [vec![eight.clone()], refusals, vec![eight]].concat());
        assert_eq!(operation.raise(&[&refused[0]]), [None]);
    });
}

#[test]
fn groups_of_one_to_eight_give_a_result_for_each_number() {
    with_all_instructions(|instructions| {
        let [n, ..] = moduli(2048);
        let operation = PublicOperation::new(instructions, &n.to_bytes_be(), 3).unwrap();
        let inputs: Vec<Vec<u8>> = (1..=LANES).map(|x| padded(&x.into(), 256)).collect();
        for count in 1..=LANES {
            let cubes = (1..=count).map(|x| Some(padded(&(x * x * x).into(), 256)));
            assert_eq!(
                operation.raise(&slices(&inputs)[..count]),
                cubes.collect::<Vec<_>>()
            );
        }
    });
}

#[test]
fn unsupported_keys_are_refused() {
    with_all_instructions(|instructions| {
        let is_supported = |n: &[u8], e| PublicOperation::new(instructions, n, e).is_some();
        let odd = |bits: usize| (power_of_two(bits - 1) + 1_u8).to_bytes_be();
        assert!(is_supported(&odd(128), 3) && is_supported(&odd(BITS_MAX), 3));
        assert!(!is_supported(&odd(127), 3), "too short");
        assert!(!is_supported(&odd(BITS_MAX + 1), 3), "too long");
        assert!(!is_supported(&power_of_two(1023).to_bytes_be(), 3), "even");
        assert!(!is_supported(&[], 3), "empty");
        assert!(!is_supported(&[vec![0], odd(1024)].concat(), 3), "a leading zero");
        assert!(!is_supported(&odd(1024), 0), "the exponent is zero");
    });
}
