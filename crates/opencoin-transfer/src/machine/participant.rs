//! What the records of both participants have in common.

use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use super::{Action, Content, Durable, Incoming, Step};
use crate::invitation::Invitation;
use crate::key::{ParticipantKey, SeedRefused};
use crate::link::{Link, Outgoing, Place};
use crate::message::Body;
use crate::{ClientToken, Party, PublicKey, Secret32, TransferId};

/// A participant of one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The invitation, whoever made it.
    pub invitation: Invitation,
    /// The seed of the participant's key.
    seed: Secret32,
    /// What only this participant shows to the relay.
    client: ClientToken,
    /// The key of the other participant, from the first connection on.
    pub(super) peer: Option<PublicKey>,
    pub(super) link: Link,
}

impl Participant {
    /// A new participant.
    #[must_use]
    pub fn new(invitation: Invitation, party: Party, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        let mut client = [0; 16];
        rng.fill_bytes(&mut client);
        Self {
            invitation,
            seed: Secret32::random(rng),
            client: ClientToken(client),
            peer: None,
            link: Link::new(party),
        }
    }

    /// The id of the transfer.
    #[must_use]
    pub fn id(&self) -> TransferId {
        self.invitation.transfer_id()
    }

    /// The key of this participant.
    ///
    /// # Errors
    /// The library refuses the stored seed.
    pub fn key(&self) -> Result<ParticipantKey, SeedRefused> {
        ParticipantKey::from_seed(&self.seed)
    }

    /// What this participant shows to the relay.
    #[must_use]
    pub const fn client(&self) -> ClientToken {
        self.client
    }

    /// The key of the other participant, if there was a connection.
    #[must_use]
    pub const fn peer(&self) -> Option<PublicKey> {
        self.peer
    }

    /// The sequence of messages.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }
}

/// A step under way: the record, and what it leads to.
pub(super) struct Doing<R> {
    pub(super) record: R,
    durable: Durable,
    actions: Vec<Action>,
}

/// Where a received message goes.
pub(super) enum Taken {
    /// It is the next one, to be handled.
    Next(Content),
    /// Nothing more is to be done with it.
    Done,
}

impl<R: AsMut<Participant>> Doing<R> {
    pub(super) const fn new(record: R) -> Self {
        Self {
            record,
            durable: Durable::Unchanged,
            actions: Vec::new(),
        }
    }

    pub(super) fn done(self) -> Step<R> {
        Step {
            record: self.record,
            durable: self.durable,
            actions: self.actions,
        }
    }

    /// How the record will be stored. A stronger wish than [`Durable::Put`] stays.
    pub(super) fn store(&mut self, durable: Durable) {
        if self.durable == Durable::Unchanged || durable != Durable::Put {
            self.durable = durable;
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn write(&mut self, body: Body) {
        self.write_outgoing(Outgoing::Message(body));
    }

    pub(super) fn write_outgoing(&mut self, outgoing: Outgoing) {
        let link = &mut self.record.as_mut().link;
        link.write(outgoing);
        let sequence = link.written();
        self.act(Action::Send(sequence));
        self.store(Durable::Put);
    }

    /// A channel is open. Whether it is to the right participant; if so, it is remembered.
    pub(super) fn meet(&mut self, peer: PublicKey) -> bool {
        let known = &mut self.record.as_mut().peer;
        match known {
            Some(known) if *known != peer => {
                self.act(Action::Refuse);
                false
            }
            Some(_) => true,
            None => {
                *known = Some(peer);
                self.store(Durable::Put);
                true
            }
        }
    }

    /// Sends everything that is not acknowledged, instead of what was to be sent.
    pub(super) fn send_waiting(&mut self) {
        self.actions.retain(|action| !matches!(action, Action::Send(_)));
        let waiting: Vec<u64> = self
            .record
            .as_mut()
            .link
            .waiting()
            .map(|(sequence, _)| sequence)
            .collect();
        let sends = waiting.into_iter().map(Action::Send);
        self.actions.splice(0..0, sends);
    }

    /// Counts a received message.
    pub(super) fn take(&mut self, incoming: Incoming) -> Taken {
        let link = &mut self.record.as_mut().link;
        link.acknowledged(incoming.acknowledges.min(link.written()));
        if let Content::Body(Body::Heartbeat) = incoming.content {
            return Taken::Done;
        }
        match link.place(incoming.sequence) {
            Place::Next => {
                link.handled();
                self.store(Durable::Put);
                self.act(match &incoming.content {
                    Content::Body(body) => Action::Tell(body.number()),
                    Content::Stack(_) => Action::Tell(COINS),
                });
                Taken::Next(incoming.content)
            }
            Place::Before => {
                self.act(Action::Acknowledge);
                Taken::Done
            }
            Place::Gap => {
                self.act(Action::Reconnect);
                Taken::Done
            }
        }
    }

    /// Acknowledges a handled message, if nothing was written in answer to it.
    pub(super) fn acknowledge(&mut self) {
        if !self
            .actions
            .iter()
            .any(|action| matches!(action, Action::Send(_)))
        {
            let place = self
                .actions
                .iter()
                .position(|action| !matches!(action, Action::Tell(_)))
                .unwrap_or(self.actions.len());
            self.actions.insert(place, Action::Acknowledge);
        }
    }
}

/// The number of the message with the coins.
const COINS: u8 = 24;
