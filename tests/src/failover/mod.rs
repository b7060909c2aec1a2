//! Failover: an issuer uses a PostgreSQL primary with a synchronous standby. The primary is killed while wallets work, the
//! standby is promoted, and the wallets repeat their requests. Everything acknowledged must survive, also that a mint that
//! waited for money was carried out or has expired.
//!
//! In every second round the standby is disconnected before, and the primary restarts. The primary then shows commits
//! that the standby does not have, and the wallets ask for them. None of them may be acknowledged, because the promotion
//! loses them.

mod client;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_testkit::postgres_pair::PostgresPair;
use opencoin_testkit::postgres_proxy::PostgresProxy;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use self::client::{Client, Tally};
use crate::foreign_wallet::ForeignWallet;
use crate::{Currency, RFC9474, StopAtEnd, wait_until};

/// How long wallets work before the primary is killed.
const WORK_MILLIS: std::ops::Range<u64> = 700..2500;
/// How long a mint waits for money.
const WAIT: &str = "1s";
/// The share of clients whose mints wait for money.
const CLIENTS_PER_WAITING: u32 = 4;
const DATABASE: &str = "currency";

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Number of failovers.
    pub rounds: u32,
    /// Number of wallets that mint, renew and redeem. In addition, a quarter as many let mints wait for money.
    pub clients: u32,
    /// Determines when the primary is killed.
    pub seed: u64,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests, including repeated ones.
    pub requests: u64,
    /// Requests with a final answer.
    pub acknowledged: u64,
    /// Requests without an acknowledgement when a primary died. They may be stored or not.
    pub unknown: u64,
    /// Requests that were repeated.
    pub retried: u64,
    /// Acknowledged requests that were repeated at the end, to compare the answers.
    pub compared: u64,
    /// Mints that waited for money and were carried out.
    pub carried_out: u64,
    /// Mints that waited for money and expired.
    pub expired: u64,
    /// The failovers.
    pub rounds: Vec<Round>,
}

/// One failover.
#[derive(Debug)]
pub struct Round {
    /// The time from the promotion until a request was acknowledged. It includes the start of a new standby, because commits
    /// wait for it.
    pub promoted_to_done: Duration,
    /// The time from the connection of the new standby until a request was acknowledged.
    pub standby_to_done: Duration,
}

/// Runs the failovers and checks that nothing acknowledged is lost.
///
/// # Panics
/// Something is lost, or the issuer does not recover.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut pair = PostgresPair::start();
    pair.create_database(DATABASE);
    let proxy = PostgresProxy::start(&pair.url(DATABASE));
    let mut currency = Currency::make(RFC9474, &proxy.url(), &[]);
    currency.set_variable("OPENCOIN_ISSUER_ACCOUNTS_WHEN_SHORT", "delay");
    currency.set_variable("OPENCOIN_ISSUER_ACCOUNTS_WAIT", WAIT);
    currency.serve();
    let wallet = ForeignWallet::new(&currency.url(""));
    let waiting = options.clients.div_ceil(CLIENTS_PER_WAITING);
    let mut clients: Vec<Client<'_>> = (0..options.clients + waiting)
        .map(|number| Client::new(&currency, &wallet, number))
        .collect();
    let thief = currency.account("thief", 0);
    let tally = Tally::default();
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let (waiting, working) = clients.split_at_mut(waiting as usize);
        let waiting = waiting
            .iter_mut()
            .map(|client| scope.spawn(|| client.wait_for_money(&tally)));
        let mut threads: Vec<_> = waiting.collect();
        threads.extend(
            working
                .iter_mut()
                .map(|client| scope.spawn(|| client.work(&tally))),
        );
        let stop = StopAtEnd(&tally.stop);
        for round in 0..options.rounds {
            await_done(&tally, u64::from(options.clients));
            thread::sleep(Duration::from_millis(rng.gen_range(WORK_MILLIS)));
            let standby_is_away = round % 2 == 1;
            outcome
                .rounds
                .push(fail_over(&mut pair, &proxy, &tally, standby_is_away));
        }
        await_done(&tally, u64::from(options.clients));
        for counter in [&tally.carried_out, &tally.expired] {
            wait_until("a mint was carried out, and another one has expired", || {
                count(counter) > 0
            });
        }
        drop(stop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    thread::scope(|scope| {
        let (thief, checking): (&str, Vec<_>) = (&thief, clients.iter().collect());
        let checking: Vec<_> = checking
            .into_iter()
            .map(|client| scope.spawn(move || client.check(thief)))
            .collect();
        outcome.compared = checking.into_iter().map(|thread| thread.join().unwrap()).sum();
    });
    for client in &clients {
        client.check_balances(&currency);
    }
    assert_eq!(currency.balance("thief"), 0);
    currency.audit();
    currency.stop();
    outcome.requests = count(&tally.requests);
    outcome.acknowledged = count(&tally.acknowledged);
    outcome.unknown = count(&tally.unknown);
    outcome.retried = count(&tally.retried);
    outcome.carried_out = count(&tally.carried_out);
    outcome.expired = count(&tally.expired);
    outcome
}

/// Kills the primary, promotes the standby, and adds a new standby.
fn fail_over(pair: &mut PostgresPair, proxy: &PostgresProxy, tally: &Tally, standby_is_away: bool) -> Round {
    tally.deaths.fetch_add(1, Ordering::SeqCst);
    if standby_is_away {
        pair.detach_standby();
        pair.await_waiting_commits(1);
        pair.crash_primary();
        pair.await_waiting_commits(1); // of repeated requests
    }
    pair.kill_primary();
    tally.deaths.fetch_add(1, Ordering::SeqCst);
    pair.promote_standby();
    let promoted = Instant::now();
    proxy.switch_to(&pair.url(DATABASE));
    let done = count(&tally.acknowledged);
    pair.add_standby();
    let standby = Instant::now();
    wait_until("the issuer recovers from the failover", || {
        count(&tally.acknowledged) > done
    });
    Round {
        promoted_to_done: promoted.elapsed(),
        standby_to_done: standby.elapsed(),
    }
}

/// Waits until this many more requests are acknowledged.
fn await_done(tally: &Tally, more: u64) {
    let done = count(&tally.acknowledged);
    wait_until("the wallets work", || count(&tally.acknowledged) >= done + more);
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            acknowledged,
            unknown,
            retried,
            compared,
            carried_out,
            expired,
            rounds,
        } = self;
        writeln!(
            f,
            "requests {requests}, acknowledged {acknowledged}, retried {retried}"
        )?;
        writeln!(
            f,
            "unknown when a primary died {unknown}, compared at the end {compared}"
        )?;
        writeln!(f, "waiting mints carried out {carried_out}, expired {expired}")?;
        for (
            number,
            Round {
                promoted_to_done,
                standby_to_done,
            },
        ) in rounds.iter().enumerate()
        {
            let [promoted, standby] = [promoted_to_done, standby_to_done].map(Duration::as_secs_f64);
            writeln!(
                f,
                "round {number}: acknowledged {promoted:.2} s after the promotion, {standby:.2} s after the new standby"
            )?;
        }
        Ok(())
    }
}
