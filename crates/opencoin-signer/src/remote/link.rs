//! A connection to the signer that many requests share.
//!
//! A connection that breaks, goes silent or carries a malformed answer is closed. Its requests fail with
//! [`SignError::Unavailable`], and after a pause a new connection is opened. The numbers of requests are not reused
//! on the next connection, so an answer cannot be taken for that of another request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opencoin_crypto::SignError;
use opencoin_ledger::TransactionReference;
use opencoin_schema::BigInt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::Endpoint;
use crate::frame::{FrameError, FrameReader, Stream, expect_greeting, frame, send_greeting};
use crate::message::{ANSWER_BYTES_MAX, Answer, Malformed, Request};

/// Requests are gathered into one write up to this size.
const WRITE_BYTES: usize = 64 * 1024;
/// The shortest pause between two log lines about a signer that cannot be reached.
const LOG_PAUSE: Duration = Duration::from_secs(30);
/// The pings to a silent signer before its connection is closed.
const PINGS: u32 = 3;

const NEVER_POISONED: &str = "no code panics while it holds the lock of a connection";

/// Time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The limit for connecting, for a write, and for the next message of the signer.
    pub(super) silence: Duration,
    /// The pause before the next attempt to connect.
    pub(super) pause: Duration,
}

/// A connection, up or down.
pub(super) struct Link {
    state: Mutex<State>,
    is_up: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// The queue to the connection, while it is up.
    outgoing: Option<mpsc::UnboundedSender<Outgoing>>,
    /// The receivers of answers, by the numbers of their requests.
    pending: HashMap<u64, oneshot::Sender<Result<Vec<BigInt>, SignError>>>,
    next_number: u64,
}

/// A queued message. It holds its room until it is written, which bounds the queue.
struct Outgoing {
    message: Request,
    _room: Arc<OwnedSemaphorePermit>,
}

/// A queued request. Dropping it cancels the request.
pub(super) struct Question<'link> {
    link: &'link Link,
    number: u64,
    answer: oneshot::Receiver<Result<Vec<BigInt>, SignError>>,
    room: Arc<OwnedSemaphorePermit>,
}

#[derive(Debug, Error)]
enum LinkError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("an answer with the number of no request")]
    UnknownNumber,
    #[error("the signer has closed the connection")]
    Ended,
    #[error("the signer does not answer")]
    Silent,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            is_up: watch::Sender::new(false),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// Waits until the connection is up.
    pub(super) async fn up(&self) {
        // The sender lives as long as `self`.
        let _ = self.is_up.subscribe().wait_for(|is_up| *is_up).await;
    }

    /// The number of requests that wait for an answer.
    pub(super) fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// Sends a request; `None` when the connection is down.
    pub(super) fn submit(
        &self,
        reference: TransactionReference,
        blinds: u32,
        room: OwnedSemaphorePermit,
    ) -> Option<Question<'_>> {
        let room = Arc::new(room);
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        let number = state.next_number;
        let message = Request::Sign {
            number,
            blinds,
            reference,
        };
        state
            .outgoing
            .as_ref()?
            .send(Outgoing {
                message,
                _room: Arc::clone(&room),
            })
            .ok()?;
        state.next_number += 1;
        state.pending.insert(number, sender);
        Some(Question {
            link: self,
            number,
            answer,
            room,
        })
    }

    /// Connects again and again, forever.
    pub(super) async fn run(self: Arc<Self>, endpoint: Arc<Endpoint>, patience: Patience) {
        let mut logged: Option<Instant> = None;
        loop {
            let (was_up, error) = self.connect(&endpoint, patience).await;
            if was_up || logged.is_none_or(|logged| logged.elapsed() > LOG_PAUSE) {
                tracing::warn!(%endpoint, was_up, %error, "no connection to the signer; trying again");
                logged = Some(Instant::now());
            }
            tokio::time::sleep(patience.pause).await;
        }
    }

    /// Connects and carries requests until the connection fails. Returns whether it was up, and the error.
    async fn connect(&self, endpoint: &Endpoint, patience: Patience) -> (bool, LinkError) {
        let connecting = async {
            let mut stream = endpoint.connect().await.map_err(FrameError::from)?;
            send_greeting(&mut stream).await?;
            expect_greeting(&mut stream).await?;
            Ok::<_, LinkError>(stream)
        };
        let stream = match timeout(patience.silence, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return (false, error),
            Err(_) => return (false, LinkError::Silent),
        };
        tracing::info!(%endpoint, "connected to the signer");
        (true, self.carry(stream, patience).await)
    }

    async fn carry(&self, stream: Box<dyn Stream>, patience: Patience) -> LinkError {
        let (reader, writer) = tokio::io::split(stream);
        let (outgoing, queue) = mpsc::unbounded_channel();
        // Fails all pending requests, even if this future is dropped.
        let _closing = Closing(self);
        self.state().outgoing = Some(outgoing);
        self.is_up.send_replace(true);
        let ended = tokio::select! {
            ended = self.read(reader, patience) => ended,
            ended = write(writer, queue, patience) => ended,
        };
        let Err(error) = ended;
        error
    }

    async fn read(
        &self,
        reader: impl AsyncRead + Unpin,
        patience: Patience,
    ) -> Result<Infallible, LinkError> {
        let mut frames = FrameReader::new(reader, ANSWER_BYTES_MAX);
        loop {
            let content = timeout(patience.silence, frames.next())
                .await
                .map_err(|_| LinkError::Silent)??;
            match Answer::decode(&content.ok_or(LinkError::Ended)?)? {
                Answer::Pong => {}
                Answer::Sign { number, result } => self.answer(number, result)?,
            }
        }
    }

    fn answer(&self, number: u64, result: Result<Vec<BigInt>, SignError>) -> Result<(), LinkError> {
        let mut state = self.state();
        if number >= state.next_number {
            return Err(LinkError::UnknownNumber);
        }
        // The request may have been cancelled.
        if let Some(asked) = state.pending.remove(&number) {
            let _ = asked.send(result);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NEVER_POISONED)
    }
}

/// Writes the queued messages, and pings at intervals.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    patience: Patience,
) -> Result<Infallible, LinkError> {
    let mut pings = tokio::time::interval(patience.silence / (PINGS + 1));
    let mut bytes = Vec::new();
    loop {
        tokio::select! {
            outgoing = queue.recv() => {
                let mut outgoing = outgoing.ok_or(LinkError::Ended)?;
                loop {
                    bytes.extend_from_slice(&frame(&outgoing.message.encode()));
                    if bytes.len() >= WRITE_BYTES {
                        break;
                    }
                    let Ok(next) = queue.try_recv() else { break };
                    outgoing = next;
                }
            }
            _ = pings.tick() => bytes.extend_from_slice(&frame(&Request::Ping.encode())),
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        timeout(patience.silence, written)
            .await
            .map_err(|_| LinkError::Silent)?
            .map_err(FrameError::from)?;
        bytes.clear();
    }
}

/// Marks the connection as down when dropped.
struct Closing<'link>(&'link Link);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        // First, so that a failed request does not find the connection up.
        self.0.is_up.send_replace(false);
        let mut state = self.0.state();
        state.outgoing = None;
        // Dropping the senders fails the requests.
        state.pending.clear();
    }
}

impl Question<'_> {
    /// Waits for the answer.
    pub(super) async fn answered(mut self) -> Result<Vec<BigInt>, SignError> {
        (&mut self.answer).await.unwrap_or(Err(SignError::Unavailable))
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let mut state = self.link.state();
        if state.pending.remove(&self.number).is_none() {
            return; // answered, or the connection is down
        }
        if let Some(outgoing) = &state.outgoing {
            // An error means that the connection has ended.
            let _ = outgoing.send(Outgoing {
                message: Request::Cancel { number: self.number },
                _room: Arc::clone(&self.room),
            });
        }
    }
}
