//! The state that all handlers share.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opencoin_connections::{ConnectionLimits, Rate, RateLimiter};

use crate::auditor::Auditor;
use crate::metrics::AuditorMetrics;

/// The most open connections.
const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(512).expect("it is not zero");
/// The longest time for the head of a request, and between two requests of a connection.
const HEAD_DURATION_MAX: Duration = Duration::from_secs(30);
/// The longest time in which a client may read an answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(30);
/// The requests a second that an address may send for long. Who copies a log asks for many files.
const REQUESTS_PER_SECOND: u32 = 100;
/// The requests that an address may send at once, in seconds of its rate.
const BURST_SECONDS: u32 = 5;

/// The options of a server.
#[derive(Debug, Clone)]
pub struct AuditorServerOptions {
    /// The requests a second that each address may send for long; 0 for no limit.
    pub requests_per_second: u32,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpAddr>,
    /// The limits of connections.
    pub connections: ConnectionLimits,
}

impl Default for AuditorServerOptions {
    fn default() -> Self {
        Self {
            requests_per_second: REQUESTS_PER_SECOND,
            trusted_proxies: Vec::new(),
            connections: ConnectionLimits {
                connections_max: CONNECTIONS_MAX,
                head_duration_max: HEAD_DURATION_MAX,
                answer_duration_max: ANSWER_DURATION_MAX,
            },
        }
    }
}

/// An auditor with what serving it needs.
pub struct AuditorServer {
    auditor: Arc<Auditor>,
    metrics: AuditorMetrics,
    limiter: Option<RateLimiter>,
    options: AuditorServerOptions,
    is_stopping: AtomicBool,
}

impl AuditorServer {
    /// A server for this auditor.
    #[must_use]
    pub fn new(auditor: Arc<Auditor>, options: AuditorServerOptions) -> Arc<Self> {
        let rate = NonZeroU32::new(options.requests_per_second).map(|requests| Rate {
            interval: Duration::from_secs(1) / requests.get(),
            burst: requests.saturating_mul(NonZeroU32::new(BURST_SECONDS).expect("it is not zero")),
        });
        Arc::new(Self {
            metrics: AuditorMetrics::new(auditor.now_s()),
            auditor,
            limiter: rate.map(RateLimiter::new),
            options,
            is_stopping: AtomicBool::new(false),
        })
    }

    /// The auditor.
    #[must_use]
    pub fn auditor(&self) -> &Arc<Auditor> {
        &self.auditor
    }

    pub(crate) fn metrics(&self) -> &AuditorMetrics {
        &self.metrics
    }

    pub(crate) fn options(&self) -> &AuditorServerOptions {
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
