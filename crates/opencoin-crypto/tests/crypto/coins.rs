//! Blinding, unblinding and verifying coins, in both suites.

use opencoin_crypto::{
    BlindError, CipherSuite, CoinError, MintKeyError, PrivateKey, PublicKey, Unblinder, UnknownCipherSuite,
    blind_in_range,
};
use opencoin_schema::{BigInt, Coin, RsaPublicKey, text};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha1::{Digest, Sha1};
use sha2::Sha384;

use crate::support::{MINT_KEY, OTHER_MINT_KEY, SMALL_KEY, blinding_seed, number, payload, sign_blind};

const CHAUM: CipherSuite = CipherSuite::RsaSha256PssChaum82;
const RFC9474: CipherSuite = CipherSuite::RsaSha384PssRfc9474;

fn mint(suite: CipherSuite, key: &PrivateKey, serial: &[u8], seed: u64) -> Coin {
    crate::support::mint(suite, key, &payload(serial), seed)
}

#[test]
fn suites_have_names_and_the_default_is_rfc_9474() {
    for suite in CipherSuite::ALL {
        assert_eq!(suite.name().parse(), Ok(suite));
        assert_eq!(suite.to_string(), suite.name());
    }
    assert_eq!(CipherSuite::default(), RFC9474);
    let error = "RSA-MD5".parse::<CipherSuite>().unwrap_err();
    assert_eq!(error, UnknownCipherSuite("RSA-MD5".to_owned()));
    assert_eq!(
        error.to_string(),
        "unknown cipher suite \"RSA-MD5\"; known are RSA-SHA256-PSS-CHAUM82, RSA-SHA384-PSS-RFC9474"
    );
}

#[test]
fn only_the_first_suite_accepts_a_small_key() {
    let small = SMALL_KEY.public_key();
    assert_eq!(CHAUM.check_mint_key(small), Ok(()));
    let refused = MintKeyError::TooSmall {
        suite: RFC9474,
        bits: 512,
        bits_min: 2048,
    };
    assert_eq!(RFC9474.check_mint_key(small), Err(refused.clone()));
    let blinded = RFC9474.blind(small, &payload(b"1"), &blinding_seed(1));
    assert_eq!(blinded.err(), Some(BlindError::MintKey(refused)));
    let hash = CHAUM
        .verify_coin(small, &mint(CHAUM, &SMALL_KEY, b"1", 1))
        .unwrap();
    assert_eq!(hash.as_bytes().len(), 20);
}

#[test]
fn the_second_suite_refuses_other_exponents() {
    let modulus = MINT_KEY.public_key().document().modulus.clone();
    let key = PublicKey::parse(&RsaPublicKey {
        modulus,
        public_exponent: 3,
    })
    .unwrap();
    assert_eq!(CHAUM.check_mint_key(&key), Ok(()));
    let refused = MintKeyError::PublicExponent {
        suite: RFC9474,
        public_exponent: 3,
    };
    assert_eq!(RFC9474.check_mint_key(&key), Err(refused));
}

#[test]
fn the_payload_hash_is_of_the_compact_text() {
    let payload = payload(b"serial");
    let text = text::compact(&payload);
    assert_eq!(CHAUM.payload_hash(&payload).as_bytes(), &Sha1::digest(&text)[..]);
    assert_eq!(
        RFC9474.payload_hash(&payload).as_bytes(),
        &Sha384::digest(&text)[..]
    );
}

#[test]
fn the_spelling_of_the_serial_makes_no_difference() {
    for suite in CipherSuite::ALL {
        let coin = mint(suite, &MINT_KEY, &[0xab], 1);
        let mut other = coin.clone();
        other.payload.serial = number("00AB");
        let hash = suite.payload_hash(&coin.payload);
        assert_eq!(suite.verify_coin(MINT_KEY.public_key(), &other), Ok(hash));
    }
}

#[test]
fn blinds_depend_on_the_seed_alone() {
    for suite in CipherSuite::ALL {
        let (key, payload) = (MINT_KEY.public_key(), payload(b"1"));
        let blind = |seed| suite.blind(key, &payload, &blinding_seed(seed)).unwrap().0;
        assert_ne!(blind(1), blind(2));
        assert_eq!(blind(1), blind(1));
    }
}

#[test]
fn a_wrong_signature_of_the_issuer_is_refused() {
    for suite in CipherSuite::ALL {
        let (key, payload) = (MINT_KEY.public_key(), payload(b"1"));
        let (blinded, unblinder) = suite.blind(key, &payload, &blinding_seed(1)).unwrap();
        let sound = sign_blind(&MINT_KEY, &blinded);
        assert!(suite.finish(key, &payload, &sound, &unblinder).is_ok());

        let shorter = BigInt::from_be_bytes(&blinded.as_be_bytes()[1..]);
        let other_key = sign_blind(&OTHER_MINT_KEY, &shorter);
        let modulus = key.document().modulus.clone();
        for wrong in [BigInt::default(), number("1"), blinded, other_key, modulus] {
            assert_eq!(suite.finish(key, &payload, &wrong, &unblinder), Err(CoinError));
        }
        let other_unblinder = Unblinder::from_secret_hex("2").unwrap();
        let finished = suite.finish(key, &payload, &sound, &other_unblinder);
        assert_eq!(finished, Err(CoinError));
    }
}

#[test]
fn a_coin_of_one_suite_is_refused_in_the_other() {
    for (suite, other) in [(CHAUM, RFC9474), (RFC9474, CHAUM)] {
        let coin = mint(suite, &MINT_KEY, b"1", 1);
        assert_eq!(other.verify_coin(MINT_KEY.public_key(), &coin), Err(CoinError));
    }
}

#[test]
fn blinds_are_numbers_from_2_to_n_minus_2() {
    let key = SMALL_KEY.public_key();
    let modulus = key.document().modulus.as_be_bytes();
    let less = |difference: u8| {
        let mut number = modulus.to_vec();
        let last = number.last_mut().unwrap();
        *last = last.checked_sub(difference).unwrap();
        BigInt::from_be_bytes(&number)
    };
    let longer = BigInt::from_be_bytes(&[&[1], modulus].concat());
    for (blinded, in_range) in [
        (number("0"), false),
        (number("1"), false),
        (number("2"), true),
        (less(3), true),
        (less(2), true),
        (less(1), false),
        (less(0), false),
        (longer, false),
    ] {
        assert_eq!(blind_in_range(key, &blinded), in_range);
        // Exactly the numbers in range can be signed.
        let signed = blinded
            .to_padded_be_bytes(modulus.len())
            .is_some_and(|blinded| SMALL_KEY.raw_sign(&blinded).is_ok());
        assert_eq!(signed, in_range);
    }
}

proptest! {
    // Every run tests the same cases.
    #![proptest_config(ProptestConfig { cases: 32, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blinding_signing_and_unblinding_makes_a_coin(
        suite in prop::sample::select(CipherSuite::ALL.to_vec()),
        serial in prop::collection::vec(any::<u8>(), 0..32),
        location in "\\PC{0,40}",
        seed in any::<u64>(),
    ) {
        let key = MINT_KEY.public_key();
        let mut payload = payload(&serial);
        payload.cdd_location = location;
        let (blinded, unblinder) = suite.blind(key, &payload, &blinding_seed(seed)).unwrap();
        prop_assert!(blind_in_range(key, &blinded));
        let stored = Unblinder::from_secret_hex(&unblinder.to_secret_hex()).unwrap();
        let coin = suite.finish(key, &payload, &sign_blind(&MINT_KEY, &blinded), &stored).unwrap();
        prop_assert_eq!(suite.verify_coin(key, &coin), Ok(suite.payload_hash(&payload)));
    }

    #[test]
    fn a_changed_coin_is_refused(
        suite in prop::sample::select(CipherSuite::ALL.to_vec()),
        field in 0..6_usize,
        bit in 0..2048_usize,
    ) {
        let mut coin = mint(suite, &MINT_KEY, b"a serial", 1);
        match field {
            0 => coin.payload.cdd_location.push('/'),
            1 => coin.payload.denomination += 1,
            2 => coin.payload.issuer_id = flip(&coin.payload.issuer_id, bit % 160),
            3 => coin.payload.mint_key_id = flip(&coin.payload.mint_key_id, bit % 160),
            4 => coin.payload.serial = flip(&coin.payload.serial, bit % 128),
            _ => coin.signature = flip(&coin.signature, bit),
        }
        prop_assert_eq!(suite.verify_coin(MINT_KEY.public_key(), &coin), Err(CoinError));
    }

    #[test]
    fn a_coin_is_refused_under_another_key(suite in prop::sample::select(CipherSuite::ALL.to_vec()), seed in any::<u64>()) {
        let coin = mint(suite, &MINT_KEY, &seed.to_be_bytes(), seed);
        prop_assert_eq!(suite.verify_coin(OTHER_MINT_KEY.public_key(), &coin), Err(CoinError));
    }
}

fn flip(number: &BigInt, bit: usize) -> BigInt {
    let mut bytes = number.to_padded_be_bytes(256).unwrap();
    bytes[255 - bit / 8] ^= 1 << (bit % 8);
    BigInt::from_be_bytes(&bytes)
}
