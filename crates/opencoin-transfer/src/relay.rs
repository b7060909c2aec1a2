//! What a participant and a relay say to each other.
//!
//! A participant opens a WebSocket at the relay's URL and sends one text, a [`Join`]. The relay answers with a
//! [`Notice`], and sends another one whenever the other participant comes or goes. Every binary message is a frame for
//! the other participant, which the relay forwards as it is. If the relay ends the connection, the close code says why.

use serde::{Deserialize, Serialize};

use crate::invitation::{Invitation, room_of};
use crate::{ClientToken, Secret32};

/// The longest [`Join`], in bytes.
pub const JOIN_BYTES_MAX: usize = 512;

/// The version of what is said here.
pub const VERSION: u32 = 1;

/// The two places of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seat {
    /// Who made the invitation.
    Maker,
    /// Who opened it.
    Taker,
}

impl Seat {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Maker => Self::Taker,
            Self::Taker => Self::Maker,
        }
    }
}

/// The first message of a participant: it enters a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    version: u32,
    /// The number of the room, in hex.
    room: String,
    /// What proves that the participant has the invitation: [`room_of`] it is the room.
    access: Secret32,
    /// The place that it takes.
    pub seat: Seat,
    /// What only this participant shows.
    pub client: ClientToken,
}

impl Join {
    /// Enters the room of an invitation.
    #[must_use]
    pub fn new(invitation: &Invitation, seat: Seat, client: ClientToken) -> Self {
        Self {
            version: VERSION,
            room: const_hex::encode(invitation.room()),
            access: Secret32::from_bytes(invitation.access()),
            seat,
            client,
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("it has a JSON form")
    }

    /// Reads the text of a participant, and returns the room.
    ///
    /// # Errors
    /// It is malformed, or does not prove that the participant has the invitation.
    pub fn read(text: &str) -> Result<(Self, [u8; 16]), CloseCode> {
        if text.len() > JOIN_BYTES_MAX {
            return Err(CloseCode::Malformed);
        }
        let join: Self = serde_json::from_str(text).map_err(|_| CloseCode::Malformed)?;
        if join.version != VERSION {
            return Err(CloseCode::Malformed);
        }
        let room = room_of(join.access.expose());
        if join.room != const_hex::encode(room) {
            return Err(CloseCode::NoAccess);
        }
        Ok((join, room))
    }
}

/// What the relay says of the other participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "peer", deny_unknown_fields)]
pub enum Notice {
    /// It is there now, on a new connection: the handshake begins anew.
    Here,
    /// It is not there.
    Gone,
}

impl Notice {
    /// The text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Here => r#"{"peer":"here"}"#,
            Self::Gone => r#"{"peer":"gone"}"#,
        }
    }

    /// Reads a text of a relay.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Why a relay ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// What the participant sent is not what a relay takes.
    Malformed,
    /// The participant does not prove that it has the invitation.
    NoAccess,
    /// Somebody else has this place in the room.
    Occupied,
    /// The same participant has connected again.
    Replaced,
    /// The room has existed for too long.
    RoomTooOld,
    /// The relay has as many rooms as it may.
    RelayFull,
    /// The address of the participant has as many connections as it may.
    TooManyConnections,
    /// Nothing came from the participant for too long.
    Idle,
    /// The participant does not read what comes for it.
    Slow,
    /// The relay stops.
    Stopping,
}

impl CloseCode {
    const ALL: [Self; 10] = [
        Self::Malformed,
        Self::NoAccess,
        Self::Occupied,
        Self::Replaced,
        Self::RoomTooOld,
        Self::RelayFull,
        Self::TooManyConnections,
        Self::Idle,
        Self::Slow,
        Self::Stopping,
    ];

    /// The code of the WebSocket protocol: from the range for private use, or 1001.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Malformed => 4000,
            Self::NoAccess => 4001,
            Self::Occupied => 4002,
            Self::Replaced => 4003,
            Self::RoomTooOld => 4004,
            Self::RelayFull => 4005,
            Self::TooManyConnections => 4006,
            Self::Idle => 4007,
            Self::Slow => 4008,
            Self::Stopping => 1001,
        }
    }

    /// The code with this number.
    #[must_use]
    pub fn of(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// What happened, for the participant.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "the relay does not understand this program",
            Self::NoAccess => "the relay does not accept this invitation",
            Self::Occupied => "two people are in the room of this invitation already",
            Self::Replaced => "the same transfer was continued by another program",
            Self::RoomTooOld => "the room of this invitation has been open for too long",
            Self::RelayFull => "the relay has no room left; try again later",
            Self::TooManyConnections => "the relay has too many connections from this address",
            Self::Idle => "the relay has heard nothing for too long",
            Self::Slow => "this program did not read fast enough",
            Self::Stopping => "the relay stops",
        }
    }

    /// A word for metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoAccess => "no_access",
            Self::Occupied => "occupied",
            Self::Replaced => "replaced",
            Self::RoomTooOld => "room_too_old",
            Self::RelayFull => "relay_full",
            Self::TooManyConnections => "too_many_connections",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Stopping => "stopping",
        }
    }

    /// Whether connecting again may help.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Occupied
                | Self::RelayFull
                | Self::TooManyConnections
                | Self::Idle
                | Self::Slow
                | Self::Stopping
        )
    }
}
