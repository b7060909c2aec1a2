//! The limits of a relay.

use std::num::NonZeroU32;
use std::time::Duration;

use opencoin_transfer::channel::FRAME_BYTES_MAX;

/// What clients may use of a relay. Each server process counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// The most rooms at one time.
    pub rooms_max: NonZeroU32,
    /// The most connections of one address, or of one IPv6 network of 64 bits, at one time. 0 is no limit.
    pub connections_per_address: u32,
    /// The frames a second that a connection may send for long. Faster ones wait.
    pub frames_per_second: NonZeroU32,
    /// The bytes a second that a connection may send for long. Faster ones wait.
    pub bytes_per_second: NonZeroU32,
    /// How long a room may exist.
    pub room_age_max: Duration,
    /// How long a connection may send nothing, not even a ping.
    pub idle_duration_max: Duration,
    /// How long a participant may take to read what comes for it.
    pub read_duration_max: Duration,
}

impl RelayLimits {
    /// The longest frame, in bytes: that of the protocol. A longer one ends the connection.
    pub const FRAME_BYTES_MAX: usize = FRAME_BYTES_MAX;
    /// How long a new connection may take to say which room it enters.
    pub const JOIN_DURATION_MAX: Duration = Duration::from_secs(10);
    /// Frames and bytes that may come at once, in seconds of their rates.
    pub const BURST_SECONDS: u32 = 4;
}

impl Default for RelayLimits {
    fn default() -> Self {
        let positive = |number| NonZeroU32::new(number).expect("a positive number");
        Self {
            rooms_max: positive(1000),
            connections_per_address: 20,
            frames_per_second: positive(100),
            bytes_per_second: positive(512 * 1024),
            room_age_max: Duration::from_secs(25 * 60 * 60),
            idle_duration_max: Duration::from_secs(30),
            read_duration_max: Duration::from_secs(10),
        }
    }
}
