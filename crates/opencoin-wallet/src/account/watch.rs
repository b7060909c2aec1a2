//! Following an account: every entry once, in order, across connections that break and servers that restart.
//!
//! The id of the last entry is the cursor. A connection that ends, for whatever reason, is followed by
//! another one that begins after it, so there is no gap; an entry at or below it is not shown again.

use std::collections::VecDeque;
use std::time::Duration;

use opencoin_api::Entry;
use reqwest::Response;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::client::AccountClient;
use super::error::AccountError;
use super::event_stream::EventParser;
use crate::network::ANSWER_DURATION_MAX;

/// The pause before connecting again, unless the server asks for another one.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Each pause without any sign of life in between is twice as long as the one before, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection on which nothing arrives for so long, not even a comment, is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The type of an event that carries an entry.
const ENTRY_EVENTS: [&str; 2] = ["message", "entry"];

/// The entries of an account from some point on.
pub struct Watch {
    client: AccountClient,
    cursor: u64,
    ready: VecDeque<Entry>,
    connection: Option<(Response, EventParser)>,
    pause: Duration,
    retry: Duration,
}

/// What came of connecting.
enum Opened {
    Stream(Response),
    Other(Answer),
}

impl Watch {
    /// Follows the account of this client's token, beginning after the entry with this id.
    #[must_use]
    pub fn new(client: AccountClient, after: u64) -> Self {
        let (ready, connection) = (VecDeque::new(), None);
        Self {
            client,
            cursor: after,
            ready,
            connection,
            pause: PAUSE_FIRST,
            retry: PAUSE_FIRST,
        }
    }

    /// The next entry, as soon as there is one.
    ///
    /// # Errors
    /// The issuer refuses for good: the session has ended, for example. A server that is away is waited for.
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
                                "the issuer sends an event without an end".to_owned(),
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
            Ok(Ok(Opened::Other(answer))) if answer.is_too_many_requests() || answer.may_pass() => {
                self.wait(answer.retry_after()).await;
            }
            Ok(Ok(Opened::Other(answer))) => {
                answer.result()?;
                return Err(AccountError::Open(
                    "the issuer has answered with something else than events".to_owned(),
                ));
            }
            Ok(Err(AccountError::Open(_))) | Err(_) => self.wait(None).await,
            Ok(Err(error)) => return Err(error),
        }
        Ok(())
    }

    /// Connects: up to the head of a stream, or to the end of another answer.
    async fn open(&self) -> Result<Opened, AccountError> {
        let answered = self.client.open_stream(self.cursor).await?;
        if answered.is_event_stream() {
            return Ok(Opened::Stream(answered.response));
        }
        answered.read_all().await.map(Opened::Other)
    }

    async fn wait(&mut self, asked: Option<Duration>) {
        sleep(asked.unwrap_or(self.pause).clamp(self.pause, PAUSE_MAX)).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}
