//! What is still to be sent to a peer.
//!
//! Evidence is sent first and is never given up for a checkpoint. Of the checkpoints of a log that the node has verified only
//! the newest waits; those that the log does not account for wait beside it, a few for each log. So what waits for a peer
//! that is away is bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_log::hash::Hash;

use crate::seen::Seen;

/// The most messages that wait for a peer.
pub const OUTBOX_MESSAGES_MAX: usize = 64;
/// The most unresolved checkpoints of one log that wait for a peer.
const UNRESOLVED_WAITING_MAX: usize = 4;
/// How many subjects a peer is known to know. It is not told these again.
const TOLD_MAX: usize = 256;

/// The pace of sending. The defaults are for the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendTimes {
    /// Between two messages to a peer. Longer than [`MESSAGE_INTERVAL`](crate::MESSAGE_INTERVAL), or peers refuse them.
    pub interval: Duration,
    /// After the first failure. Each further one doubles it.
    pub retry_first: Duration,
    /// The longest wait after a failure, whatever the peer asks for.
    pub retry_max: Duration,
}

impl Default for SendTimes {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(125),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
        }
    }
}

/// What a peer did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It took it or knew it.
    Taken,
    /// It will never take it.
    Refused,
    /// It did not answer, or cannot take it now.
    Failed {
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl Delivery {
    /// What an HTTP status says.
    #[must_use]
    pub const fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Taken,
            408 | 429 => Self::Failed { retry_after },
            400..=499 => Self::Refused,
            _ => Self::Failed { retry_after },
        }
    }
}

/// What to do next for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Send this, and say what became of it.
    Send {
        /// What the message is about.
        subject: Hash,
        /// The body of the request.
        body: Arc<str>,
    },
    /// Something waits until then.
    Wait(Instant),
    /// Nothing waits.
    Idle,
}

/// What kind of message waits. The first kind is sent first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Topic {
    Evidence,
    Unresolved { origin: String },
    Verified { origin: String, size: u64 },
}

impl Topic {
    const fn rank(&self) -> u8 {
        match self {
            Self::Evidence => 0,
            Self::Unresolved { .. } => 1,
            Self::Verified { .. } => 2,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) topic: Topic,
    pub(crate) subject: Hash,
    pub(crate) body: Arc<str>,
}

/// The messages for one peer.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
    told: Seen,
    not_before: Option<Instant>,
    failures: u32,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            told: Seen::new(TOLD_MAX),
            not_before: None,
            failures: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The peer knows this.
    pub(crate) fn knows(&mut self, subject: Hash) {
        self.waiting.retain(|waiting| waiting.subject != subject);
        self.told.add(subject);
    }

    /// Queues a message, unless the peer knows it or something newer waits. Returns whether it waits now.
    pub(crate) fn push(&mut self, new: Waiting) -> bool {
        let waits = self.waiting.iter().any(|waiting| waiting.subject == new.subject);
        if waits || self.told.has(&new.subject) || !self.make_room(&new.topic) {
            return false;
        }
        self.waiting.push_back(new);
        true
    }

    /// Removes what a message replaces, and something less important if the outbox is full.
    fn make_room(&mut self, topic: &Topic) -> bool {
        match topic {
            Topic::Evidence => (),
            Topic::Unresolved { .. } => {
                if self
                    .waiting
                    .iter()
                    .filter(|waiting| waiting.topic == *topic)
                    .count()
                    >= UNRESOLVED_WAITING_MAX
                {
                    return false;
                }
            }
            Topic::Verified { origin, size } => {
                let older = self.waiting.iter().position(|waiting| {
                    matches!(&waiting.topic, Topic::Verified { origin: other, .. } if other == origin)
                });
                if let Some(index) = older {
                    if matches!(self.waiting[index].topic, Topic::Verified { size: other, .. } if other >= *size)
                    {
                        return false;
                    }
                    self.waiting.remove(index);
                }
            }
        }
        if self.waiting.len() < OUTBOX_MESSAGES_MAX {
            return true;
        }
        let last = self.waiting.iter().enumerate();
        let last = last.filter(|(_, waiting)| waiting.topic.rank() > topic.rank());
        match last.max_by_key(|(_, waiting)| waiting.topic.rank()) {
            Some((index, _)) => self.waiting.remove(index).is_some(),
            None => false,
        }
    }

    /// The next message. It stays until [`delivered`](Self::delivered) says what became of it.
    pub(crate) fn next(&self, now: Instant) -> Outgoing {
        let Some(first) = self.waiting.iter().min_by_key(|waiting| waiting.topic.rank()) else {
            return Outgoing::Idle;
        };
        match self.not_before {
            Some(not_before) if not_before > now => Outgoing::Wait(not_before),
            _ => Outgoing::Send {
                subject: first.subject,
                body: Arc::clone(&first.body),
            },
        }
    }

    pub(crate) fn delivered(&mut self, subject: Hash, delivery: Delivery, times: &SendTimes, now: Instant) {
        let wait = match delivery {
            Delivery::Taken | Delivery::Refused => {
                self.knows(subject);
                self.failures = 0;
                times.interval
            }
            Delivery::Failed { retry_after } => {
                let doublings = self.failures.min(16);
                self.failures = self.failures.saturating_add(1);
                let wait = times.retry_first.saturating_mul(1 << doublings);
                wait.max(retry_after.unwrap_or_default()).min(times.retry_max)
            }
        };
        self.not_before = Some(now + wait);
    }
}
