//! Coin stacks as people hand them over: the specification's JSON in a file, a line of text for a messenger, or QR codes.
//! A passphrase may lock each. docs/TRANSFER.md specifies the forms.
//!
//! `recognise.rs` finds out what a file or a text is, `folder.rs` reads the pictures of a folder, and `parcel.rs` writes.

mod folder;
mod parcel;
mod recognise;

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use opencoin_keys::Passphrase;
use opencoin_schema::{AnyDocument, CoinStack};
use opencoin_stack::{ShortCode, StackError};

pub(crate) use self::parcel::Parcel;
pub(crate) use self::recognise::recognise;
use self::recognise::{is_line, read_json};
use crate::failure;

/// A likely cause of damage: the line editor of a terminal.
const PASTED_HELP: &str =
    "a terminal cuts off pasted lines after 4095 characters: save the text in a file, and receive the file";

/// The largest file that may hold coins. A picture is never larger, see `opencoin-pictures`.
const FILE_BYTES_MAX: usize = opencoin_pictures::FILE_BYTES_MAX;

/// The type of the Uniform Resource of a coin stack: its compact form.
const STACK_TYPE: &str = "opencoin-stack";
/// The type of the Uniform Resource of a locked coin stack: a CBOR byte string.
const LOCKED_TYPE: &str = "opencoin-stack-locked";

/// How coins are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    /// The specification's coin stack, JSON, which every wallet reads.
    #[default]
    File,
    /// One line for a messenger or a mail, about half as long.
    Text,
    /// A QR code, or an animation of several, for a camera.
    Qr,
    /// A link from which the receiver makes the coins: short for any amount, as text or as one small QR code. The issuer
    /// must answer when it is made.
    Code,
}

impl Form {
    /// The name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Text => "text",
            Self::Qr => "qr",
            Self::Code => "code",
        }
    }

    /// What a person calls it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Text => "text",
            Self::Qr => "QR code",
            Self::Code => "code",
        }
    }
}

/// Coins that somebody has handed over, perhaps locked.
pub(crate) struct Coins {
    pub(crate) form: Form,
    content: Content,
}

enum Content {
    Open(CoinStack),
    /// An age file with the compact coin stack.
    Locked(Vec<u8>),
    /// The coins are at the issuer.
    Code(ShortCode),
    /// A link to a live transfer. The coins are still with the payer.
    Invitation(String),
}

impl Coins {
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.content, Content::Locked(_))
    }

    /// The short code, if it is one.
    pub(crate) fn code(&self) -> Option<&ShortCode> {
        match &self.content {
            Content::Code(code) => Some(code),
            Content::Open(_) | Content::Locked(_) | Content::Invitation(_) => None,
        }
    }

    /// The invitation to a live transfer, if it is one.
    pub(crate) fn invitation(&self) -> Option<&str> {
        match &self.content {
            Content::Invitation(link) => Some(link),
            Content::Open(_) | Content::Locked(_) | Content::Code(_) => None,
        }
    }

    /// The stack. Asks for the passphrase if it is locked.
    pub(crate) fn open(self, passphrase: impl FnOnce() -> Result<Passphrase>) -> Result<CoinStack> {
        match self.content {
            Content::Open(stack) => Ok(stack),
            Content::Locked(locked) => {
                let stack = opencoin_lock::unlock(&locked, passphrase()?.text())?;
                Ok(opencoin_stack::decode(&stack)?)
            }
            Content::Code(_) => Err(failure::refused(
                "this is a short code, from which `opencoin wallet receive` makes the coins",
            )),
            Content::Invitation(_) => Err(failure::refused(
                "this is an invitation to a live transfer, which `opencoin wallet receive` or `opencoin wallet pay` opens",
            )),
        }
    }
}

/// Reads coins that somebody has handed over: a file, a folder of pictures, stdin for `-`, or the line of text itself.
pub(crate) fn read(coins: &Path) -> Result<Coins> {
    let argument = coins.as_os_str().as_encoded_bytes();
    // The argument must not be repeated in an error, because it is money.
    if is_line(argument)
        && !coins.exists()
        && let Some(coins) = recognise(argument)?
    {
        return Ok(coins);
    }
    if coins.is_dir() {
        return folder::read(coins);
    }
    let bytes = read_bytes(coins)?;
    let recognised = recognise(&bytes).map_err(|error| {
        let is_damaged = matches!(error.downcast_ref(), Some(StackError::Damaged));
        if is_damaged && coins == Path::new("-") && io::stdin().is_terminal() {
            return failure::explained(error, PASTED_HELP);
        }
        error
    });
    if let Some(coins) = recognised? {
        return Ok(coins);
    }
    let (form, content) = (Form::File, Content::Open(read_json(coins, &bytes)?));
    Ok(Coins { form, content })
}

/// Reads a document of any type, from a file or stdin for `-`. A coin stack may have any form; asks for the passphrase of
/// a locked one.
pub(crate) fn read_document(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Passphrase>,
) -> Result<AnyDocument> {
    if path.is_dir() {
        return Ok(AnyDocument::CoinStack(folder::read(path)?.open(passphrase)?));
    }
    let bytes = read_bytes(path)?;
    if let Some(coins) = recognise(&bytes)? {
        return Ok(AnyDocument::CoinStack(coins.open(passphrase)?));
    }
    AnyDocument::from_json(&bytes).with_context(|| format!("{} is not a valid document", path.display()))
}

/// Reads a file of at most [`FILE_BYTES_MAX`], or stdin for `-`.
fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    if path == Path::new("-") {
        let stdin = io::stdin().lock();
        stdin
            .take(most)
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
    } else {
        let file = File::open(path).with_context(cannot_read)?;
        let size = fs::metadata(path).with_context(cannot_read)?.len();
        ensure!(size < most, "{} is too large to hold coins", path.display());
        file.take(most)
            .read_to_end(&mut bytes)
            .with_context(cannot_read)?;
    }
    if bytes.len() > FILE_BYTES_MAX {
        bail!("{} is too large to hold coins", path.display());
    }
    Ok(bytes)
}
