//! A message as codes: one if it fits, otherwise a sequence without end, of which any part that is large enough is
//! enough.
//!
//! The texts are Uniform Resources (BCR-2020-005), whose sequences are a fountain code (BCR-2024-001): the first codes
//! are the fragments of the message one by one, each further one is a few of them together. So a reader that has missed
//! some codes need not wait until they come again. The texts are in capital letters, for the alphanumeric mode of QR
//! codes: 5.5 bits a letter.

use thiserror::Error;

use crate::code::{Code, VERSION_MAX, alphanumeric_chars};
use crate::limits::{FRAGMENTS_MAX, MESSAGE_BYTES_MAX};

/// The largest version of the codes of a sequence, 97 modules a side. A camera must find each of them in a fifth of a
/// second, often while it moves.
pub const FRAME_VERSION_MAX: u8 = 20;

/// What a fragment needs besides its data, at most: five CBOR headers of 1, 5, 5, 5, 5 and 5 bytes, and a checksum of 4.
const PART_BYTES: usize = 30;

/// How many codes a written sequence has for each fragment. Without a third of them, a third more than the fragments are
/// left.
const WRITTEN_RATIO: usize = 2;
/// The codes of a written sequence beyond that: chance weighs more in short sequences.
const WRITTEN_MORE: usize = 24;

/// Why a message is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DrawError {
    /// The message is longer than [`MESSAGE_BYTES_MAX`].
    #[error(
        "{0} bytes are too many for pictures, which hold up to {MESSAGE_BYTES_MAX}: use a file, or several smaller \
         messages"
    )]
    TooLong(usize),
    /// The message needs more than [`FRAGMENTS_MAX`] codes of this size.
    #[error("it would take {0} pictures of this size, more than {FRAGMENTS_MAX}: use larger pictures")]
    TooManyFragments(usize),
    /// The type is not made of small letters, digits and hyphens, or it leaves no room for a message.
    #[error("this is not the type of a Uniform Resource")]
    Type,
}

/// A message as QR codes.
pub enum Drawing<'a> {
    /// It fits one code.
    Single(Frame),
    /// It takes several.
    Sequence(Sequence<'a>),
}

/// One code of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The Uniform Resource in the code, in capital letters.
    pub text: String,
    /// The code.
    pub code: Code,
}

/// The codes of a message, without end: after its fragments follow mixtures of them.
pub struct Sequence<'a> {
    parts: ur::Encoder<'a>,
    version: u8,
}

/// Draws a message of this type: as one code of at most [`VERSION_MAX`], or as a sequence of codes of at most
/// [`FRAME_VERSION_MAX`]. None is larger than `version_max` (1 to 40), for the window of a terminal.
///
/// # Errors
/// The message is too long, or the type is none.
pub fn draw<'a>(ur_type: &'a str, message: &[u8], version_max: u8) -> Result<Drawing<'a>, DrawError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(DrawError::TooLong(message.len()));
    }
    let text = single_text(ur_type, message)?;
    if let Ok(code) = Code::of_text(&text, version_max.min(VERSION_MAX)) {
        return Ok(Drawing::Single(Frame { text, code }));
    }
    Sequence::new(ur_type, message, version_max.min(FRAME_VERSION_MAX)).map(Drawing::Sequence)
}

/// The Uniform Resource of a whole message, in capital letters.
///
/// # Errors
/// The type is none.
pub fn single_text(ur_type: &str, message: &[u8]) -> Result<String, DrawError> {
    if !ur_type
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return Err(DrawError::Type);
    }
    let text = ur::ur::try_encode(message, &ur::Type::Custom(ur_type)).map_err(|_| DrawError::Type)?;
    Ok(text.to_ascii_uppercase())
}

impl<'a> Sequence<'a> {
    /// Cuts a message, which must not be empty, for codes of at most this version.
    ///
    /// # Errors
    /// The message is too long or empty, or the type is none.
    pub fn new(ur_type: &'a str, message: &[u8], version_max: u8) -> Result<Self, DrawError> {
        // The number of a code may grow as long as the sequence is shown.
        let header = format!("UR:{ur_type}/{}-{FRAGMENTS_MAX}/", u16::MAX).len();
        let room = alphanumeric_chars(version_max).saturating_sub(header) / 2;
        let fragment = room
            .checked_sub(PART_BYTES)
            .filter(|bytes| *bytes > 0)
            .ok_or(DrawError::Type)?;
        let count = message.len().div_ceil(fragment);
        if count > FRAGMENTS_MAX {
            return Err(DrawError::TooManyFragments(count));
        }
        let parts = ur::Encoder::new(message, fragment, ur_type).map_err(|_| DrawError::Type)?;
        let longest = header + 2 * (PART_BYTES + message.len().div_ceil(parts.fragment_count()));
        let version = (1..=version_max).find(|version| alphanumeric_chars(*version) >= longest);
        Ok(Self {
            parts,
            version: version.unwrap_or(version_max),
        })
    }

    /// How many codes a reader needs at least.
    #[must_use]
    pub fn fragments(&self) -> usize {
        self.parts.fragment_count()
    }

    /// How many codes a file or a folder gets: enough even if a third of them is lost.
    #[must_use]
    pub fn written(&self) -> usize {
        WRITTEN_RATIO * self.fragments() + WRITTEN_MORE
    }

    /// The text of the next code.
    pub fn next_text(&mut self) -> Option<String> {
        let is_end = self.parts.current_index() == usize::from(u16::MAX);
        let text = (!is_end).then(|| self.parts.next_part().ok());
        Some(text??.to_ascii_uppercase())
    }

    /// The version of each code.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }
}

impl Iterator for Sequence<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let text = self.next_text()?;
        let code = Code::of_version(&text, self.version);
        Some(Frame {
            code: code.expect("the fragments are cut for this version"),
            text,
        })
    }
}
