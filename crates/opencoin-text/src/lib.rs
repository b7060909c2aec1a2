//! Text that people read and type: amounts, URLs of issuers, and text from untrusted sources.
//!
//! Issuer and wallet share these rules, so `12.50` is the same amount on both sides, and the characters that a
//! currency name must not contain are those that a terminal shows as escapes.

mod amount;
mod issuer_url;
mod printable;
mod words;

pub use amount::{AMOUNT_MAX, AmountDisplay, AmountError, AmountText};
pub use issuer_url::{IssuerUrl, IssuerUrlError, host_of_url};
pub use printable::{is_invisible, is_misleading, printable, printable_lines};
pub use words::{FINGERPRINT_WORDS, fingerprint_words};
