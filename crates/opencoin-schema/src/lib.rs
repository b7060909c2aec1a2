//! The documents and messages of the OpenCoin protocol, and their exact text.
//!
//! Every type here is one schema of the specification and carries its fields by the specification's own
//! names. Reading is strict (every field, no other field, the right `type`) and says where and why it
//! refuses; writing has the two text forms that hashes and signatures are made over, byte for byte:
//! [`text::compact`] and [`text::pretty`]. No I/O and no cryptography beyond the SHA-1 of identifiers.

mod big_int;
mod coins;
mod currency;
mod decode;
mod document;
mod message;
mod mint_key;
mod payload_hash;
pub mod text;
mod timestamp;

pub use big_int::{BigInt, BigIntError, NUMBER_DIGITS_MAX};
pub use coins::{Blind, BlindSignature, Coin, CoinStack, Payload, RevealedCoin};
pub use currency::{Cdd, Cddc, RsaPublicKey, WeightedUrl};
pub use decode::{DecodeError, Envelope, from_json, wrong_value};
pub use document::{Document, TypeName};
pub use message::{
    AnyDocument, Request, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates,
    RequestRecoup, RequestRedeem, RequestRenew, RequestResume, ResponseCddSerial, ResponseCddc,
    ResponseDelay, ResponseMint, ResponseMintKeyCertificates, ResponseRedeem,
};
pub use mint_key::{MintKey, Mkc};
pub use payload_hash::{PAYLOAD_HASH_BYTES_MAX, PayloadHash, PayloadHashError};
pub use timestamp::{Timestamp, TimestampError};

/// The value of `protocol_version` in every document that is made here.
pub const PROTOCOL_VERSION: &str = "https://opencoin.org/1.0";
