//! Failover: an issuer on a PostgreSQL primary with a synchronous standby. The primary is killed while
//! wallets work, the standby is promoted, and the wallets ask again with the same requests. What was
//! acknowledged must all be there.
//!
//! In every second round the standby is away before, and the primary restarts. Then it shows commits that the
//! standby has not, and the wallets ask for them. None of that may be acknowledged, because the promotion loses it.

mod client;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_testkit::postgres_pair::PostgresPair;
use opencoin_testkit::postgres_proxy::PostgresProxy;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::foreign_wallet::ForeignWallet;
use crate::{Currency, RFC9474};

use self::client::Client;

/// What a client's account begins with.
const OPENING_BALANCE: u64 = 1_000_000;
/// How long wallets work before the primary is killed.
const WORK_MILLIS: std::ops::Range<u64> = 700..2500;
/// How long wallets may stand still after a failover.
const RECOVERY_MAX: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
const DATABASE: &str = "currency";

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often to fail over.
    pub rounds: u32,
    /// How many wallets work at once.
    pub clients: u32,
    /// When the primary is killed.
    pub seed: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests sent, those sent again included.
    pub requests: u64,
    /// Requests that were answered as done.
    pub acknowledged: u64,
    /// Requests that were on their way when a primary died and not answered as done: whether they are stored
    /// is not known.
    pub unknown: u64,
    /// Requests that were sent again.
    pub retried: u64,
    /// Acknowledged requests that were compared with the books at the end.
    pub compared: u64,
    /// The rounds.
    pub rounds: Vec<Round>,
}

/// One failover.
#[derive(Debug)]
pub struct Round {
    /// From the promotion, until a request was done. A new standby must connect first: until then commits
    /// wait.
    pub promoted_to_done: Duration,
    /// From the connection of the new standby, until a request was done.
    pub standby_to_done: Duration,
}

/// What clients count together.
#[derive(Default)]
struct Tally {
    requests: AtomicU64,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    retried: AtomicU64,
    /// Counted when a primary begins to die and when it is dead: odd in between.
    deaths: AtomicU64,
    stop: AtomicBool,
}

/// Runs it, and demands that nothing acknowledged was lost.
///
/// # Panics
/// Something was, or the issuer does not recover.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut pair = PostgresPair::start();
    pair.create_database(DATABASE);
    let proxy = PostgresProxy::start(&pair.url(DATABASE));
    let mut currency = Currency::start_on(RFC9474, &proxy.url());
    let wallet = ForeignWallet::new(&currency.url(""));
    let mut clients: Vec<Client<'_>> = (0..options.clients)
        .map(|number| {
            Client::new(
                &wallet,
                number,
                currency.account(&Client::account(number), OPENING_BALANCE),
            )
        })
        .collect();
    let thief = currency.account("thief", 0);
    let tally = Tally::default();
    let mut outcome = Outcome::default();
    thread::scope(|scope| {
        let working: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(|| client.work(&tally)))
            .collect();
        let _stop = StopAtEnd(&tally);
        for round in 0..options.rounds {
            await_done(&tally, u64::from(options.clients));
            thread::sleep(Duration::from_millis(rng.gen_range(WORK_MILLIS)));
            let standby_is_away = round % 2 == 1;
            outcome
                .rounds
                .push(fail_over(&mut pair, &proxy, &tally, standby_is_away));
        }
        await_done(&tally, u64::from(options.clients));
        tally.stop.store(true, Ordering::SeqCst);
        working.into_iter().for_each(|thread| thread.join().unwrap());
    });
    thread::scope(|scope| {
        let (thief, checking): (&str, Vec<_>) = (&thief, clients.iter().collect());
        let checking: Vec<_> = checking
            .into_iter()
            .map(|client| scope.spawn(move || client.check(thief)))
            .collect();
        outcome.compared = checking.into_iter().map(|thread| thread.join().unwrap()).sum();
    });
    // Every client has redeemed all its coins.
    for number in 0..options.clients {
        assert_eq!(
            currency.balance(&Client::account(number)),
            OPENING_BALANCE,
            "client {number}"
        );
    }
    assert_eq!(currency.balance("thief"), 0);
    currency.audit();
    currency.stop();
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    outcome.requests = count(&tally.requests);
    outcome.acknowledged = count(&tally.acknowledged);
    outcome.unknown = count(&tally.unknown);
    outcome.retried = count(&tally.retried);
    outcome
}

/// The primary dies and the standby takes its place and gets a standby of its own.
fn fail_over(pair: &mut PostgresPair, proxy: &PostgresProxy, tally: &Tally, standby_is_away: bool) -> Round {
    tally.deaths.fetch_add(1, Ordering::SeqCst);
    if standby_is_away {
        pair.detach_standby();
        pair.await_waiting_commits(1);
        pair.crash_primary();
        pair.await_waiting_commits(1); // of wallets that have asked again
    }
    pair.kill_primary();
    tally.deaths.fetch_add(1, Ordering::SeqCst);
    pair.promote_standby();
    let promoted = Instant::now();
    proxy.switch_to(&pair.url(DATABASE));
    let done = tally.acknowledged.load(Ordering::SeqCst);
    pair.add_standby();
    let standby = Instant::now();
    while tally.acknowledged.load(Ordering::SeqCst) == done {
        assert!(
            standby.elapsed() < RECOVERY_MAX,
            "the issuer does not recover from a failover"
        );
        thread::sleep(POLL);
    }
    Round {
        promoted_to_done: promoted.elapsed(),
        standby_to_done: standby.elapsed(),
    }
}

/// Waits until so many more requests are done.
fn await_done(tally: &Tally, more: u64) {
    let (begun, done) = (Instant::now(), tally.acknowledged.load(Ordering::SeqCst));
    while tally.acknowledged.load(Ordering::SeqCst) < done + more {
        assert!(begun.elapsed() < RECOVERY_MAX, "the wallets do not get on");
        thread::sleep(POLL);
    }
}

/// Clients of a run that failed must stop, or nobody would hear of the failure.
struct StopAtEnd<'a>(&'a Tally);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            requests,
            acknowledged,
            unknown,
            retried,
            compared,
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
                "round {number}: done {promoted:.2} s after the promotion, {standby:.2} s after the new standby"
            )?;
        }
        Ok(())
    }
}
