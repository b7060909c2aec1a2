//! An answer over HTTP, and what it says about what was done.

use std::time::Duration;

use opencoin_text::printable;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::AccountError;
use crate::client::{REFUSALS, SHOWN_CHARS_MAX};
use crate::network::{self, HttpAnswer, reason};

/// A page of 500 entries has less than 200 kB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// An answer whose body has not been read.
pub(super) struct Answered {
    pub(super) response: Response,
    url: Url,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    answer: HttpAnswer,
}

impl Answered {
    pub(super) fn of(url: &Url, sent: Result<Response, reqwest::Error>) -> Result<Self, AccountError> {
        match sent {
            Ok(response) => Ok(Self {
                response,
                url: url.clone(),
            }),
            Err(error) => Err(no_answer(url, &reason(&error))),
        }
    }

    /// Whether it is a stream of events.
    pub(super) fn is_event_stream(&self) -> bool {
        let kind = self
            .response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        self.response.status() == StatusCode::OK
            && kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    pub(super) async fn read_all(self) -> Result<Answer, AccountError> {
        let status = self.response.status();
        let answer = network::read_answer(self.response, ANSWER_BYTES_MAX).await;
        let answer = answer.map_err(|reason| no_answer(&self.url, &reason))?;
        Ok(Answer { status, answer })
    }
}

impl Answer {
    pub(super) fn is_created(&self) -> bool {
        self.status == StatusCode::CREATED
    }

    pub(super) fn is_too_many_requests(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// Whether it says nothing about what was done: the server's own trouble, a request that arrived in part,
    /// or somebody between. A refusal has a fixed word: a proxy's 404 while the issuer restarts says nothing
    /// about a payment that went before it.
    pub(super) fn says_nothing(&self) -> bool {
        let is_refusal = !self.may_pass() && REFUSALS.contains(&self.word());
        !self.status.is_success() && !is_refusal
    }

    /// Whether it is neither what was asked for nor a refusal of anybody: the same request may succeed a
    /// little later.
    pub(super) fn may_pass(&self) -> bool {
        let is_refusal = self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT;
        !self.status.is_success() && !is_refusal
    }

    /// Whether it is about who asks and how often, rather than about what is asked.
    pub(super) fn is_about_the_asker(&self) -> bool {
        [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&self.status)
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.answer.retry_after
    }

    /// The fixed word, if there is one.
    fn word(&self) -> &str {
        self.answer.error_word.as_deref().unwrap_or_default()
    }

    /// Itself, or the refusal that it is.
    pub(super) fn result(self) -> Result<Self, AccountError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let description = self.description();
        if self.says_nothing() {
            return Err(AccountError::Open(description));
        }
        if let (true, Some(wait)) = (self.is_too_many_requests(), self.retry_after()) {
            return Err(AccountError::TooSoon {
                wait_s: wait.as_secs(),
                description,
            });
        }
        Err(AccountError::Refused {
            status: self.status.as_u16(),
            word: self.answer.error_word.unwrap_or_default(),
            description,
        })
    }

    /// The issuer's words, fit to be shown.
    pub(super) fn description(&self) -> String {
        /// RFC 9457.
        #[derive(Deserialize)]
        struct Problem {
            title: Option<String>,
            detail: Option<String>,
        }
        let problem: Option<Problem> = serde_json::from_slice(&self.answer.body).ok();
        let said = problem
            .and_then(|problem| problem.detail.or(problem.title))
            .filter(|text| !text.is_empty());
        let said = said.unwrap_or_else(|| format!("HTTP status {}", self.status.as_u16()));
        printable(&said.chars().take(SHOWN_CHARS_MAX).collect::<String>())
    }

    /// What it holds.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, AccountError> {
        // The reader's own words may quote a secret.
        let wrong = |_| {
            AccountError::Open("the issuer has answered with something else than was asked for".to_owned())
        };
        serde_json::from_slice(&self.answer.body).map_err(wrong)
    }
}

fn no_answer(url: &Url, reason: &str) -> AccountError {
    AccountError::Open(format!(
        "no answer from {}: {reason}",
        url.origin().ascii_serialization()
    ))
}
