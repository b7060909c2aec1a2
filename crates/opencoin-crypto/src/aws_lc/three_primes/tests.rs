//! Tests of keys with three primes, at 1024 bits unless the length matters.

use std::slice;

use aws_lc_sys as ffi;
use num_bigint_dig::{BigUint, ModInverse, RandPrime};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::super::PrivateHandle;
use super::*;

const PUBLIC_EXPONENT: u32 = 65537;

const E: usize = 1;
const D: usize = 2;

/// The parts of a key, in the order of [`ThreePrimeParts`].
#[derive(Clone)]
struct Parts([Vec<u8>; 11]);

impl Parts {
    fn generate(bits: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        loop {
            let primes = [bits.div_ceil(3), (bits + 1) / 3, bits / 3].map(|bits| rng.gen_prime(bits));
            if primes.iter().product::<BigUint>().bits() == bits {
                return Self::of_primes(primes);
            }
        }
    }

    fn of_primes([p, q, r]: [BigUint; 3]) -> Self {
        let order = |prime: &BigUint| prime - 1_u8;
        let inverse = |number: &BigUint, modulus: &BigUint| {
            // A key whose primes are not distinct has none.
            let inverse = number.mod_inverse(modulus);
            inverse.map_or(0_u8.into(), |inverse| inverse.to_biguint().unwrap())
        };
        let (pq, e) = (&p * &q, BigUint::from(PUBLIC_EXPONENT));
        let d = inverse(&e, &(order(&p) * order(&q) * order(&r)));
        let parts = [
            &pq * &r,
            e,
            d.clone(),
            p.clone(),
            q.clone(),
            &d % order(&p),
            &d % order(&q),
            inverse(&q, &p),
            r.clone(),
            &d % order(&r),
            inverse(&pq, &r),
        ];
        Self(parts.map(|part| part.to_bytes_be()))
    }

    fn number(&self, part: usize) -> BigUint {
        BigUint::from_bytes_be(&self.0[part])
    }

    fn n(&self) -> BigUint {
        self.number(0)
    }

    fn primes(&self) -> [BigUint; 3] {
        [3, 4, 8].map(|part| self.number(part))
    }

    /// The number as long as the modulus.
    fn padded(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; self.0[0].len() - bytes.len()], bytes].concat()
    }

    /// Changes one part by two, so that its parity gives nothing away.
    fn spoiled(&self, part: usize) -> Self {
        let mut spoiled = self.clone();
        *spoiled.0[part].last_mut().unwrap() ^= 2;
        spoiled
    }

    fn key(&self) -> Result<ThreePrimeKey, KeyError> {
        ThreePrimeKey::new(self.0.each_ref().map(Vec::as_slice))
    }

    /// The key without a check, as a memory fault after the check would leave it.
    fn unchecked_key(&self) -> ThreePrimeKey {
        ThreePrimeKey::unchecked(self.0.each_ref().map(Vec::as_slice)).unwrap()
    }
}

/// A number that exercises every byte, and is below every modulus of 1024 bits.
const INPUT: [u8; 128] = [0x42; 128];

/// At 3072 bits the primes fill their words, and AWS-LC has code of its own for them.
#[test]
fn the_private_operation_is_exponentiation_by_d() {
    for bits in [1024, 1152, 2048, 3072] {
        let parts = Parts::generate(bits);
        let key = parts.key().unwrap();
        let (n, [p, q, r]) = (parts.n(), parts.primes());
        let inputs = [
            BigUint::from_bytes_be(&vec![0x42; bits / 8]),
            2_u8.into(),
            &n - 2_u8,
            p.clone(),
            &q * 3_u8,
            r.clone(),
            &p * &q,
            &n - &q * &r,
        ];
        for input in inputs {
            let output = key.private_operation(&parts.padded(&input)).unwrap();
            let expected = input.modpow(&parts.number(D), &n);
            assert_eq!(BigUint::from_bytes_be(&output), expected, "{bits} bits, {input}");
        }
    }
}

/// Here n is longer than three times the words of its shortest prime.
#[test]
fn one_prime_may_need_fewer_words_than_the_others() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let lengths = [[256, 257, 257], [257, 256, 257], [257, 257, 256]];
    for primes in lengths.map(|lengths| lengths.map(|bits| rng.gen_prime(bits))) {
        let parts = Parts::of_primes(primes);
        let (key, n) = (parts.key().unwrap(), parts.n());
        // Many, because the blinding decides how large the numbers are.
        for less in 2..40_u8 {
            let input = &n - less;
            let output = key.private_operation(&parts.padded(&input)).unwrap();
            let expected = input.modpow(&parts.number(D), &n);
            assert_eq!(BigUint::from_bytes_be(&output), expected);
        }
    }
}

#[test]
fn inputs_that_are_out_of_range_or_of_the_wrong_length_are_refused() {
    let parts = Parts::generate(1024);
    let (n, key) = (parts.n(), parts.key().unwrap());
    let highest = BigUint::from_bytes_be(&[0xff; 128]);
    for refused in [0_u8.into(), 1_u8.into(), &n - 1_u8, n.clone(), &n + 1_u8, highest] {
        assert_eq!(
            key.private_operation(&parts.padded(&refused)),
            Err(OperationError)
        );
    }
    for wrong_length in [&[][..], &INPUT[1..], &[&[0], &INPUT[..]].concat()] {
        assert_eq!(key.private_operation(wrong_length), Err(OperationError));
    }
}

#[test]
fn a_key_with_any_wrong_part_is_refused() {
    let parts = Parts::generate(1024);
    for part in 0..parts.0.len() {
        assert!(parts.spoiled(part).key().is_err(), "part {part}");
    }
    let exchanged = |a: usize, b: usize| {
        let mut exchanged = parts.clone();
        exchanged.0.swap(a, b);
        exchanged
    };
    assert!(exchanged(3, 8).key().is_err(), "r is not p");
    let missing: Vec<&[u8]> = parts.0[..10].iter().map(Vec::as_slice).collect();
    assert!(PrivateHandle::new(&missing).is_err());
}

#[test]
fn parts_that_are_not_reduced_are_refused() {
    let sound = Parts::generate(1024);
    let [p, q, r] = sound.primes();
    for (part, modulus) in [
        (5, p.clone() - 1_u8),
        (6, q - 1_u8),
        (7, p),
        (9, &r - 1_u8),
        (10, r),
    ] {
        let mut parts = sound.clone();
        parts.0[part] = (sound.number(part) + modulus).to_bytes_be();
        assert!(parts.key().is_err(), "part {part}");
    }
}

#[test]
fn primes_are_distinct_and_of_one_length() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let [p, q, r] = [342, 341, 341].map(|bits| rng.gen_prime(bits));
    assert!(Parts::of_primes([p.clone(), q.clone(), r.clone()]).key().is_ok());
    for equal in [[&p, &p, &r], [&p, &q, &p], [&p, &q, &q]] {
        assert!(Parts::of_primes(equal.map(BigUint::clone)).key().is_err());
    }
    let longer = rng.gen_prime(343);
    assert!(Parts::of_primes([longer, q.clone(), r.clone()]).key().is_err());
    for trivial in [0_u8, 1] {
        let mut parts = Parts::of_primes([p.clone(), q.clone(), r.clone()]);
        for part in [3, 4, 8] {
            parts.0[part] = vec![trivial];
        }
        assert!(parts.key().is_err());
    }
}

/// From a signature that is right for some of the primes only, anybody could compute a factor.
#[test]
fn a_fault_gives_an_error_and_never_a_wrong_signature() {
    let sound = Parts::generate(1024);
    assert!(sound.unchecked_key().private_operation(&INPUT).is_ok());
    for part in (0..sound.0.len()).filter(|part| *part != D) {
        let faulty = sound.spoiled(part).unchecked_key();
        for _ in 0..3 {
            let output = faulty.private_operation(&INPUT);
            assert_eq!(output, Err(OperationError), "part {part}");
        }
    }
}

/// Changes a number of a key in memory.
fn spoil(number: &mut Bignum, scratch: &mut Scratch) {
    let two = Bignum::new(&[2]).unwrap();
    *number = number.plus(&two).unwrap().times(&two, scratch).unwrap();
}

#[test]
fn a_fault_in_what_was_prepared_gives_an_error() {
    let sound = Parts::generate(1024);
    let scratch = &mut Scratch::new().unwrap();
    let faults: [fn(&mut ThreePrimeKey) -> &mut Bignum; 7] = [
        |key| &mut key.e,
        |key| &mut key.q_inverse,
        |key| &mut key.pq,
        |key| &mut key.pq_inverse,
        |key| &mut key.p.exponent,
        |key| &mut key.q.exponent,
        |key| &mut key.r.exponent,
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let mut key = sound.key().unwrap();
        spoil(fault(&mut key), scratch);
        assert_eq!(
            key.private_operation(&INPUT),
            Err(OperationError),
            "fault {index}"
        );
    }
}

#[test]
fn a_blinding_that_is_wrong_is_dropped() {
    let scratch = &mut Scratch::new().unwrap();
    let key = Parts::generate(1024).key().unwrap();
    let expected = key.private_operation(&INPUT).unwrap();
    for is_factor in [true, false] {
        let mut blindings = key.blindings.lock().unwrap();
        let [blinding] = &mut blindings[..] else {
            panic!("one thread has one blinding")
        };
        let part = if is_factor {
            &mut blinding.factor
        } else {
            &mut blinding.inverse
        };
        spoil(part, scratch);
        drop(blindings);
        assert_eq!(key.private_operation(&INPUT), Err(OperationError));
        assert_eq!(key.private_operation(&INPUT).unwrap(), expected);
    }
}

#[test]
fn every_operation_has_another_blinding_and_each_is_replaced_in_time() {
    let key = Parts::generate(1024).key().unwrap();
    let mut seen = Vec::new();
    for operation in 0..2 * BLINDING_USES_MAX + 1 {
        key.private_operation(&INPUT).unwrap();
        let blindings = key.blindings.lock().unwrap();
        let [blinding] = &blindings[..] else {
            panic!("one thread has one blinding")
        };
        assert_eq!(blinding.uses, operation % BLINDING_USES_MAX + 1);
        let factor = blinding.factor.to_bytes(128).unwrap();
        assert!(!seen.contains(&factor));
        seen.push(factor);
    }
}

#[test]
fn many_threads_can_use_one_key() {
    let key = Parts::generate(1024).key().unwrap();
    let expected = key.private_operation(&INPUT).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(key.private_operation(&INPUT).unwrap(), expected);
                }
            });
        }
    });
    let unused = key.blindings.lock().unwrap().len();
    assert!((1..=8).contains(&unused), "{unused} blindings");
}

#[test]
fn a_failure_leaves_nothing_in_the_error_queue() {
    let sound = Parts::generate(1024);
    let mut even = sound.clone();
    *even.0[3].last_mut().unwrap() ^= 1;
    assert!(even.key().is_err());
    assert!(ThreePrimeKey::unchecked(even.0.each_ref().map(Vec::as_slice)).is_err());
    assert!(
        sound
            .spoiled(E)
            .unchecked_key()
            .private_operation(&INPUT)
            .is_err()
    );
    assert!(
        sound
            .key()
            .unwrap()
            .private_operation(slice::from_ref(&0))
            .is_err()
    );
    // SAFETY: looks at the calling thread's queue only.
    assert_eq!(unsafe { ffi::ERR_peek_error() }, 0);
}
