//! Moduli, windows and exponentiation against big numbers.

use num_bigint_dig::BigUint;

use super::*;
use crate::LANES;

fn value(limbs: &[Limb], lane: usize) -> BigUint {
    let limbs = limbs.iter().rev();
    limbs.fold(BigUint::default(), |value, limb| {
        (value << LIMB_BITS) + limb.0[lane]
    })
}

/// An odd number of `bits`, without structure.
fn odd(bits: usize) -> BigUint {
    let squares = (0..).map(|x: u64| (x.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24) as u8);
    let random = BigUint::from_bytes_be(&squares.take(bits.div_ceil(8)).collect::<Vec<_>>());
    let highest = BigUint::from(1_u8) << (bits - 1);
    ((random % &highest) | BigUint::from(1_u8)) + highest
}

fn modulus(m: &BigUint) -> Modulus {
    let instructions = Instructions::detect().unwrap_or(Instructions::PORTABLE);
    Modulus::new(instructions, &m.to_bytes_be()).expect("a supported length")
}

#[test]
fn a_shape_leaves_the_headroom_and_no_block_too_much() {
    for bits in 128..=4152 {
        let (block, count) = shape(bits).expect("a supported length");
        let room = block.limbs() * count * LIMB_BITS - HEADROOM_BITS;
        assert!(room >= bits, "{bits}");
        let with_less_room = shape(bits.saturating_sub(1).max(128)).expect("a supported length");
        assert!(
            with_less_room.0.limbs() * with_less_room.1 <= block.limbs() * count,
            "{bits}"
        );
    }
    assert_eq!(shape(720), Some((Block::Limbs14, 1)));
    assert_eq!(shape(721), Some((Block::Limbs15, 1)));
    assert_eq!(shape(4153), None);
}

#[test]
fn every_odd_limb_has_an_inverse() {
    for limb in (1..2000)
        .step_by(2)
        .chain([LIMB_MAX, LIMB_MAX - 2, (1 << 51) + 1, 0x5_5555_5555_5555])
    {
        let product = limb.wrapping_mul(negative_inverse(limb)) & LIMB_MAX;
        assert_eq!(product, LIMB_MAX, "{limb}: -1 modulo 2^52");
    }
}

#[test]
fn the_powers_of_r_are_reduced() {
    for bits in [128, 683, 1024, 2048, 4096] {
        for m in [
            odd(bits),
            (BigUint::from(1_u8) << bits) - 1_u8,
            (BigUint::from(1_u8) << (bits - 1)) + 1_u8,
        ] {
            let modulus = modulus(&m);
            let r = BigUint::from(1_u8) << (modulus.limbs().len() * LIMB_BITS);
            for lane in 0..LANES {
                assert_eq!(value(&modulus.one, lane), &r % &m, "{bits}");
                assert_eq!(value(modulus.r_squared(), lane), &r * &r % &m, "{bits}");
            }
        }
    }
}

#[test]
fn an_exponent_is_split_into_windows_from_the_highest() {
    // Limbs of 13 windows each.
    let exponent = SecretExponent::new(&[0x123_4567_89ab_cdef & LIMB_MAX, 0xf], 56);
    let windows: [u8; 14] = [0xf, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf];
    assert_eq!(*exponent.0, windows.map(|window| [window; LANES]));
    let exponent = SecretExponent::new(&[0, 0], 101);
    assert_eq!(*exponent.0, [[0; LANES]; 26]);
}

#[test]
fn each_lane_has_its_modulus_and_exponent() {
    let bits = 683;
    let primes = [odd(bits), odd(bits) + 2_u8, odd(bits - 1)];
    let exponents = [&primes[0] >> 1, BigUint::from(3_u8), &primes[2] - 1_u8];
    let choice = |lane: usize| [0, 2, 1, 1, 0, 2, 0, 1][lane];
    let moduli = primes.each_ref().map(modulus);
    let limbs = moduli[0].limbs().len();
    let windows = exponents
        .each_ref()
        .map(|exponent| SecretExponent::new(&shared_from_be_bytes(&exponent.to_bytes_be(), limbs), bits));
    let modulus = Modulus::side_by_side(&moduli.each_ref(), choice);
    let exponent = SecretExponent::side_by_side(&windows.each_ref(), choice);
    let inputs: [[u8; 1]; LANES] = std::array::from_fn(|lane| [lane as u8 + 2]);
    let mut base = Numbers::from_be_bytes(&inputs.each_ref().map(|input| &input[..]), limbs);
    let scratch = &mut Scratch::new();
    modulus.multiply(&mut base, modulus.r_squared(), scratch);
    let mut power = modulus.raise_to_secret(&base, &exponent, scratch);
    modulus.leave_montgomery_form(&mut power, scratch);
    modulus.reduce_once(&mut power);
    for (lane, [input]) in inputs.into_iter().enumerate() {
        let expected = BigUint::from(input).modpow(&exponents[choice(lane)], &primes[choice(lane)]);
        assert_eq!(value(&power, lane), expected, "{lane}");
    }
}

#[test]
fn secret_powers_agree_with_big_numbers() {
    for bits in [128, 683, 768, 1024] {
        let m = odd(bits);
        let modulus = modulus(&m);
        let limbs = modulus.limbs().len();
        let scratch = &mut Scratch::new();
        let inputs: Vec<Vec<u8>> = [0_u8, 1, 2, 3, 5, 7, 11].map(|x| vec![x]).into();
        let mut inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let less_one = (&m - 1_u8).to_bytes_be();
        inputs.push(&less_one);
        let mut base = Numbers::from_be_bytes(&inputs, limbs);
        modulus.multiply(&mut base, modulus.r_squared(), scratch);
        let ones = (BigUint::from(1_u8) << bits) - 1_u8;
        for exponent in [
            BigUint::default(),
            1_u8.into(),
            16_u8.into(),
            &m >> 3,
            m.clone(),
            ones,
        ] {
            let digits = exponent.to_bytes_be();
            let windows = SecretExponent::new(&shared_from_be_bytes(&digits, limbs), bits);
            let mut power = modulus.raise_to_secret(&base, &windows, scratch);
            modulus.leave_montgomery_form(&mut power, scratch);
            modulus.reduce_once(&mut power);
            for (lane, input) in inputs.iter().enumerate() {
                let expected = BigUint::from_bytes_be(input).modpow(&exponent, &m);
                assert_eq!(value(&power, lane), expected, "{exponent} {bits}");
            }
        }
    }
}

#[test]
fn even_short_and_long_moduli_are_refused() {
    let is_supported = |bytes: &[u8]| Modulus::new(Instructions::PORTABLE, bytes).is_some();
    assert!(is_supported(&odd(128).to_bytes_be()));
    assert!(
        is_supported(&[vec![0; 3], odd(128).to_bytes_be()].concat()),
        "leading zeros do not matter"
    );
    assert!(!is_supported(&odd(127).to_bytes_be()));
    assert!(!is_supported(&odd(4153).to_bytes_be()));
    assert!(!is_supported(&(odd(128) + 1_u8).to_bytes_be()));
    assert!(!is_supported(&[]));
}
