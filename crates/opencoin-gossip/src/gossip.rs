//! The state of a node: what it admits, what it has seen, and what it passes on to whom.

use std::sync::Arc;
use std::time::Instant;

use opencoin_log::hash::Hash;
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use crate::checkpoint::{CheckpointRefused, subject_of, tidy_checkpoint};
use crate::message::{GossipKind, GossipMessage, GossipMessageError, content_id};
use crate::outbox::{Delivery, Outbox, Outgoing, SendTimes, Topic, Waiting};
use crate::peer::{PEERS_MAX, PeerNo, TooManyPeers};
use crate::seen::{SEEN_MAX, Seen};
use crate::sender::{GossipSender, Rejection, Senders};

/// The permission to read one message of a sender.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    sender: GossipSender,
}

/// What to do with a message.
#[derive(Debug)]
pub enum Decision {
    /// Nothing: the node has taken this before.
    Ignore,
    /// Examine it, and call [`Gossip::examined`].
    Examine(Box<Arrived>),
}

/// A message that the node has not taken before. Nothing is known about what it says.
#[derive(Debug)]
pub struct Arrived {
    hops: u8,
    content: Content,
    subject: Hash,
    /// Who is charged for an invalid text; nobody if the node fetched it itself.
    sender: Option<GossipSender>,
    /// The peer that has it.
    peer: Option<PeerNo>,
}

/// What a message carries.
#[derive(Debug)]
pub enum Content {
    /// A checkpoint. Its signatures are not verified.
    Checkpoint(SignedCheckpoint),
    /// The text of a file of evidence, perhaps.
    Evidence(String),
}

/// What the examination of a message has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worth {
    /// It is valid, new and stored, and a checkpoint is proven to belong to the history that the node knows. It is passed
    /// on.
    New,
    /// A checkpoint that the log has signed and that the node has just remembered as unresolved. It is passed on.
    Unresolved,
    /// It is valid and the node knew it, or has no room for it. It is not passed on.
    Known,
    /// The node cannot tell: it does not follow this currency, or does not know the key. It is not passed on.
    Foreign,
    /// It is invalid. The sender is charged for it.
    Worthless,
}

/// What a node knows about messages, its peers and its senders.
#[derive(Debug)]
pub struct Gossip {
    seen: Seen,
    senders: Senders,
    peers: Vec<Outbox>,
    times: SendTimes,
}

impl Arrived {
    /// What it carries.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// How many nodes have passed it on, as the sender says.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        self.hops
    }

    /// Verifies the log's signature of a checkpoint, and keeps it in its tidy form, in which it is passed on.
    ///
    /// # Errors
    /// The log has not signed it.
    pub fn tidy(&mut self, block: &LogBlock) -> Result<&SignedCheckpoint, CheckpointRefused> {
        match &mut self.content {
            Content::Checkpoint(signed) => {
                *signed = tidy_checkpoint(signed, block)?;
                Ok(signed)
            }
            Content::Evidence(_) => Err(CheckpointRefused::Origin),
        }
    }
}

impl Gossip {
    /// A node with so many peers that has seen nothing yet. After a start it announces what it has.
    ///
    /// # Errors
    /// There are more than [`PEERS_MAX`].
    pub fn new(peers: usize, times: SendTimes) -> Result<Self, TooManyPeers> {
        if peers > PEERS_MAX {
            return Err(TooManyPeers(peers));
        }
        Ok(Self {
            seen: Seen::new(SEEN_MAX),
            senders: Senders::new(peers),
            peers: std::iter::repeat_with(Outbox::new).take(peers).collect(),
            times,
        })
    }

    /// The peers.
    pub fn peers(&self) -> impl Iterator<Item = PeerNo> + use<> {
        PeerNo::all(self.peers.len())
    }

    /// Counts a message of this sender, before its body is read.
    ///
    /// # Errors
    /// The sender is too fast, or muted.
    pub fn admit(&mut self, sender: GossipSender, now: Instant) -> Result<Admitted, Rejection> {
        self.senders.admit(sender, now)?;
        Ok(Admitted { sender })
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// It is no message. The sender is charged for it.
    pub fn read(&mut self, admitted: Admitted, body: &[u8], now: Instant) -> Result<Decision, Rejection> {
        let sender = admitted.sender;
        let peer = match sender {
            GossipSender::Peer(peer) => Some(peer),
            GossipSender::Address(_) | GossipSender::ThisMachine => None,
        };
        let message = GossipMessage::parse(body).map_err(Rejection::Invalid);
        let decision = message.and_then(|message| self.decide(message, Some(sender), peer));
        if decision.is_err() {
            self.senders.offend(sender, now);
        }
        decision
    }

    /// Takes a text that this node has fetched by itself, perhaps from a peer.
    ///
    /// # Errors
    /// It is too long for a message, or no checkpoint although it should be one.
    pub fn fetched(
        &mut self,
        kind: GossipKind,
        text: String,
        from: Option<PeerNo>,
    ) -> Result<Decision, Rejection> {
        self.decide(GossipMessage::new(kind, text)?, None, from)
    }

    fn decide(
        &mut self,
        message: GossipMessage,
        sender: Option<GossipSender>,
        peer: Option<PeerNo>,
    ) -> Result<Decision, Rejection> {
        let hops = message.hops();
        let content = match message.kind() {
            GossipKind::Evidence => Content::Evidence(message.into_text()),
            GossipKind::Checkpoint => {
                let signed = message.text().parse();
                Content::Checkpoint(signed.map_err(|_| Rejection::NotACheckpoint)?)
            }
        };
        let subject = content.subject();
        if self.seen.has(&subject) {
            self.is_known_to(peer, subject);
            return Ok(Decision::Ignore);
        }
        Ok(Decision::Examine(Box::new(Arrived {
            hops,
            content,
            subject,
            sender,
            peer,
        })))
    }

    /// Does what follows from an examination. Returns to how many peers the message is passed on.
    pub fn examined(&mut self, arrived: Arrived, worth: &Worth, now: Instant) -> usize {
        match worth {
            Worth::New | Worth::Unresolved | Worth::Known => self.is_known_to(arrived.peer, arrived.subject),
            Worth::Foreign => (),
            Worth::Worthless => {
                if let Some(sender) = arrived.sender {
                    self.senders.offend(sender, now);
                }
            }
        }
        let is_verified = match worth {
            Worth::New => true,
            Worth::Unresolved => false,
            Worth::Known | Worth::Foreign | Worth::Worthless => return 0,
        };
        // Unresolved ones are remembered by the caller, which may have to forget them and take them again.
        if is_verified && !self.seen.add(arrived.subject) {
            return 0;
        }
        let hops = arrived.hops.saturating_add(1);
        match GossipMessage::after(hops, arrived.content.kind(), arrived.content.text()) {
            Ok(message) => self.push(&message, &arrived.content, is_verified),
            // It has come far enough.
            Err(_) => 0,
        }
    }

    /// Tells all peers what this node has found: evidence, or a checkpoint that it has verified. Nothing if it was passed on
    /// before.
    ///
    /// # Errors
    /// It is too long for a message. Peers can still fetch it.
    pub fn announce(&mut self, content: &Content) -> Result<usize, GossipMessageError> {
        if !self.seen.add(content.subject()) {
            return Ok(0);
        }
        self.tell(content, true)
    }

    /// Tells all peers about an unresolved checkpoint, after a start.
    ///
    /// # Errors
    /// It is too long for a message.
    pub fn announce_unresolved(&mut self, signed: &SignedCheckpoint) -> Result<usize, GossipMessageError> {
        self.tell(&Content::Checkpoint(signed.clone()), false)
    }

    fn tell(&mut self, content: &Content, is_verified: bool) -> Result<usize, GossipMessageError> {
        let message = GossipMessage::new(content.kind(), content.text())?;
        Ok(self.push(&message, content, is_verified))
    }

    fn push(&mut self, message: &GossipMessage, content: &Content, is_verified: bool) -> usize {
        let waiting = Waiting {
            topic: content.topic(is_verified),
            subject: content.subject(),
            body: Arc::from(message.to_json()),
        };
        let peers = self.peers.iter_mut();
        peers
            .filter_map(|peer| peer.push(waiting.clone()).then_some(()))
            .count()
    }

    fn is_known_to(&mut self, peer: Option<PeerNo>, subject: Hash) {
        if let Some(peer) = peer {
            self.peers[peer.index()].knows(subject);
        }
    }

    /// What to send to a peer next. The same until [`delivered`](Self::delivered) is called.
    #[must_use]
    pub fn next(&self, peer: PeerNo, now: Instant) -> Outgoing {
        self.peers[peer.index()].next(now)
    }

    /// What became of a message.
    pub fn delivered(&mut self, peer: PeerNo, subject: Hash, delivery: Delivery, now: Instant) {
        self.peers[peer.index()].delivered(subject, delivery, &self.times, now);
    }

    /// How many messages wait for a peer.
    #[must_use]
    pub fn waiting(&self, peer: PeerNo) -> usize {
        self.peers[peer.index()].len()
    }
}

impl Content {
    fn kind(&self) -> GossipKind {
        match self {
            Self::Checkpoint(_) => GossipKind::Checkpoint,
            Self::Evidence(_) => GossipKind::Evidence,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Checkpoint(signed) => signed.to_string(),
            Self::Evidence(text) => text.clone(),
        }
    }

    /// What it is about, whatever signatures a checkpoint has.
    fn subject(&self) -> Hash {
        match self {
            Self::Checkpoint(signed) => subject_of(signed),
            Self::Evidence(text) => content_id(text),
        }
    }

    fn topic(&self, is_verified: bool) -> Topic {
        match self {
            Self::Evidence(_) => Topic::Evidence,
            Self::Checkpoint(signed) => {
                let origin = signed.checkpoint().origin().to_owned();
                let size = signed.checkpoint().size();
                if is_verified {
                    Topic::Verified { origin, size }
                } else {
                    Topic::Unresolved { origin }
                }
            }
        }
    }
}
