//! One connection from an issuer: requests come in, answers go out in the order in which they are ready.
//!
//! Whatever is no request ends the connection, and with it everything that was asked on it. So does a peer
//! that takes no answers, or says nothing for a minute: an issuer that is alive says something every few
//! seconds.

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

/// How long somebody may take to say who they are.
const GREETING_DURATION_MAX: Duration = Duration::from_secs(5);
/// How long an issuer may say nothing.
const SILENCE_DURATION_MAX: Duration = Duration::from_secs(60);
/// How long an issuer may take to accept what is written.
const WRITE_DURATION_MAX: Duration = Duration::from_secs(10);
/// How many answers wait to be written; while they are as many, no requests are read.
const ANSWERS_QUEUED_MAX: usize = 64;
/// How much is gathered into one write.
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
    #[error("it used the number of a request again")]
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
    /// Those that are being worked on; dropping the set ends them.
    requests: JoinSet<u64>,
    numbers: HashMap<u64, AbortHandle>,
}

/// Serves until the other side hangs up, which is no error, or the signer stops.
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

/// Why nothing more is read or written.
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
    /// Takes requests until the signer stops, then finishes them.
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
            // A connection that ended needs no answer.
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
            // Its answer would be missed; a connection that ends is noticed at once.
            Err(_) => Err(ConnectionError::Panicked.into()),
        }
    }
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // A server that is gone has stopped, too.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Writes answers until all who could give any are gone.
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
    // Says goodbye, where TLS wants it. One that has hung up already does not mind.
    let _ = timeout(WRITE_DURATION_MAX, writer.shutdown()).await;
    Ok(())
}
