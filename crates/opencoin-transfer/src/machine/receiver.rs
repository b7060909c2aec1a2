//! The receiver: who is paid.
//!
//! | state | waits for |
//! | --- | --- |
//! | `Waiting` | 2 |
//! | `Emptying` | the wallet |
//! | `Emptied` | 4 |
//! | `Asked` | the person |
//! | `Confirmed` | 21 |
//! | `Ready` | 24 |
//! | `Holding` | the wallet |
//! | `Renewing` | the wallet |
//! | `Paid` | 22 |
//! | `Ended` | nothing |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opencoin_schema::CoinStack;
use rand::{CryptoRng, RngCore};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::participant::{Doing, Participant, Taken};
use super::{Action, Content, Durable, Ending, Event, Machine, Step, WalletAnswer, WalletCall};
use crate::invitation::{Invitation, Kind};
use crate::message::{AbortReason, Body, Confirmation, Offer, Ready};
use crate::receipt::{Paid, Receipt};
use crate::{Digest, Party};

/// The durable record of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverRecord {
    /// The participant.
    pub participant: Participant,
    /// What was offered, from the offer on.
    pub offer: Option<Offer>,
    /// Where the transfer stands.
    pub state: ReceiverState,
}

/// Where a transfer stands for its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiverState {
    /// The sender has not come yet.
    Waiting,
    /// The wallet finishes pending requests.
    Emptying,
    /// The sender makes its offer.
    Emptied,
    /// The person decides about the offer.
    Asked,
    /// The sender prepares the coins.
    Confirmed,
    /// The coins are about to come.
    Ready(Ready),
    /// The coins are here, and are checked.
    Holding(HeldStack),
    /// The coins are here, and are renewed.
    Renewing(HeldStack),
    /// The new coins are here.
    Paid {
        /// What the sender gets.
        receipt: Receipt,
        /// Whether the sender has it.
        is_seen: bool,
    },
    /// The transfer has ended without the whole amount.
    Ended {
        /// Why.
        ending: Ending,
        /// What was received nevertheless, in the currency's smallest unit.
        amount: u64,
    },
}

/// A compact coin stack that is not renewed yet. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldStack(Zeroizing<Vec<u8>>);

impl HeldStack {
    /// The stack.
    ///
    /// # Errors
    /// The bytes in the record are none.
    pub fn stack(&self) -> Result<CoinStack, opencoin_stack::StackError> {
        opencoin_stack::decode(&self.0)
    }

    fn digest(&self) -> Digest {
        Digest(Sha256::digest(&*self.0).into())
    }
}

impl std::fmt::Debug for HeldStack {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "HeldStack({} bytes)", self.0.len())
    }
}

impl Serialize for HeldStack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for HeldStack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let base64 = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = STANDARD.decode(base64.as_bytes()).map_err(D::Error::custom)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl AsMut<Participant> for ReceiverRecord {
    fn as_mut(&mut self) -> &mut Participant {
        &mut self.participant
    }
}

impl Machine for ReceiverRecord {
    const PARTY: Party = Party::Receiver;

    fn step(self, event: Event, now_s: u64) -> Step<Self> {
        Self::step(self, event, now_s)
    }

    fn participant(&self) -> &Participant {
        &self.participant
    }

    fn is_over(&self) -> bool {
        Self::is_over(self)
    }

    fn is_in_flight(&self) -> bool {
        false
    }

    fn is_closing(&self) -> bool {
        false
    }

    fn reserves(&self) -> Option<(u64, &str)> {
        None
    }

    fn held(&self) -> Option<CoinStack> {
        match &self.state {
            ReceiverState::Holding(held) | ReceiverState::Renewing(held) => held.stack().ok(),
            _ => None,
        }
    }
}

impl ReceiverRecord {
    /// A receiver who has made or opened this invitation to one transfer.
    #[must_use]
    pub fn new(invitation: Invitation, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        Self {
            participant: Participant::new(invitation, Party::Receiver, rng),
            offer: None,
            state: ReceiverState::Waiting,
        }
    }

    /// Whether nothing more can happen.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(
            self.state,
            ReceiverState::Ended { .. } | ReceiverState::Paid { is_seen: true, .. }
        )
    }

    /// The next step.
    pub fn step(self, event: Event, now_s: u64) -> Step<Self> {
        let mut doing = Doing::new(self);
        match event {
            Event::Started => doing.started(now_s),
            Event::Connected(peer) => {
                if doing.meet(peer) {
                    doing.send_waiting();
                }
            }
            Event::Received(incoming) => {
                if let Taken::Next(content) = doing.take(incoming) {
                    match content {
                        Content::Body(body) => doing.received(body, now_s),
                        Content::Stack(bytes) => doing.coins_came(HeldStack(bytes)),
                    }
                    doing.acknowledge();
                }
            }
            Event::Wallet(answer) => doing.answered(answer, now_s),
            Event::Answered(is_yes) => doing.decided(is_yes, now_s),
            Event::Stopped => {
                if is_before_coins(&doing.record.state) {
                    doing.end(AbortReason::Cancelled, 0);
                }
            }
            Event::GivenUp => doing.act(Action::Pause),
            Event::Tick => doing.ticked(now_s),
        }
        doing.done()
    }

    /// Whether the offer is what the invitation is about. A request is accepted without asking again.
    fn fits(&self, offer: &Offer) -> bool {
        let invitation = &self.participant.invitation;
        let is_wanted = match &invitation.kind {
            Kind::ToReceive => true,
            Kind::ToPay { amount, subject, .. } => *amount == offer.amount && *subject == offer.subject,
        };
        is_wanted && invitation.issuer_id == offer.issuer_id
    }

    fn is_late(&self, now_s: u64) -> bool {
        match &self.offer {
            Some(offer) => now_s > offer.renew_by,
            None => now_s > self.participant.invitation.expires,
        }
    }

    /// Whether a stack is what was announced. Its signatures are another question.
    fn is_announced(&self, held: &HeldStack, ready: &Ready) -> bool {
        let Some(offer) = &self.offer else { return false };
        let Ok(stack) = held.stack() else { return false };
        let sum = stack
            .coins
            .iter()
            .try_fold(0u64, |sum, coin| sum.checked_add(coin.payload.denomination));
        held.digest() == ready.digest
            && stack.coins.len() as u64 == ready.coins
            && stack.subject == offer.subject
            && sum == Some(offer.amount)
            && stack
                .coins
                .iter()
                .all(|coin| coin.payload.issuer_id == offer.issuer_id)
    }
}

/// No coins have come.
const fn is_before_coins(state: &ReceiverState) -> bool {
    matches!(
        state,
        ReceiverState::Waiting
            | ReceiverState::Emptying
            | ReceiverState::Emptied
            | ReceiverState::Asked
            | ReceiverState::Confirmed
            | ReceiverState::Ready(_)
    )
}

impl Doing<ReceiverRecord> {
    fn become_(&mut self, state: ReceiverState) {
        self.record.state = state;
        self.store(Durable::Put);
    }

    /// Continues what a crash has interrupted.
    fn started(&mut self, now_s: u64) {
        match &self.record.state {
            ReceiverState::Emptying => self.act(Action::Wallet(WalletCall::Resume)),
            ReceiverState::Asked => self.ask(now_s),
            ReceiverState::Holding(_) => self.act(Action::Wallet(WalletCall::Check)),
            ReceiverState::Renewing(_) => self.renew(now_s),
            ReceiverState::Ended { .. } | ReceiverState::Paid { is_seen: true, .. } => {
                self.act(Action::Finish);
            }
            _ => self.ticked(now_s),
        }
    }

    fn received(&mut self, body: Body, now_s: u64) {
        match (&self.record.state, body) {
            (state, Body::Abort(reason)) => {
                // Coins that are here are renewed in any case: the issuer decides whose they are.
                if is_before_coins(state) {
                    self.become_(ReceiverState::Ended {
                        ending: Ending {
                            reason,
                            by_this_end: false,
                        },
                        amount: 0,
                    });
                    self.act(Action::Finish);
                }
            }
            (ReceiverState::Waiting, Body::EmptyImportExport) => {
                self.become_(ReceiverState::Emptying);
                self.act(Action::Wallet(WalletCall::Resume));
            }
            (ReceiverState::Emptied, Body::MoneyToBeSent(offer)) => {
                let fits = self.record.fits(&offer);
                self.record.offer = Some(offer);
                self.become_(ReceiverState::Asked);
                if fits {
                    self.ask(now_s);
                } else {
                    self.end(AbortReason::OtherTerms, 0);
                }
            }
            (ReceiverState::Confirmed | ReceiverState::Ready(_), Body::ReadyToSend(ready)) => {
                self.become_(ReceiverState::Ready(ready));
                self.write(Body::ReadyToReceive(ready.digest));
            }
            (
                ReceiverState::Confirmed | ReceiverState::Ready(_),
                Body::MakingChange
                | Body::JoiningCoins
                | Body::FindingChange
                | Body::FixingChange
                | Body::MovingCoinsToSender
                | Body::DetectingCoinAuthenticity
                | Body::FixingCoins
                | Body::PuttingCoinsInExport
                | Body::EncryptingCoins,
            ) => {}
            (ReceiverState::Paid { .. }, Body::ConfirmingChangeOfOwnership) => {}
            (ReceiverState::Paid { receipt, .. }, Body::ReceiptSeen) => {
                let receipt = receipt.clone();
                self.become_(ReceiverState::Paid {
                    receipt,
                    is_seen: true,
                });
                self.write(Body::CoinsConfirmed);
                self.act(Action::Finish);
            }
            (state, _) => {
                if is_before_coins(state) {
                    self.end(AbortReason::Protocol, 0);
                }
            }
        }
    }

    fn ask(&mut self, now_s: u64) {
        let Some(offer) = self.record.offer.clone() else {
            return;
        };
        if self.record.is_late(now_s) {
            self.end(AbortReason::Late, 0);
        } else if self.record.participant.invitation.maker() == Party::Receiver {
            self.decided(true, now_s);
        } else {
            self.act(Action::Ask(offer));
        }
    }

    fn decided(&mut self, is_yes: bool, now_s: u64) {
        let (ReceiverState::Asked, Some(amount)) = (
            &self.record.state,
            self.record.offer.as_ref().map(|offer| offer.amount),
        ) else {
            return;
        };
        if !is_yes {
            self.end(AbortReason::Declined, 0);
        } else if self.record.is_late(now_s) {
            self.end(AbortReason::Late, 0);
        } else if let Ok(key) = self.record.participant.key() {
            self.become_(ReceiverState::Confirmed);
            self.write(Body::ConfirmAmount(Confirmation {
                amount,
                receipt_key: key.public(),
            }));
        } else {
            self.end(AbortReason::Wallet, 0);
        }
    }

    fn coins_came(&mut self, held: HeldStack) {
        match &self.record.state {
            ReceiverState::Ready(ready) if self.record.is_announced(&held, ready) => {
                self.become_(ReceiverState::Holding(held));
                self.write(Body::Received);
                self.write(Body::DecryptingCoins);
                self.act(Action::Wallet(WalletCall::Check));
            }
            ReceiverState::Ready(_) => self.end(AbortReason::BadCoins, 0),
            state if is_before_coins(state) => self.end(AbortReason::Protocol, 0),
            _ => {}
        }
    }

    fn answered(&mut self, answer: WalletAnswer, now_s: u64) {
        match (&self.record.state, answer) {
            (ReceiverState::Emptying, WalletAnswer::Resumed { .. } | WalletAnswer::Failed) => {
                self.become_(ReceiverState::Emptied);
                self.write(Body::ImportExportEmpty);
            }
            (ReceiverState::Holding(held), WalletAnswer::Checked(true)) => {
                let held = held.clone();
                if self.record.is_late(now_s) {
                    self.end(AbortReason::Late, 0);
                } else {
                    self.become_(ReceiverState::Renewing(held));
                    self.write(Body::PowningCoins);
                    self.renew(now_s);
                }
            }
            (ReceiverState::Holding(_), WalletAnswer::Checked(false)) => {
                self.end(AbortReason::BadCoins, 0);
            }
            (ReceiverState::Renewing(held), WalletAnswer::Renewed { amount }) => {
                let digest = held.digest();
                self.renewed(digest, amount, now_s);
            }
            (ReceiverState::Renewing(_), WalletAnswer::Spent) => self.end(AbortReason::Spent, 0),
            (ReceiverState::Renewing(_), WalletAnswer::NotBegun) => self.end(AbortReason::Late, 0),
            (ReceiverState::Holding(_) | ReceiverState::Renewing(_), WalletAnswer::Failed) => {
                self.act(Action::Pause);
            }
            _ => {}
        }
    }

    fn renew(&mut self, now_s: u64) {
        let may_begin = !self.record.is_late(now_s);
        self.act(Action::Wallet(WalletCall::Renew { may_begin }));
    }

    fn renewed(&mut self, digest: Digest, amount: u64, now_s: u64) {
        let (Some(offer), Ok(key)) = (&self.record.offer, self.record.participant.key()) else {
            return;
        };
        if amount < offer.amount {
            self.end(AbortReason::BadCoins, amount);
            return;
        }
        let paid = Paid {
            transfer: self.record.participant.id(),
            issuer_id: offer.issuer_id.clone(),
            amount: offer.amount,
            digest,
            time: now_s,
        };
        let receipt = Receipt::sign(paid, &key);
        self.become_(ReceiverState::Paid {
            receipt: receipt.clone(),
            is_seen: false,
        });
        self.write(Body::Receipt(receipt));
    }

    /// Ends the transfer without the whole amount.
    fn end(&mut self, reason: AbortReason, amount: u64) {
        self.become_(ReceiverState::Ended {
            ending: Ending {
                reason,
                by_this_end: true,
            },
            amount,
        });
        self.write(Body::Abort(reason));
        self.act(Action::Finish);
    }

    fn ticked(&mut self, now_s: u64) {
        if is_before_coins(&self.record.state) && self.record.is_late(now_s) {
            self.end(AbortReason::Late, 0);
        }
    }
}
