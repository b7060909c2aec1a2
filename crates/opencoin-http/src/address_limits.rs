//! Rate limits per client address, checked when only the head of a request has been read.
//!
//! Every request counts against the limit of its address, except a request with a token that was verified recently. A
//! made-up header does not help, because a token counts as verified only after a handler has found its account.
//! Log-ins also count against a second, lower limit, with or without a token.
//!
//! Programs on this machine are not limited. A request from loopback *with* an `X-Forwarded-For` comes from a proxy
//! that is not in `proxy.trusted`: its clients cannot be distinguished and share one limit, and the log says so.
//!
//! The refusal is a problem document, because the response type of the request is only known from its body.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_connections::{ClientAddress, Rate, RateLimiter};

use super::marks::Authenticated;
use super::options::ServerOptions;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a token counts as verified. If it is revoked meanwhile, handlers still refuse it.
const VERIFIED_DURATION: Duration = Duration::from_secs(600);
/// The most verified tokens that are remembered (about a megabyte). When it is reached, all are forgotten.
const VERIFIED_MAX: usize = 10_000;

/// The rate limiters, and the verified tokens.
pub(super) struct AddressLimits {
    pub(super) trusted: Vec<IpAddr>,
    requests: Option<RateLimiter>,
    logins: Option<RateLimiter>,
    verified: Mutex<HashMap<HeaderDigest, Instant>>,
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
            verified: Mutex::default(),
        }
    }

    /// Counts a request against the limits of its address.
    ///
    /// # Errors
    /// A limit is reached: how long to wait.
    pub(super) fn admit(
        &self,
        client: ClientAddress,
        is_login: bool,
        is_verified: bool,
        now: Instant,
    ) -> Result<(), Duration> {
        if let Some(logins) = self.logins.as_ref().filter(|_| is_login) {
            logins.take(client.0, now)?;
        }
        match &self.requests {
            Some(requests) if !is_verified => requests.take(client.0, now),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn is_verified(&self, token: &HeaderDigest, now: Instant) -> bool {
        self.verified()
            .get(token)
            .is_some_and(|since| now.saturating_duration_since(*since) < VERIFIED_DURATION)
    }

    /// Remembers or forgets the token of a request, according to its answer.
    pub(super) fn learn(&self, token: HeaderDigest, answer: &Response<Body>, now: Instant) {
        if answer.extensions().get::<Authenticated>().is_some() {
            let mut verified = self.verified();
            if verified.len() >= VERIFIED_MAX && !verified.contains_key(&token) {
                verified.clear();
            }
            verified.insert(token, now);
        } else if answer.status() == StatusCode::UNAUTHORIZED {
            self.verified().remove(&token);
        }
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<HeaderDigest, Instant>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn only_a_token_that_a_handler_has_verified_skips_the_limit() {
        let (limits, start, token) = (limits(), Instant::now(), [7; 32]);
        assert!(!limits.is_verified(&token, start));
        // Public documents are answered whatever the header says.
        limits.learn(token, &answer(200, false), start);
        assert!(!limits.is_verified(&token, start));
        limits.learn(token, &answer(200, true), start);
        assert!(limits.is_verified(&token, start) && !limits.is_verified(&[8; 32], start));
        assert!(!limits.is_verified(&token, start + VERIFIED_DURATION));
        limits.learn(token, &answer(401, false), start);
        assert!(!limits.is_verified(&token, start));
        for number in 0..=VERIFIED_MAX {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&number.to_be_bytes());
            limits.learn(token, &answer(200, true), start);
        }
        assert!(limits.verified().len() <= VERIFIED_MAX);
    }

    #[test]
    fn log_ins_are_limited_even_with_a_verified_token() {
        let (limits, now) = (limits(), Instant::now());
        let client = ClientAddress("192.0.2.1".parse().unwrap());
        assert_eq!(
            [true; 2].map(|is_login| limits.admit(client, is_login, true, now)),
            [Ok(()), Ok(())]
        );
        assert_eq!(limits.admit(client, true, true, now), Err(MINUTE / 2));
        assert_eq!(limits.admit(client, false, true, now), Ok(()), "only log-ins");
        assert_eq!(limits.admit(client, false, false, now), Ok(()));
        assert_eq!(limits.admit(client, false, false, now), Err(SECOND));
    }
}
