//! The formats of a public transparency log: what an issuer publishes so that anybody can check its coins.
//!
//! The log is a list of entries in a Merkle tree. The crate has its [`tree`], the [`tile`]s and [`bundle`]s in which it
//! is served, signed [`note`]s and [`checkpoint`]s, the [`cosignature`]s of witnesses and the [`policy`] that says how
//! many are needed. The entries are [`leaf`] values; a [`promise`] says that an entry will be in the log soon, and the
//! [`log_block`] in a currency's description names the log.
//!
//! Every format is read strictly, so that a document has one spelling. There is no I/O, and time is a parameter.
//! Formats of others: C2SP (<https://c2sp.org>), RFC 6962, RFC 9162.

mod encoding;

pub mod batch;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod digest;
pub mod hash;
pub mod key;
pub mod key_account;
pub mod key_ledger;
pub mod key_no;
pub mod leaf;
pub mod log_block;
pub mod note;
pub mod policy;
pub mod promise;
pub mod proof_file;
pub mod signature_line;
pub mod signed_checkpoint;
pub mod tile;
pub mod tile_proof;
pub mod tree;
pub mod witness;
