//! The limits of each address, before anything of a request is read but its head.
//!
//! Every request takes a drop out of its address's bucket, but those with a token that was proved a short
//! while ago: a header that was made up is no way around, because only an answer of a handler that has found
//! the token's account proves it. Logins take one of a second, smaller bucket besides, whatever they carry.
//!
//! This machine's own programs are not limited. Who comes from loopback *with* an `X-Forwarded-For` is a
//! proxy that nobody has said to trust: its clients cannot be told apart and share one bucket, and the log
//! says so.
//!
//! The refusal is a problem document and not a response of the request's type: for that the body would have
//! to be read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::client_address::ClientAddress;
use super::marks::Authenticated;
use super::options::ServerOptions;
use super::rate::{Rate, RateLimiter};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a token counts as proved. One that was taken back meanwhile is refused wherever it is needed.
const PROVED_DURATION: Duration = Duration::from_secs(600);
/// How many tokens are remembered: a megabyte. Beyond that the memory begins anew.
const PROVED_MAX: usize = 10_000;

/// What is known of addresses and tokens.
pub(super) struct AddressLimits {
    pub(super) trusted: Vec<IpAddr>,
    requests: Option<RateLimiter>,
    logins: Option<RateLimiter>,
    proved: Mutex<HashMap<HeaderDigest, Instant>>,
}

/// SHA-256 of an `Authorization` header.
pub(super) type HeaderDigest = [u8; 32];

impl AddressLimits {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let limits = &options.limits;
        let requests = NonZeroU32::new(limits.requests_per_second).map(|number| Rate {
            interval: SECOND / number.get(),
            burst: limits.requests_burst,
        });
        let logins = NonZeroU32::new(limits.logins_per_minute).map(|number| Rate {
            interval: MINUTE / number.get(),
            burst: number,
        });
        Self {
            trusted: options.proxy.trusted.clone(),
            requests: requests.map(RateLimiter::new),
            logins: logins.map(RateLimiter::new),
            proved: Mutex::default(),
        }
    }

    /// Whether a request from there may go on.
    ///
    /// # Errors
    /// It may not: how long to wait.
    pub(super) fn admit(
        &self,
        client: ClientAddress,
        is_login: bool,
        is_proved: bool,
        now: Instant,
    ) -> Result<(), Duration> {
        if let Some(logins) = self.logins.as_ref().filter(|_| is_login) {
            logins.take(client.0, now)?;
        }
        match &self.requests {
            Some(requests) if !is_proved => requests.take(client.0, now),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn is_proved(&self, token: &HeaderDigest, now: Instant) -> bool {
        self.proved()
            .get(token)
            .is_some_and(|since| now.saturating_duration_since(*since) < PROVED_DURATION)
    }

    /// Remembers what an answer says about its request's token.
    pub(super) fn learn(&self, token: HeaderDigest, answer: &Response<Body>, now: Instant) {
        if answer.extensions().get::<Authenticated>().is_some() {
            let mut proved = self.proved();
            if proved.len() >= PROVED_MAX && !proved.contains_key(&token) {
                proved.clear();
            }
            proved.insert(token, now);
        } else if answer.status() == StatusCode::UNAUTHORIZED {
            self.proved().remove(&token);
        }
    }

    fn proved(&self) -> MutexGuard<'_, HashMap<HeaderDigest, Instant>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> AddressLimits {
        let mut options = ServerOptions::default();
        options.limits.requests_per_second = 1;
        options.limits.requests_burst = NonZeroU32::MIN;
        options.limits.logins_per_minute = 2;
        AddressLimits::new(&options)
    }

    fn answer(status: u16, is_authenticated: bool) -> Response<Body> {
        let mut answer = Response::builder().status(status).body(Body::empty()).unwrap();
        if is_authenticated {
            answer.extensions_mut().insert(Authenticated);
        }
        answer
    }

    #[test]
    fn only_what_an_answer_has_proved_passes_the_limit() {
        let (limits, start, token) = (limits(), Instant::now(), [7; 32]);
        assert!(!limits.is_proved(&token, start));
        // Anybody gets a document with any header.
        limits.learn(token, &answer(200, false), start);
        assert!(!limits.is_proved(&token, start));
        limits.learn(token, &answer(200, true), start);
        assert!(limits.is_proved(&token, start) && !limits.is_proved(&[8; 32], start));
        assert!(!limits.is_proved(&token, start + PROVED_DURATION));
        limits.learn(token, &answer(401, false), start);
        assert!(!limits.is_proved(&token, start));
        for number in 0..=PROVED_MAX {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            limits.learn(token, &answer(200, true), start);
        }
        assert!(limits.proved().len() <= PROVED_MAX);
    }

    #[test]
    fn logins_are_limited_whatever_they_carry() {
        let (limits, now) = (limits(), Instant::now());
        let client = ClientAddress("192.0.2.1".parse().unwrap());
        assert_eq!(
            [true; 2].map(|is_login| limits.admit(client, is_login, true, now)),
            [Ok(()), Ok(())]
        );
        assert_eq!(limits.admit(client, true, true, now), Err(MINUTE / 2));
        assert_eq!(
            limits.admit(client, false, true, now),
            Ok(()),
            "anything else goes on"
        );
        assert_eq!(limits.admit(client, false, false, now), Ok(()));
        assert_eq!(limits.admit(client, false, false, now), Err(SECOND));
    }
}
