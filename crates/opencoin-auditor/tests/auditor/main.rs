//! An auditor as issuers, other auditors and people meet it: it follows logs in memory that are served on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic when they fail")]

mod follow;
mod frauds;
mod full;
mod gossip;
mod hostile;
mod http;
mod lost;
mod published;
mod refusals;
mod support;
