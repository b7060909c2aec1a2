//! The sender: who pays.
//!
//! | state | coins | waits for |
//! | --- | --- | --- |
//! | `Waiting` | none | a connection |
//! | `Greeting` | none | 3 |
//! | `Offered` | none | 20 |
//! | `Agreed` | none | a new connection, after the other end was given up |
//! | `Preparing` | none or reserved | the wallet |
//! | `Checking` | reserved | the wallet |
//! | `Ready` | reserved | 13 |
//! | `InFlight` | in flight | 17 |
//! | `Reclaiming` | in flight | the wallet |
//! | `Delivered` | the receiver's | 19 |
//! | `Ended` | none, reclaimed or taken | nothing |

use opencoin_schema::{BigInt, CoinStack};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use super::participant::{Doing, Participant, Taken};
use super::{
    Action, Content, Durable, Ending, Event, FIXES_MAX, LEAVE_S, Machine, RECLAIM_S, RENEW_S, Step,
    WalletAnswer, WalletCall,
};
use crate::invitation::{Invitation, Kind};
use crate::link::Outgoing;
use crate::message::{AbortReason, Body, Offer, Ready};
use crate::receipt::{Paid, Receipt};
use crate::{Digest, Party};

/// The durable record of a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderRecord {
    /// The participant.
    pub participant: Participant,
    /// The amount, in the currency's smallest unit.
    pub amount: u64,
    /// The text for the receiver.
    pub subject: String,
    /// Until when the receiver may begin a renewal, in seconds since 1970. Known from the offer on.
    pub renew_by: Option<u64>,
    /// Where the transfer stands.
    pub state: SenderState,
}

/// Where a transfer stands for its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SenderState {
    /// The receiver has not come yet.
    Waiting,
    /// The receiver finishes what is pending there.
    Greeting,
    /// The receiver decides.
    Offered,
    /// The receiver has confirmed the amount, and no coins are reserved.
    Agreed,
    /// The wallet finds and changes coins.
    Preparing {
        /// Whether pending requests were finished.
        is_resumed: bool,
        /// How often bad coins were replaced.
        fixes: u32,
    },
    /// The wallet checks the reserved coins.
    Checking {
        /// The reserved stack.
        ready: Ready,
        /// How often bad coins were replaced.
        fixes: u32,
    },
    /// The receiver is asked whether it is ready.
    Ready(Ready),
    /// The coins have left, or may have.
    InFlight(Ready),
    /// The coins have left, and the wallet takes them back if nobody else has renewed them.
    Reclaiming {
        /// The stack.
        ready: Ready,
        /// Why.
        ending: Ending,
        /// A receipt that came meanwhile.
        receipt: Option<Receipt>,
    },
    /// The receiver has them, and this proves it.
    Delivered {
        /// The proof.
        receipt: Receipt,
        /// Whether the receiver knows that its receipt has come.
        is_closed: bool,
    },
    /// The transfer has ended otherwise.
    Ended(SenderEnd),
}

/// How a transfer ended for its sender, if not by a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SenderEnd {
    /// The coins never left.
    Kept(Ending),
    /// The sender has taken them back.
    Reclaimed {
        /// Why.
        ending: Ending,
        /// Their value, in the currency's smallest unit.
        amount: u64,
    },
    /// Somebody has renewed them and given no receipt.
    Taken(Ending),
}

impl AsMut<Participant> for SenderRecord {
    fn as_mut(&mut self) -> &mut Participant {
        &mut self.participant
    }
}

impl Machine for SenderRecord {
    const PARTY: Party = Party::Sender;

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
        Self::is_in_flight(self)
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, SenderState::Delivered { .. })
    }

    fn reserves(&self) -> Option<(u64, &str)> {
        Some((self.amount, &self.subject))
    }

    fn held(&self) -> Option<CoinStack> {
        None
    }
}

impl SenderRecord {
    /// A sender who invites a receiver.
    #[must_use]
    pub fn inviting(
        invitation: Invitation,
        amount: u64,
        subject: String,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
    ) -> Self {
        Self {
            participant: Participant::new(invitation, Party::Sender, rng),
            amount,
            subject,
            renew_by: None,
            state: SenderState::Waiting,
        }
    }

    /// A sender who pays a request for one payment. `None` if the invitation is none.
    #[must_use]
    pub fn paying(invitation: Invitation, rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Option<Self> {
        let (amount, subject) = match &invitation.kind {
            Kind::ToPay {
                amount,
                subject,
                many: false,
            } => (*amount, subject.clone()),
            _ => return None,
        };
        Some(Self::inviting(invitation, amount, subject, rng))
    }

    /// Whether nothing more can happen.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(
            self.state,
            SenderState::Ended(_) | SenderState::Delivered { is_closed: true, .. }
        )
    }

    /// Whether the coins have left and it is not known whose they are.
    #[must_use]
    pub const fn is_in_flight(&self) -> bool {
        matches!(
            self.state,
            SenderState::InFlight(_) | SenderState::Reclaiming { .. }
        )
    }

    /// The next step.
    pub fn step(self, event: Event, now_s: u64) -> Step<Self> {
        let mut doing = Doing::new(self);
        match event {
            Event::Started => doing.started(now_s),
            Event::Connected(peer) => {
                if doing.meet(peer) {
                    doing.connected();
                    doing.send_waiting();
                }
            }
            Event::Received(incoming) => {
                if let Taken::Next(content) = doing.take(incoming) {
                    match content {
                        Content::Body(body) => doing.received(body, now_s),
                        Content::Stack(_) => doing.violated(),
                    }
                    doing.acknowledge();
                }
            }
            Event::Wallet(answer) => doing.answered(answer),
            Event::Stopped => doing.stopped(),
            Event::GivenUp => doing.given_up(),
            Event::Tick => doing.ticked(now_s),
            Event::Answered(_) => {}
        }
        doing.done()
    }

    fn offer(&self, renew_by: u64) -> Offer {
        let invitation = &self.participant.invitation;
        Offer {
            issuer_id: invitation.issuer_id.clone(),
            issuer_url: invitation.issuer_url.clone(),
            amount: self.amount,
            subject: self.subject.clone(),
            renew_by,
        }
    }

    fn issuer_id(&self) -> &BigInt {
        &self.participant.invitation.issuer_id
    }

    /// Whether a receipt proves that this payment has arrived.
    fn is_proved_by(&self, receipt: &Receipt, digest: Digest) -> bool {
        let expected = Paid {
            transfer: self.participant.id(),
            issuer_id: self.issuer_id().clone(),
            amount: self.amount,
            digest,
            time: 0,
        };
        let key = self.participant.peer.as_ref();
        key.is_some_and(|key| receipt.verify_for(&expected, key).is_ok())
    }

    fn is_too_late(&self, now_s: u64) -> bool {
        match self.renew_by {
            Some(renew_by) => now_s + LEAVE_S > renew_by,
            None => now_s > self.participant.invitation.expires,
        }
    }
}

/// The coins have not left.
const fn is_before_leaving(state: &SenderState) -> bool {
    matches!(
        state,
        SenderState::Waiting
            | SenderState::Greeting
            | SenderState::Offered
            | SenderState::Agreed
            | SenderState::Preparing { .. }
            | SenderState::Checking { .. }
            | SenderState::Ready(_)
    )
}

impl Doing<SenderRecord> {
    fn become_(&mut self, state: SenderState) {
        self.record.state = state;
        self.store(Durable::Put);
    }

    /// Continues what a crash has interrupted.
    fn started(&mut self, now_s: u64) {
        match self.record.state {
            SenderState::Preparing { is_resumed, .. } => self.act(Action::Wallet(if is_resumed {
                WalletCall::Reserve
            } else {
                WalletCall::Resume
            })),
            SenderState::Checking { .. } => self.act(Action::Wallet(WalletCall::Check)),
            SenderState::Reclaiming { .. } => self.act(Action::Wallet(WalletCall::Reclaim)),
            SenderState::Ended(_) | SenderState::Delivered { is_closed: true, .. } => {
                self.act(Action::Finish);
            }
            _ => self.ticked(now_s),
        }
    }

    fn connected(&mut self) {
        match self.record.state {
            SenderState::Waiting => {
                self.become_(SenderState::Greeting);
                self.write(Body::EmptyImportExport);
            }
            SenderState::Agreed => self.prepare(),
            _ => {}
        }
    }

    fn prepare(&mut self) {
        self.become_(SenderState::Preparing {
            is_resumed: false,
            fixes: 0,
        });
        self.write(Body::FindingChange);
        self.act(Action::Wallet(WalletCall::Resume));
    }

    fn received(&mut self, body: Body, now_s: u64) {
        let state = self.record.state.clone();
        match (state, body) {
            (state, Body::Abort(reason)) => self.aborted(&state, reason),
            (SenderState::Greeting, Body::ImportExportEmpty) => {
                let renew_by = now_s + RENEW_S;
                self.record.renew_by = Some(renew_by);
                self.become_(SenderState::Offered);
                self.write(Body::MoneyToBeSent(self.record.offer(renew_by)));
            }
            (SenderState::Offered, Body::ConfirmAmount(confirmation)) => {
                let is_agreed = confirmation.amount == self.record.amount
                    && Some(confirmation.receipt_key) == self.record.participant.peer;
                if is_agreed {
                    self.prepare();
                } else {
                    self.keep(AbortReason::OtherTerms);
                }
            }
            (SenderState::Ready(ready), Body::ReadyToReceive(digest)) if digest == ready.digest => {
                if self.record.is_too_late(now_s) {
                    self.keep(AbortReason::Late);
                } else {
                    self.store(Durable::Leave);
                    self.become_(SenderState::InFlight(ready));
                    self.write_outgoing(Outgoing::Coins);
                }
            }
            // The receiver was ready for a stack that was released meanwhile.
            (state, Body::ReadyToReceive(_)) if is_before_leaving(&state) => {}
            (SenderState::InFlight(_), Body::Received | Body::DecryptingCoins | Body::PowningCoins)
            | (SenderState::Reclaiming { .. }, Body::Received | Body::DecryptingCoins | Body::PowningCoins) =>
                {}
            (SenderState::InFlight(ready), Body::Receipt(receipt))
                if self.record.is_proved_by(&receipt, ready.digest) =>
            {
                self.store(Durable::Delivered);
                self.deliver(receipt);
            }
            (SenderState::Reclaiming { ready, ending, .. }, Body::Receipt(receipt))
                if self.record.is_proved_by(&receipt, ready.digest) =>
            {
                // The issuer decides which renewal came first; the wallet learns it.
                self.become_(SenderState::Reclaiming {
                    ready,
                    ending,
                    receipt: Some(receipt),
                });
            }
            (SenderState::Delivered { receipt, .. }, Body::CoinsConfirmed) => {
                self.become_(SenderState::Delivered {
                    receipt,
                    is_closed: true,
                });
                self.act(Action::Finish);
            }
            (SenderState::Delivered { .. } | SenderState::Ended(_), _) => {}
            _ => self.violated(),
        }
    }

    fn deliver(&mut self, receipt: Receipt) {
        self.become_(SenderState::Delivered {
            receipt,
            is_closed: false,
        });
        self.write(Body::ConfirmingChangeOfOwnership);
        self.write(Body::ReceiptSeen);
    }

    fn answered(&mut self, answer: WalletAnswer) {
        let state = self.record.state.clone();
        match (state, answer) {
            (
                SenderState::Preparing {
                    is_resumed: false,
                    fixes,
                },
                WalletAnswer::Resumed { any },
            ) => {
                self.become_(SenderState::Preparing {
                    is_resumed: true,
                    fixes,
                });
                if any {
                    self.write(Body::FixingChange);
                }
                self.write(Body::MakingChange);
                self.write(Body::JoiningCoins);
                self.act(Action::Wallet(WalletCall::Reserve));
            }
            (SenderState::Preparing { fixes, .. }, WalletAnswer::Reserved(ready)) => {
                self.become_(SenderState::Checking { ready, fixes });
                self.write(Body::MovingCoinsToSender);
                self.write(Body::DetectingCoinAuthenticity);
                self.act(Action::Wallet(WalletCall::Check));
            }
            (SenderState::Checking { ready, .. }, WalletAnswer::Checked(true)) => {
                self.become_(SenderState::Ready(ready));
                self.write(Body::PuttingCoinsInExport);
                self.write(Body::EncryptingCoins);
                self.write(Body::ReadyToSend(ready));
            }
            (SenderState::Checking { fixes, .. }, WalletAnswer::Checked(false)) if fixes < FIXES_MAX => {
                self.store(Durable::Release);
                self.become_(SenderState::Preparing {
                    is_resumed: true,
                    fixes: fixes + 1,
                });
                self.write(Body::FixingCoins);
                self.act(Action::Wallet(WalletCall::Reserve));
            }
            (SenderState::Checking { .. }, WalletAnswer::Checked(false)) => {
                self.keep(AbortReason::BadCoins);
            }
            (SenderState::Reclaiming { ending, .. }, WalletAnswer::Reclaimed { amount }) => {
                self.become_(SenderState::Ended(SenderEnd::Reclaimed { ending, amount }));
                self.act(Action::Finish);
            }
            (
                SenderState::Reclaiming {
                    receipt: Some(receipt),
                    ..
                },
                WalletAnswer::Taken,
            ) => {
                self.deliver(receipt);
            }
            (SenderState::Reclaiming { ending, .. }, WalletAnswer::Taken) => {
                self.become_(SenderState::Ended(SenderEnd::Taken(ending)));
                self.act(Action::Finish);
            }
            (SenderState::Reclaiming { .. }, WalletAnswer::Failed) => self.act(Action::Pause),
            (state, WalletAnswer::Failed) if is_before_leaving(&state) => self.keep(AbortReason::Wallet),
            _ => {}
        }
    }

    /// The other end has ended the transfer.
    fn aborted(&mut self, state: &SenderState, reason: AbortReason) {
        let ending = Ending {
            reason,
            by_this_end: false,
        };
        match state {
            SenderState::InFlight(ready) => self.reclaim(*ready, ending),
            state if is_before_leaving(state) => self.end_kept(state.clone(), ending),
            _ => {}
        }
    }

    /// Ends the transfer before the coins have left.
    fn keep(&mut self, reason: AbortReason) {
        let state = self.record.state.clone();
        self.write(Body::Abort(reason));
        let ending = Ending {
            reason,
            by_this_end: true,
        };
        self.end_kept(state, ending);
    }

    fn end_kept(&mut self, state: SenderState, ending: Ending) {
        if matches!(
            state,
            SenderState::Preparing { .. } | SenderState::Checking { .. } | SenderState::Ready(_)
        ) {
            self.store(Durable::Release);
        }
        self.become_(SenderState::Ended(SenderEnd::Kept(ending)));
        self.act(Action::Finish);
    }

    fn reclaim(&mut self, ready: Ready, ending: Ending) {
        self.become_(SenderState::Reclaiming {
            ready,
            ending,
            receipt: None,
        });
        self.act(Action::Wallet(WalletCall::Reclaim));
    }

    fn violated(&mut self) {
        let state = self.record.state.clone();
        match state {
            state if is_before_leaving(&state) => self.keep(AbortReason::Protocol),
            SenderState::InFlight(ready) => self.reclaim(
                ready,
                Ending {
                    reason: AbortReason::Protocol,
                    by_this_end: true,
                },
            ),
            _ => {}
        }
    }

    fn stopped(&mut self) {
        match self.record.state.clone() {
            SenderState::InFlight(ready) => self.reclaim(
                ready,
                Ending {
                    reason: AbortReason::Cancelled,
                    by_this_end: true,
                },
            ),
            state if is_before_leaving(&state) => self.keep(AbortReason::Cancelled),
            _ => {}
        }
    }

    /// Reserved coins are free while nobody is there to take them.
    fn given_up(&mut self) {
        if matches!(
            self.record.state,
            SenderState::Preparing { .. } | SenderState::Checking { .. } | SenderState::Ready(_)
        ) {
            self.store(Durable::Release);
            self.become_(SenderState::Agreed);
        }
        if let SenderState::Delivered { receipt, .. } = self.record.state.clone() {
            // The receipt is here; that the receiver knows it is a courtesy.
            self.become_(SenderState::Delivered {
                receipt,
                is_closed: true,
            });
            self.act(Action::Finish);
        } else {
            self.act(Action::Pause);
        }
    }

    fn ticked(&mut self, now_s: u64) {
        match self.record.state.clone() {
            SenderState::InFlight(ready) => {
                let renew_by = self.record.renew_by.unwrap_or_default();
                if now_s > renew_by + RECLAIM_S {
                    let ending = Ending {
                        reason: AbortReason::Late,
                        by_this_end: true,
                    };
                    self.reclaim(ready, ending);
                }
            }
            state if is_before_leaving(&state) && self.record.is_too_late(now_s) => {
                self.keep(AbortReason::Late);
            }
            _ => {}
        }
    }
}
