//! The server as its handlers see it: the issuer, and whether the server is still open.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opencoin_config::LimitsConfig;
use opencoin_issuer::Issuer;
use tokio::sync::watch as channel;

use super::address_limits::AddressLimits;
use super::bodies::Budget;
use super::headers::HostNames;
use super::options::ServerOptions;
use super::request_ids::RequestIds;
use super::streams::Streams;

/// The issuer and whether it is still open.
pub struct Server {
    issuer: Issuer,
    phase: channel::Sender<Phase>,
    shutdown_grace: Duration,
    has_ended: channel::Sender<bool>,
    /// Why the server is broken, if it is.
    broken: OnceLock<String>,
    bodies: Budget,
    streams: Streams,
    request_ids: RequestIds,
    address_limits: AddressLimits,
    limits: LimitsConfig,
    admin_hosts: HostNames,
}

/// The end of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is not near.
    Open,
    /// The server says that it is not ready, ends connections after an answer, and answers as before.
    Leaving,
    /// It takes no more requests.
    ShuttingDown,
}

impl Server {
    /// A server for this issuer, with the limits that are usual.
    #[must_use]
    pub fn new(issuer: Issuer) -> Arc<Self> {
        Self::with_options(issuer, ServerOptions::default())
    }

    /// A server for this issuer.
    #[must_use]
    pub fn with_options(issuer: Issuer, options: ServerOptions) -> Arc<Self> {
        let (bodies, address_limits) = (Budget::new(&options.limits), AddressLimits::new(&options));
        Arc::new(Self {
            issuer,
            phase: channel::Sender::new(Phase::Open),
            shutdown_grace: options.shutdown_grace,
            has_ended: channel::Sender::new(false),
            broken: OnceLock::new(),
            bodies,
            streams: Streams::default(),
            request_ids: RequestIds::new(),
            address_limits,
            limits: options.limits,
            admin_hosts: options.admin_hosts.into(),
        })
    }

    /// What answers.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        *self.phase.borrow() == Phase::ShuttingDown
    }

    pub(super) fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Waits for the moment when the server is told to stop.
    pub(super) async fn shutting_down(&self) {
        // The sender lives as long as `self`.
        let _ = self
            .phase
            .subscribe()
            .wait_for(|phase| *phase == Phase::ShuttingDown)
            .await;
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Waits until [`serve`](super::serve) is over.
    pub(super) async fn ended(&self) {
        let _ = self.has_ended.subscribe().wait_for(|has_ended| *has_ended).await;
    }

    pub(super) fn request_ids(&self) -> &RequestIds {
        &self.request_ids
    }

    pub(super) fn bodies(&self) -> &Budget {
        &self.bodies
    }

    pub(super) fn limits(&self) -> &LimitsConfig {
        &self.limits
    }

    pub(super) fn admin_hosts(&self) -> HostNames {
        Arc::clone(&self.admin_hosts)
    }

    pub(super) fn address_limits(&self) -> &AddressLimits {
        &self.address_limits
    }

    pub(super) fn shutdown_grace(&self) -> Duration {
        self.shutdown_grace
    }

    /// Says from now on that the server is not ready, and why.
    pub(super) fn break_down(&self, why: String) {
        self.broken.get_or_init(|| why);
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// [`serve`](super::serve) is over.
    pub(super) fn end(&self) {
        self.has_ended.send_replace(true);
    }
}
