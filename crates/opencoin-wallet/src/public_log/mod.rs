//! Reading a currency's public log without trusting who serves it.
//!
//! A [`reader`] downloads files within limits of number, size and time. A [`tree`] believes only what belongs to the
//! root of a checkpoint whose signatures were checked ([`checkpoint`]). [`batches`] finds leaves in it without telling
//! the server which ones. [`memory`] is what the wallet keeps between two looks at the log: the newest checkpoint, the
//! mint keys whose leaves it has seen, and the issuer's promises that are still open. [`evidence`] is what proves a fault
//! to others.
//!
//! Nothing here changes the wallet; `wallet::log` decides and writes to the disk.

pub(crate) mod batches;
pub(crate) mod checkpoint;
mod error;
pub(crate) mod evidence;
pub(crate) mod memory;
pub(crate) mod reader;
pub(crate) mod tree;

pub use error::LogError;
