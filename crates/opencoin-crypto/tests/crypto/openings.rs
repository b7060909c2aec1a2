//! A seed proves which payload is in a blind, even against a thief who has the private mint key.

use num_bigint_dig::{BigUint, ModInverse};
use opencoin_crypto::{BlindingSeed, CipherSuite};
use opencoin_schema::BigInt;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::{
    MINT_KEY, OTHER_MINT_KEY, blinding_seed, payload, rng, sign_blind, to_big_int, to_biguint,
};

/// The thief wants to open their own blind to another payload. There is a factor that makes the same blind of the
/// other payload, but the thief has no seed that gives this factor.
#[test]
fn with_the_private_key_a_factor_can_be_made_to_fit_but_no_seed() {
    // The first suite signs the payload hash itself, so the arithmetic is simple.
    let suite = CipherSuite::RsaSha256PssChaum82;
    let key = MINT_KEY.public_key();
    let (spent, other) = (payload(b"spent"), payload(b"another"));
    let (blinded, _) = suite.blind(key, &spent, &blinding_seed(1)).unwrap();

    let modulus = to_biguint(&key.document().modulus);
    let message = BigUint::from_bytes_be(suite.payload_hash(&other).as_bytes());
    let inverse = message.clone().mod_inverse(&modulus).unwrap();
    let inverse = inverse.to_biguint().unwrap();
    let quotient = to_biguint(&blinded) * inverse % &modulus;
    let factor = to_biguint(&sign_blind(&MINT_KEY, &to_big_int(&quotient)));
    let opened = message * factor.modpow(&65537_u32.into(), &modulus) % &modulus;
    assert_eq!(
        to_big_int(&opened),
        blinded,
        "the factor opens the blind to the other payload"
    );

    assert!(suite.opens(key, &spent, &blinding_seed(1), &blinded));
    let as_seed = BlindingSeed::from_revealed(&to_big_int(&factor));
    assert!(as_seed.is_err(), "a factor is not a seed");
    let cut = BigInt::from_be_bytes(&factor.to_bytes_be()[..32]);
    let tries = (2..200)
        .map(blinding_seed)
        .chain([blinding_seed(1), BlindingSeed::from_revealed(&cut).unwrap()]);
    for seed in tries {
        assert!(!suite.opens(key, &other, &seed, &blinded));
    }
}

proptest! {
    // Every run tests the same cases.
    #![proptest_config(ProptestConfig { cases: 24, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_blind_opens_with_its_own_payload_seed_key_and_suite_alone(
        suite in prop::sample::select(CipherSuite::ALL.to_vec()),
        serial in prop::collection::vec(any::<u8>(), 1..20),
        location in "\\PC{0,40}",
        number in any::<u64>(),
    ) {
        let key = MINT_KEY.public_key();
        let seed = BlindingSeed::generate(&mut rng(number));
        let mut payload = payload(&serial);
        payload.cdd_location = location;
        let (blinded, _) = suite.blind(key, &payload, &seed).unwrap();
        let stored = BlindingSeed::from_secret_hex(&seed.to_secret_hex()).unwrap();
        prop_assert!(suite.opens(key, &payload, &stored, &blinded));

        prop_assert!(!suite.opens(key, &payload, &blinding_seed(number ^ 1), &blinded), "another seed");
        prop_assert!(!suite.opens(OTHER_MINT_KEY.public_key(), &payload, &seed, &blinded), "another key");
        let [first, second] = CipherSuite::ALL;
        let other_suite = if suite == first { second } else { first };
        prop_assert!(!other_suite.opens(key, &payload, &seed, &blinded), "another suite");
        payload.denomination += 1;
        prop_assert!(!suite.opens(key, &payload, &seed, &blinded), "another payload");
    }
}
