//! What people read and type: amounts, addresses of issuers, and texts that strangers wrote.
//!
//! Issuer and wallet share these rules, so that a text means the same on both sides: `12.50` is the same
//! amount everywhere, and a name that an issuer may not choose is also a name that no terminal shows as it is.

mod amount;
mod issuer_url;
mod printable;

pub use amount::{AMOUNT_MAX, AmountDisplay, AmountError, AmountText};
pub use issuer_url::{IssuerUrl, IssuerUrlError};
pub use printable::{is_invisible, is_misleading, printable};
