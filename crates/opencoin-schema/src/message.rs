//! The messages between wallet and issuer.
//!
//! All are the specification's, but one: it says nothing of stolen mint keys. [`RequestRecoup`] is ours, and
//! read on a path of its own (`/v1/recoup`), so that issuers and wallets that know only the specification
//! never meet it.
//!
//! A response carries the `message_reference` of its request. A response that reports an error has empty
//! content.

use crate::decode::{DecodeError, Envelope, from_json};
use crate::document::document;
use crate::{
    BigInt, Blind, BlindSignature, Cdd, Cddc, Coin, CoinStack, MintKey, Mkc, Payload, RevealedCoin,
    RsaPublicKey, TypeName,
};

document! {
    /// `RequestCDDSerial`: which CDD is current?
    RequestCddSerial = "request cdd serial" {
        /// The client's own reference.
        message_reference: i128,
    }
}

document! {
    /// `ResponseCDDSerial`.
    ResponseCddSerial = "response cdd serial" {
        /// The serial of the current CDD.
        cdd_serial: u64,
        /// The reference of the request.
        message_reference: i128,
        /// Like in HTTP.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// `RequestCDDC`: the certificate of one CDD.
    RequestCddc = "request cddc" {
        /// The serial; 0 asks for the current one.
        cdd_serial: u64,
        /// The client's own reference.
        message_reference: i128,
    }
}

document! {
    /// `ResponseCDDC`.
    ResponseCddc = "response cddc" {
        /// The certificate; absent when `status_code` reports an error.
        cddc: Option<Cddc>,
        /// The reference of the request.
        message_reference: i128,
        /// Like in HTTP.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// `RequestMKCs`: mint key certificates by denomination (the current ones) or by id; both lists empty:
    /// all current ones.
    RequestMintKeyCertificates = "request mint key certificates" {
        /// Denominations whose current keys are asked for.
        denominations: Vec<u64>,
        /// The client's own reference.
        message_reference: i128,
        /// Keys that are asked for, current or not.
        mint_key_ids: Vec<BigInt>,
    }
}

document! {
    /// `ResponseMKCs`.
    ResponseMintKeyCertificates = "response mint key certificates" {
        /// The certificates.
        keys: Vec<Mkc>,
        /// The reference of the request.
        message_reference: i128,
        /// Like in HTTP.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// `RequestMint`: sign blinds, paid for by the client's account.
    RequestMint = "request mint" {
        /// What is to be signed.
        blinds: Vec<Blind>,
        /// The client's own reference.
        message_reference: i128,
        /// A random number by which the transaction can be resumed.
        transaction_reference: BigInt,
    }
}

document! {
    /// `ResponseMint`: the answer to mint, renew and resume.
    ResponseMint = "response mint" {
        /// A signature for every blind.
        blind_signatures: Vec<BlindSignature>,
        /// The reference of the request.
        message_reference: i128,
        /// Like in HTTP.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// `RequestRenew`: sign blinds, paid for by coins.
    RequestRenew = "request renew" {
        /// What is to be signed.
        blinds: Vec<Blind>,
        /// What pays for it.
        coins: Vec<Coin>,
        /// The client's own reference.
        message_reference: i128,
        /// A random number by which the transaction can be resumed.
        transaction_reference: BigInt,
    }
}

document! {
    /// `ResponseDelay`: the transaction was accepted, its signatures come later.
    ResponseDelay = "response delay" {
        /// The reference of the request.
        message_reference: i128,
        /// 300.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// `RequestResume`: the signatures of an accepted transaction.
    RequestResume = "request resume" {
        /// The client's own reference.
        message_reference: i128,
        /// The reference of the transaction.
        transaction_reference: BigInt,
    }
}

document! {
    /// `RequestRedeem`: credit coins to the client's account.
    RequestRedeem = "request redeem" {
        /// The coins.
        coins: Vec<Coin>,
        /// The client's own reference.
        message_reference: i128,
    }
}

document! {
    /// `ResponseRedeem`.
    ResponseRedeem = "response redeem" {
        /// The reference of the request.
        message_reference: i128,
        /// Like in HTTP.
        status_code: u16,
        /// Goes along with the code.
        status_description: String,
    }
}

document! {
    /// Sign blinds, paid for by coins of revoked mint keys, whose origin is shown. Not in the specification.
    ///
    /// Answered by a [`ResponseMint`] or [`ResponseDelay`], and resumed, like a [`RequestRenew`].
    RequestRecoup = "request recoup" {
        /// What is to be signed, with keys that sign now.
        blinds: Vec<Blind>,
        /// What pays for it.
        coins: Vec<RevealedCoin>,
        /// The client's own reference.
        message_reference: i128,
        /// A random number by which the transaction can be resumed.
        transaction_reference: BigInt,
    }
}

/// An enum over document types, told apart by `type` when reading.
macro_rules! by_type {
    ($(#[$attribute:meta])* $name:ident { $($variant:ident,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant),)+ }

        impl $name {
            /// The values of `type` that can be read.
            pub const TYPES: &'static [&'static str] = &[$($variant::TYPE,)+];

            /// Reads a document of the type that it names itself.
            ///
            /// # Errors
            /// When the text is not JSON, `type` is none of [`Self::TYPES`], or a field is wrong.
            pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
                Self::from_json_of_type(&read_type(json)?, json)
            }

            /// Reads a document whose type the reader knows already.
            ///
            /// # Errors
            /// As [`Self::from_json`]; also when `type` is another one.
            pub fn from_json_of_type(type_name: &str, json: &[u8]) -> Result<Self, DecodeError> {
                match type_name {
                    $($variant::TYPE => from_json(json).map($name::$variant),)+
                    other => Err(unknown_type(other)),
                }
            }

            /// The value of `type`.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $($name::$variant(_) => $variant::TYPE,)+ }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $($name::$variant(document) => document.serialize(serializer),)+ }
            }
        }
    };
}

by_type! {
    /// Every document and message: the specification's, and those of a recoup.
    AnyDocument {
        Blind, BlindSignature, Cdd, Cddc, Coin, CoinStack, MintKey, Mkc, Payload, RequestCddSerial, RequestCddc, RequestMint,
        RequestMintKeyCertificates, RequestRecoup, RequestRedeem, RequestRenew, RequestResume, ResponseCddSerial, ResponseCddc,
        ResponseDelay, ResponseMint, ResponseMintKeyCertificates, ResponseRedeem, RevealedCoin, RsaPublicKey,
    }
}

by_type! {
    /// Every message that a wallet sends to an issuer.
    Request {
        RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem, RequestRenew,
        RequestResume,
    }
}

impl Request {
    /// The client's own reference, which the response repeats.
    #[must_use]
    pub fn message_reference(&self) -> i128 {
        match self {
            Self::RequestCddSerial(request) => request.message_reference,
            Self::RequestCddc(request) => request.message_reference,
            Self::RequestMint(request) => request.message_reference,
            Self::RequestMintKeyCertificates(request) => request.message_reference,
            Self::RequestRecoup(request) => request.message_reference,
            Self::RequestRedeem(request) => request.message_reference,
            Self::RequestRenew(request) => request.message_reference,
            Self::RequestResume(request) => request.message_reference,
        }
    }
}

fn read_type(json: &[u8]) -> Result<String, DecodeError> {
    let missing = || DecodeError {
        path: "type".to_owned(),
        reason: "missing, or not a string".to_owned(),
    };
    Envelope::peek(json)?.type_name.ok_or_else(missing)
}

fn unknown_type(type_name: &str) -> DecodeError {
    let shown: String = type_name.chars().take(40).collect();
    DecodeError {
        path: "type".to_owned(),
        reason: format!("unknown type {shown:?}"),
    }
}
