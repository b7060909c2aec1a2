//! The cryptography of OpenCoin: keys, certificates, cipher suites and the signing engine.
//!
//! - [`PublicKey`] and [`PrivateKey`]: RSA keys that were checked once, when they were read or made.
//! - [`verify_cddc`] and [`verify_mint_key_certificate`] turn documents into things that may be relied on.
//! - [`CipherSuite`]: what is signed to make a coin; blinding it, unblinding it, verifying it.
//! - [`Signer`]: the one interface through which blinds are signed, and [`LocalSigner`], its engine in this
//!   process.
//! - [`KeyStore`]: where private mint keys are made, kept and destroyed.
//!
//! Two libraries share the work. Every private operation, and every verification, is AWS-LC's: constant time,
//! blinded, its result checked. The crates `rsa` and `num-bigint-dig` make and store keys and do the wallet's
//! blinding arithmetic, never a private operation.
//!
//! Randomness is always a parameter, so that fixtures and tests can be made again; whoever passes a generator
//! must pass a cryptographic one, seeded by the operating system.

mod aws_lc;
mod blinding;
mod certificates;
mod emsa_pss;
mod engine;
mod keys;
mod numbers;
mod seed;
mod suite;

pub use blinding::{BlindError, Unblinder, UnblinderError};
pub use certificates::{
    CertificateError, VerifiedCddc, VerifiedMintKey, sign_cddc, sign_mint_key_certificate, verify_cddc,
    verify_mint_key_certificate,
};
pub use engine::{
    AcceptedBlinds, BlindToSign, KeyStore, KeyStoreError, LocalSigner, LocalSignerOptions, Pool, SignError,
    Signer, Worker,
};
pub use keys::{
    BadSignature, KEY_BITS_MAX, KEY_BITS_MIN, KEY_BITS_STEP, KeyError, OperationError, PrivateKey, PublicKey,
    check_key_length,
};
pub use rsa::rand_core::CryptoRngCore;
pub use seed::{BlindingSeed, BlindingSeedError};
pub use suite::{
    CipherSuite, CoinError, MINT_KEY_BITS_MIN, MintKeyError, PayloadHash, UnknownCipherSuite, blind_in_range,
};
