//! The cost of RSA and hashes for one coin, beside the cost of the raw RSA operations.

#![expect(clippy::unwrap_used, reason = "a benchmark's preparation")]

use std::hint::black_box;

use divan::Bencher;
use opencoin_crypto::{BlindingSeed, CipherSuite, KeyPrimes, PrivateKey, blind_in_range};
use opencoin_schema::{BigInt, Coin, Payload};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const BITS: [usize; 2] = [2048, 3072];
const GROUPS: [usize; 6] = [1, 2, 3, 4, 5, 8];
const SEED: u64 = 1;

fn main() {
    divan::main();
}

fn key(bits: usize) -> PrivateKey {
    PrivateKey::generate(bits).unwrap()
}

/// A number less than every modulus of this key's size.
fn input(key: &PrivateKey) -> Vec<u8> {
    vec![0x5a; key.public_key().modulus_bytes()]
}

fn coin(key: &PrivateKey) -> Coin {
    let (suite, public) = (CipherSuite::default(), key.public_key());
    let payload = Payload {
        cdd_location: "https://issuer.example/cddc".to_owned(),
        denomination: 10,
        issuer_id: BigInt::from_be_bytes(&[0x42; 20]),
        mint_key_id: public.id().clone(),
        protocol_version: "https://opencoin.org/1.0".to_owned(),
        serial: BigInt::from_be_bytes(&[0x42; 16]),
    };
    let seed = BlindingSeed::generate(&mut ChaCha20Rng::seed_from_u64(SEED));
    let (blinded, unblinder) = suite.blind(public, &payload, &seed).unwrap();
    let signed = key
        .raw_sign(&blinded.to_padded_be_bytes(public.modulus_bytes()).unwrap())
        .unwrap();
    suite
        .finish(public, &payload, &BigInt::from_be_bytes(&signed), &unblinder)
        .unwrap()
}

#[divan::bench(args = BITS)]
fn raw_private(bencher: Bencher<'_, '_>, bits: usize) {
    let key = key(bits);
    let input = input(&key);
    bencher.bench(|| key.raw_sign(black_box(&input)));
}

#[divan::bench(args = BITS)]
fn raw_private_three_primes(bencher: Bencher<'_, '_>, bits: usize) {
    let key = PrivateKey::generate_with(bits, KeyPrimes::Three).unwrap();
    let input = input(&key);
    bencher.bench(|| key.raw_sign(black_box(&input)));
}

/// The time of one group of so many signatures, in lanes if they are used and worth it.
#[divan::bench(args = GROUPS)]
fn raw_private_group_two_primes(bencher: Bencher<'_, '_>, count: usize) {
    bench_group(bencher, KeyPrimes::Two, count);
}

#[divan::bench(args = GROUPS)]
fn raw_private_group_three_primes(bencher: Bencher<'_, '_>, count: usize) {
    bench_group(bencher, KeyPrimes::Three, count);
}

fn bench_group(bencher: Bencher<'_, '_>, primes: KeyPrimes, count: usize) {
    let key = PrivateKey::generate_with(BITS[0], primes).unwrap();
    key.prepare_groups();
    let input = input(&key);
    let group = vec![&input[..]; count];
    bencher.bench(|| key.raw_sign_all(black_box(&group)));
}

#[divan::bench(args = BITS)]
fn raw_public(bencher: Bencher<'_, '_>, bits: usize) {
    let key = key(bits);
    let input = input(&key);
    bencher.bench(|| key.public_key().raw_public(black_box(&input)));
}

#[divan::bench(args = BITS)]
fn verify_coin(bencher: Bencher<'_, '_>, bits: usize) {
    let key = key(bits);
    let coin = coin(&key);
    bencher.bench(|| {
        CipherSuite::default()
            .verify_coin(key.public_key(), black_box(&coin))
            .unwrap()
    });
}

/// The cost for a wallet to blind a coin, and for an issuer to verify a revealed seed.
#[divan::bench(args = BITS)]
fn opens(bencher: Bencher<'_, '_>, bits: usize) {
    let key = key(bits);
    let (public, payload) = (key.public_key(), coin(&key).payload);
    let seed = BlindingSeed::generate(&mut ChaCha20Rng::seed_from_u64(SEED));
    let (blinded, _) = CipherSuite::default().blind(public, &payload, &seed).unwrap();
    bencher.bench(|| CipherSuite::default().opens(public, black_box(&payload), &seed, &blinded));
}

#[divan::bench]
fn payload_hash(bencher: Bencher<'_, '_>) {
    let coin = coin(&key(2048));
    bencher.bench(|| CipherSuite::default().payload_hash(black_box(&coin.payload)));
}

#[divan::bench]
fn check_blind_in_range(bencher: Bencher<'_, '_>) {
    let key = key(2048);
    let blinded = BigInt::from_be_bytes(&input(&key));
    bencher.bench(|| blind_in_range(key.public_key(), black_box(&blinded)));
}
