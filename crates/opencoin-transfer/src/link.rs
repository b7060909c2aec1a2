//! Sequence numbers and acknowledgements: each message is handled once and in order, across connections and crashes.
//!
//! A link is part of the durable record of a transfer. A message stands in it before it is first sent, and stays until
//! the other end has acknowledged it; after every new connection all that stand there are sent again. A message is
//! acknowledged after what it changed was stored.

use serde::{Deserialize, Serialize};

use crate::Party;
use crate::message::{Body, Message};

/// The most messages that wait for an acknowledgement. The protocol never has so many.
pub const WAITING_MAX: usize = 64;

/// What waits to be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outgoing {
    /// A message as it is.
    Message(Body),
    /// The parts of the coins, all with this sequence number. They come from the wallet, so that the record does not
    /// contain them again.
    Coins,
}

/// One end of the sequence of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Whose end it is.
    party: Party,
    /// The sequence number of the last message that was written.
    written: u64,
    /// The sequence number up to which everything was received and handled.
    received: u64,
    /// What was written and not yet acknowledged.
    waiting: Vec<(u64, Outgoing)>,
}

/// What to do with a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is the next one: handle it.
    Next,
    /// It was handled before: acknowledge it again.
    Before,
    /// An earlier one is missing: the connection must be made anew.
    Gap,
}

impl Link {
    /// The end of this participant, before the first message.
    #[must_use]
    pub const fn new(party: Party) -> Self {
        Self {
            party,
            written: 0,
            received: 0,
            waiting: Vec::new(),
        }
    }

    /// Writes a message.
    pub fn write(&mut self, outgoing: Outgoing) {
        self.written += 1;
        self.waiting.push((self.written, outgoing));
    }

    /// Takes note of what the other end acknowledges.
    pub fn acknowledged(&mut self, up_to: u64) {
        self.waiting.retain(|(sequence, _)| *sequence > up_to);
    }

    /// The place of a received message.
    #[must_use]
    pub const fn place(&self, sequence: u64) -> Place {
        if sequence <= self.received {
            Place::Before
        } else if sequence == self.received + 1 {
            Place::Next
        } else {
            Place::Gap
        }
    }

    /// Counts the next message as handled. [`Self::place`] must have said that it is the next one.
    pub const fn handled(&mut self) {
        self.received += 1;
    }

    /// The messages that are not acknowledged, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, &Outgoing)> {
        self.waiting
            .iter()
            .map(|(sequence, outgoing)| (*sequence, outgoing))
    }

    /// Whether everything was acknowledged.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The sequence number up to which everything was received.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// The sequence number of the last written message.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// A message of this end, with what it acknowledges now.
    #[must_use]
    pub const fn message(&self, sequence: u64, body: Body) -> Message {
        Message {
            from: self.party,
            sequence,
            acknowledges: self.received,
            body,
        }
    }

    /// A heartbeat, which also acknowledges.
    #[must_use]
    pub const fn heartbeat(&self) -> Message {
        self.message(0, Body::Heartbeat)
    }
}
