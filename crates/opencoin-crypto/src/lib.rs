//! The cryptography of OpenCoin: keys, certificates, cipher suites and the signing engine.
//!
//! - [`PublicKey`] and [`PrivateKey`]: RSA keys. They are checked once, when they are read or made.
//! - [`verify_cddc`] and [`verify_mint_key_certificate`] turn untrusted documents into verified ones.
//! - [`CipherSuite`] defines what is signed to make a coin, and blinds, unblinds and verifies it.
//! - [`Signer`] is the interface for signing blinds, and [`LocalSigner`] the implementation in this process.
//! - [`KeyStore`] makes, keeps and destroys private mint keys.
//!
//! AWS-LC does private operations and verifications one at a time: constant time, blinded, with a checked result. If the
//! CPU has AVX-512 IFMA, `opencoin-lanes` does eight at once in the same way, and AWS-LC what it gets wrong. The
//! crates `rsa` and `num-bigint-dig` make and store keys and do the wallet's blinding arithmetic, but never a
//! private operation.
//!
//! Randomness is always a parameter, so that fixtures and tests are reproducible. In production, pass a
//! cryptographic generator seeded by the operating system.

mod aws_lc;
mod blinding;
mod certificates;
mod emsa_pss;
mod engine;
mod key_error;
mod keys;
mod lanes;
mod numbers;
mod seed;
mod suite;

pub use blinding::{BlindError, Unblinder, UnblinderError};
pub use certificates::{
    CertificateError, VerifiedCddc, VerifiedMintKey, sign_cddc, sign_mint_key_certificate, verify_cddc,
    verify_mint_key_certificate, verify_mint_key_of_issuer,
};
pub use engine::{
    AcceptedBlinds, BlindToSign, KeyStore, KeyStoreError, LocalSigner, LocalSignerOptions, Pool, PoolItem,
    SignError, Signer, Worker,
};
pub use key_error::{
    BadSignature, KEY_BITS_MAX, KEY_BITS_MIN, KEY_BITS_STEP, KeyError, OperationError,
    THREE_PRIMES_KEY_BITS_MIN, check_key_length,
};
pub use keys::{
    KeyPrimes, PrivateKey, PublicKey, SEED_BYTES, SeedScheme, are_signed, decrypt_seed, encrypt_seed,
};
pub use lanes::{LanesSetting, LanesState, choose_lanes, lanes_faults, lanes_state};
pub use rsa::rand_core::CryptoRngCore;
pub use seed::{BlindingSeed, BlindingSeedError};
pub use suite::{
    CipherSuite, CoinError, MINT_KEY_BITS_MIN, MintKeyError, UnknownCipherSuite, blind_in_range,
};
