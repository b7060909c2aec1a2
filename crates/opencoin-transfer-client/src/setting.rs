//! What a transfer runs with.

use std::pin::Pin;
use std::time::Duration;

use opencoin_wallet::Upgrader;

use crate::random::Random;

/// How long a participant tries to reach the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long, after both have met, one of them may be away.
    pub peer: Duration,
    /// How long the other one may be away when all is settled and it only remains to tell it so.
    pub closing: Duration,
    /// How long the relay may be out of reach.
    pub relay: Duration,
    /// The pause before the first new attempt. Each further one is twice as long.
    pub pause_first: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            peer: Duration::from_secs(120),
            closing: Duration::from_secs(10),
            relay: Duration::from_secs(60),
            pause_first: Duration::from_millis(250),
            pause_max: Duration::from_secs(8),
        }
    }
}

/// What a transfer runs with.
pub struct Setting<'a> {
    /// Connects to the relay.
    pub upgrader: &'a Upgrader,
    /// The time in seconds since 1970.
    pub now_s: &'a (dyn Fn() -> u64 + Sync),
    /// Randomness, seeded by the operating system.
    pub rng: &'a mut dyn Random,
    /// Completes when the person stops the program.
    pub stop: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
    /// How long to try.
    pub patience: Patience,
    /// Whether the other participant has said that it comes, so that it is not awaited until the invitation expires.
    pub is_expected: bool,
}
