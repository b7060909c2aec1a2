//! Drives one participant of a transfer.

use std::collections::VecDeque;

use opencoin_transfer::bundle::{self, Parts};
use opencoin_transfer::link::{Outgoing, Place};
use opencoin_transfer::machine::{Action, Content, Event, Incoming, WalletAnswer, WalletCall};
use opencoin_transfer::message::{Body, Message};
use opencoin_transfer::relay::{Notice, Seat};
use opencoin_wallet::WalletError;
use tokio::time::{Instant, sleep};

use crate::call::Call;
use crate::error::{RelayError, TransferError};
use crate::person::{Person, Progress};
use crate::relay::{Connection, Ended, Input, entry};
use crate::running::Running;
use crate::setting::Setting;
use crate::stored::StoredRecord;
use crate::wallet::TransferWallet;

/// Drives a participant until its transfer is over or cannot go on for now. Returns the last record, which is stored.
///
/// # Errors
/// The wallet cannot be written, or the relay cannot be used.
pub async fn run<'a, M: Running>(
    record: &StoredRecord,
    wallet: &'a mut dyn TransferWallet,
    person: &'a mut dyn Person,
    setting: Setting<'a>,
) -> Result<M, TransferError> {
    let machine =
        M::of(record).ok_or_else(|| TransferError::Record(record.participant().id().to_string()))?;
    let participant = machine.participant();
    let driver = Driver {
        id: participant.id().to_string(),
        seat: if participant.invitation.maker() == M::PARTY {
            Seat::Maker
        } else {
            Seat::Taker
        },
        has_met: setting.is_expected || participant.peer().is_some(),
        machine: Some(machine),
        record: record.clone(),
        wallet,
        person,
        setting,
        connection: None,
        parts: Parts::default(),
        alone_since: Some(Instant::now()),
        attempts: 0,
        unreachable_since: None,
    };
    driver.run().await
}

/// What comes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Flow {
    Go,
    Reconnect(String),
    Pause,
    Finish,
}

struct Driver<'a, M> {
    id: String,
    seat: Seat,
    has_met: bool,
    /// Taken while a step is stored.
    machine: Option<M>,
    record: StoredRecord,
    wallet: &'a mut dyn TransferWallet,
    person: &'a mut dyn Person,
    setting: Setting<'a>,
    connection: Option<Connection>,
    parts: Parts,
    /// Since when the other participant is away.
    alone_since: Option<Instant>,
    /// The attempts to make a channel since the last one.
    attempts: u32,
    unreachable_since: Option<Instant>,
}

impl<M: Running> Driver<'_, M> {
    async fn run(mut self) -> Result<M, TransferError> {
        let mut flow = self.bring(Event::Started).await?;
        loop {
            match flow {
                Flow::Go => {}
                Flow::Finish | Flow::Pause => break,
                Flow::Reconnect(reason) => {
                    self.person.tell(Progress::Reconnecting(&reason));
                    self.connection = None;
                    self.alone_since.get_or_insert_with(Instant::now);
                    if let Some(paused) = self.pause().await? {
                        flow = paused;
                        continue;
                    }
                }
            }
            flow = match self.connection.is_some() {
                true => self.next().await?,
                false => self.connect().await?,
            };
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
        Ok(self.machine.expect("every step leaves a machine"))
    }

    fn machine(&self) -> &M {
        self.machine.as_ref().expect("every step leaves a machine")
    }

    async fn connect(&mut self) -> Result<Flow, TransferError> {
        let participant = self.machine().participant().clone();
        let entry = entry(&participant, self.seat == Seat::Maker);
        let opened = tokio::select! {
            opened = Connection::open(self.setting.upgrader, &entry, self.setting.rng) => opened,
            () = &mut self.setting.stop => return self.stopped().await,
        };
        match opened {
            Ok(connection) => {
                self.connection = Some(connection);
                self.unreachable_since = None;
                Ok(Flow::Go)
            }
            Err(error) if !error.is_temporary() && !self.machine().is_in_flight() => Err(error.into()),
            Err(error) => self.unreachable(error).await,
        }
    }

    async fn unreachable(&mut self, error: RelayError) -> Result<Flow, TransferError> {
        let since = *self.unreachable_since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.setting.patience.relay && !self.machine().is_in_flight() {
            return match self.bring(Event::GivenUp).await? {
                Flow::Finish => Ok(Flow::Finish),
                _ => Err(error.into()),
            };
        }
        self.person.tell(Progress::Retrying(&error.to_string()));
        Ok(self.pause().await?.unwrap_or(Flow::Go))
    }

    /// Waits before the next attempt. Returns what happened meanwhile, if anything did.
    async fn pause(&mut self) -> Result<Option<Flow>, TransferError> {
        let patience = &self.setting.patience;
        let pause = patience
            .pause_first
            .saturating_mul(1 << self.attempts.min(16))
            .min(patience.pause_max);
        self.attempts += 1;
        tokio::select! {
            () = sleep(pause) => {}
            () = &mut self.setting.stop => return self.stopped().await.map(Some),
        }
        match self.beat().await? {
            Flow::Go => Ok(None),
            flow => Ok(Some(flow)),
        }
    }

    /// Time has passed: the machine may end the transfer, or the patience is over.
    async fn beat(&mut self) -> Result<Flow, TransferError> {
        let flow = self.bring(Event::Tick).await?;
        let patience = match self.machine().is_closing() {
            true => self.setting.patience.closing,
            false => self.setting.patience.peer,
        };
        let is_over_patience = |since: Instant| self.has_met && since.elapsed() > patience;
        if flow == Flow::Go
            && self.alone_since.is_some_and(is_over_patience)
            && !self.machine().is_in_flight()
        {
            // Who has never come has no part in the transfer.
            let has_come = self.machine().participant().peer().is_some();
            return self
                .bring(if has_come { Event::GivenUp } else { Event::Stopped })
                .await;
        }
        Ok(flow)
    }

    /// The person stops the program. Coins in flight stay where they are.
    async fn stopped(&mut self) -> Result<Flow, TransferError> {
        if self.machine().is_in_flight() {
            return Ok(Flow::Pause);
        }
        match self.bring(Event::Stopped).await? {
            Flow::Finish => Ok(Flow::Finish),
            _ => Ok(Flow::Pause),
        }
    }

    /// Handles what comes next from the connection.
    async fn next(&mut self) -> Result<Flow, TransferError> {
        let Some(connection) = &mut self.connection else {
            return Ok(Flow::Go);
        };
        let input = tokio::select! {
            input = connection.next() => input,
            () = &mut self.setting.stop => return self.stopped().await,
        };
        match input {
            Input::Notice(notice) => self.noticed(notice).await,
            Input::Frame(frame) => self.framed(&frame).await,
            Input::Beat => {
                let heartbeat = self.machine().participant().link().heartbeat();
                if let Some(connection) = &mut self.connection
                    && let Err(reason) = connection.beat(&heartbeat).await
                {
                    return Ok(Flow::Reconnect(reason));
                }
                self.beat().await
            }
            Input::Ended(Ended::Closed(code)) if !code.is_temporary() && !self.machine().is_in_flight() => {
                Err(RelayError::Closed(code).into())
            }
            Input::Ended(ended) => Ok(Flow::Reconnect(ended.text())),
        }
    }

    async fn noticed(&mut self, notice: Notice) -> Result<Flow, TransferError> {
        match notice {
            Notice::Gone => {
                self.person.tell(if self.has_met {
                    Progress::Gone
                } else {
                    Progress::Waiting
                });
                self.alone_since.get_or_insert_with(Instant::now);
                if let Some(connection) = &mut self.connection {
                    connection.state = crate::relay::PeerState::Gone;
                }
                Ok(Flow::Go)
            }
            Notice::Here => {
                let participant = self.machine().participant().clone();
                let key = participant.key().map_err(|_| TransferError::Key)?;
                let Some(connection) = &mut self.connection else {
                    return Ok(Flow::Go);
                };
                let shaking = connection.shake(&participant.invitation, self.seat, key, self.setting.rng);
                Ok(shaking.await.map_or_else(Flow::Reconnect, |()| Flow::Go))
            }
        }
    }

    async fn framed(&mut self, frame: &[u8]) -> Result<Flow, TransferError> {
        let Some(connection) = &mut self.connection else {
            return Ok(Flow::Go);
        };
        if let Some(opened) = connection.opened(frame) {
            return match opened {
                Ok(message) => self.received(message).await,
                Err(reason) => Ok(Flow::Reconnect(reason)),
            };
        }
        match connection.shaken(frame).await {
            Err(reason) => Ok(Flow::Reconnect(reason)),
            Ok(None) => Ok(Flow::Go),
            Ok(Some((peer, digits))) => {
                self.attempts = 0;
                self.alone_since = None;
                self.has_met = true;
                self.parts = Parts::default();
                self.person.tell(Progress::Connected(digits));
                self.bring(Event::Connected(peer)).await
            }
        }
    }

    async fn received(&mut self, message: Message) -> Result<Flow, TransferError> {
        if message.from == M::PARTY {
            return Ok(Flow::Reconnect("a message came back".to_owned()));
        }
        let (sequence, acknowledges) = (message.sequence, message.acknowledges);
        let content = match message.body {
            Body::Coins(part) => {
                let place = self.machine().participant().link().place(sequence);
                if place == Place::Before && part.part + 1 < part.parts {
                    return Ok(Flow::Go);
                }
                match (place, self.parts.add(&part)) {
                    (Place::Before, _) => Content::Stack(Vec::new().into()),
                    (Place::Gap, _) => return Ok(Flow::Reconnect("a message is missing".to_owned())),
                    (Place::Next, Ok(None)) => return Ok(Flow::Go),
                    (Place::Next, Ok(Some(stack))) => Content::Stack(stack),
                    (Place::Next, Err(error)) => return Ok(Flow::Reconnect(error.to_string())),
                }
            }
            body => Content::Body(body),
        };
        self.bring(Event::Received(Incoming {
            sequence,
            acknowledges,
            content,
        }))
        .await
    }

    /// Brings an event to the machine, and carries out what comes of it.
    async fn bring(&mut self, event: Event) -> Result<Flow, TransferError> {
        let mut events = VecDeque::from([event]);
        let mut flow = Flow::Go;
        while let Some(event) = events.pop_front() {
            let machine = self.machine.take().expect("every step leaves a machine");
            let step = machine.step(event, (self.setting.now_s)());
            let (wallet, id, before) = (&mut *self.wallet, &self.id, &self.record);
            let mut after = None;
            let stored = step
                .store(async |how, machine: &M| {
                    let record = machine.stored(before);
                    let stored = wallet.store(id, how, &record.value(), machine.is_over()).await;
                    after = Some(record);
                    stored
                })
                .await;
            let (machine, actions) = stored?;
            if let Some(after) = after {
                self.record = after;
            }
            self.machine = Some(machine);
            for action in actions {
                match self.act(action).await? {
                    Acted::Done => {}
                    Acted::Event(event) => events.push_back(event),
                    Acted::Flow(next) => flow = next,
                }
            }
        }
        Ok(flow)
    }

    async fn act(&mut self, action: Action) -> Result<Acted, TransferError> {
        match action {
            Action::Send(sequence) => self.send(sequence).await,
            Action::Acknowledge => {
                let heartbeat = self.machine().participant().link().heartbeat();
                self.send_message(&heartbeat).await
            }
            Action::Reconnect => Ok(Acted::Flow(Flow::Reconnect("a message is missing".to_owned()))),
            Action::Refuse => {
                self.person.tell(Progress::Stranger);
                Ok(Acted::Flow(Flow::Reconnect("somebody else was there".to_owned())))
            }
            Action::Tell(number) => {
                self.person.tell(Progress::Message(M::PARTY.other(), number));
                Ok(Acted::Done)
            }
            Action::Ask(offer) => {
                let heartbeat = self.machine().participant().link().heartbeat();
                let answer = tokio::select! {
                    answer = self.person.accepts(&offer) => answer,
                    () = keep(&mut self.connection, &heartbeat) => unreachable!("it goes on for ever"),
                    () = &mut self.setting.stop => return Ok(Acted::Event(Event::Stopped)),
                };
                Ok(Acted::Event(Event::Answered(answer)))
            }
            Action::Wallet(call) => {
                let answer = self.call(call).await?;
                Ok(Acted::Event(Event::Wallet(answer)))
            }
            Action::Pause => Ok(Acted::Flow(Flow::Pause)),
            Action::Finish => Ok(Acted::Flow(Flow::Finish)),
        }
    }

    async fn send(&mut self, sequence: u64) -> Result<Acted, TransferError> {
        if self.connection.is_none() {
            return Ok(Acted::Done);
        }
        let link = self.machine().participant().link().clone();
        let waiting = link.waiting().find(|(waiting, _)| *waiting == sequence);
        match waiting {
            None => Ok(Acted::Done),
            Some((_, Outgoing::Message(body))) => {
                self.person.tell(Progress::Message(M::PARTY, body.number()));
                self.send_message(&link.message(sequence, body.clone())).await
            }
            Some((_, Outgoing::Coins)) => {
                let stack = self.wallet.stack(&self.id).await?;
                // A stack that is too large was never ready.
                for part in bundle::parts(&stack).unwrap_or_default() {
                    let message = link.message(sequence, Body::Coins(part));
                    match self.send_message(&message).await? {
                        Acted::Done => {}
                        acted => return Ok(acted),
                    }
                }
                self.person.tell(Progress::Message(M::PARTY, 24));
                Ok(Acted::Done)
            }
        }
    }

    async fn send_message(&mut self, message: &Message) -> Result<Acted, TransferError> {
        let Some(connection) = &mut self.connection else {
            return Ok(Acted::Done);
        };
        Ok(match connection.send(message).await {
            Ok(()) => Acted::Done,
            Err(reason) => Acted::Flow(Flow::Reconnect(reason)),
        })
    }

    /// Calls the wallet, and keeps the connection alive meanwhile.
    async fn call(&mut self, call: WalletCall) -> Result<WalletAnswer, TransferError> {
        let machine = self.machine().clone();
        let heartbeat = machine.participant().link().heartbeat();
        let calling = Call {
            id: &self.id,
            machine: &machine,
            record: &self.record,
            now_s: (self.setting.now_s)(),
        };
        let answer = tokio::select! {
            answer = calling.make(call, self.wallet) => answer,
            () = keep(&mut self.connection, &heartbeat) => unreachable!("it goes on for ever"),
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => Err(error.into()),
            Err(error) => {
                self.person.tell(Progress::WalletFailed(&error.to_string()));
                Ok(WalletAnswer::Failed)
            }
        }
    }
}

/// What comes of an action.
enum Acted {
    Done,
    Event(Event),
    Flow(Flow),
}

async fn keep(connection: &mut Option<Connection>, heartbeat: &Message) {
    match connection {
        Some(connection) => connection.keep(heartbeat).await,
        None => std::future::pending().await,
    }
}
