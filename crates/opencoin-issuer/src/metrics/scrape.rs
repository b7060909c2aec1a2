//! Metrics that are read at a scrape: counts in the books, expiry of keys, resources of the process.
//!
//! The books are read at most every few seconds and with a time limit, so that many scrapers or a hanging database do
//! no harm. If they cannot be read, `opencoin_ledger_up` is 0 and only their counts are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use opencoin_crypto::{LanesState, lanes_faults, lanes_state};
use opencoin_keys::{CertifiedMintKey, Currency, ledger_time};
use opencoin_ledger::{Backlog, LedgerError, MintKeyId, MintKeyStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::gauge::single;
use super::process;
use super::public_log::{self, LogFacts};
use crate::log::LogStatus;
use crate::store::Books;
use crate::supply::counted;

/// How long a reading of the books is reused.
const FACTS_AGE_MAX: Duration = Duration::from_secs(3);
/// The time limit for reading the books.
const READ_DURATION_MAX: Duration = Duration::from_secs(2);
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The figures from the books.
pub(crate) struct LedgerFacts {
    mint_keys: Vec<MintKeyStatus>,
    is_signing_paused: bool,
    backlog: Backlog,
    /// `None` without a public log.
    public_log: Option<LogFacts>,
}

/// Reads the books for scrapes.
pub(crate) struct LedgerReader {
    last: Mutex<Option<Reading>>,
    read_duration_max: Duration,
}

struct Reading {
    at: Instant,
    /// `None` if the books could not be read.
    facts: Option<Arc<LedgerFacts>>,
}

impl LedgerReader {
    pub(crate) fn new() -> Self {
        Self {
            last: Mutex::default(),
            read_duration_max: READ_DURATION_MAX,
        }
    }

    /// The result of `facts`, or of a recent call; `None` if the books cannot be read.
    pub(crate) async fn read(
        &self,
        facts: impl Future<Output = Result<LedgerFacts, LedgerError>>,
    ) -> Option<Arc<LedgerFacts>> {
        let mut last = self.last.lock().await;
        if let Some(reading) = last
            .as_ref()
            .filter(|reading| reading.at.elapsed() < FACTS_AGE_MAX)
        {
            return reading.facts.clone();
        }
        let facts = match tokio::time::timeout(self.read_duration_max, facts).await {
            Ok(Ok(facts)) => Some(Arc::new(facts)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the books cannot be read for the metrics");
                None
            }
            Err(_elapsed) => {
                tracing::warn!("the books cannot be read in time for the metrics");
                None
            }
        };
        *last = Some(Reading {
            at: Instant::now(),
            facts: facts.clone(),
        });
        facts
    }
}

impl LedgerFacts {
    pub(crate) async fn read(
        Books {
            ledger,
            accounts,
            log,
            ..
        }: &Books,
    ) -> Result<Self, LedgerError> {
        Ok(Self {
            mint_keys: ledger.mint_keys().await?,
            is_signing_paused: ledger.signing_paused().await?,
            backlog: accounts.backlog().await?,
            public_log: LogFacts::read(log.as_ref()).await?,
        })
    }

    /// The value of the coins in circulation, as the public page counts it.
    pub(crate) fn outstanding(&self, now: DateTime<Utc>) -> u64 {
        counted(&self.mint_keys, now).outstanding
    }
}

/// The input of a scrape besides the counters.
pub(crate) struct Scrape<'issuer> {
    pub(crate) now: DateTime<Utc>,
    pub(crate) is_set_back: bool,
    pub(crate) currency: &'issuer Currency,
    pub(crate) stopped: &'issuer BTreeSet<MintKeyId>,
    pub(crate) ledger: Option<&'issuer LedgerFacts>,
    /// What this process knows of its public log.
    pub(crate) log: Option<LogStatus>,
    pub(crate) bodies_bytes_in_flight: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DenominationLabel {
    denomination: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MintKeyLabels {
    mint_key: String,
    denomination: u64,
}

impl Scrape<'_> {
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let bytes = i64::try_from(self.bodies_bytes_in_flight).unwrap_or(i64::MAX);
        let help = "Bytes of requests that are being read, worked on or answered";
        single(&mut registry, "opencoin_bodies_bytes_in_flight", help, bytes);
        single(
            &mut registry,
            "opencoin_ledger_up",
            "Whether the books could be read",
            i64::from(self.ledger.is_some()),
        );
        let help = "Whether the books were rolled back while they were served: nothing is served until this server is restarted";
        single(
            &mut registry,
            "opencoin_books_set_back",
            help,
            i64::from(self.is_set_back),
        );
        let help = "Whether this process calculates RSA in lanes: eight operations at once";
        let is_used = lanes_state() == LanesState::Used;
        single(&mut registry, "opencoin_rsa_lanes_used", help, i64::from(is_used));
        let faults = Counter::<u64>::default();
        faults.inc_by(lanes_faults());
        registry.register(
            "opencoin_rsa_lanes_faults",
            "Wrong results of RSA in lanes, which AWS-LC computed again",
            faults,
        );
        self.register_documents(&mut registry);
        self.register_mint_keys(&mut registry);
        if let Some(facts) = self.ledger {
            register_coins(&mut registry, facts);
            register_backlog(&mut registry, facts.backlog);
            if let Some(public_log) = &facts.public_log {
                public_log.register(&mut registry);
                if self.currency.log().is_some_and(|block| block.joint().is_some()) {
                    public_log.register_joint(&mut registry);
                }
            }
        }
        if let Some(status) = &self.log {
            public_log::register_status(&mut registry, status);
        }
        process::register(&mut registry);
        registry
    }

    /// Expiry dates of what the operator must renew in time.
    fn register_documents(&self, registry: &mut Registry) {
        let cdd = self.currency.current().cdd();
        let expiry = cdd.cdd_expiry_date.to_utc().timestamp();
        single(
            registry,
            "opencoin_cdd_expiry_timestamp_seconds",
            "When the description of the currency expires",
            expiry,
        );
        // A denomination without a key that can sign has ended in 1970.
        let mut until: BTreeMap<u64, i64> = cdd
            .denominations
            .iter()
            .map(|denomination| (*denomination, 0))
            .collect();
        for key in self
            .used_keys()
            .filter(|key| !self.stopped.contains(&key.ledger_id))
        {
            let mint_key = key.verified.mint_key();
            if let Some(until) = until.get_mut(&mint_key.denomination) {
                *until = (*until).max(mint_key.sign_coins_not_after.to_utc().timestamp());
            }
        }
        let family = Family::<DenominationLabel, Gauge>::default();
        for (denomination, until) in until {
            family
                .get_or_create(&DenominationLabel { denomination })
                .set(until);
        }
        let help = "The last moment at which any certified mint key of a denomination signs";
        registry.register(
            "opencoin_denomination_signing_until_timestamp_seconds",
            help,
            family,
        );
    }

    /// The mint keys without those that came too late for the public log and are never used.
    fn used_keys(&self) -> impl Iterator<Item = &CertifiedMintKey> {
        let statuses = self.ledger.map_or(&[][..], |facts| &facts.mint_keys);
        (self.currency.mint_keys()).filter(|key| !self.currency.is_left_out(key, statuses, self.now))
    }

    /// Leaves out keys whose coins have expired, because their number grows without a limit.
    fn register_mint_keys(&self, registry: &mut Registry) {
        let now = ledger_time(self.now);
        let [ends, expiries, stops] = [(); 3].map(|()| Family::<MintKeyLabels, Gauge>::default());
        for key in self.used_keys().filter(|key| key.terms.accepts_coins_at(now)) {
            let (labels, mint_key) = (labels(key), key.verified.mint_key());
            ends.get_or_create(&labels)
                .set(mint_key.sign_coins_not_after.to_utc().timestamp());
            expiries
                .get_or_create(&labels)
                .set(mint_key.coins_expiry_date.to_utc().timestamp());
            stops
                .get_or_create(&labels)
                .set(i64::from(self.stopped.contains(&key.ledger_id)));
        }
        let help = "The last moment at which a mint key signs";
        registry.register("opencoin_mint_key_sign_not_after_timestamp_seconds", help, ends);
        let help = "The last moment at which the coins of a mint key are taken";
        registry.register("opencoin_mint_key_coins_expiry_timestamp_seconds", help, expiries);
        registry.register(
            "opencoin_mint_key_stopped",
            "Whether a mint key was revoked or stopped by the books",
            stops,
        );
    }
}

fn labels(key: &CertifiedMintKey) -> MintKeyLabels {
    let mint_key = key.verified.mint_key();
    MintKeyLabels {
        mint_key: mint_key.id.to_string(),
        denomination: mint_key.denomination,
    }
}

/// The counts of coins, as in `opencoin issuer keys list`.
fn register_coins(registry: &mut Registry, facts: &LedgerFacts) {
    let paused = i64::from(facts.is_signing_paused);
    single(
        registry,
        "opencoin_signing_paused",
        "Whether an operator has paused signing",
        paused,
    );
    let [signed, returned, outstanding] = [(); 3].map(|()| Family::<DenominationLabel, Gauge>::default());
    for key in &facts.mint_keys {
        let label = DenominationLabel {
            denomination: key.terms.denomination().units(),
        };
        let [issued, came_back] =
            [key.issued, key.returned].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        signed.get_or_create(&label).inc_by(issued);
        returned.get_or_create(&label).inc_by(came_back);
        outstanding.get_or_create(&label).inc_by(issued - came_back);
    }
    registry.register(
        "opencoin_coins_signed",
        "Coins that were signed, over all mint keys",
        signed,
    );
    registry.register("opencoin_coins_returned", "Coins that came back", returned);
    registry.register(
        "opencoin_coins_outstanding",
        "Coins that were signed and did not come back, expired ones too",
        outstanding,
    );
}

/// Mints that wait for money, and payouts that wait for the operator.
fn register_backlog(registry: &mut Registry, backlog: Backlog) {
    let Backlog {
        waiting_mints,
        payouts_requested,
        oldest_payout,
        frozen_accounts: _,
    } = backlog;
    let [mints, payouts] =
        [waiting_mints, payouts_requested].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    single(
        registry,
        "opencoin_waiting_mints",
        "Mints that wait for money of their accounts",
        mints,
    );
    single(
        registry,
        "opencoin_payouts_requested",
        "Payouts that are neither paid nor failed",
        payouts,
    );
    let help = "When the oldest of them was asked for; 0 when there is none";
    let seconds = oldest_payout.map_or(0, |at| at.unix_micros().div_euclid(MICROS_PER_SECOND));
    single(
        registry,
        "opencoin_payout_oldest_requested_timestamp_seconds",
        help,
        seconds,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(is_signing_paused: bool) -> Result<LedgerFacts, LedgerError> {
        Ok(LedgerFacts {
            mint_keys: Vec::new(),
            is_signing_paused,
            backlog: Backlog::default(),
            public_log: None,
        })
    }

    #[tokio::test]
    async fn books_that_hang_or_fail_are_not_read_again_at_once() {
        for result in [
            None,
            Some(Err(LedgerError::Unavailable("by the test".to_owned()))),
        ] {
            let reader = LedgerReader {
                read_duration_max: Duration::from_millis(10),
                ..LedgerReader::new()
            };
            let read = match result {
                None => reader.read(std::future::pending()).await,
                Some(result) => reader.read(std::future::ready(result)).await,
            };
            assert!(read.is_none());
            assert!(
                reader
                    .read(async { panic!("they were read a moment ago") })
                    .await
                    .is_none()
            );
        }
    }

    #[tokio::test]
    async fn many_scrapes_read_the_books_once() {
        let reader = LedgerReader::new();
        assert!(
            reader
                .read(async { facts(true) })
                .await
                .unwrap()
                .is_signing_paused
        );
        assert!(
            reader
                .read(async { panic!("they were read a moment ago") })
                .await
                .unwrap()
                .is_signing_paused
        );
    }
}
