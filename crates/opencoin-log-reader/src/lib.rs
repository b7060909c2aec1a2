//! Reading a public log without trusting who serves it.
//!
//! A [`LogReader`] downloads files within limits of number, size and time, through whatever implements [`Download`]. A
//! [`LogTree`] believes only what belongs to the root of a checkpoint whose signatures were checked ([`checkpoint`]).
//! [`Batch`] finds leaves in it without telling the server which ones.
//!
//! The crate keeps nothing: the caller remembers the last checkpoint, and compares the next one with it by
//! [`LogTree::beginning`].

mod batches;
pub mod checkpoint;
mod download;
mod error;
mod reader;
mod tree;

pub use batches::{Batch, BatchHint, Place};
pub use download::{Download, DownloadError, Downloaded};
pub use error::LogReadError;
pub use reader::LogReader;
pub use tree::{Beginning, LogTree};
