//! Reads a message from pictures, in any order, until it is complete.

use std::time::Duration;

use thiserror::Error;

use crate::limits::{PICTURES_MAX, SCAN_DURATION_MAX};
use crate::parts::{Message, PartError, Parts};
use crate::picture::{self, PictureError};
use crate::scan::{Found, scan_within};

/// What pictures hold.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A Uniform Resource.
    Message(Message),
    /// The text of a code that is none.
    Text(String),
}

/// Why pictures hold no complete message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A file is no picture, is damaged or too large.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// In none of the pictures is a code.
    #[error("there is no QR code in {}", pictures(*.0))]
    NoCode(usize),
    /// There are codes, and none of them can be read.
    #[error(
        "the QR code is damaged, blurred or cut off: take the picture again, sharp and with the whole code on it"
    )]
    Unreadable,
    /// Parts of the sequence are missing.
    #[error("{}", missing_text(*.received, *.needed, *.unread))]
    Missing {
        /// The parts that were read and said something new.
        received: usize,
        /// The parts that are needed at least.
        needed: usize,
        /// The pictures from which no part could be read.
        unread: usize,
    },
    /// The codes do not make one message.
    #[error(transparent)]
    Part(#[from] PartError),
    /// There are codes with different texts.
    #[error("the pictures hold several QR codes with different texts")]
    SeveralTexts,
    /// There are more pictures than [`PICTURES_MAX`].
    #[error("there are more than {PICTURES_MAX} pictures")]
    TooMany,
    /// The search for codes took longer than [`SCAN_DURATION_MAX`].
    #[error(
        "the picture shows too much that looks like QR codes: take one that shows little else than the code"
    )]
    TooSlow,
}

fn pictures(count: usize) -> String {
    match count {
        1 => "the picture".to_owned(),
        _ => format!("any of the {count} pictures"),
    }
}

fn missing_text(received: usize, needed: usize, unread: usize) -> String {
    let unread = match unread {
        0 => String::new(),
        1 => ", and one more shows no readable code".to_owned(),
        _ => format!(", and {unread} more show no readable code"),
    };
    let missing = needed - received;
    let more = if missing == 1 {
        "1 more picture is"
    } else {
        &format!("{missing} more pictures are")
    };
    format!(
        "{received} of {needed} pictures were read{unread}; {more} needed: any others of the same sequence"
    )
}

/// Takes pictures and texts until the message is complete.
pub struct Reader {
    scan_duration_max: Duration,
    parts: Parts,
    text: Option<String>,
    /// The pictures that were taken.
    pictures: usize,
    /// Those from which nothing could be read.
    unread: usize,
    /// Something like a code was seen, or a checksum was wrong.
    has_damaged: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::with_scan_duration_max(SCAN_DURATION_MAX)
    }
}

impl Reader {
    /// A reader that searches each picture for at most this long.
    #[must_use]
    pub fn with_scan_duration_max(scan_duration_max: Duration) -> Self {
        let (parts, text) = (Parts::default(), None);
        Self {
            scan_duration_max,
            parts,
            text,
            pictures: 0,
            unread: 0,
            has_damaged: false,
        }
    }

    /// Takes a file with a picture, or with an animation, each frame of which counts as a picture.
    ///
    /// # Errors
    /// [`ReadError::Picture`], which counts as a picture that could not be read, so that others may follow; or the codes
    /// belong to different messages.
    pub fn read(&mut self, file: &[u8]) -> Result<(), ReadError> {
        let mut taken = Ok(());
        let read = picture::read(file, &mut |picture| {
            taken = self.take(scan_within(picture, self.scan_duration_max));
            taken.is_ok() && !self.is_complete()
        });
        if let Err(error) = read {
            self.pictures += 1;
            self.unread += 1;
            return Err(error.into());
        }
        taken
    }

    fn take(&mut self, found: Found) -> Result<(), ReadError> {
        self.pictures += 1;
        if self.pictures > PICTURES_MAX {
            return Err(ReadError::TooMany);
        }
        match found {
            Found::Texts(texts) => texts.iter().try_for_each(|text| self.read_text(text)),
            Found::TooSlow => Err(ReadError::TooSlow),
            found @ (Found::Unreadable | Found::Nothing) => {
                self.unread += 1;
                self.has_damaged |= matches!(found, Found::Unreadable);
                Ok(())
            }
        }
    }

    /// Takes the text of a code that something else has read.
    ///
    /// # Errors
    /// It belongs to another message. A text with a wrong checksum is no error: it counts as a code that could not be
    /// read.
    pub fn read_text(&mut self, text: &str) -> Result<(), ReadError> {
        match self.parts.receive(text) {
            Ok(()) => Ok(()),
            Err(PartError::Damaged) => {
                self.unread += 1;
                self.has_damaged = true;
                Ok(())
            }
            Err(PartError::NotResource) if self.text.as_ref().is_some_and(|known| known != text) => {
                Err(ReadError::SeveralTexts)
            }
            Err(PartError::NotResource) => {
                self.text = Some(text.to_owned());
                Ok(())
            }
            Err(error @ (PartError::Mixed | PartError::TooLarge)) => Err(error.into()),
        }
    }

    /// Whether a message is complete, so that further pictures are not needed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.parts.is_complete()
    }

    /// What the pictures hold.
    ///
    /// # Errors
    /// Something is missing or damaged.
    pub fn finish(self) -> Result<Content, ReadError> {
        let (received, needed) = self.parts.progress();
        if self.parts.is_empty() {
            return match self.text {
                Some(text) => Ok(Content::Text(text)),
                None if self.has_damaged => Err(ReadError::Unreadable),
                None => Err(ReadError::NoCode(self.pictures)),
            };
        }
        let missing = ReadError::Missing {
            received,
            needed,
            unread: self.unread,
        };
        self.parts.message()?.map(Content::Message).ok_or(missing)
    }
}
