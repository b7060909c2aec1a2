//! The messages between wallet and issuer.
//!
//! The specification defines all of them but [`RequestRecoup`], which is for stolen mint keys. It has a path of its
//! own (`/v1/recoup`), so issuers and wallets that know only the specification never see it.
//!
//! A response repeats the `message_reference` of its request. A response that reports an error has empty content.

use crate::decode::{DecodeError, Envelope, from_json};
use crate::document::document;
use crate::{
    BigInt, Blind, BlindSignature, Cdd, Cddc, Coin, CoinStack, MintKey, Mkc, Payload, RevealedCoin,
    RsaPublicKey, TypeName,
};

document! {
    /// `RequestCDDSerial`: asks for the serial of the current CDD.
    RequestCddSerial = "request cdd serial" {
        /// Chosen by the client.
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
        /// As in HTTP.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// `RequestCDDC`: the certificate of one CDD.
    RequestCddc = "request cddc" {
        /// The serial; 0 asks for the current one.
        cdd_serial: u64,
        /// Chosen by the client.
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
        /// As in HTTP.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// `RequestMKCs`: mint key certificates by denomination (the current ones) or by id. If both lists are empty,
    /// all current ones.
    RequestMintKeyCertificates = "request mint key certificates" {
        /// Asks for the current keys of these denominations.
        denominations: Vec<u64>,
        /// Chosen by the client.
        message_reference: i128,
        /// Asks for these keys, current or not.
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
        /// As in HTTP.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// `RequestMint`: sign blinds, paid for by the client's account.
    RequestMint = "request mint" {
        /// The blinds to sign.
        blinds: Vec<Blind>,
        /// Chosen by the client.
        message_reference: i128,
        /// A random number for resuming the transaction.
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
        /// As in HTTP.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// `RequestRenew`: sign blinds, paid for by coins.
    RequestRenew = "request renew" {
        /// The blinds to sign.
        blinds: Vec<Blind>,
        /// The coins that pay.
        coins: Vec<Coin>,
        /// Chosen by the client.
        message_reference: i128,
        /// A random number for resuming the transaction.
        transaction_reference: BigInt,
    }
}

document! {
    /// `ResponseDelay`: the transaction was accepted; the client asks for its signatures later.
    ResponseDelay = "response delay" {
        /// The reference of the request.
        message_reference: i128,
        /// 300.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// `RequestResume`: the signatures of an accepted transaction.
    RequestResume = "request resume" {
        /// Chosen by the client.
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
        /// Chosen by the client.
        message_reference: i128,
    }
}

document! {
    /// `ResponseRedeem`.
    ResponseRedeem = "response redeem" {
        /// The reference of the request.
        message_reference: i128,
        /// As in HTTP.
        status_code: u16,
        /// Describes the status code.
        status_description: String,
    }
}

document! {
    /// Sign blinds, paid for by coins of revoked mint keys with proof of their origin. Not in the specification.
    ///
    /// As with a [`RequestRenew`], the answer is a [`ResponseMint`] or [`ResponseDelay`], and it can be resumed.
    RequestRecoup = "request recoup" {
        /// The blinds to sign, with keys that sign now.
        blinds: Vec<Blind>,
        /// The coins that pay.
        coins: Vec<RevealedCoin>,
        /// Chosen by the client.
        message_reference: i128,
        /// A random number for resuming the transaction.
        transaction_reference: BigInt,
    }
}

/// An enum over document types. Reading selects the variant by `type`.
macro_rules! by_type {
    ($(#[$attribute:meta])* $name:ident { $($variant:ident,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant),)+ }

        impl $name {
            /// The values of `type` that can be read.
            pub const TYPES: &'static [&'static str] = &[$($variant::TYPE,)+];

            /// Reads a document of any of these types.
            ///
            /// # Errors
            /// When the text is not JSON, `type` is none of [`Self::TYPES`], or a field is wrong.
            pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
                Self::from_json_of_type(&read_type(json)?, json)
            }

            /// Reads a document whose type is already known.
            ///
            /// # Errors
            /// As [`Self::from_json`], and when the document has another `type`.
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
    /// All documents and messages of the specification and of a recoup.
    AnyDocument {
        Blind, BlindSignature, Cdd, Cddc, Coin, CoinStack, MintKey, Mkc, Payload, RequestCddSerial, RequestCddc, RequestMint,
        RequestMintKeyCertificates, RequestRecoup, RequestRedeem, RequestRenew, RequestResume, ResponseCddSerial, ResponseCddc,
        ResponseDelay, ResponseMint, ResponseMintKeyCertificates, ResponseRedeem, RevealedCoin, RsaPublicKey,
    }
}

by_type! {
    /// All messages that a wallet sends to an issuer.
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
