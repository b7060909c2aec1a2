//! A model of the world around two machines: two wallets, an issuer and a connection that loses, repeats and delays.

use std::collections::VecDeque;

use futures_util::FutureExt;
use opencoin_schema::CoinStack;
use opencoin_transfer::bundle;
use opencoin_transfer::link::Outgoing;
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer::machine::sender::SenderRecord;
use opencoin_transfer::machine::{
    Action, Content, Durable, Event, Incoming, Machine, Participant, WalletAnswer, WalletCall,
};
use opencoin_transfer::message::{Body, Ready};
use opencoin_transfer::{Party, PublicKey};

use crate::{rng, stack};

/// What a wallet knows of the coins of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coins {
    None,
    Reserved,
    InFlight,
    Ended,
}

/// The issuer: who has renewed the coins of the transfer, if anybody has. A stack that was released and reserved again
/// consists of other coins.
#[derive(Default)]
pub(crate) struct Issuer {
    pub(crate) renewed: Vec<(CoinStack, Party)>,
}

impl Issuer {
    /// Whether these coins are this party's now. Asking again gives the same answer.
    fn renew(&mut self, stack: &CoinStack, by: Party) -> bool {
        if let Some((_, owner)) = self.renewed.iter().find(|(renewed, _)| renewed == stack) {
            return *owner == by;
        }
        self.renewed.push((stack.clone(), by));
        true
    }

    pub(crate) fn owner(&self, stack: &CoinStack) -> Option<Party> {
        let found = self.renewed.iter().find(|(renewed, _)| renewed == stack);
        found.map(|(_, owner)| *owner)
    }
}

/// Where a crash happens within a call to the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Never,
    /// After this many stored records and calls.
    After(usize),
}

/// A participant with its wallet.
pub(crate) struct Side<M> {
    party: Party,
    /// What is on the disk.
    disk: Vec<u8>,
    pub(crate) coins: Coins,
    pub(crate) stack: Option<CoinStack>,
    /// Whether the receiver's renewal has begun, which is on the disk as well.
    has_begun: bool,
    /// When renewals were begun, in seconds.
    pub(crate) begun_at: Vec<u64>,
    /// The running program.
    live: Option<M>,
    /// Its channel to the other end.
    is_connected: bool,
    is_paused: bool,
    /// What it does next.
    todo: VecDeque<Action>,
    crash: Crash,
    pub(crate) says: bool,
    /// Whether the check of the coins succeeds, for each check.
    pub(crate) checks: VecDeque<bool>,
    drawn: u64,
}

impl<M: Machine> Side<M> {
    pub(crate) fn new(party: Party, record: &M) -> Self {
        Self {
            party,
            disk: serde_json::to_vec(record).unwrap(),
            coins: Coins::None,
            stack: None,
            has_begun: false,
            begun_at: Vec::new(),
            live: None,
            is_connected: false,
            is_paused: false,
            todo: VecDeque::new(),
            crash: Crash::Never,
            says: true,
            checks: VecDeque::new(),
            drawn: 0,
        }
    }

    pub(crate) fn record(&self) -> M {
        serde_json::from_slice(&self.disk).unwrap()
    }

    pub(crate) fn crash_after(&mut self, points: usize) {
        self.crash = Crash::After(points);
    }

    fn crash(&mut self) {
        self.live = None;
        self.is_connected = false;
        self.todo.clear();
        self.crash = Crash::Never;
    }

    /// Passes a point at which a crash may be due.
    fn survives(&mut self) -> bool {
        match self.crash {
            Crash::After(0) => {
                self.crash();
                false
            }
            Crash::After(points) => {
                self.crash = Crash::After(points - 1);
                true
            }
            Crash::Never => true,
        }
    }

    /// Brings an event to the running program.
    fn bring(&mut self, event: Event, now_s: u64) {
        let Some(live) = self.live.take() else { return };
        let step = live.step(event, now_s);
        if !self.survives() {
            return;
        }
        let (mut stored, mut durable) = (None, None);
        let (record, actions) = step
            .store(async |how, record: &M| {
                (stored, durable) = (Some(serde_json::to_vec(record).unwrap()), Some(how));
                Ok::<(), ()>(())
            })
            .now_or_never()
            .expect("nothing is waited for")
            .unwrap();
        if let (Some(stored), Some(durable)) = (stored, durable) {
            self.disk = stored;
            self.transact(durable);
            if !self.survives() {
                return;
            }
        }
        self.live = Some(record);
        self.todo.extend(actions);
    }

    fn transact(&mut self, durable: Durable) {
        let from = self.coins;
        self.coins = match (durable, from) {
            (Durable::Unchanged | Durable::Put, coins) => coins,
            (Durable::Release, Coins::None | Coins::Reserved) => {
                self.stack = None;
                Coins::None
            }
            (Durable::Leave, Coins::Reserved) => Coins::InFlight,
            (Durable::Delivered, Coins::InFlight) => Coins::Ended,
            (durable, coins) => panic!("{durable:?} of coins that are {coins:?}"),
        };
    }

    fn call(&mut self, call: WalletCall, issuer: &mut Issuer, now_s: u64) -> Option<WalletAnswer> {
        if !self.survives() {
            return None;
        }
        let answer = match call {
            WalletCall::Resume => WalletAnswer::Resumed { any: self.has_begun },
            WalletCall::Reserve => {
                if self.coins == Coins::None {
                    self.drawn += 1;
                    self.stack = Some(stack(&[3000, 400, 39], "gift", &mut rng(self.drawn)));
                    self.coins = Coins::Reserved;
                }
                let stack = self.stack.as_ref().unwrap();
                WalletAnswer::Reserved(Ready {
                    digest: bundle::digest(stack),
                    coins: stack.coins.len() as u64,
                })
            }
            WalletCall::Check => WalletAnswer::Checked(self.checks.pop_front().unwrap_or(true)),
            WalletCall::Reclaim => {
                let stack = self.stack.clone().unwrap();
                let is_won = issuer.renew(&stack, Party::Sender);
                if !self.survives() {
                    return None;
                }
                self.coins = Coins::Ended;
                if is_won {
                    WalletAnswer::Reclaimed { amount: 3439 }
                } else {
                    WalletAnswer::Taken
                }
            }
            WalletCall::Renew { may_begin } => {
                let stack = self.live.as_ref()?.held().unwrap();
                if !self.has_begun && !may_begin {
                    return Some(WalletAnswer::NotBegun);
                }
                if !self.has_begun {
                    self.begun_at.push(now_s);
                }
                self.has_begun = true;
                if !self.survives() {
                    return None;
                }
                let is_won = issuer.renew(&stack, Party::Receiver);
                if !self.survives() {
                    return None;
                }
                self.stack = Some(stack);
                if is_won {
                    WalletAnswer::Renewed { amount: 3439 }
                } else {
                    WalletAnswer::Spent
                }
            }
        };
        Some(answer)
    }
}

/// Both participants, the issuer, and the connection between them.
pub(crate) struct World {
    pub(crate) sender: Side<SenderRecord>,
    pub(crate) receiver: Side<ReceiverRecord>,
    pub(crate) issuer: Issuer,
    pub(crate) now_s: u64,
    senders_key: PublicKey,
    receivers_key: PublicKey,
    to_sender: VecDeque<Incoming>,
    to_receiver: VecDeque<Incoming>,
    /// How many messages were sent.
    pub(crate) sent: usize,
}

/// What the connection does to the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop,
    Repeat,
    Delay,
}

fn public_key(participant: &Participant) -> PublicKey {
    participant.key().unwrap().public()
}

impl World {
    pub(crate) fn new(sender: &SenderRecord, receiver: &ReceiverRecord) -> Self {
        Self {
            sender: Side::new(Party::Sender, sender),
            receiver: Side::new(Party::Receiver, receiver),
            issuer: Issuer::default(),
            now_s: 1_800_000_000,
            senders_key: public_key(&sender.participant),
            receivers_key: public_key(&receiver.participant),
            to_sender: VecDeque::new(),
            to_receiver: VecDeque::new(),
            sent: 0,
        }
    }

    /// Lets the participant do one thing. Whether there was anything to do.
    pub(crate) fn go(&mut self, party: Party) -> bool {
        let (now_s, is_other_there) = (self.now_s, self.is_there(party.other()));
        match party {
            Party::Sender => {
                let peer = self.receivers_key;
                let (out, inbox) = (&mut self.to_receiver, &mut self.to_sender);
                go(
                    &mut self.sender,
                    &mut self.issuer,
                    now_s,
                    is_other_there,
                    peer,
                    out,
                    inbox,
                    &mut self.sent,
                )
            }
            Party::Receiver => {
                let peer = self.senders_key;
                let (out, inbox) = (&mut self.to_sender, &mut self.to_receiver);
                go(
                    &mut self.receiver,
                    &mut self.issuer,
                    now_s,
                    is_other_there,
                    peer,
                    out,
                    inbox,
                    &mut self.sent,
                )
            }
        }
    }

    fn is_there(&self, party: Party) -> bool {
        match party {
            Party::Sender => self.sender.live.is_some() && !self.sender.is_paused,
            Party::Receiver => self.receiver.live.is_some() && !self.receiver.is_paused,
        }
    }

    /// Breaks the connection: what is on its way is lost.
    pub(crate) fn disconnect(&mut self) {
        self.to_sender.clear();
        self.to_receiver.clear();
        self.sender.is_connected = false;
        self.receiver.is_connected = false;
    }

    pub(crate) fn crash(&mut self, party: Party) {
        match party {
            Party::Sender => self.sender.crash(),
            Party::Receiver => self.receiver.crash(),
        }
        self.disconnect();
    }

    /// Runs the program again, if it does not run.
    pub(crate) fn start(&mut self, party: Party) {
        let now_s = self.now_s;
        match party {
            Party::Sender => start(&mut self.sender, now_s),
            Party::Receiver => start(&mut self.receiver, now_s),
        }
    }

    /// Brings an event, after the actions of earlier ones.
    pub(crate) fn bring(&mut self, party: Party, event: Event) {
        while match party {
            Party::Sender => !self.sender.todo.is_empty(),
            Party::Receiver => !self.receiver.todo.is_empty(),
        } {
            self.go(party);
        }
        let now_s = self.now_s;
        match party {
            Party::Sender => self.sender.bring(event, now_s),
            Party::Receiver => self.receiver.bring(event, now_s),
        }
    }

    pub(crate) fn fault(&mut self, party: Party, fault: Fault) {
        let queue = match party {
            Party::Sender => &mut self.to_sender,
            Party::Receiver => &mut self.to_receiver,
        };
        match fault {
            Fault::Drop => drop(queue.pop_front()),
            Fault::Repeat => {
                if let Some(first) = queue.front().cloned() {
                    queue.push_front(first);
                }
            }
            Fault::Delay => {
                if let Some(first) = queue.pop_front() {
                    queue.push_back(first);
                }
            }
        }
    }

    /// Lets both do what they have to, restarting them after crashes and reconnecting them, until both are over or wait
    /// for time to pass. A quiet connection breaks, as heartbeats would find out.
    pub(crate) fn run(&mut self) {
        let mut quiet = 0;
        for _ in 0..10_000 {
            if !self.sender.record().is_over() {
                self.start(Party::Sender);
            }
            if !self.receiver.record().is_over() {
                self.start(Party::Receiver);
            }
            let went = [self.go(Party::Sender), self.go(Party::Receiver)];
            if self.sender.record().is_over() && self.receiver.record().is_over() {
                return;
            }
            if went == [false, false] {
                quiet += 1;
                self.disconnect();
                if quiet > 3 {
                    return;
                }
            } else if self.sender.is_connected && self.receiver.is_connected {
                quiet = quiet.min(2);
            }
        }
        panic!("the transfer does not come to rest");
    }

    /// Runs until both are over; time passes when nothing else happens.
    pub(crate) fn settle(&mut self) {
        for _ in 0..6 {
            self.run();
            if self.sender.record().is_over() && self.receiver.record().is_over() {
                return;
            }
            self.now_s += 400;
            for party in [Party::Sender, Party::Receiver] {
                self.bring(party, Event::Tick);
            }
        }
    }
}

fn start<M: Machine>(side: &mut Side<M>, now_s: u64) {
    if side.live.is_none() || side.is_paused {
        side.is_connected = false;
        side.is_paused = false;
        side.todo.clear();
        side.live = Some(side.record());
        side.bring(Event::Started, now_s);
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of the world, which are borrowed separately"
)]
fn go<M: Machine>(
    side: &mut Side<M>,
    issuer: &mut Issuer,
    now_s: u64,
    is_other_there: bool,
    peer: PublicKey,
    out: &mut VecDeque<Incoming>,
    inbox: &mut VecDeque<Incoming>,
    sent: &mut usize,
) -> bool {
    if side.live.is_none() {
        return false;
    }
    if let Some(action) = side.todo.pop_front() {
        act(side, action, issuer, now_s, out, sent);
        return true;
    }
    if side.is_paused {
        return false;
    }
    if !side.is_connected && is_other_there {
        side.is_connected = true;
        inbox.clear();
        side.bring(Event::Connected(peer), now_s);
        return true;
    }
    if let Some(incoming) = side.is_connected.then(|| inbox.pop_front()).flatten() {
        side.bring(Event::Received(incoming), now_s);
        return true;
    }
    false
}

fn act<M: Machine>(
    side: &mut Side<M>,
    action: Action,
    issuer: &mut Issuer,
    now_s: u64,
    out: &mut VecDeque<Incoming>,
    sent: &mut usize,
) {
    let record = side.live.clone().unwrap();
    let link = record.participant().link();
    match action {
        Action::Send(sequence) => {
            let waiting = link.waiting().find(|(waiting, _)| *waiting == sequence);
            let Some((_, outgoing)) = waiting.filter(|_| side.is_connected) else {
                return;
            };
            let content = match outgoing {
                Outgoing::Message(body) => Content::Body(body.clone()),
                Outgoing::Coins => {
                    assert_eq!(side.coins, Coins::InFlight, "coins leave before this is recorded");
                    let stack = side.stack.as_ref().unwrap();
                    Content::Stack(opencoin_stack::encode(stack).into())
                }
            };
            *sent += 1;
            out.push_back(Incoming {
                sequence,
                acknowledges: link.received(),
                content,
            });
        }
        Action::Acknowledge if side.is_connected => out.push_back(Incoming {
            sequence: 0,
            acknowledges: link.received(),
            content: Content::Body(Body::Heartbeat),
        }),
        Action::Acknowledge | Action::Tell(_) => {}
        Action::Reconnect | Action::Refuse => side.is_connected = false,
        Action::Ask(_) => {
            let says = side.says;
            side.bring(Event::Answered(says), now_s);
        }
        Action::Wallet(call) => {
            let answer = side.call(call, issuer, now_s);
            if let Some(answer) = answer {
                side.bring(Event::Wallet(answer), now_s);
            }
        }
        Action::Pause => side.is_paused = true,
        Action::Finish => {
            side.is_paused = true;
        }
    }
    let _ = side.party;
}
