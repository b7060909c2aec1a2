//! The documents and messages of the OpenCoin protocol, and their exact text.
//!
//! Every document type is one schema of the specification, with the specification's field names. Reading is strict
//! (every field, no other field, the right `type`), and errors say where and why a text is refused. Writing produces
//! the two text forms that hashes and signatures cover, byte for byte: [`text::compact`] and [`text::pretty`]. There
//! is no I/O and no cryptography beyond the SHA-1 of identifiers.

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

/// The `protocol_version` of all new documents.
pub const PROTOCOL_VERSION: &str = "https://opencoin.org/1.0";
