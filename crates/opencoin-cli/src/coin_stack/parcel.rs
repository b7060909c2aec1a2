//! Coins as they are handed over: open, or locked with a passphrase.

use anyhow::Result;
use opencoin_keys::Passphrase;
use opencoin_pictures::{Code, Drawing, Frame, draw};
use opencoin_schema::{CoinStack, text};
use zeroize::Zeroizing;

use super::{LOCKED_TYPE, STACK_TYPE};

/// In a debug build with this environment variable, a lock costs almost nothing, as tests need it.
#[cfg(debug_assertions)]
const CHEAP_KEYS_VARIABLE: &str = "OPENCOIN_TEST_CHEAP_KEYS";

#[cfg(debug_assertions)]
fn work_factor() -> u8 {
    const CHEAP_WORK_FACTOR: u8 = 4;
    if std::env::var_os(CHEAP_KEYS_VARIABLE).is_some() {
        CHEAP_WORK_FACTOR
    } else {
        opencoin_lock::WORK_FACTOR
    }
}

#[cfg(not(debug_assertions))]
const fn work_factor() -> u8 {
    opencoin_lock::WORK_FACTOR
}

/// Coins that are about to be handed over.
pub(crate) enum Parcel {
    Open(CoinStack),
    Locked(Vec<u8>),
    /// The link of a short code.
    Code(Zeroizing<String>),
}

impl Parcel {
    /// Locks the stack if there is a passphrase.
    pub(crate) fn new(stack: CoinStack, passphrase: Option<&Passphrase>) -> Self {
        match passphrase {
            Some(passphrase) => {
                let compact = opencoin_stack::encode(&stack);
                Self::Locked(opencoin_lock::lock(&compact, passphrase.text(), work_factor()))
            }
            None => Self::Open(stack),
        }
    }

    /// The content of a file: JSON, or an age file in ASCII armour.
    pub(crate) fn file(&self) -> String {
        match self {
            Self::Open(stack) => text::compact(stack),
            Self::Locked(locked) => opencoin_lock::armored(locked),
            Self::Code(link) => link.to_string(),
        }
    }

    /// A line of text.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Open(stack) => opencoin_stack::to_text(stack),
            Self::Locked(locked) => opencoin_stack::locked_to_text(locked),
            Self::Code(link) => link.to_string(),
        }
    }

    /// The codes to show: one, or a sequence of parts of a Uniform Resource.
    pub(crate) fn draw(&self, version_max: u8) -> Result<Drawing<'static>> {
        let (ur_type, message) = match self {
            Self::Open(stack) => (STACK_TYPE, opencoin_stack::encode(stack)),
            Self::Locked(locked) => (LOCKED_TYPE, opencoin_lock::to_cbor(locked)),
            Self::Code(link) => {
                return Ok(Drawing::Single(Frame {
                    code: Code::of_text(link, version_max)?,
                    text: link.to_string(),
                }));
            }
        };
        Ok(draw(ur_type, &message, version_max)?)
    }
}
