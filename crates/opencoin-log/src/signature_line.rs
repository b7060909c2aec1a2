//! The lines that carry signatures: below the text of a note, and alone in the answer of a witness.
//!
//! Source: C2SP signed-note, "Signatures".

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::encoding::{from_base64, to_base64};
use crate::key::{KEY_ID_BYTES, KeyName, VerifierKey};

/// The most signature lines in one place.
pub const SIGNATURES_MAX: usize = 100;

/// The longest signature in bytes, without the key's id. Signatures of unknown types may be long too.
pub const SIGNATURE_BYTES_MAX: usize = 8192;

const DASH: &str = "\u{2014} ";

/// One signature: `— <name> <base64 of the key's id and the signature>`, without its newline.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignatureLine {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub key_id: [u8; KEY_ID_BYTES],
    /// What the key's type makes of it; for cosignatures, the time comes first.
    pub signature: Vec<u8>,
}

/// A signature line is malformed, or there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureLineError {
    /// The line has another form.
    #[error("not a signature line")]
    Form,
    /// The signature is longer than [`SIGNATURE_BYTES_MAX`].
    #[error("a signature of more than {SIGNATURE_BYTES_MAX} bytes")]
    TooLong,
    /// There are more than [`SIGNATURES_MAX`].
    #[error("more than {SIGNATURES_MAX} signatures")]
    TooMany,
}

impl SignatureLine {
    /// The line with a key's signature.
    #[must_use]
    pub fn of(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self {
            name: key.name().clone(),
            key_id: key.id(),
            signature,
        }
    }

    /// Whether the line names this key. Whether the signature is right is another question.
    #[must_use]
    pub fn names(&self, key: &VerifierKey) -> bool {
        self.key_id == key.id() && self.name == *key.name()
    }
}

impl FromStr for SignatureLine {
    type Err = SignatureLineError;

    fn from_str(line: &str) -> Result<Self, SignatureLineError> {
        let parts = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' '));
        let (name, base64) = parts.ok_or(SignatureLineError::Form)?;
        let name = name.parse().map_err(|_| SignatureLineError::Form)?;
        let bytes = from_base64(base64).ok_or(SignatureLineError::Form)?;
        match bytes.split_first_chunk() {
            Some((key_id, signature)) if !signature.is_empty() => {
                if signature.len() > SIGNATURE_BYTES_MAX {
                    return Err(SignatureLineError::TooLong);
                }
                Ok(Self {
                    name,
                    key_id: *key_id,
                    signature: signature.to_vec(),
                })
            }
            Some(_) | None => Err(SignatureLineError::Form),
        }
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base64 = to_base64(&[self.key_id.as_slice(), &self.signature].concat());
        write!(formatter, "{DASH}{} {base64}", self.name)
    }
}

/// Reads lines that each end with a newline: at least one, at most [`SIGNATURES_MAX`].
///
/// # Errors
/// A line is malformed, the last newline is missing, or there are no or too many lines.
pub fn parse_lines(text: &str) -> Result<Vec<SignatureLine>, SignatureLineError> {
    let lines = text.strip_suffix('\n').ok_or(SignatureLineError::Form)?;
    if lines.split('\n').count() > SIGNATURES_MAX {
        return Err(SignatureLineError::TooMany);
    }
    lines.split('\n').map(str::parse).collect()
}
