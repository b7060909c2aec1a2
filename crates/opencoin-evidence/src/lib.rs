//! Evidence: files that prove to anybody, without the network, what somebody did wrong with a public log.
//!
//! A file has the currency's description, signed by the master key, which names the keys of the log. All else in it is
//! signed by those keys or follows from what they signed. [`check_evidence`] verifies a file; [`Evidence`] is one.
//!
//! docs/EVIDENCE.md specifies the files. Each evidence has exactly one text, so a changed byte makes another evidence or
//! none.

mod base64_bytes;
mod build;
mod claim;
mod error;
mod evidence;
mod keys;
mod kinds;
mod tree;
mod words;

pub use build::{BuildError, EvidenceBuilder, included};
pub use claim::{Accused, AccusedCosigner, Claim, FalseJointSignature, Verdict};
pub use error::EvidenceError;
pub use evidence::{CheckedEvidence, EVIDENCE_BYTES_MAX, Evidence, check_evidence, master_key_fingerprint};
pub use kinds::{
    Absence, AfterClosing, BadPayment, BatchOfPayments, ClosingCounts, CoinsValue, CountedKey, Disorder,
    FalseRefusal, KeyCount, KeyLeaves, KeyNumber, KeyUnknown, Neighbours, OmittedLeaf, OneBatch, OneLeaf,
    OneStatement, OrderRule, OutsideDates, OutsideWindow, OverRedemption, PaymentRule, Rollback, SecretKey,
    ShownPromise, SpentTwice, SplitView, StalledLog, TotalsRule, TwoBatches, TwoLeaves, TwoStatements,
    UncountedLeaf, WindowRule, WithheldSignature, WrongKeysRoot, WrongTotals,
};
pub use tree::{Included, IncludedRun};
