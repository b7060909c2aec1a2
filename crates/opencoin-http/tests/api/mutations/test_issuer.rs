//! The issuer that gets the mutated messages: its ledger records every command, and a test sets its clock and
//! whether its signer is available.

use std::sync::Arc;

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_audit::{AuditFacts, AuditSource};
use opencoin_http::{Server, router};
use opencoin_issuer::{Cashier, SecondPersonLimit};
use opencoin_keys::Clock;
use opencoin_ledger::{AccountId, Command, Outcome};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use crate::fixture::{START, TestClock, TestCurrency, TestLedger, TestSigner, open_account};

/// The balance of the rich holder; the poor one has none.
const FORTUNE: u64 = 1_000_000_000_000;

/// When a message arrives, relative to the dates of the mint keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Signing,
    /// The signing windows are over; coins are still accepted.
    Grace,
    /// The coins have expired as well.
    Expired,
}

pub(crate) struct Holder {
    pub(crate) account: AccountId,
    pub(crate) token: String,
}

pub(crate) struct TestIssuer {
    pub(crate) router: Router,
    pub(crate) currency: &'static TestCurrency,
    /// The rich one and the poor one.
    pub(crate) holders: [Holder; 2],
    ledger: Arc<TestLedger>,
    signer: Arc<TestSigner>,
    clock: Arc<TestClock>,
}

impl TestIssuer {
    pub(crate) async fn open(rng: &mut StdRng) -> Self {
        let (clock, signer) = (TestClock::at_start(), TestSigner::new());
        let (ledger, currency) = (Arc::new(TestLedger::default()), TestCurrency::get());
        let issuer = currency
            .issuer(ledger.books(), signer.clone(), clock.clone())
            .await;
        let token_rng = Box::new(StdRng::seed_from_u64(rng.next_u64()));
        let cashier = Cashier::new(ledger.books(), clock.clone(), token_rng, SecondPersonLimit::OFF);
        let mut holders = Vec::new();
        for (name, amount) in [("rich", FORTUNE), ("poor", 0)] {
            let token = open_account(&cashier, name, amount).await;
            holders.push(Holder {
                account: cashier.account(&name.parse().unwrap()).await.unwrap().account.id,
                token: token.expose().to_owned(),
            });
        }
        let Ok(holders) = holders.try_into() else {
            panic!("there are two")
        };
        let house = Self {
            router: router(Server::new(issuer)),
            currency,
            holders,
            ledger,
            signer,
            clock,
        };
        house.seen();
        house
    }

    /// The commands that reached the ledger since the last call.
    pub(crate) fn seen(&self) -> Vec<(Command, Outcome)> {
        self.ledger.take_recorded()
    }

    pub(crate) async fn facts(&self) -> AuditFacts {
        self.ledger.ledger.audit_facts().await.unwrap()
    }

    pub(crate) fn set_signer_away(&self, is_away: bool) {
        self.signer.set_away(is_away);
    }

    pub(crate) fn set_moment(&self, moment: Moment) {
        let terms = self.currency.mint_key();
        let second = TimeDelta::seconds(1);
        let now = match moment {
            Moment::Signing => START.parse().unwrap(),
            Moment::Grace => terms.sign_coins_not_after.to_utc() + second,
            Moment::Expired => terms.coins_expiry_date.to_utc() + second,
        };
        self.clock.set(now);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
