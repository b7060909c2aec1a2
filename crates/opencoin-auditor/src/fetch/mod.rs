//! Downloads logs from servers that are not trusted: the issuer, other auditors, any copy.
//!
//! A file counts only if it belongs to the tree of a checkpoint that was verified. So it does not matter who serves it,
//! and when one server has wrong files or none, the next one is asked.

mod bundles;
mod http_files;
mod public_addresses;
mod sources;
mod target_tree;

pub(crate) use bundles::{VerifiedBundle, download_bundles};
pub(crate) use http_files::{CurrencyFiles, HttpFiles};
pub(crate) use sources::{FetchError, Sources};
pub(crate) use target_tree::TargetTree;
