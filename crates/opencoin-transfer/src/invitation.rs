//! Invitations: links that let two wallets meet.
//!
//! ```text
//! https://relay.example/relay#opencointransfer1<Base64>
//! ```
//!
//! The Base64 (RFC 4648, section 4, without padding) contains CBOR in the deterministic encoding and the first four
//! bytes of the SHA-256 of the CBOR:
//!
//! ```text
//! invitation = [kind, secret: bstr .size 32, issuer_id: bstr, issuer_url: tstr / null, expires: uint, terms]
//! kind       = 0 (a payer's) / 1 (a request) / 2 (a request that many may pay)
//! terms      = null (kind 0) / [amount: uint, subject: tstr]
//! ```
//!
//! Everything behind `#` stays in the program that opens the link: a browser sends it to no server. `issuer_url` is
//! `null` if the relay's URL is that of the issuer with `/relay` behind it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hkdf::Hkdf;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use opencoin_schema::BigInt;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

use crate::message::URL_BYTES_MAX;
use crate::{NUMBER_MAX, Party, SUBJECT_BYTES_MAX, Secret32, TransferId};

/// What stands before the Base64, with the version of the invitation.
pub const PREFIX: &str = "opencointransfer1";

/// The prefix without its version.
const PREFIX_OF_ALL: &str = "opencointransfer";

/// What the URL of an issuer's own relay ends with.
pub const ISSUERS_RELAY_PATH: &str = "/relay";

/// The longest id of an issuer, in bytes.
const ISSUER_ID_BYTES_MAX: usize = 64;

const CHECKSUM_BYTES: usize = 4;

/// An invitation to one transfer, or to as many as people pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Where to meet: the `http` or `https` URL of a relay.
    pub relay: Url,
    /// What everything else is derived from.
    pub secret: Secret32,
    /// The currency.
    pub issuer_id: BigInt,
    /// The URL of the currency's issuer.
    pub issuer_url: String,
    /// Until when the invitation can be accepted, in seconds since 1970.
    pub expires: u64,
    /// Who made it, and for what.
    pub kind: Kind,
}

/// Who made an invitation, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The sender made it. The amount is in the offer.
    ToReceive,
    /// The receiver asks for money.
    ToPay {
        /// The amount, in the currency's smallest unit.
        amount: u64,
        /// What for.
        subject: String,
        /// Whether it may be paid many times.
        many: bool,
    },
}

/// Why a text is not an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvitationError {
    /// It contains no invitation at all.
    #[error("this is not an invitation; an invitation is a link that contains \"#{PREFIX}\"")]
    NotAnInvitation,
    /// The checksum is wrong.
    #[error("the invitation is damaged: part of the link is missing or was changed; copy it again")]
    Damaged,
    /// It has a version that this program does not know.
    #[error("the invitation was made by a newer program; use a newer one to open it")]
    OtherVersion,
    /// The relay's URL cannot be used.
    #[error("the part of the invitation before the # is not the URL of a relay")]
    Relay,
    /// The content breaks this rule.
    #[error("the invitation is not valid: {0}")]
    Malformed(&'static str),
}

impl Invitation {
    /// Reads a link.
    ///
    /// # Errors
    /// It is not an invitation.
    pub fn read(link: &str) -> Result<Self, InvitationError> {
        let (relay, fragment) = link
            .trim()
            .split_once('#')
            .ok_or(InvitationError::NotAnInvitation)?;
        if !fragment.starts_with(PREFIX_OF_ALL) {
            return Err(InvitationError::NotAnInvitation);
        }
        let base64 = fragment
            .strip_prefix(PREFIX)
            .ok_or(InvitationError::OtherVersion)?;
        let bytes = STANDARD_NO_PAD
            .decode(base64)
            .map_err(|_| InvitationError::Damaged)?;
        let bytes = Zeroizing::new(bytes);
        let end = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .ok_or(InvitationError::Damaged)?;
        let (cbor, sum) = bytes.split_at(end);
        if Sha256::digest(cbor)[..CHECKSUM_BYTES] != *sum {
            return Err(InvitationError::Damaged);
        }
        let invitation = read_cbor(cbor, relay_url(relay)?)?;
        if *invitation.cbor() != *cbor {
            return Err(InvitationError::Malformed(
                "it is not in the deterministic encoding",
            ));
        }
        Ok(invitation)
    }

    /// The link. It is as secret as the transfer: whoever has it can take part.
    #[must_use]
    pub fn link(&self) -> String {
        let mut bytes = self.cbor();
        let sum = Sha256::digest(bytes.as_slice());
        bytes.extend(&sum[..CHECKSUM_BYTES]);
        format!("{}#{PREFIX}{}", self.relay, STANDARD_NO_PAD.encode(&*bytes))
    }

    /// Who made the invitation.
    #[must_use]
    pub const fn maker(&self) -> Party {
        match self.kind {
            Kind::ToReceive => Party::Sender,
            Kind::ToPay { .. } => Party::Receiver,
        }
    }

    /// Whether it may be paid many times.
    #[must_use]
    pub const fn is_for_many(&self) -> bool {
        matches!(self.kind, Kind::ToPay { many: true, .. })
    }

    /// The invitation to one payment of a request that many may pay, with the secret of its own room.
    #[must_use]
    pub fn for_one(&self, secret: Secret32) -> Self {
        let mut one = self.clone();
        one.secret = secret;
        if let Kind::ToPay { many, .. } = &mut one.kind {
            *many = false;
        }
        one
    }

    /// The id of the transfer.
    #[must_use]
    pub fn transfer_id(&self) -> TransferId {
        TransferId(self.derive("id"))
    }

    /// What a participant shows to the relay to enter the room.
    #[must_use]
    pub fn access(&self) -> [u8; 32] {
        self.derive("access")
    }

    /// The number of the room at the relay.
    #[must_use]
    pub fn room(&self) -> [u8; 16] {
        room_of(&self.access())
    }

    /// The key that both ends of the channel share.
    #[must_use]
    pub fn psk(&self) -> Secret32 {
        Secret32::from_bytes(self.derive("psk"))
    }

    /// The bytes to which the channel is bound: those of the link that both ends must have in common.
    #[must_use]
    pub fn prologue(&self) -> Zeroizing<Vec<u8>> {
        let mut prologue = Zeroizing::new(b"opencoin transfer 1".to_vec());
        prologue.extend(&*self.cbor());
        prologue
    }

    fn derive<const BYTES: usize>(&self, what: &str) -> [u8; BYTES] {
        let mut derived = [0; BYTES];
        Hkdf::<Sha256>::new(None, self.secret.expose())
            .expand_multi_info(&[b"opencoin transfer 1 ", what.as_bytes()], &mut derived)
            .expect("HKDF makes so few bytes");
        derived
    }

    fn cbor(&self) -> Zeroizing<Vec<u8>> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder).expect("writing to a vector cannot fail");
        Zeroizing::new(encoder.into_writer())
    }

    fn write(
        &self,
        encoder: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        let kind = match self.kind {
            Kind::ToReceive => 0,
            Kind::ToPay { many: false, .. } => 1,
            Kind::ToPay { many: true, .. } => 2,
        };
        encoder.array(6)?.u8(kind)?.bytes(self.secret.expose())?;
        encoder.bytes(self.issuer_id.as_be_bytes())?;
        if self.issuer_url == issuer_at(&self.relay) {
            encoder.null()?;
        } else {
            encoder.str(&self.issuer_url)?;
        }
        encoder.u64(self.expires)?;
        match &self.kind {
            Kind::ToReceive => encoder.null()?,
            Kind::ToPay { amount, subject, .. } => encoder.array(2)?.u64(*amount)?.str(subject)?,
        };
        Ok(())
    }
}

/// The first link with an invitation in a text, such as a message that has other words too.
#[must_use]
pub fn find_link(text: &str) -> Option<&str> {
    let hash = text.find(&format!("#{PREFIX_OF_ALL}"))?;
    let is_around = |char: char| char.is_whitespace() || ['<', '>', '"', '\'', '(', ')', '`'].contains(&char);
    let begin = text[..hash]
        .char_indices()
        .rev()
        .find(|(_, char)| is_around(*char))
        .map_or(0, |(place, char)| place + char.len_utf8());
    let is_base64 = |char: char| char.is_ascii_alphanumeric() || ['+', '/'].contains(&char);
    let rest = &text[hash + 1..];
    let end = rest.find(|char| !is_base64(char)).unwrap_or(rest.len());
    Some(&text[begin..hash + 1 + end])
}

/// The room that opens for this access key.
#[must_use]
pub fn room_of(access: &[u8; 32]) -> [u8; 16] {
    let mut room = [0; 16];
    room.copy_from_slice(&Sha256::digest(access)[..16]);
    room
}

/// The URL of a relay: `http` or `https`, without user, query and fragment.
///
/// # Errors
/// It is another URL, or none.
pub fn relay_url(text: &str) -> Result<Url, InvitationError> {
    let url = Url::parse(text.trim()).map_err(|_| InvitationError::Relay)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_plain && is_http && url.fragment().is_none() && url.as_str().len() <= URL_BYTES_MAX {
        Ok(url)
    } else {
        Err(InvitationError::Relay)
    }
}

/// The URL of the issuer whose relay this would be.
fn issuer_at(relay: &Url) -> &str {
    relay.as_str().strip_suffix(ISSUERS_RELAY_PATH).unwrap_or("")
}

fn read_cbor(cbor: &[u8], relay: Url) -> Result<Invitation, InvitationError> {
    const SHAPE: InvitationError = InvitationError::Malformed("it does not have its six parts");
    let shape = |_| SHAPE;
    let mut decoder = Decoder::new(cbor);
    if decoder.array().map_err(shape)? != Some(6) {
        return Err(SHAPE);
    }
    let kind = decoder.u8().map_err(shape)?;
    let secret: [u8; 32] = decoder
        .bytes()
        .map_err(shape)?
        .try_into()
        .map_err(|_| InvitationError::Malformed("its secret does not have 32 bytes"))?;
    let issuer_id = decoder.bytes().map_err(shape)?;
    if issuer_id.len() > ISSUER_ID_BYTES_MAX {
        return Err(InvitationError::Malformed("the id of its issuer is too long"));
    }
    let issuer_url = match decoder.datatype().map_err(shape)? {
        Type::Null => {
            decoder.null().map_err(shape)?;
            issuer_at(&relay).to_owned()
        }
        _ => decoder.str().map_err(shape)?.to_owned(),
    };
    if issuer_url.is_empty() || issuer_url.len() > URL_BYTES_MAX {
        return Err(InvitationError::Malformed(
            "the URL of its issuer is missing or too long",
        ));
    }
    let expires = decoder.u64().map_err(shape)?;
    if expires > NUMBER_MAX {
        return Err(InvitationError::Malformed("its time is too large"));
    }
    let kind = match kind {
        0 => {
            decoder.null().map_err(shape)?;
            Kind::ToReceive
        }
        1 | 2 => read_terms(&mut decoder, kind == 2)?,
        _ => return Err(InvitationError::OtherVersion),
    };
    Ok(Invitation {
        relay,
        secret: Secret32::from_bytes(secret),
        issuer_id: BigInt::from_be_bytes(issuer_id),
        issuer_url,
        expires,
        kind,
    })
}

fn read_terms(decoder: &mut Decoder<'_>, many: bool) -> Result<Kind, InvitationError> {
    const SHAPE: InvitationError = InvitationError::Malformed("a request has an amount and a subject");
    let shape = |_| SHAPE;
    if decoder.array().map_err(shape)? != Some(2) {
        return Err(SHAPE);
    }
    let amount = decoder.u64().map_err(shape)?;
    let subject = decoder.str().map_err(shape)?.to_owned();
    if amount == 0 || amount > NUMBER_MAX || subject.len() > SUBJECT_BYTES_MAX {
        return Err(InvitationError::Malformed(
            "its amount or its subject exceeds a limit",
        ));
    }
    Ok(Kind::ToPay {
        amount,
        subject,
        many,
    })
}

/// Records contain the link.
impl Serialize for Invitation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.link())
    }
}

impl<'de> Deserialize<'de> for Invitation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ToReceive => "an invitation to receive",
            Self::ToPay { many: false, .. } => "a payment request",
            Self::ToPay { many: true, .. } => "a payment request that many may pay",
        })
    }
}
