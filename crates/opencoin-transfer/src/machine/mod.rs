//! What a participant does, as a pure function of its record and of what happens.
//!
//! [`sender`] and [`receiver`] take a record, an event and the time, and return a [`Step`]: the next record, how to store
//! it, and what to do then. The actions of a step can only be had by storing its record, so nothing is sent that was not
//! stored before.
//!
//! Whoever drives a machine does one thing at a time: it carries out the actions in their order, and answers a call to
//! the wallet or a question to the person by an event before it brings the next message. After a crash it brings
//! [`Event::Started`]. Calls to the wallet may therefore be made again, and must do nothing then that was done before.

pub mod receiver;
pub mod sender;

mod participant;

use opencoin_schema::CoinStack;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::message::{AbortReason, Body, Offer, Ready};
use crate::{Party, PublicKey};

pub use participant::Participant;

/// How long the receiver may begin renewals, from the offer on, in seconds.
pub const RENEW_S: u64 = 900;

/// The coins leave only if the receiver can still begin its renewal for so long, in seconds.
pub const LEAVE_S: u64 = 120;

/// So long after the receiver's time the sender takes the coins back by itself, in seconds. Clocks differ.
pub const RECLAIM_S: u64 = 60;

/// How long an invitation can be accepted, in seconds.
pub const INVITATION_S: u64 = 86_400;

/// How often the sender replaces coins that its own check refuses.
pub const FIXES_MAX: u32 = 3;

/// What happens to a participant.
#[derive(Debug, Clone)]
pub enum Event {
    /// The program begins, or continues after a crash.
    Started,
    /// A channel is open to the participant with this key.
    Connected(PublicKey),
    /// A message came.
    Received(Incoming),
    /// The wallet has answered a [`WalletCall`].
    Wallet(WalletAnswer),
    /// The person has answered [`Action::Ask`].
    Answered(bool),
    /// The person stops the transfer, or takes the coins back.
    Stopped,
    /// The other end could not be reached for as long as the program tries.
    GivenUp,
    /// Time has passed.
    Tick,
}

/// A received message.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its sequence number.
    pub sequence: u64,
    /// What it acknowledges.
    pub acknowledges: u64,
    /// What it says.
    pub content: Content,
}

/// What a received message says.
#[derive(Clone)]
pub enum Content {
    /// All but the coins.
    Body(Body),
    /// All parts of the coins, put together: a compact coin stack.
    Stack(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body(body) => write!(formatter, "Body({body:?})"),
            Self::Stack(bytes) => write!(formatter, "Stack({} bytes)", bytes.len()),
        }
    }
}

/// How the record of a step becomes durable. Each is one transaction of the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// The record has not changed in a way that matters: nothing need be stored.
    Unchanged,
    /// Store the record.
    Put,
    /// Store the record and set the reserved coins free.
    Release,
    /// Store the record; from now on the coins are in flight.
    Leave,
    /// Store the record; from now on the coins are the receiver's.
    Delivered,
}

/// What to do, after the record was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send the message of the record's link with this sequence number.
    Send(u64),
    /// Send a heartbeat, which acknowledges.
    Acknowledge,
    /// Close the connection and make a new one.
    Reconnect,
    /// Close the connection: somebody else has opened the invitation. The participant is still awaited.
    Refuse,
    /// Tell the person about this message of the other end.
    Tell(u8),
    /// Ask the person whether to accept this offer.
    Ask(Offer),
    /// Ask the wallet.
    Wallet(WalletCall),
    /// Stop for now. The same command continues later.
    Pause,
    /// The transfer is over. Close the connection after what was to be sent.
    Finish,
}

/// What the wallet has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletCall {
    /// Finish pending requests. Answered by [`WalletAnswer::Resumed`].
    Resume,
    /// Reserve coins for this transfer, or find those that it has. Answered by [`WalletAnswer::Reserved`].
    Reserve,
    /// Check signatures, expiry and sum of the reserved or received coins. Answered by [`WalletAnswer::Checked`].
    Check,
    /// Take the coins back by renewing them. Answered by [`WalletAnswer::Reclaimed`] or [`WalletAnswer::Taken`].
    Reclaim,
    /// Renew the received coins. Answered by [`WalletAnswer::Renewed`], [`WalletAnswer::Spent`] or
    /// [`WalletAnswer::NotBegun`].
    Renew {
        /// Whether a renewal may begin. If not, only one that has begun is finished.
        may_begin: bool,
    },
}

/// What the wallet answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletAnswer {
    /// Pending requests are finished.
    Resumed {
        /// Whether there were any.
        any: bool,
    },
    /// These coins are reserved.
    Reserved(Ready),
    /// Whether the coins are good.
    Checked(bool),
    /// The coins are the sender's again.
    Reclaimed {
        /// Their value, in the currency's smallest unit.
        amount: u64,
    },
    /// Somebody else has renewed the coins.
    Taken,
    /// The receiver holds new coins.
    Renewed {
        /// Their value, in the currency's smallest unit.
        amount: u64,
    },
    /// The issuer says that the received coins were spent, or refuses them for good.
    Spent,
    /// The renewal was not to be begun any more.
    NotBegun,
    /// The call failed; nothing is known to have changed.
    Failed,
}

/// A step: the next record, and what to do when it is stored.
#[must_use]
#[derive(Debug)]
pub struct Step<R> {
    record: R,
    durable: Durable,
    actions: Vec<Action>,
}

impl<R> Step<R> {
    /// The next record, to look at.
    #[must_use]
    pub const fn record(&self) -> &R {
        &self.record
    }

    /// Stores the record. Only then its actions can be had.
    ///
    /// # Errors
    /// Those of `store`. Nothing may be done then but to stop: the record is as it was.
    pub async fn store<E>(
        self,
        store: impl AsyncFnOnce(Durable, &R) -> Result<(), E>,
    ) -> Result<(R, Vec<Action>), E> {
        if self.durable != Durable::Unchanged {
            store(self.durable, &self.record).await?;
        }
        Ok((self.record, self.actions))
    }
}

/// A machine: the record of a participant.
pub trait Machine: Clone + Serialize + DeserializeOwned {
    /// Which one it is.
    const PARTY: Party;

    /// The next step.
    fn step(self, event: Event, now_s: u64) -> Step<Self>;

    /// What both kinds have in common.
    fn participant(&self) -> &Participant;

    /// Whether nothing more can happen.
    fn is_over(&self) -> bool;

    /// Whether coins have left and it is not known whose they are.
    fn is_in_flight(&self) -> bool;

    /// Whether all is settled and only a courtesy is left: that the other participant knows it too.
    fn is_closing(&self) -> bool;

    /// What a sender reserves: amount and subject.
    fn reserves(&self) -> Option<(u64, &str)>;

    /// The stack that a receiver holds and has not renewed.
    fn held(&self) -> Option<CoinStack>;
}

/// Why a transfer ended without a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// The reason.
    pub reason: AbortReason,
    /// Whether this participant ended it, and not the other one.
    pub by_this_end: bool,
}
