//! The message: a text that verifies by itself, and how far it has come.

use opencoin_log::hash::Hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The longest body of a request in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How often a message may have been passed on. A node at this distance keeps it to itself.
pub const HOPS_MAX: u8 = 8;

/// The kind of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GossipKind {
    /// A checkpoint, as a signed note.
    Checkpoint,
    /// A file of evidence.
    Evidence,
}

/// A text and the number of nodes that have passed it on. Nothing is known about the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GossipMessage {
    hops: u8,
    id: Hash,
    kind: GossipKind,
    text: String,
}

/// The bytes are not a message that this node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GossipMessageError {
    /// The body has more than [`BODY_BYTES_MAX`] bytes.
    #[error("a message of more than {BODY_BYTES_MAX} bytes")]
    TooLong,
    /// The body is not a JSON object with the fields `hops`, `id`, `kind` and `text`, or one of these has another form.
    #[error("not a message: an object with hops, id, kind (checkpoint or evidence) and text")]
    Form,
    /// The message has been passed on more than [`HOPS_MAX`] times.
    #[error("passed on more than {HOPS_MAX} times")]
    Hops,
    /// The id is not the SHA-256 of the text.
    #[error("the id is not the SHA-256 of the text in lower-case hex")]
    Id,
}

/// The message as it is sent. The fields stand in the order of the alphabet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<Text> {
    hops: u64,
    id: Hash,
    kind: GossipKind,
    text: Text,
}

/// The id of a text: its SHA-256.
#[must_use]
pub fn content_id(text: &str) -> Hash {
    Hash::new(Sha256::digest(text).into())
}

impl GossipMessage {
    /// A message that this node begins.
    ///
    /// # Errors
    /// The body would be too long. Peers can still fetch the text from this node.
    pub fn new(kind: GossipKind, text: String) -> Result<Self, GossipMessageError> {
        Self::after(0, kind, text)
    }

    /// A message that has been passed on so many times.
    ///
    /// # Errors
    /// These are too many, or the body would be too long.
    pub(crate) fn after(hops: u8, kind: GossipKind, text: String) -> Result<Self, GossipMessageError> {
        if hops > HOPS_MAX {
            return Err(GossipMessageError::Hops);
        }
        let message = Self {
            hops,
            id: content_id(&text),
            kind,
            text,
        };
        if message.to_json().len() > BODY_BYTES_MAX {
            return Err(GossipMessageError::TooLong);
        }
        Ok(message)
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// It is too long, is not a message, has come too far, or its id is not that of its text.
    pub fn parse(body: &[u8]) -> Result<Self, GossipMessageError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(GossipMessageError::TooLong);
        }
        let body: Body<String> = serde_json::from_slice(body).map_err(|_| GossipMessageError::Form)?;
        let hops = u8::try_from(body.hops).map_err(|_| GossipMessageError::Hops)?;
        if hops > HOPS_MAX {
            return Err(GossipMessageError::Hops);
        }
        if content_id(&body.text) != body.id {
            return Err(GossipMessageError::Id);
        }
        // This node writes no body that is longer than another one with the same fields, so it can pass it on.
        Ok(Self {
            hops,
            id: body.id,
            kind: body.kind,
            text: body.text,
        })
    }

    /// The body of a request.
    #[must_use]
    pub fn to_json(&self) -> String {
        let body = Body {
            hops: self.hops.into(),
            id: self.id,
            kind: self.kind,
            text: self.text.as_str(),
        };
        serde_json::to_string(&body).expect("the fields are strings and a number")
    }

    /// How many nodes have passed it on, as the sender says.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        self.hops
    }

    /// The SHA-256 of the text.
    #[must_use]
    pub const fn id(&self) -> &Hash {
        &self.id
    }

    /// The kind of the text, as the sender says.
    #[must_use]
    pub const fn kind(&self) -> GossipKind {
        self.kind
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
