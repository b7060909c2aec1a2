//! Keys and documents for the tests, the same in every run.

use std::sync::LazyLock;

use num_bigint_dig::BigUint;
use opencoin_crypto::{BlindingSeed, CipherSuite, PrivateKey};
use opencoin_schema::{BigInt, Cdd, Coin, MintKey, PROTOCOL_VERSION, Payload, WeightedUrl};
use opencoin_testkit::keys::seeded_key;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The keys of a currency. All tests share them, because making a key takes long in a debug build.
pub(crate) static MASTER_KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(2048, 1));
pub(crate) static MINT_KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(2048, 2));
pub(crate) static OTHER_MINT_KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(2048, 3));
/// As small as the keys in the specification.
pub(crate) static SMALL_KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(512, 4));

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn blinding_seed(number: u64) -> BlindingSeed {
    BlindingSeed::generate(&mut rng(number))
}

pub(crate) fn key(bits: usize, seed: u64) -> PrivateKey {
    seeded_key(bits, seed)
}

pub(crate) fn number(hex: &str) -> BigInt {
    hex.parse().unwrap()
}

/// A payload for `MINT_KEY` with this serial.
pub(crate) fn payload(serial: &[u8]) -> Payload {
    Payload {
        cdd_location: "https://opencent.org".to_owned(),
        denomination: 1,
        issuer_id: MASTER_KEY.public_key().id().clone(),
        mint_key_id: MINT_KEY.public_key().id().clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        serial: BigInt::from_be_bytes(serial),
    }
}

/// Signs like an issuer: the blinded number to the power of the private exponent.
pub(crate) fn sign_blind(key: &PrivateKey, blinded: &BigInt) -> BigInt {
    let blinded = blinded
        .to_padded_be_bytes(key.public_key().modulus_bytes())
        .unwrap();
    BigInt::from_be_bytes(&key.raw_sign(&blinded).unwrap())
}

/// What a wallet gets for this payload from an issuer with this key.
pub(crate) fn mint(suite: CipherSuite, key: &PrivateKey, payload: &Payload, seed: u64) -> Coin {
    let public = key.public_key();
    let (blinded, unblinder) = suite.blind(public, payload, &blinding_seed(seed)).unwrap();
    let blind_signature = sign_blind(key, &blinded);
    suite
        .finish(public, payload, &blind_signature, &unblinder)
        .unwrap()
}

pub(crate) fn to_biguint(number: &BigInt) -> BigUint {
    BigUint::from_bytes_be(number.as_be_bytes())
}

pub(crate) fn to_big_int(number: &BigUint) -> BigInt {
    BigInt::from_be_bytes(&number.to_bytes_be())
}

pub(crate) fn cdd(master_key: &PrivateKey, suite: CipherSuite) -> Cdd {
    let service = || vec![WeightedUrl(10, "https://opencent.org".to_owned())];
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: "2023-07-22T15:45:53.164685".parse().unwrap(),
        cdd_location: "https://opencent.org".to_owned(),
        cdd_serial: 1,
        cdd_signing_date: "2022-07-22T15:45:53.164685".parse().unwrap(),
        currency_divisor: 100,
        currency_name: "OpenCent".to_owned(),
        denominations: vec![1, 2, 5],
        id: master_key.public_key().id().clone(),
        info_service: service(),
        issuer_cipher_suite: suite.name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service: service(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service(),
        renew_service: service(),
    }
}

pub(crate) fn mint_key(key: &PrivateKey, master_key: &PrivateKey) -> MintKey {
    MintKey {
        cdd_serial: 1,
        coins_expiry_date: "2023-10-30T15:45:53.164685".parse().unwrap(),
        denomination: 1,
        id: key.public_key().id().clone(),
        issuer_id: master_key.public_key().id().clone(),
        public_mint_key: key.public_key().document().clone(),
        sign_coins_not_after: "2023-07-22T15:45:53.164685".parse().unwrap(),
        sign_coins_not_before: "2022-07-22T15:45:53.164685".parse().unwrap(),
    }
}
