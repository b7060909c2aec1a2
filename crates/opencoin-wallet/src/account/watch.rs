//! Follows an account's entries: each one once, in order, across broken connections and server restarts.
//!
//! The id of the last entry is the cursor. When a connection ends, the next one begins after the cursor, so
//! no entry is missed; entries up to the cursor are dropped.

use std::collections::VecDeque;
use std::time::Duration;

use opencoin_api::Entry;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode};
use tokio::time::{sleep, timeout};

use super::client::{AccountClient, success};
use super::error::AccountError;
use super::event_stream::EventParser;
use crate::network::{self, ANSWER_DURATION_MAX, HttpAnswer, NoAnswer};

/// The pause before reconnecting, unless the server asks for a longer one.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Until data arrives, each pause is twice as long as the one before, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection is closed when nothing arrives on it for this time, not even a comment.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The types of the events that carry an entry.
const ENTRY_EVENTS: [&str; 2] = ["message", "entry"];

/// A stream of an account's entries.
pub struct Watch {
    client: AccountClient,
    cursor: u64,
    ready: VecDeque<Entry>,
    connection: Option<(Response, EventParser)>,
    pause: Duration,
    retry: Duration,
}

/// The answer to a connection attempt.
enum Opened {
    Stream(Response),
    Other(HttpAnswer),
}

impl Watch {
    /// Follows the account of the client's token, beginning after the entry with this id.
    #[must_use]
    pub fn new(client: AccountClient, after: u64) -> Self {
        Self {
            client,
            cursor: after,
            ready: VecDeque::new(),
            connection: None,
            pause: PAUSE_FIRST,
            retry: PAUSE_FIRST,
        }
    }

    /// Waits for the next entry. Reconnects until the server is available.
    ///
    /// # Errors
    /// The issuer refuses permanently, for example because the session has ended.
    pub async fn next(&mut self) -> Result<Entry, AccountError> {
        loop {
            while let Some(entry) = self.ready.pop_front() {
                if entry.id > self.cursor {
                    self.cursor = entry.id;
                    return Ok(entry);
                }
            }
            match &mut self.connection {
                None => self.connect().await?,
                Some((response, parser)) => match timeout(SILENCE_MAX, response.chunk()).await {
                    Ok(Ok(Some(bytes))) => {
                        let Ok(events) = parser.push(&bytes) else {
                            return Err(AccountError::Open(
                                "the issuer sends an event that is too long".to_owned(),
                            ));
                        };
                        self.retry = parser.retry.unwrap_or(self.retry).clamp(PAUSE_FIRST, PAUSE_MAX);
                        self.pause = self.retry;
                        for event in events
                            .iter()
                            .filter(|event| ENTRY_EVENTS.contains(&event.kind.as_str()))
                        {
                            let entry = serde_json::from_str(&event.data);
                            self.ready
                                .push_back(entry.map_err(|_| {
                                    AccountError::Open("an event is not an entry".to_owned())
                                })?);
                        }
                    }
                    Ok(Ok(None) | Err(_)) | Err(_) => {
                        self.connection = None;
                        self.wait(None).await;
                    }
                },
            }
        }
    }

    async fn connect(&mut self) -> Result<(), AccountError> {
        match timeout(ANSWER_DURATION_MAX, self.open()).await {
            Ok(Ok(Opened::Stream(response))) => self.connection = Some((response, EventParser::default())),
            Ok(Ok(Opened::Other(answer))) if answer.is_too_many_requests() || answer.is_temporary() => {
                self.wait(answer.retry_after).await;
            }
            Ok(Ok(Opened::Other(answer))) => {
                success(answer)?;
                return Err(AccountError::Open(
                    "the issuer has not answered with an event stream".to_owned(),
                ));
            }
            Ok(Err(_)) | Err(_) => self.wait(None).await,
        }
        Ok(())
    }

    /// Connects and reads the head of a stream, or the whole of another answer.
    async fn open(&self) -> Result<Opened, NoAnswer> {
        let response = self.client.open_stream(self.cursor).await?;
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if response.status() == StatusCode::OK && kind.starts_with("text/event-stream") {
            return Ok(Opened::Stream(response));
        }
        let answer = network::read_answer(&self.client.origin(), response).await?;
        Ok(Opened::Other(answer))
    }

    async fn wait(&mut self, asked: Option<Duration>) {
        sleep(asked.unwrap_or(self.pause).clamp(self.pause, PAUSE_MAX)).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}
