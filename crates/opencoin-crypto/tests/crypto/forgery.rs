//! Why there is a second suite: RSA is multiplicative, and so are coins whose hash is signed without padding.
//!
//! The forger here buys blind signatures on small primes, as coins of one unit each; blinding hides from the
//! issuer that the numbers are no payloads' hashes. A product of those signatures is the signature of the
//! product of their primes. So every payload whose hash is made of small primes is a coin, and the forger
//! tries serials until one is (Desmedt and Odlyzko 1985). There are 82,025 primes below 2^20; with those
//! bought once, one serial in some tens of millions is a free coin, a few minutes' search on one core. The
//! size of the key does not help.

use num_bigint_dig::BigUint;
use opencoin_crypto::{CipherSuite, CoinError};
use opencoin_schema::{BigInt, Coin, PROTOCOL_VERSION, Payload};

use crate::support::{MINT_KEY, blinding_seed, number, payload, sign_blind};

/// The forger bought the signature of every prime below this.
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
fn in_the_first_suite_signatures_of_small_primes_multiply_into_a_coin() {
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

/// What is signed in the second suite fills the whole modulus: numbers of that size are not made of small
/// primes, and a product of them is the encoding of nothing.
#[test]
fn in_the_second_suite_there_is_nothing_to_multiply() {
    let suite = CipherSuite::RsaSha384PssRfc9474;
    let key = MINT_KEY.public_key();
    let coins = [b"1", b"2"].map(|serial| {
        let payload = payload(serial);
        let (blinded, unblinder) = suite.blind(key, &payload, &blinding_seed(1)).unwrap();
        suite
            .finish(key, &payload, &sign_blind(&MINT_KEY, &blinded), &unblinder)
            .unwrap()
    });

    let signed = to_biguint(&coins[0].signature).modpow(&65537_u32.into(), &modulus());
    let (_, rest) = divide_by_small_primes(signed);
    assert!(
        rest.bits() > 1500,
        "{} bits are left that no small prime divides",
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

/// The signature of a product, made of the signatures of its factors, which the issuer gave without seeing
/// them.
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
    // Whatever divides the rest is prime: its own factors were divided out before.
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

fn to_biguint(number: &BigInt) -> BigUint {
    BigUint::from_bytes_be(number.as_be_bytes())
}

fn to_big_int(number: &BigUint) -> BigInt {
    BigInt::from_be_bytes(&number.to_bytes_be())
}
