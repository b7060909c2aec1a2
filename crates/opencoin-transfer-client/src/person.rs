//! What a person sees of a transfer, and decides.

use async_trait::async_trait;
use opencoin_transfer::Party;
use opencoin_transfer::channel::Digits;
use opencoin_transfer::message::Offer;

/// The person, or the program, for whom a transfer runs.
#[async_trait]
pub trait Person: Send {
    /// Whether to accept an offer. If the program stops before the answer, the question comes again.
    async fn accepts(&mut self, offer: &Offer) -> bool;

    /// Something has happened.
    fn tell(&mut self, progress: Progress<'_>);
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The relay is reached. The other participant is not there.
    Waiting,
    /// The relay cannot be reached now, for this reason. It is tried again.
    Retrying(&'a str),
    /// The other participant is there. Both people can compare these digits.
    Connected(Digits),
    /// The other participant has gone. It is awaited.
    Gone,
    /// Somebody else has come with the same invitation. They were turned away.
    Stranger,
    /// The connection is made anew, for this reason.
    Reconnecting(&'a str),
    /// This participant or the other one has sent the message with this number.
    Message(Party, u8),
    /// A call to the wallet has failed, for this reason.
    WalletFailed(&'a str),
}
