//! Requests to an issuer's accounts, one method each, and what becomes of an answer that is lost.
//!
//! A request that may be sent twice is sent again when no answer came, a few times with growing pauses;
//! others are not. Where the issuer asks to wait it is waited for, a little. In the end there is a result, a
//! refusal that has done nothing, or [`AccountError::Open`].

use std::time::Duration;

use opencoin_api::{
    AccountSummary, Balance, ChangeAccount, ChangePassword, DeclareService, DeclaredService, Directory,
    Entries, Entry, IDEMPOTENCY_KEY_HEADER, Login, Payout, Payouts, RequestPayout, RotatedService,
    ServiceLogin, ServiceSession, Services, Session, Transfer,
};
use opencoin_schema::{Cdd, Cddc};
use opencoin_text::IssuerUrl;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Answer, Answered};
use super::error::AccountError;
use crate::network::{self, ANSWER_DURATION_MAX, Authorities, WAIT_MAX, reason};
use crate::secret::Secret;

/// How often a request is sent when no answer comes.
const ATTEMPTS_MAX: u32 = 5;
/// The pause after the first attempt; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Safe,
    Never,
}

/// Which way through the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Newest,
    /// Those before this entry, newest first.
    Before(u64),
    /// Those after this entry, oldest first.
    After(u64),
}

/// A payment that the issuer has carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T> {
    /// What it has done.
    pub value: T,
    /// It had done so before, under the same key.
    pub is_repeated: bool,
}

/// An account at one issuer, with or without a token.
#[derive(Debug, Clone)]
pub struct AccountClient {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

/// One request, as often as it is sent.
struct Request<'body> {
    method: Method,
    url: Url,
    body: Option<&'body str>,
    key: Option<&'body str>,
    repeat: Repeat,
}

impl AccountClient {
    /// A client of the issuer at this URL, which uses no token yet.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(url: &IssuerUrl, authorities: &Authorities) -> Result<Self, AccountError> {
        let http = network::client(authorities).map_err(|error| AccountError::Open(reason(&error)))?;
        Ok(Self {
            http,
            base: url.url().clone(),
            token: None,
        })
    }

    /// The same with this token.
    #[must_use]
    pub fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// `GET /cddc`: what the issuer says of its currency. It is not verified: whoever speaks for the issuer has
    /// the account's money in any case.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn description(&self) -> Result<Cdd, AccountError> {
        let mut request = self.request(Method::GET, &[], Repeat::Safe);
        request.url = self.base.clone();
        request
            .url
            .path_segments_mut()
            .expect("a URL of HTTP has a path")
            .pop_if_empty()
            .push("cddc");
        Ok(self.exchange(&request).await?.read::<Cddc>()?.cdd)
    }

    /// `POST /v1/sessions`: a password becomes a token.
    ///
    /// # Errors
    /// Status 401 for a wrong name or password; 429 after too many wrong ones. All methods fail as
    /// [`AccountError`] says.
    pub async fn log_in(&self, login: &Login) -> Result<Session, AccountError> {
        self.post(&["sessions"], login, Repeat::Safe).await
    }

    /// `DELETE /v1/sessions`: ends the session of the token. One that has ended already is no error.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn log_out(&self) -> Result<(), AccountError> {
        match self
            .exchange(&self.request(Method::DELETE, &["sessions"], Repeat::Safe))
            .await
        {
            Err(error) if error.is_unauthorized() => Ok(()),
            ended => ended.map(|_| ()),
        }
    }

    /// `GET /v1/account`.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn summary(&self) -> Result<AccountSummary, AccountError> {
        self.get(&["account"], &[]).await
    }

    /// `GET /v1/account/balance`.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn balance(&self) -> Result<Balance, AccountError> {
        self.get(&["account", "balance"], &[]).await
    }

    /// `GET /v1/account/entries`: one page.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn entries(&self, page: Page, limit: u32) -> Result<Entries, AccountError> {
        let limit = ("limit", limit.to_string());
        let query = match page {
            Page::Newest => vec![limit],
            Page::Before(id) => vec![limit, ("before", id.to_string())],
            Page::After(id) => vec![limit, ("after", id.to_string())],
        };
        self.get(&["account", "entries"], &query).await
    }

    /// `POST /v1/transfers`, once for each key.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn transfer(&self, key: &str, transfer: &Transfer) -> Result<Made<Entry>, AccountError> {
        self.make(&["transfers"], key, transfer).await
    }

    /// `POST /v1/payouts`, once for each key.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn request_payout(
        &self,
        key: &str,
        payout: &RequestPayout,
    ) -> Result<Made<Payout>, AccountError> {
        self.make(&["payouts"], key, payout).await
    }

    /// `GET /v1/payouts`: one page, those after this number.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn payouts(&self, after: u64, limit: u32) -> Result<Payouts, AccountError> {
        self.get(
            &["payouts"],
            &[("after", after.to_string()), ("limit", limit.to_string())],
        )
        .await
    }

    /// `PATCH /v1/account`.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn change(&self, change: &ChangeAccount) -> Result<(), AccountError> {
        let body = json(change);
        let request = Request {
            body: Some(&body),
            ..self.request(Method::PATCH, &["account"], Repeat::Safe)
        };
        self.exchange(&request).await.map(|_| ())
    }

    /// `PUT /v1/account/password`. Not sent again: after a first one that was heard, the second would be a
    /// wrong guess.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn change_password(&self, change: &ChangePassword) -> Result<(), AccountError> {
        let body = json(change);
        let request = Request {
            body: Some(&body),
            ..self.request(Method::PUT, &["account", "password"], Repeat::Never)
        };
        self.exchange(&request).await.map(|_| ())
    }

    /// `GET /v1/directory`: one page, those after this name.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn directory(&self, after: Option<&str>, limit: u32) -> Result<Directory, AccountError> {
        let after = after.map(|name| ("after", name.to_owned()));
        let query: Vec<_> = after.into_iter().chain([("limit", limit.to_string())]).collect();
        self.get(&["directory"], &query).await
    }

    /// `GET /v1/services`.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn services(&self) -> Result<Services, AccountError> {
        self.get(&["services"], &[]).await
    }

    /// `POST /v1/services`. Not sent again: the key in a lost answer is lost.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn declare_service(&self, service: &DeclareService) -> Result<DeclaredService, AccountError> {
        self.post(&["services"], service, Repeat::Never).await
    }

    /// `POST /v1/services/{id}/rotate`. Not sent again: the key in a lost answer is lost.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn rotate_service(&self, id: &str) -> Result<RotatedService, AccountError> {
        self.exchange(&self.request(Method::POST, &["services", id, "rotate"], Repeat::Never))
            .await?
            .read()
    }

    /// `DELETE /v1/services/{id}`.
    ///
    /// # Errors
    /// As [`AccountError`] says. A repetition after a lost answer says that there is no such service.
    pub async fn remove_service(&self, id: &str) -> Result<(), AccountError> {
        self.exchange(&self.request(Method::DELETE, &["services", id], Repeat::Safe))
            .await
            .map(|_| ())
    }

    /// `POST /v1/services/session`: a service's key becomes a token.
    ///
    /// # Errors
    /// As [`AccountError`] says.
    pub async fn log_in_service(&self, login: &ServiceLogin) -> Result<ServiceSession, AccountError> {
        self.post(&["services", "session"], login, Repeat::Safe).await
    }

    /// Opens the stream of entries after this one. It sets no limit to the time of the answer.
    pub(super) async fn open_stream(&self, after: u64) -> Result<Answered, AccountError> {
        let mut request = self.request(Method::GET, &["account", "entries"], Repeat::Never);
        request
            .url
            .query_pairs_mut()
            .append_pair("after", &after.to_string());
        let sent = self
            .builder(&request)
            .header("accept", "text/event-stream")
            .send()
            .await;
        Answered::of(&request.url, sent)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, AccountError> {
        let mut request = self.request(Method::GET, path, Repeat::Safe);
        if !query.is_empty() {
            request.url.query_pairs_mut().extend_pairs(query);
        }
        self.exchange(&request).await?.read()
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, AccountError> {
        let body = json(body);
        let request = Request {
            body: Some(&body),
            ..self.request(Method::POST, path, repeat)
        };
        self.exchange(&request).await?.read()
    }

    async fn make<T: DeserializeOwned>(
        &self,
        path: &[&str],
        key: &str,
        body: &impl Serialize,
    ) -> Result<Made<T>, AccountError> {
        let body = json(body);
        let request = Request {
            body: Some(&body),
            key: Some(key),
            ..self.request(Method::POST, path, Repeat::Safe)
        };
        let answer = self.exchange(&request).await?;
        Ok(Made {
            is_repeated: !answer.is_created(),
            value: answer.read()?,
        })
    }

    fn request(&self, method: Method, path: &[&str], repeat: Repeat) -> Request<'static> {
        let mut url = self.base.clone();
        // What a user gives as an id is one segment, whatever characters are in it.
        let mut segments = url.path_segments_mut().expect("a URL of HTTP has a path");
        segments.pop_if_empty().push("v1").extend(path);
        drop(segments);
        Request {
            method,
            url,
            body: None,
            key: None,
            repeat,
        }
    }

    fn builder(&self, request: &Request<'_>) -> reqwest::RequestBuilder {
        let mut builder = self.http.request(request.method.clone(), request.url.clone());
        if let Some(body) = request.body {
            builder = builder
                .header("content-type", "application/json")
                .body(body.to_owned());
        }
        if let Some(key) = request.key {
            builder = builder.header(IDEMPOTENCY_KEY_HEADER, key);
        }
        match &self.token {
            Some(token) => builder.bearer_auth(token.expose()),
            None => builder,
        }
    }

    /// Sends a request until there is an answer that says something, or enough is enough.
    async fn exchange(&self, request: &Request<'_>) -> Result<Answer, AccountError> {
        let mut pause = PAUSE_FIRST;
        let mut is_open = false;
        for attempt in 1.. {
            let answer = self.send(request).await;
            let wait = match &answer {
                Ok(answer) if answer.says_nothing() => {
                    is_open = true;
                    answer.retry_after().unwrap_or(pause).max(pause)
                }
                Ok(answer) if answer.is_too_many_requests() => {
                    answer.retry_after().unwrap_or(pause).max(pause)
                }
                // What one attempt was refused for says nothing about the attempt before it.
                Ok(answer) if is_open && answer.is_about_the_asker() => {
                    return Err(AccountError::Open(answer.description()));
                }
                Ok(_) => return answer?.result(),
                Err(_) => {
                    is_open = true;
                    pause
                }
            };
            let may_repeat = request.repeat == Repeat::Safe || !is_open;
            if attempt == ATTEMPTS_MAX || !may_repeat || wait > WAIT_MAX {
                return match answer {
                    Ok(answer) if is_open => Err(AccountError::Open(answer.description())),
                    Ok(answer) => answer.result(),
                    Err(error) => Err(error),
                };
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn send(&self, request: &Request<'_>) -> Result<Answer, AccountError> {
        let sent = self.builder(request).timeout(ANSWER_DURATION_MAX).send().await;
        Answered::of(&request.url, sent)?.read_all().await
    }
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("the types of the API have string keys and no failing values")
}
