//! The reason for the second suite: RSA is multiplicative, and so are coins whose hash is signed without padding.
//!
//! The forger buys blind signatures on small primes, as coins of one unit each. Blinding hides from the issuer that
//! the numbers are not hashes of payloads. A product of those signatures is the signature of the product of their
//! primes. So the forger can make a coin of every payload whose hash is a product of small primes, and tries serials
//! until one is (Desmedt and Odlyzko 1985). There are 82,025 primes below 2^20. Once those are bought, about one in
//! some tens of millions of serials is a free coin, found in a few minutes on one core. A longer key does not help.

use num_bigint_dig::BigUint;
use opencoin_crypto::{CipherSuite, CoinError};
use opencoin_schema::{BigInt, Coin, PROTOCOL_VERSION, Payload};

use crate::support::{MINT_KEY, mint, number, payload, sign_blind, to_big_int, to_biguint};

/// The forger has bought the signatures of all primes below this.
const PRIMES_BELOW: u32 = 1 << 20;

/// Found by trying serials: its SHA-1 is a product of primes below [`PRIMES_BELOW`].
fn smooth_payload() -> Payload {
    Payload {
        cdd_location: "https://opencent.org".to_owned(),
        denomination: 5,
        issuer_id: number("1"),
        mint_key_id: number("2"),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        serial: number("102e93b56"),
    }
}

#[test]
fn in_the_first_suite_a_product_of_signatures_is_a_forged_coin() {
    let suite = CipherSuite::RsaSha256PssChaum82;
    let hash = BigUint::from_bytes_be(suite.payload_hash(&smooth_payload()).as_bytes());
    let (factors, rest) = divide_by_small_primes(hash);
    assert_eq!(rest, BigUint::from(1_u8), "nothing but small primes");

    let forged = Coin {
        payload: smooth_payload(),
        signature: product_of_signatures(&factors),
    };

    assert!(suite.verify_coin(MINT_KEY.public_key(), &forged).is_ok());
    assert_eq!(
        CipherSuite::RsaSha384PssRfc9474.verify_coin(MINT_KEY.public_key(), &forged),
        Err(CoinError)
    );
}

/// In the second suite, the signed numbers are as long as the modulus. Numbers of that size are not products of small
/// primes, and a product of two of them is not a valid encoding.
#[test]
fn in_the_second_suite_a_product_of_signatures_is_refused() {
    let suite = CipherSuite::RsaSha384PssRfc9474;
    let key = MINT_KEY.public_key();
    let coins = [b"1", b"2"].map(|serial| mint(suite, &MINT_KEY, &payload(serial), 1));

    let signed = to_biguint(&coins[0].signature).modpow(&65537_u32.into(), &modulus());
    let (_, rest) = divide_by_small_primes(signed);
    assert!(
        rest.bits() > 1500,
        "only {} bits have no small prime factors",
        rest.bits()
    );

    let product = to_biguint(&coins[0].signature) * to_biguint(&coins[1].signature) % modulus();
    for coin in coins {
        let forged = Coin {
            signature: to_big_int(&product),
            ..coin
        };
        assert_eq!(suite.verify_coin(key, &forged), Err(CoinError));
    }
}

/// The signature of a product, from the signatures of its factors, which the issuer signed blindly.
fn product_of_signatures(factors: &[u32]) -> BigInt {
    let product = factors.iter().fold(BigUint::from(1_u8), |product, factor| {
        let bought = sign_blind(&MINT_KEY, &to_big_int(&BigUint::from(*factor)));
        product * to_biguint(&bought) % modulus()
    });
    to_big_int(&product)
}

/// The small prime factors of a number, and what is left of it.
fn divide_by_small_primes(mut number: BigUint) -> (Vec<u32>, BigUint) {
    let zero = BigUint::from(0_u8);
    let mut factors = Vec::new();
    // Every divisor found is prime, because smaller factors were divided out before.
    for factor in 2..PRIMES_BELOW {
        while &number % factor == zero {
            number /= factor;
            factors.push(factor);
        }
    }
    (factors, number)
}

fn modulus() -> BigUint {
    to_biguint(&MINT_KEY.public_key().document().modulus)
}
