//! A connection to a relay, with the channel that runs through it.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use opencoin_transfer::Secret32;
use opencoin_transfer::channel::{
    Channel, ChannelError, Digits, FRAME_BYTES_MAX, Handshake, HandshakeSecrets, Handshaken,
};
use opencoin_transfer::invitation::Invitation;
use opencoin_transfer::key::ParticipantKey;
use opencoin_transfer::machine::Participant;
use opencoin_transfer::message::Message as TransferMessage;
use opencoin_transfer::relay::{CloseCode, Join, Notice, Seat};
use opencoin_transfer::{ClientToken, PublicKey};
use opencoin_wallet::{Upgrade, Upgraded, Upgrader};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::error::RelayError;
use crate::random::Random;

/// The time between two heartbeats.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// After so long a silence of the relay a connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the other participant may take to agree on keys.
const SHAKE_DURATION_MAX: Duration = Duration::from_secs(10);
/// How long a relay may take to say whether the other participant is there.
const JOIN_DURATION_MAX: Duration = Duration::from_secs(10);
/// How long a relay may take to confirm the end of a connection.
const CLOSE_DURATION_MAX: Duration = Duration::from_secs(2);
/// The most messages that wait while the wallet or the person is busy. Heartbeats are the most of them.
const QUEUE_MAX: usize = 4096;
const NONCE_BYTES: usize = 16;
const NOT_FOUND: u16 = 404;
const METHOD_NOT_ALLOWED: u16 = 405;

/// A connection to a relay.
pub(crate) struct Connection {
    socket: WebSocketStream<Box<dyn Upgraded>>,
    /// What came while something else was done.
    queue: VecDeque<Message>,
    heard: Instant,
    /// When the last handshake began.
    shaken_since: Instant,
    beat: Interval,
    pub(crate) state: PeerState,
}

/// What is between the participants.
pub(crate) enum PeerState {
    /// The other one is not there.
    Gone,
    /// Keys are agreed on.
    Shaking(Box<Handshake>),
    /// The channel is open.
    Open(Box<Channel>),
}

/// What comes from a connection.
pub(crate) enum Input {
    /// The relay says that the other participant has come or gone.
    Notice(Notice),
    /// A frame of the other participant.
    Frame(Bytes),
    /// It is time for a heartbeat.
    Beat,
    /// The connection has ended.
    Ended(Ended),
}

/// Why a connection has ended.
pub(crate) enum Ended {
    /// The relay says why.
    Closed(CloseCode),
    /// It broke.
    Broken(String),
}

impl Ended {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Closed(code) => code.text().to_owned(),
            Self::Broken(reason) => reason.clone(),
        }
    }
}

/// Who connects to which room.
pub(crate) struct Entry<'a> {
    pub(crate) invitation: &'a Invitation,
    pub(crate) seat: Seat,
    pub(crate) client: ClientToken,
}

/// Whether there is a relay at this URL. Enters no room.
///
/// # Errors
/// There is none, or it cannot be reached now.
pub async fn find_relay(upgrader: &Upgrader, url: &str, rng: &mut dyn Random) -> Result<(), RelayError> {
    connect(upgrader, url, rng).await.map(drop)
}

/// Opens a connection that speaks WebSocket.
async fn connect(
    upgrader: &Upgrader,
    url: &str,
    rng: &mut dyn Random,
) -> Result<Box<dyn Upgraded>, RelayError> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let key = STANDARD.encode(nonce);
    let headers = [
        ("sec-websocket-version", "13".to_owned()),
        ("sec-websocket-key", key.clone()),
    ];
    match upgrader.upgrade(url, "websocket", &headers).await? {
        Upgrade::Switched(stream, headers) => {
            let accept = headers.get("sec-websocket-accept");
            let expected = derive_accept_key(key.as_bytes());
            match accept.is_some_and(|accept| accept.as_bytes() == expected.as_bytes()) {
                true => Ok(stream),
                false => Err(RelayError::Protocol(url.to_owned())),
            }
        }
        Upgrade::Refused {
            status: NOT_FOUND | METHOD_NOT_ALLOWED,
            ..
        } => Err(RelayError::NoRelay(url.to_owned())),
        Upgrade::Refused { text, .. } => Err(RelayError::Refused(text)),
    }
}

impl Connection {
    /// Connects and enters the room.
    pub(crate) async fn open(
        upgrader: &Upgrader,
        entry: &Entry<'_>,
        rng: &mut dyn Random,
    ) -> Result<Self, RelayError> {
        let stream = connect(upgrader, entry.invitation.relay.as_str(), rng).await?;
        let mut config = WebSocketConfig::default();
        config.max_frame_size = Some(FRAME_BYTES_MAX);
        config.max_message_size = Some(FRAME_BYTES_MAX);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        let mut beat = interval(HEARTBEAT_INTERVAL);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection = Self {
            socket,
            queue: VecDeque::new(),
            heard: Instant::now(),
            shaken_since: Instant::now(),
            beat,
            state: PeerState::Gone,
        };
        connection.join(entry).await?;
        Ok(connection)
    }

    /// Enters the room. The relay's first notice is left to be read.
    async fn join(&mut self, entry: &Entry<'_>) -> Result<(), RelayError> {
        let broken = |reason: &str| RelayError::Refused(reason.to_owned());
        let join = Join::new(entry.invitation, entry.seat, entry.client);
        self.socket
            .send(Message::text(join.text()))
            .await
            .map_err(|error| broken(&error.to_string()))?;
        let first = timeout(JOIN_DURATION_MAX, self.socket.next()).await;
        match first {
            Ok(Some(Ok(message @ Message::Text(_)))) => {
                self.queue.push_back(message);
                Ok(())
            }
            Ok(Some(Ok(Message::Close(Some(close))))) => Err(CloseCode::of(close.code.into())
                .map_or_else(|| broken("it closes the connection"), RelayError::Closed)),
            Ok(Some(Ok(_))) => Err(RelayError::Protocol(entry.invitation.relay.to_string())),
            Ok(Some(Err(_)) | None) => Err(broken("it closes the connection")),
            Err(_) => Err(broken("it takes too long")),
        }
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            let message = match self.queue.pop_front() {
                Some(message) => message,
                None => tokio::select! {
                    message = self.socket.next() => match message {
                        Some(Ok(message)) => message,
                        Some(Err(error)) => return Input::Ended(Ended::Broken(error.to_string())),
                        None => return Input::Ended(Ended::Broken("the connection ended".to_owned())),
                    },
                    _ = self.beat.tick() => {
                        if self.heard.elapsed() > SILENCE_MAX {
                            let silent = "nothing comes from the relay".to_owned();
                            return Input::Ended(Ended::Broken(silent));
                        }
                        let is_shaking = matches!(self.state, PeerState::Shaking(_));
                        if is_shaking && self.shaken_since.elapsed() > SHAKE_DURATION_MAX {
                            let silent = "the other side does not answer".to_owned();
                            return Input::Ended(Ended::Broken(silent));
                        }
                        return Input::Beat;
                    }
                },
            };
            self.heard = Instant::now();
            match message {
                Message::Binary(frame) => return Input::Frame(frame),
                Message::Text(text) => {
                    return Notice::read(&text).map_or_else(
                        || Input::Ended(Ended::Broken("the relay sends something unknown".to_owned())),
                        Input::Notice,
                    );
                }
                Message::Close(close) => {
                    let code = close.and_then(|close| CloseCode::of(close.code.into()));
                    return Input::Ended(code.map_or_else(
                        || Ended::Broken("the relay has closed the connection".to_owned()),
                        Ended::Closed,
                    ));
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Keeps the connection alive while something else is done: what comes is put aside.
    pub(crate) async fn keep(&mut self, heartbeat: &TransferMessage) {
        loop {
            tokio::select! {
                message = self.socket.next(), if self.queue.len() < QUEUE_MAX => match message {
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        self.queue.push_back(message);
                    }
                    // `next` finds the end again.
                    Some(Err(_)) | None => return std::future::pending().await,
                },
                _ = self.beat.tick() => {
                    let _ = self.beat(heartbeat).await;
                }
            }
        }
    }

    /// Sends a heartbeat through the channel, and a ping to the relay.
    pub(crate) async fn beat(&mut self, heartbeat: &TransferMessage) -> Result<(), String> {
        self.socket
            .send(Message::Ping(Bytes::new()))
            .await
            .map_err(|error| error.to_string())?;
        if matches!(self.state, PeerState::Open(_)) {
            self.send(heartbeat).await?;
        }
        Ok(())
    }

    /// Sends a message through the channel. Without a channel it is not sent.
    pub(crate) async fn send(&mut self, message: &TransferMessage) -> Result<(), String> {
        let PeerState::Open(channel) = &mut self.state else {
            return Ok(());
        };
        let frame = channel
            .seal(&message.encode())
            .map_err(|error| error.to_string())?;
        self.send_frame(frame).await
    }

    async fn send_frame(&mut self, frame: Vec<u8>) -> Result<(), String> {
        let sent = self.socket.send(Message::binary(frame)).await;
        sent.map_err(|error| error.to_string())
    }

    /// The other participant has come, on a new connection: keys are agreed on anew.
    pub(crate) async fn shake(
        &mut self,
        invitation: &Invitation,
        seat: Seat,
        key: ParticipantKey,
        rng: &mut dyn Random,
    ) -> Result<(), String> {
        let secrets = HandshakeSecrets {
            ephemeral: Secret32::random(rng),
            number: Secret32::random(rng),
        };
        let handshake = match seat {
            Seat::Taker => {
                let (first, handshake) = Handshake::initiate(invitation, key, secrets);
                self.send_frame(first).await?;
                handshake
            }
            Seat::Maker => Handshake::respond(invitation, key, secrets),
        };
        self.state = PeerState::Shaking(Box::new(handshake));
        self.shaken_since = Instant::now();
        Ok(())
    }

    /// Brings a frame to the handshake. Returns who is there, if the channel is open now.
    pub(crate) async fn shaken(&mut self, frame: &[u8]) -> Result<Option<(PublicKey, Digits)>, String> {
        let PeerState::Shaking(handshake) = std::mem::replace(&mut self.state, PeerState::Gone) else {
            return Ok(None);
        };
        if !handshake.expects(frame) {
            self.state = PeerState::Shaking(handshake);
            return Ok(None);
        }
        match handshake.receive(frame).map_err(|error| error.to_string())? {
            Handshaken::Waits(answer, handshake) => {
                self.send_frame(answer).await?;
                self.state = PeerState::Shaking(Box::new(handshake));
                Ok(None)
            }
            Handshaken::Open(answer, channel) => {
                if let Some(answer) = answer {
                    self.send_frame(answer).await?;
                }
                let there = (channel.peer(), channel.digits());
                self.state = PeerState::Open(Box::new(channel));
                Ok(Some(there))
            }
        }
    }

    /// Decrypts a frame. `None` if there is no channel: the frame is left over from an earlier connection.
    pub(crate) fn opened(&mut self, frame: &[u8]) -> Option<Result<TransferMessage, String>> {
        let PeerState::Open(channel) = &mut self.state else {
            return None;
        };
        let opened = channel
            .open(frame)
            .map_err(|error: ChannelError| error.to_string());
        Some(opened.and_then(|message| TransferMessage::decode(&message).map_err(|error| error.to_string())))
    }

    /// Ends the connection after everything that was sent.
    pub(crate) async fn close(mut self) {
        let closing = async {
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(CLOSE_DURATION_MAX, closing).await;
    }
}

/// Where a participant sits.
pub(crate) fn entry(participant: &Participant, is_maker: bool) -> Entry<'_> {
    Entry {
        invitation: &participant.invitation,
        seat: if is_maker { Seat::Maker } else { Seat::Taker },
        client: participant.client(),
    }
}
