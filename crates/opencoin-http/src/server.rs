//! The state that all handlers share: the issuer, the limits, and whether the server stops.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use opencoin_config::{LimitsConfig, SettingEntry, SupplyFigures, WebConfig};
use opencoin_issuer::accounts::AccountService;
use opencoin_issuer::{Issuer, Reason};
use opencoin_relay::Relay;
use tokio::sync::watch as channel;

use super::address_limits::AddressLimits;
use super::bodies::Budget;
use super::hosts::PublicHosts;
use super::options::ServerOptions;
use super::request_ids::RequestIds;
use super::streams::Streams;

/// The state of a server.
pub struct Server {
    issuer: Issuer,
    phase: channel::Sender<Phase>,
    shutdown_grace: Duration,
    has_ended: channel::Sender<bool>,
    /// The reason why the server is broken, if it is.
    broken: OnceLock<String>,
    bodies: Budget,
    streams: Streams,
    request_ids: RequestIds,
    address_limits: AddressLimits,
    limits: LimitsConfig,
    hosts: PublicHosts,
    admin_hosts: Vec<String>,
    web: WebConfig,
    relay: Option<Arc<Relay>>,
    settings: Vec<SettingEntry>,
    pages: Option<Pages>,
}

/// The pages of a server.
#[derive(Clone)]
pub struct Pages {
    /// Those of the listener for wallets, all below `/account` and `/static`, and `GET /`.
    pub public: Router<Arc<Server>>,
    /// Those of the operator's listener, all below `/console` and `/static`, and `GET /`.
    pub console: Router<Arc<Server>>,
    /// Shows a refusal as a page.
    pub show_refusal: fn(&RefusedVisit) -> Response<Body>,
}

/// A request for a page that was refused.
pub struct RefusedVisit {
    /// How it was asked for.
    pub method: Method,
    /// What was asked for.
    pub uri: Uri,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The status of the answer.
    pub status: StatusCode,
    /// The fixed word of the refusal.
    pub reason: Reason,
    /// The text for whoever looks into the details.
    pub detail: String,
    /// The id of the request, which is in the server's log.
    pub request_id: String,
    /// After how many seconds the visitor may try again, if the answer says so.
    pub retry_after_s: Option<u64>,
    /// Whether nothing is served because the books were set back.
    pub books_set_back: bool,
}

/// How far the shutdown of a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The server is not told to stop.
    Open,
    /// `/health/ready` reports that the server is not ready, and each answer ends its connection. Requests are accepted.
    Leaving,
    /// No more requests are accepted.
    ShuttingDown,
}

impl Server {
    /// A server for this issuer with the default options.
    #[must_use]
    pub fn new(issuer: Issuer) -> Arc<Self> {
        Self::with_options(issuer, ServerOptions::default())
    }

    /// A server for this issuer, without pages.
    #[must_use]
    pub fn with_options(issuer: Issuer, options: ServerOptions) -> Arc<Self> {
        Self::with_pages(issuer, options, None)
    }

    /// A server for this issuer with these pages.
    #[must_use]
    pub fn with_pages(issuer: Issuer, options: ServerOptions, pages: Option<Pages>) -> Arc<Self> {
        let relay = options.make_relay();
        let hosts = PublicHosts::new(&options.hosts, &issuer);
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
            hosts,
            admin_hosts: options.admin_hosts,
            web: options.web,
            relay,
            settings: options.settings,
            pages,
        })
    }

    /// The issuer behind this server.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The settings since this process began. Empty if it has no file of settings.
    #[must_use]
    pub fn settings(&self) -> &[SettingEntry] {
        &self.settings
    }

    pub(super) fn pages(&self) -> Option<&Pages> {
        self.pages.as_ref()
    }

    pub(super) fn accounts(&self) -> &AccountService {
        self.issuer.accounts()
    }

    /// Whether no more requests are accepted.
    pub(super) fn is_shutting_down(&self) -> bool {
        *self.phase.borrow() == Phase::ShuttingDown
    }

    pub(super) fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Waits until no more requests are accepted.
    pub async fn shutting_down(&self) {
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

    /// Waits until [`serve`](super::serve) has returned.
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

    /// The relay for live transfers, if the server is one.
    pub(super) fn relay(&self) -> Option<&Arc<Relay>> {
        self.relay.as_ref()
    }

    /// The names that the listener for wallets answers to.
    pub(super) fn hosts(&self) -> &PublicHosts {
        &self.hosts
    }

    /// Whether web pages of every origin may use the API.
    pub(super) fn is_shared_with_browsers(&self) -> bool {
        self.web.cors
    }

    /// What a currency without a log shows of its coins.
    pub(super) fn supply_figures(&self) -> SupplyFigures {
        self.web.supply
    }

    pub(super) fn admin_hosts(&self) -> &[String] {
        &self.admin_hosts
    }

    pub(super) fn address_limits(&self) -> &AddressLimits {
        &self.address_limits
    }

    pub(super) fn shutdown_grace(&self) -> Duration {
        self.shutdown_grace
    }

    /// Makes `/health/ready` report from now on that the server is not ready, for this reason.
    pub(super) fn break_down(&self, why: String) {
        self.broken.get_or_init(|| why);
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Called when [`serve`](super::serve) returns.
    pub(super) fn end(&self) {
        self.has_ended.send_replace(true);
    }
}
