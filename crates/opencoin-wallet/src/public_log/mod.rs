//! Reading a currency's public log without trusting who serves it.
//!
//! `opencoin-log-reader` reads it, through the wallet's transport ([`files`]). [`memory`] is what the wallet keeps
//! between two looks at the log: the newest checkpoint, the mint keys whose leaves it has seen, and the issuer's promises
//! that are still open. `opencoin-evidence` makes the files that prove a fault to others.
//!
//! Nothing here changes the wallet; `wallet::log` decides and writes to the disk.

mod error;
pub(crate) mod files;
pub(crate) mod memory;

pub use error::LogError;
