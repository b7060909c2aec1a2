//! A connection from an issuer. Answers are sent in the order in which they are ready.
//!
//! A malformed request ends the connection and drops all of its requests. So does an issuer that does not read its
//! answers, or sends nothing for a minute: a healthy one sends something every few seconds.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use opencoin_crypto::SignError;
use opencoin_ledger::TransactionReference;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::timeout;

use super::signer_server::SignerServer;
use crate::frame::{FrameError, FrameReader, Stream, expect_greeting, frame, send_greeting};
use crate::listener::Incoming;
use crate::message::{Answer, BLINDS_MAX, Malformed, REQUEST_BYTES_MAX, Request};

/// The time limit for the greeting and TLS handshake of a new connection.
const GREETING_DURATION_MAX: Duration = Duration::from_secs(5);
/// How long an issuer may send nothing.
const SILENCE_DURATION_MAX: Duration = Duration::from_secs(60);
/// The time limit for a write to the issuer.
const WRITE_DURATION_MAX: Duration = Duration::from_secs(10);
/// The most answers that wait to be written. At this limit no more requests are read.
const ANSWERS_QUEUED_MAX: usize = 64;
/// Answers are gathered into one write up to this size.
const WRITE_BYTES: usize = 64 * 1024;

/// Why a connection ended.
#[derive(Debug, Error)]
pub(super) enum ConnectionError {
    #[error("it could not be secured: {0}")]
    Unknown(io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it used the number of a running request again")]
    NumberInUse,
    #[error("there are too many connections")]
    TooMany,
    #[error("the issuer is silent")]
    Silent,
    #[error("a request panicked")]
    Panicked,
}

struct Connection {
    server: Arc<SignerServer>,
    answers: mpsc::Sender<Vec<u8>>,
    /// The running requests. Dropping the set ends them.
    requests: JoinSet<u64>,
    numbers: HashMap<u64, AbortHandle>,
}

/// Serves until the issuer hangs up, which is no error, or the signer stops.
pub(super) async fn serve(
    server: Arc<SignerServer>,
    incoming: Incoming,
    stranger: OwnedSemaphorePermit,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), ConnectionError> {
    let stream = tokio::select! {
        greeted = timeout(GREETING_DURATION_MAX, greet(incoming)) => greeted.map_err(|_| ConnectionError::Silent)??,
        () = told_to_stop(&mut stopping) => return Ok(()),
    };
    let _place = Arc::clone(&server.places)
        .try_acquire_owned()
        .map_err(|_| ConnectionError::TooMany)?;
    drop(stranger);
    let (reader, writer) = tokio::io::split(stream);
    let (answers, queue) = mpsc::channel(ANSWERS_QUEUED_MAX);
    let connection = Connection {
        server,
        answers,
        requests: JoinSet::new(),
        numbers: HashMap::new(),
    };
    match tokio::try_join!(connection.read(reader, stopping), write(writer, queue)) {
        Ok(_) | Err(End::HungUp) => Ok(()),
        Err(End::Error(error)) => Err(error),
    }
}

async fn greet(incoming: Incoming) -> Result<Box<dyn Stream>, ConnectionError> {
    let mut stream = incoming.known().await.map_err(ConnectionError::Unknown)?;
    expect_greeting(&mut stream).await?;
    send_greeting(&mut stream).await?;
    Ok(stream)
}

/// Why a connection is no longer read or written.
enum End {
    HungUp,
    Error(ConnectionError),
}

impl<E: Into<ConnectionError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Connection {
    /// Takes requests until the signer stops, then finishes the running ones.
    async fn read(
        mut self,
        reader: impl AsyncRead + Unpin,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<(), End> {
        let mut frames = FrameReader::new(reader, REQUEST_BYTES_MAX);
        loop {
            tokio::select! {
                () = told_to_stop(&mut stopping) => break,
                Some(finished) = self.requests.join_next() => self.forget(finished)?,
                frame = timeout(SILENCE_DURATION_MAX, frames.next()) => {
                    let content = frame.map_err(|_| ConnectionError::Silent)??.ok_or(End::HungUp)?;
                    self.take(Request::decode(&content)?).await?;
                }
            }
        }
        while let Some(finished) = self.requests.join_next().await {
            self.forget(finished)?;
        }
        Ok(())
    }

    async fn take(&mut self, request: Request) -> Result<(), End> {
        match request {
            Request::Ping => self.say(&Answer::Pong).await,
            Request::Cancel { number } => {
                if let Some(request) = self.numbers.remove(&number) {
                    request.abort();
                }
                Ok(())
            }
            Request::Sign {
                number,
                blinds,
                reference,
            } => self.begin(number, blinds, reference).await,
        }
    }

    async fn begin(&mut self, number: u64, blinds: u32, reference: TransactionReference) -> Result<(), End> {
        if self.numbers.contains_key(&number) {
            return Err(ConnectionError::NumberInUse.into());
        }
        if blinds as usize > BLINDS_MAX {
            let result = Err(SignError::NotAccepted(format!(
                "a request has at most {BLINDS_MAX} blinds"
            )));
            return self.say(&Answer::Sign { number, result }).await;
        }
        let Some(room) = self.server.room_for(blinds) else {
            return self
                .say(&Answer::Sign {
                    number,
                    result: Err(SignError::Busy),
                })
                .await;
        };
        let (server, answers) = (Arc::clone(&self.server), self.answers.clone());
        let request = self.requests.spawn(async move {
            let result = server.sign(&reference, blinds).await;
            // The receiver is gone if the connection has ended.
            let _ = answers
                .send(frame(&Answer::Sign { number, result }.encode()))
                .await;
            drop(room);
            number
        });
        self.numbers.insert(number, request);
        Ok(())
    }

    async fn say(&self, answer: &Answer) -> Result<(), End> {
        self.answers
            .send(frame(&answer.encode()))
            .await
            .map_err(|_| End::HungUp)
    }

    fn forget(&mut self, finished: Result<u64, JoinError>) -> Result<(), End> {
        match finished {
            Ok(number) => {
                self.numbers.remove(&number);
                Ok(())
            }
            Err(error) if error.is_cancelled() => Ok(()),
            // The issuer would wait for the answer; it notices the end of the connection at once.
            Err(_) => Err(ConnectionError::Panicked.into()),
        }
    }
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, so it has stopped too.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Writes answers until all senders are gone.
async fn write(mut writer: impl AsyncWrite + Unpin, mut answers: mpsc::Receiver<Vec<u8>>) -> Result<(), End> {
    while let Some(mut bytes) = answers.recv().await {
        while bytes.len() < WRITE_BYTES {
            let Ok(next) = answers.try_recv() else { break };
            bytes.extend_from_slice(&next);
        }
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        timeout(WRITE_DURATION_MAX, written)
            .await
            .map_err(|_| ConnectionError::Silent)?
            .map_err(FrameError::from)?;
    }
    // Closes TLS cleanly. Fails if the issuer has hung up already.
    let _ = timeout(WRITE_DURATION_MAX, writer.shutdown()).await;
    Ok(())
}
