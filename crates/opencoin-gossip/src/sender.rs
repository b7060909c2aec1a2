//! Who sends messages, how many they may send, and what follows when they send nonsense.
//!
//! Each peer has limits of its own, so that no flood of another node takes the place of its messages. Strangers have limits
//! for each address and one for all of them together. A sender of invalid texts is muted, each time for twice as long.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::message::GossipMessageError;
use crate::peer::PeerNo;

/// In the long run a sender may send a message as often: 10 a second.
pub const MESSAGE_INTERVAL: Duration = Duration::from_millis(100);
/// So many messages a sender may send at once.
pub const MESSAGES_BURST: u32 = 20;
/// The same for all strangers together, and for all programs of this machine together.
const TOGETHER: Rate = Rate {
    interval: Duration::from_millis(10),
    burst: 100,
};
const ALONE: Rate = Rate {
    interval: MESSAGE_INTERVAL,
    burst: MESSAGES_BURST,
};
/// The most strangers with limits of their own. Further ones share the limits of one.
pub const STRANGERS_MAX: usize = 1024;
/// How long the first invalid text mutes its sender.
const MUTED_FIRST: Duration = Duration::from_secs(10);
/// The longest time for which a sender is muted.
pub const MUTED_MAX: Duration = Duration::from_secs(600);
/// After so long without an invalid text the earlier ones are forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3600);
/// The time between two sweeps that forget strangers.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Where a message comes from. Addresses are not shown by `Debug`, as nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum GossipSender {
    /// A peer of this node, known by its address. If peers share an address, they are strangers.
    Peer(PeerNo),
    /// A stranger. An IPv6 network counts as one address: see `opencoin_connections::network`.
    Address(IpAddr),
    /// A program on this machine, where all nodes have the same address. It is never muted.
    ThisMachine,
}

/// A message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The sender is too fast.
    #[error("too many messages")]
    TooFast {
        /// When to send it again.
        wait: Duration,
    },
    /// The sender has sent invalid texts.
    #[error("too many invalid messages")]
    Muted {
        /// How long this lasts.
        wait: Duration,
    },
    /// It is not a message.
    #[error(transparent)]
    Invalid(#[from] GossipMessageError),
    /// The text is not what the message says it is.
    #[error("the text is not a checkpoint")]
    NotACheckpoint,
}

#[derive(Clone, Copy)]
struct Rate {
    interval: Duration,
    burst: u32,
}

/// A token bucket, as the time at which it is full again ("generic cell rate algorithm", ITU-T I.371).
#[derive(Debug, Default)]
struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes a token, or says how long to wait for one.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + rate.interval;
        let wait = (full_at - now).saturating_sub(rate.interval * rate.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = Some(full_at);
        Ok(())
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }
}

/// What is known about the conduct of a sender.
#[derive(Debug, Default)]
struct Conduct {
    bucket: Bucket,
    /// The number of invalid texts, and when the last one came.
    offences: u32,
    offended_at: Option<Instant>,
}

impl Conduct {
    fn admit(&mut self, now: Instant) -> Result<(), Rejection> {
        self.forgive(now);
        let wait = self.muted(now);
        if !wait.is_zero() {
            return Err(Rejection::Muted { wait });
        }
        let taken = self.bucket.take(ALONE, now);
        taken.map_err(|wait| Rejection::TooFast { wait })
    }

    fn offend(&mut self, now: Instant) {
        self.forgive(now);
        self.offences = self.offences.saturating_add(1);
        self.offended_at = Some(now);
    }

    fn forgive(&mut self, now: Instant) {
        if self
            .offended_at
            .is_some_and(|at| now.saturating_duration_since(at) >= FORGIVEN_AFTER)
        {
            (self.offences, self.offended_at) = (0, None);
        }
    }

    /// How long the sender is still muted.
    fn muted(&self, now: Instant) -> Duration {
        let until = self.offended_at.map(|at| at + muted_for(self.offences));
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether it can be forgotten when there is no room: the sender would have no more rights than now.
    fn is_idle(&self, now: Instant) -> bool {
        self.muted(now).is_zero() && self.bucket.is_full(now)
    }
}

fn muted_for(offences: u32) -> Duration {
    let doublings = offences.saturating_sub(1).min(16);
    (MUTED_FIRST * (1 << doublings)).min(MUTED_MAX)
}

/// The conduct of all senders.
pub(crate) struct Senders {
    peers: Vec<Conduct>,
    strangers: HashMap<IpAddr, Conduct>,
    /// Shared by the strangers for whom there is no room. They are not muted for each other.
    others: Bucket,
    all_strangers: Bucket,
    this_machine: Bucket,
    swept: Option<Instant>,
}

impl Senders {
    pub(crate) fn new(peers: usize) -> Self {
        Self {
            peers: std::iter::repeat_with(Conduct::default).take(peers).collect(),
            strangers: HashMap::new(),
            others: Bucket::default(),
            all_strangers: Bucket::default(),
            this_machine: Bucket::default(),
            swept: None,
        }
    }

    /// Counts a message, unless the sender is muted or too fast.
    pub(crate) fn admit(&mut self, sender: GossipSender, now: Instant) -> Result<(), Rejection> {
        let too_fast = |wait| Rejection::TooFast { wait };
        match sender {
            GossipSender::Peer(peer) => self.peers[peer.index()].admit(now),
            GossipSender::ThisMachine => self.this_machine.take(TOGETHER, now).map_err(too_fast),
            GossipSender::Address(address) => {
                match self.stranger(address, now) {
                    Some(conduct) => conduct.admit(now)?,
                    None => self.others.take(ALONE, now).map_err(too_fast)?,
                }
                self.all_strangers.take(TOGETHER, now).map_err(too_fast)
            }
        }
    }

    /// Charges an invalid text to its sender.
    pub(crate) fn offend(&mut self, sender: GossipSender, now: Instant) {
        match sender {
            GossipSender::Peer(peer) => self.peers[peer.index()].offend(now),
            GossipSender::ThisMachine => (),
            GossipSender::Address(address) => {
                if let Some(conduct) = self.stranger(address, now) {
                    conduct.offend(now);
                }
            }
        }
    }

    fn stranger(&mut self, address: IpAddr, now: Instant) -> Option<&mut Conduct> {
        let is_known = self.strangers.contains_key(&address);
        if !is_known && self.strangers.len() >= STRANGERS_MAX {
            self.sweep(now);
        }
        if is_known || self.strangers.len() < STRANGERS_MAX {
            return Some(self.strangers.entry(address).or_default());
        }
        None
    }

    fn sweep(&mut self, now: Instant) {
        let swept = self.swept;
        if swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL) {
            self.strangers.retain(|_, conduct| !conduct.is_idle(now));
            self.swept = Some(now);
        }
    }
}

impl fmt::Debug for GossipSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => write!(formatter, "Peer({})", peer.index()),
            Self::Address(_) => formatter.write_str("Address(..)"),
            Self::ThisMachine => formatter.write_str("ThisMachine"),
        }
    }
}

impl fmt::Debug for Senders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Senders(..)")
    }
}
