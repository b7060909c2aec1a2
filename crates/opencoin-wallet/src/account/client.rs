//! A client of an issuer's account API, with one method for each request.
//!
//! A request that may be sent twice is repeated with growing pauses when no answer arrives; the others are
//! sent once. A short `Retry-After` is obeyed. The outcome is a result, a refusal of a request that was not
//! carried out, or [`AccountError::Open`].

use opencoin_api::{
    AccountSummary, AdminSamples, Balance, ChangeAccount, ChangePassword, DeclareService, DeclaredService,
    Directory, Entries, Entry, IDEMPOTENCY_KEY_HEADER, Login, Payout, Payouts, ReplaceServiceKey,
    RequestPayout, RotatedService, ServiceLogin, ServiceSession, Services, Session, Transfer,
};
use opencoin_schema::{Cdd, Cddc};
use opencoin_text::IssuerUrl;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::AccountError;
use crate::network::{self, Exchanged, HttpAnswer, Network, NoAnswer, Repeat, reason};
use crate::proxy::{ConnectionKind, SocksProxy};
use opencoin_api::Secret;

const CREATED: u16 = 201;

/// A page of an account's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest entries, newest first.
    Newest,
    /// The entries before this id, newest first.
    Before(u64),
    /// The entries after this id, oldest first.
    After(u64),
}

/// The result of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T> {
    /// The entry or payout.
    pub value: T,
    /// Whether an earlier request with the same key had made it.
    pub is_repeated: bool,
}

/// A client of the accounts of one issuer. All methods fail as [`AccountError`] says.
#[derive(Debug, Clone)]
pub struct AccountClient {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
    /// For error texts.
    proxy: Option<SocksProxy>,
}

/// A request that can be sent several times.
struct Request<'key> {
    method: Method,
    url: Url,
    body: Option<String>,
    key: Option<&'key str>,
    repeat: Repeat,
}

impl AccountClient {
    /// Makes a client of the issuer at this URL, without a token.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(url: &IssuerUrl, network: &Network) -> Result<Self, AccountError> {
        let http = network::client(network, ConnectionKind::Account)
            .map_err(|error| AccountError::Open(reason(&error)))?;
        Ok(Self {
            http,
            base: url.url().clone(),
            token: None,
            proxy: network.proxy.clone(),
        })
    }

    /// Sets the token.
    #[must_use]
    pub fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// `GET /cddc`: the issuer's currency description. It is not verified: whoever can answer for the issuer
    /// controls the account's money in any case.
    pub async fn description(&self) -> Result<Cdd, AccountError> {
        let mut request = self.request(Method::GET, &[], Repeat::Safe);
        request.url = self.base.clone();
        request
            .url
            .path_segments_mut()
            .expect("a URL of HTTP has a path")
            .pop_if_empty()
            .push("cddc");
        Ok(read::<Cddc>(&self.exchange(&request).await?)?.cdd)
    }

    /// `POST /v1/sessions`: exchanges a password for a token. Status 401 for a wrong name or password; 429
    /// after too many wrong ones.
    pub async fn log_in(&self, login: &Login) -> Result<Session, AccountError> {
        self.post(&["sessions"], login, Repeat::Safe).await
    }

    /// `DELETE /v1/sessions`: ends the token's session. It is no error if the session has ended before.
    pub async fn log_out(&self) -> Result<(), AccountError> {
        let request = self.request(Method::DELETE, &["sessions"], Repeat::Safe);
        match self.exchange(&request).await {
            Err(error) if error.is_unauthorized() => Ok(()),
            ended => ended.map(drop),
        }
    }

    /// `DELETE /v1/sessions/all`: ends all sessions of the account that a password has opened.
    pub async fn log_out_everywhere(&self) -> Result<(), AccountError> {
        let request = self.request(Method::DELETE, &["sessions", "all"], Repeat::Safe);
        self.exchange(&request).await.map(drop)
    }

    /// `GET /v1/account`.
    pub async fn summary(&self) -> Result<AccountSummary, AccountError> {
        self.get(&["account"], &[]).await
    }

    /// `GET /v1/account/balance`.
    pub async fn balance(&self) -> Result<Balance, AccountError> {
        self.get(&["account", "balance"], &[]).await
    }

    /// `GET /v1/account/entries`: one page of at most `limit` entries.
    pub async fn entries(&self, page: Page, limit: u32) -> Result<Entries, AccountError> {
        let limit = ("limit", limit.to_string());
        let query = match page {
            Page::Newest => vec![limit],
            Page::Before(id) => vec![limit, ("before", id.to_string())],
            Page::After(id) => vec![limit, ("after", id.to_string())],
        };
        self.get(&["account", "entries"], &query).await
    }

    /// `POST /v1/transfers`, carried out once for each idempotency key.
    pub async fn transfer(&self, key: &str, transfer: &Transfer) -> Result<Made<Entry>, AccountError> {
        self.make(&["transfers"], key, transfer).await
    }

    /// `POST /v1/payouts`, carried out once for each idempotency key.
    pub async fn request_payout(
        &self,
        key: &str,
        payout: &RequestPayout,
    ) -> Result<Made<Payout>, AccountError> {
        self.make(&["payouts"], key, payout).await
    }

    /// `GET /v1/payouts`: the payouts after this number, at most `limit`.
    pub async fn payouts(&self, after: u64, limit: u32) -> Result<Payouts, AccountError> {
        self.get(
            &["payouts"],
            &[("after", after.to_string()), ("limit", limit.to_string())],
        )
        .await
    }

    /// `PATCH /v1/account`.
    pub async fn change(&self, change: &ChangeAccount) -> Result<(), AccountError> {
        let request = Request {
            body: Some(json(change)),
            ..self.request(Method::PATCH, &["account"], Repeat::Safe)
        };
        self.exchange(&request).await.map(drop)
    }

    /// `PUT /v1/account/password`. Never repeated: if the first attempt has changed the password,
    /// the second counts as a wrong guess.
    pub async fn change_password(&self, change: &ChangePassword) -> Result<(), AccountError> {
        let request = Request {
            body: Some(json(change)),
            ..self.request(Method::PUT, &["account", "password"], Repeat::Never)
        };
        self.exchange(&request).await.map(drop)
    }

    /// `GET /v1/directory`: the accounts after this name, at most `limit`.
    pub async fn directory(&self, after: Option<&str>, limit: u32) -> Result<Directory, AccountError> {
        let after = after.map(|name| ("after", name.to_owned()));
        let query: Vec<_> = after.into_iter().chain([("limit", limit.to_string())]).collect();
        self.get(&["directory"], &query).await
    }

    /// `GET /v1/services`.
    pub async fn services(&self) -> Result<Services, AccountError> {
        self.get(&["services"], &[]).await
    }

    /// `POST /v1/services`. Never repeated: the key in a lost answer is lost.
    pub async fn declare_service(&self, service: &DeclareService) -> Result<DeclaredService, AccountError> {
        self.post(&["services"], service, Repeat::Never).await
    }

    /// `POST /v1/services/{id}/rotate`. Never repeated: the key in a lost answer is lost.
    pub async fn rotate_service(&self, id: &str) -> Result<RotatedService, AccountError> {
        let request = self.request(Method::POST, &["services", id, "rotate"], Repeat::Never);
        read(&self.exchange(&request).await?)
    }

    /// `DELETE /v1/services/{id}`. A repetition after a lost answer fails with `not-found`.
    pub async fn remove_service(&self, id: &str) -> Result<(), AccountError> {
        let request = self.request(Method::DELETE, &["services", id], Repeat::Safe);
        self.exchange(&request).await.map(drop)
    }

    /// `POST /v1/services/session`: exchanges a service's key for a token.
    pub async fn log_in_service(&self, login: &ServiceLogin) -> Result<ServiceSession, AccountError> {
        self.post(&["services", "session"], login, Repeat::Safe).await
    }

    /// `POST /v1/services/key`: replaces a service's key by one that was made here. A repetition with the same new key succeeds.
    pub async fn replace_service_key(&self, replace: &ReplaceServiceKey) -> Result<(), AccountError> {
        let request = Request {
            body: Some(json(replace)),
            ..self.request(Method::POST, &["services", "key"], Repeat::Safe)
        };
        self.exchange(&request).await.map(drop)
    }

    /// `GET /v1/admin/samples`: figures of the last so many minutes, in steps of so many seconds. It takes the token of an
    /// operator and the URL of the listener for operators.
    pub async fn samples(&self, minutes: u32, step_s: u32) -> Result<AdminSamples, AccountError> {
        self.get(
            &["admin", "samples"],
            &[("minutes", minutes.to_string()), ("step_s", step_s.to_string())],
        )
        .await
    }

    /// Opens the event stream of the entries after this id, without a timeout.
    pub(super) async fn open_stream(&self, after: u64) -> Result<Response, NoAnswer> {
        let mut request = self.request(Method::GET, &["account", "entries"], Repeat::Never);
        request
            .url
            .query_pairs_mut()
            .append_pair("after", &after.to_string());
        let builder = self.builder(&request).header("accept", "text/event-stream");
        let sent = network::send(&self.origin(), builder).await;
        sent.map_err(|error| error.through(self.proxy.as_ref()))
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
        read(&self.exchange(&request).await?)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T, AccountError> {
        let request = Request {
            body: Some(json(body)),
            ..self.request(Method::POST, path, repeat)
        };
        read(&self.exchange(&request).await?)
    }

    async fn make<T: DeserializeOwned>(
        &self,
        path: &[&str],
        key: &str,
        body: &impl Serialize,
    ) -> Result<Made<T>, AccountError> {
        let request = Request {
            body: Some(json(body)),
            key: Some(key),
            ..self.request(Method::POST, path, Repeat::Safe)
        };
        let answer = self.exchange(&request).await?;
        Ok(Made {
            is_repeated: answer.status != CREATED,
            value: read(&answer)?,
        })
    }

    fn request(&self, method: Method, path: &[&str], repeat: Repeat) -> Request<'static> {
        let mut url = self.base.clone();
        // Each item becomes one segment, whatever characters an id from the user has.
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

    fn builder(&self, request: &Request<'_>) -> RequestBuilder {
        let mut builder = self.http.request(request.method.clone(), request.url.clone());
        if let Some(body) = &request.body {
            builder = builder
                .header("content-type", "application/json")
                .body(body.clone());
        }
        if let Some(key) = request.key {
            builder = builder.header(IDEMPOTENCY_KEY_HEADER, key);
        }
        match &self.token {
            Some(token) => builder.bearer_auth(token.expose()),
            None => builder,
        }
    }

    /// Sends a request, several times if need be, and returns a successful answer.
    async fn exchange(&self, request: &Request<'_>) -> Result<HttpAnswer, AccountError> {
        let Exchanged { answer, is_unknown } =
            network::exchange(&self.origin(), request.repeat, || self.builder(request)).await;
        let answer = answer.map_err(|error| {
            let error = error.through(self.proxy.as_ref());
            AccountError::Open(error.to_string())
        })?;
        if is_unknown && answer.is_sender_refusal() {
            // This refusal does not say whether an earlier attempt was carried out.
            return Err(AccountError::Open(answer.description()));
        }
        success(answer)
    }

    /// Returns the issuer's URL without its path, for error texts.
    pub(super) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("the types of the API have string keys and no failing values")
}

/// Returns a successful answer, or its error.
pub(super) fn success(answer: HttpAnswer) -> Result<HttpAnswer, AccountError> {
    let description = answer.description();
    match (answer.is_refusal(), answer.retry_after) {
        _ if answer.is_success() => Ok(answer),
        (false, _) => Err(AccountError::Open(description)),
        (true, Some(wait)) if answer.is_too_many_requests() => Err(AccountError::TooSoon {
            wait_s: wait.as_secs(),
            description,
        }),
        (true, _) => Err(AccountError::Refused {
            status: answer.status,
            word: answer.error_word.unwrap_or_default(),
            description,
        }),
    }
}

fn read<T: DeserializeOwned>(answer: &HttpAnswer) -> Result<T, AccountError> {
    // The parser's error may quote a secret.
    serde_json::from_slice(&answer.body)
        .map_err(|_| AccountError::Open("the issuer's answer is not what was asked for".to_owned()))
}
