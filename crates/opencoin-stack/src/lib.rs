//! Coin stacks in small: a compact encoding ([`encode`], [`decode`]) and a line of text that survives copying,
//! messengers and mail ([`to_text`], [`find_text`]). And short codes, from which the coins can be made ([`ShortCode`]).
//!
//! Both hold exactly the specification's coin stack: what comes back is equal to what was written, so its JSON text is
//! the same byte for byte. Nothing here verifies a coin. docs/TRANSFER.md specifies the bytes.

mod code;
mod compact;
mod line;

use thiserror::Error;

pub use code::{
    CODE_COINS_MAX, CODE_PREFIX, CODE_URL_BYTES_MAX, ISSUER_BYTES, KINDS_MAX, SECRET_BYTES, ShortCode,
    find_code,
};
pub use compact::{COINS_MAX, URL_BYTES_MAX, VERSION, decode, encode};
pub use line::{LOCKED_PREFIX, PREFIX, find_locked_text, find_text, locked_to_text, to_text};

/// Why bytes or a text are not a coin stack. No error quotes them, because they are money.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StackError {
    /// The checksum of a text is wrong.
    #[error(
        "the text with the coins is damaged: part of it is missing or was changed; copy it again, from \
         \"opencoin\" to the \"=\" at its end, or ask the sender for it again"
    )]
    Damaged,
    /// The checksum of a short code is wrong.
    #[error("the code is damaged: part of it is missing or was changed; copy the whole link again")]
    CodeDamaged,
    /// The stack has this version, which is not [`VERSION`].
    #[error("the coin stack has version {0}; this program reads version {VERSION}: use a newer program")]
    OtherVersion(u64),
    /// The bytes break this rule of the encoding.
    #[error("this is not a compact coin stack: {0}")]
    Malformed(&'static str),
}
