//! The state that all handlers share.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opencoin_connections::{ConnectionLimits, Rate, RateLimiter};

use super::body::BODY_DURATION_MAX;
use crate::metrics::WitnessMetrics;
use crate::witness::Witness;

/// The most open connections. Each holds at most one body, so that all bodies together take at most 64 MiB.
const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(512).expect("it is not zero");
/// The longest time for the head of a request, and between two requests of a connection: longer than the usual pause of
/// ten seconds between two checkpoints of a log.
const HEAD_DURATION_MAX: Duration = Duration::from_secs(30);
/// The requests a second that an address may send for long. A log submits every second at most, and one more time
/// after a conflict.
const REQUESTS_PER_SECOND: u32 = 20;
/// The requests that an address may send at once, in seconds of its rate.
const BURST_SECONDS: u32 = 5;

/// The options of a server.
#[derive(Debug, Clone)]
pub struct WitnessServerOptions {
    /// The requests a second that each address may send for long; 0 for no limit.
    pub requests_per_second: u32,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpAddr>,
    /// The limits of connections.
    pub connections: ConnectionLimits,
    /// The longest time for the body of a request.
    pub body_duration_max: Duration,
}

impl Default for WitnessServerOptions {
    fn default() -> Self {
        Self {
            requests_per_second: REQUESTS_PER_SECOND,
            trusted_proxies: Vec::new(),
            connections: ConnectionLimits {
                connections_max: CONNECTIONS_MAX,
                head_duration_max: HEAD_DURATION_MAX,
                answer_duration_max: BODY_DURATION_MAX,
            },
            body_duration_max: BODY_DURATION_MAX,
        }
    }
}

/// A witness with what serving it needs.
pub struct WitnessServer {
    witness: Witness,
    metrics: WitnessMetrics,
    limiter: Option<RateLimiter>,
    options: WitnessServerOptions,
    is_stopping: AtomicBool,
}

impl WitnessServer {
    /// A server for this witness.
    #[must_use]
    pub fn new(witness: Witness, options: WitnessServerOptions) -> Arc<Self> {
        let rate = NonZeroU32::new(options.requests_per_second).map(|requests| Rate {
            interval: Duration::from_secs(1) / requests.get(),
            burst: requests.saturating_mul(NonZeroU32::new(BURST_SECONDS).expect("it is not zero")),
        });
        Arc::new(Self {
            metrics: WitnessMetrics::new(witness.now()),
            witness,
            limiter: rate.map(RateLimiter::new),
            options,
            is_stopping: AtomicBool::new(false),
        })
    }

    /// The witness.
    #[must_use]
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    pub(crate) fn metrics(&self) -> &WitnessMetrics {
        &self.metrics
    }

    pub(crate) fn options(&self) -> &WitnessServerOptions {
        &self.options
    }

    pub(super) fn limiter(&self) -> Option<&RateLimiter> {
        self.limiter.as_ref()
    }

    /// Makes `/health/ready` say from now on that the server stops.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }
}
