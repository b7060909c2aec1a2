//! Signed notes: a text and signatures of it.
//!
//! Source: C2SP signed-note.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::cosignature;
use crate::key::{KeyName, KeyType, SigningKey, SigningKeyError, VerifierKey};
use crate::signature_line::{SIGNATURES_MAX, SignatureLine, SignatureLineError, parse_lines};

/// The longest note in bytes, signatures included. 32 witnesses with ML-DSA take 106 kB.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// A text with its signatures. Nothing about the signatures is known before [`verify`](Self::verify).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// A note cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The note has more than [`NOTE_BYTES_MAX`] bytes.
    #[error("a note of more than {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// The text does not end with a newline, or has another control character.
    #[error("not the text of a note")]
    Text,
    /// There is no empty line before signatures.
    #[error("a note without signatures")]
    Unsigned,
    /// A signature line is malformed, or there are too many.
    #[error(transparent)]
    Signature(#[from] SignatureLineError),
    /// The key is not of a type that signs notes without a time.
    #[error("not a key for notes")]
    KeyType,
    /// The library does not sign.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

/// A note must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteVerifyError {
    /// The line of a known key does not verify.
    #[error("the signature by {0} does not verify")]
    Signature(KeyName),
    /// No line is by a known key.
    #[error("no signature by a known key")]
    NoKnownKey,
}

/// A signature that was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The index of its key among the given ones.
    pub key: usize,
    /// When it was made, in seconds since 1970, if it is a cosignature.
    pub time: Option<u64>,
}

impl Note {
    /// A text without signatures yet.
    ///
    /// # Errors
    /// The text does not end with a newline, has other control characters, or is too long.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        if !text.ends_with('\n') || text.contains(|character: char| character < ' ' && character != '\n') {
            return Err(NoteError::Text);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures: Vec::new(),
        })
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Appends a signature, unless the same line is there.
    ///
    /// # Errors
    /// The note has [`SIGNATURES_MAX`] signatures.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        if self.signatures.contains(&line) {
            return Ok(());
        }
        if self.signatures.len() == SIGNATURES_MAX {
            return Err(SignatureLineError::TooMany.into());
        }
        self.signatures.push(line);
        Ok(())
    }

    /// Appends a signature by a key of type 0x01. [`cosignature::cosign`] makes the other ones.
    ///
    /// # Errors
    /// The key is of another type, there are too many signatures, or the library fails.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), NoteError> {
        if key.verifier().key_type() != KeyType::Ed25519Note {
            return Err(NoteError::KeyType);
        }
        let signature = key.sign(self.text.as_bytes())?;
        self.add(SignatureLine::of(key.verifier(), signature))
    }

    /// Checks the signatures by known keys, and ignores those by others.
    ///
    /// A key may have signed more than once, at different times; each signature counts here.
    ///
    /// # Errors
    /// A signature by a known key is wrong, or there is none.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, NoteVerifyError> {
        let mut verified = Vec::new();
        for line in &self.signatures {
            let mut known = keys
                .iter()
                .enumerate()
                .filter(|(_, key)| line.names(key))
                .peekable();
            if known.peek().is_none() {
                continue;
            }
            let good = known.find_map(|(index, key)| self.verify_line(index, key, line));
            verified.push(good.ok_or_else(|| NoteVerifyError::Signature(line.name.clone()))?);
        }
        if verified.is_empty() {
            return Err(NoteVerifyError::NoKnownKey);
        }
        Ok(verified)
    }

    fn verify_line(&self, index: usize, key: &VerifierKey, line: &SignatureLine) -> Option<Verified> {
        let time = match key.key_type() {
            KeyType::Ed25519Note => key
                .verifies(self.text.as_bytes(), &line.signature)
                .then_some(None)?,
            KeyType::Ed25519Cosignature | KeyType::MlDsa44Cosignature => {
                Some(cosignature::verify(key, &self.text, &line.signature).ok()?)
            }
            KeyType::Ed25519Promise => return None,
        };
        Some(Verified { key: index, time })
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Unsigned)?;
        let mut parsed = Self::new(&note[..=text.len()])?;
        parsed.signatures = parse_lines(signatures)?;
        Ok(parsed)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
