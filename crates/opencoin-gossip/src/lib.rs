//! Gossip between auditors, without I/O: what a message is, who may send how many, what is done with one, and to whom it is
//! passed on.
//!
//! A log that shows two histories shows each of them to somebody. As soon as two of these people compare checkpoints, it
//! is found. Nodes therefore tell each other the newest checkpoints and the evidence that they have. Nobody believes a
//! peer: a checkpoint counts if the log has signed it, and evidence if it verifies.
//!
//! - [`GossipMessage`] is the message, [`NodeSelf`] is what a node says about itself.
//! - [`Gossip`] is the state of a node: it admits messages within limits, knows what it has seen, and has a queue for each
//!   peer.
//! - [`tidy_checkpoint`] verifies a checkpoint, [`place`] compares it with what the node knows of the log, and
//!   [`UnresolvedCheckpoints`] remembers those that are larger than what the log shows.
//! - [`KnownEvidence`] tells new evidence from the same evidence in other words.
//!
//! Time is a parameter. The caller does all I/O, and examines what [`Gossip`] hands out before it is passed on.

mod checkpoint;
mod evidence;
mod gossip;
mod message;
mod node;
mod outbox;
mod peer;
mod place;
mod seen;
mod sender;
mod unresolved;

pub use checkpoint::{CheckpointRefused, subject_of, tidy_checkpoint, without_cosignatures};
pub use evidence::{EVIDENCE_PER_KIND_MAX, EvidenceSubject, KnownEvidence, Novelty};
pub use gossip::{Admitted, Arrived, Content, Decision, Gossip, Worth};
pub use message::{BODY_BYTES_MAX, GossipKind, GossipMessage, GossipMessageError, HOPS_MAX, content_id};
pub use node::{NODE_BODY_BYTES_MAX, NODE_LOGS_MAX, NodeRole, NodeSelf, NodeSelfError};
pub use outbox::{Delivery, OUTBOX_MESSAGES_MAX, Outgoing, SendTimes};
pub use peer::{PEERS_MAX, PeerNo, TooManyPeers};
pub use place::{LogPlace, place};
pub use seen::SEEN_MAX;
pub use sender::{GossipSender, MESSAGE_INTERVAL, MESSAGES_BURST, MUTED_MAX, Rejection, STRANGERS_MAX};
pub use unresolved::{
    Remembered, UNRESOLVED_PER_LOG_MAX, UnresolvedCheckpoint, UnresolvedCheckpoints, UnresolvedError,
};
