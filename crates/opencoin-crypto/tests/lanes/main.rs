//! Lanes against AWS-LC with random keys and inputs: a few pairs as a test, and as many as one likes with
//! `cargo xtask lanes --pairs N --seed S`.
//!
//! - *Private operation*, for 2048, 3072 and 4096 bits with two and three primes, in groups of one to eight: AWS-LC's public operation must turn
//!   each signature into the input again. This determines the signature, because RSA is a permutation of the numbers
//!   below n, and AWS-LC refuses a number that is not. Every hundredth is compared with AWS-LC's private operation as
//!   well. AWS-LC draws the keys from the system's randomness, so the seed does not repeat them; a key that fails is
//!   printed.
//! - *Public operation*: random odd moduli, each with a few groups of inputs, compared with AWS-LC.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use opencoin_crypto::{
    KeyPrimes, LanesSetting, LanesState, PrivateKey, PublicKey, choose_lanes, lanes_faults,
};
use opencoin_lanes::{Instructions, LANES, PublicOperation};
use opencoin_schema::{BigInt, RsaPublicKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The pairs of each kind, and the seed of their inputs. Without them, a few.
const PAIRS_VARIABLE: &str = "OPENCOIN_LANES_PAIRS";
const SEED_VARIABLE: &str = "OPENCOIN_LANES_SEED";

/// The pairs of a test run.
const FEW_PAIRS: usize = 64;

/// One key for so many pairs, but not more than [`KEYS_MAX`] of a kind.
const PAIRS_OF_A_KEY: usize = 64;
const KEYS_MAX: usize = 24;

/// Groups of inputs with the same modulus, of which there are many.
const GROUPS_OF_A_MODULUS: usize = 8;

/// How often a signature is also compared with AWS-LC's.
const SIGNED_AGAIN_EVERY: usize = 100;

const E: u64 = 65537;

fn option(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn is_long() -> bool {
    env::var_os(PAIRS_VARIABLE).is_some()
}

fn pairs() -> usize {
    option(PAIRS_VARIABLE, FEW_PAIRS as u64) as usize
}

/// The generator of one piece of the work, whichever thread does it.
fn rng(piece: usize) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::seed_from_u64(option(SEED_VARIABLE, 1));
    rng.set_stream(piece as u64);
    rng
}

/// Does the pieces of work on all processors, and prints what was compared and how long it took.
fn on_all_processors(name: &str, pieces: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= pieces {
                        break;
                    }
                    work(piece);
                }
            });
        }
    });
    if is_long() {
        println!("{name}: all agree, {:.0} s", begun.elapsed().as_secs_f64());
    }
}

/// Random bytes below every modulus that begins with the same bytes as this one or higher ones.
fn input_below(modulus: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    loop {
        let mut input = vec![0; modulus.len()];
        rng.fill_bytes(&mut input);
        if *input < *modulus {
            return input;
        }
    }
}

/// Makes keys on all processors.
fn generate(bits: usize, primes: KeyPrimes, count: usize) -> Vec<PrivateKey> {
    let (made, keys) = (AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while made.fetch_add(1, Ordering::Relaxed) < count {
                    let key = PrivateKey::generate_with(bits, primes).unwrap();
                    key.prepare_groups();
                    keys.lock().unwrap().push(key);
                }
            });
        }
    });
    keys.into_inner().unwrap()
}

fn lanes_are_used() -> bool {
    match choose_lanes(LanesSetting::Auto) {
        LanesState::Used => true,
        state => {
            assert_eq!(state, LanesState::NotOnThisCpu);
            println!("SKIPPED: this CPU has no AVX-512 IFMA");
            false
        }
    }
}

fn signatures_agree(bits: usize, primes: KeyPrimes) {
    if !lanes_are_used() {
        return;
    }
    // Groups of 8, 7, 6, ... numbers, and so on from the beginning: 36 in eight of them.
    let groups = LANES * pairs().div_ceil(LANES * (LANES + 1) / 2);
    let size = |group: usize| LANES - group % LANES;
    let keys = generate(bits, primes, pairs().div_ceil(PAIRS_OF_A_KEY).min(KEYS_MAX));
    let name = format!(
        "private, {bits} bits, {primes} primes: {} pairs of {} keys, seed {}",
        (0..groups).map(size).sum::<usize>(),
        keys.len(),
        option(SEED_VARIABLE, 1)
    );
    on_all_processors(&name, groups, |group| {
        let key = &keys[group / LANES % keys.len()];
        assert!(key.group_min() <= LANES, "the key has lanes");
        let modulus = key.public_key().document().modulus.as_be_bytes();
        let rng = &mut rng(group);
        let inputs: Vec<Vec<u8>> = (0..size(group)).map(|_| input_below(modulus, rng)).collect();
        let signatures = key.raw_sign_all(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for (lane, (input, signature)) in inputs.iter().zip(signatures).enumerate() {
            let failure = || format!("group {group}, lane {lane} of the key\n{}", *key.to_pkcs8_pem());
            let signature = signature.unwrap_or_else(|_| panic!("no signature: {}", failure()));
            let signed = key.public_key().raw_public(&signature);
            assert_eq!(signed.as_ref(), Ok(input), "{}", failure());
            if (group * LANES + lane).is_multiple_of(SIGNED_AGAIN_EVERY) {
                assert_eq!(key.raw_sign(input).as_ref(), Ok(&signature), "{}", failure());
            }
        }
    });
    assert_eq!(lanes_faults(), 0, "AWS-LC computed what lanes got wrong");
}

fn powers_agree(bits: usize) {
    let Some(instructions) = Instructions::detect() else {
        println!("SKIPPED: this CPU has no AVX-512 IFMA");
        return;
    };
    let moduli = pairs().div_ceil(LANES * GROUPS_OF_A_MODULUS);
    let name = format!(
        "public, {bits} bits: {} pairs of {moduli} moduli, seed {}",
        moduli * LANES * GROUPS_OF_A_MODULUS,
        option(SEED_VARIABLE, 1)
    );
    on_all_processors(&name, moduli, |piece| {
        let rng = &mut rng(piece);
        let mut modulus = vec![0; bits.div_ceil(8)];
        rng.fill_bytes(&mut modulus);
        modulus[0] = modulus[0] % 0x80 + 0x80;
        modulus[bits.div_ceil(8) - 1] |= 1;
        let document = RsaPublicKey {
            modulus: BigInt::from_be_bytes(&modulus),
            public_exponent: E,
        };
        let aws_lc = PublicKey::parse(&document).unwrap();
        let lanes = PublicOperation::new(instructions, &modulus, E).unwrap();
        for _ in 0..GROUPS_OF_A_MODULUS {
            let inputs: [Vec<u8>; LANES] = std::array::from_fn(|_| input_below(&modulus, rng));
            let raised = lanes.raise(&inputs.each_ref().map(Vec::as_slice));
            for (input, raised) in inputs.iter().zip(raised) {
                assert_eq!(
                    raised,
                    aws_lc.raw_public(input).ok(),
                    "{input:02x?} mod {modulus:02x?}"
                );
            }
        }
    });
}

#[test]
fn private_2048_two_primes() {
    signatures_agree(2048, KeyPrimes::Two);
}

#[test]
fn private_2048_three_primes() {
    signatures_agree(2048, KeyPrimes::Three);
}

#[test]
fn private_3072_two_primes() {
    signatures_agree(3072, KeyPrimes::Two);
}

#[test]
fn private_3072_three_primes() {
    signatures_agree(3072, KeyPrimes::Three);
}

#[test]
fn private_4096_two_primes() {
    signatures_agree(4096, KeyPrimes::Two);
}

#[test]
fn private_4096_three_primes() {
    signatures_agree(4096, KeyPrimes::Three);
}

#[test]
fn public_2048() {
    powers_agree(2048);
}

#[test]
fn public_3072() {
    powers_agree(3072);
}

#[test]
fn public_4096() {
    powers_agree(4096);
}
