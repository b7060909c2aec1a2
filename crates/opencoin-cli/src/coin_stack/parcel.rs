//! Coins as they are handed over: open, or locked with a passphrase.

use opencoin_keys::Passphrase;
use opencoin_schema::{CoinStack, text};

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
        }
    }

    /// A line of text.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Open(stack) => opencoin_stack::to_text(stack),
            Self::Locked(locked) => opencoin_stack::locked_to_text(locked),
        }
    }

    /// The type and the message of a Uniform Resource.
    pub(crate) fn resource(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Open(stack) => (STACK_TYPE, opencoin_stack::encode(stack)),
            Self::Locked(locked) => (LOCKED_TYPE, opencoin_lock::to_cbor(locked)),
        }
    }
}
