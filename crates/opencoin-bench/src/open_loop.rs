//! An open-loop load generator: sends requests at given times, whether or not earlier ones are answered, as independent
//! wallets do. A latency begins at the time at which the request was due, so that a stalling issuer increases the
//! latency of all waiting requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::load::{Answers, Connection, Request};

/// Fixed, so that every run has the same arrival times.
const SEED: u64 = 1;
/// The most concurrent requests. Further requests are sent late, which increases their latency.
const CONNECTIONS: usize = 64;

/// The arrival times of `count` independent requests, with this rate on average (a Poisson process).
pub(super) fn arrivals(count: usize, per_second: f64) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut at = 0.0;
    let mut next = |_| {
        at -= rng.gen_range(f64::MIN_POSITIVE..1.0).ln() / per_second;
        Duration::from_secs_f64(at)
    };
    (0..count).map(&mut next).collect()
}

/// Sends each request at its arrival time, counted from now.
pub(super) async fn drive(
    address: SocketAddr,
    requests: Vec<Request>,
    arrivals: Vec<Duration>,
) -> Result<Answers> {
    drive_until(address, requests, arrivals, Arc::default()).await
}

/// As [`drive`], but sends no more requests once `is_over`.
pub(super) async fn drive_until(
    address: SocketAddr,
    requests: Vec<Request>,
    arrivals: Vec<Duration>,
    is_over: Arc<AtomicBool>,
) -> Result<Answers> {
    let connections = Connection::open_many(&[address], CONNECTIONS).await?;
    let (due, waiting) = mpsc::unbounded_channel();
    let waiting = Arc::new(Mutex::new(waiting));
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(client(connection, Arc::clone(&waiting)));
    }
    let begun = Instant::now();
    // A thread, because the timers of the runtime have a resolution of only a millisecond.
    thread::Builder::new()
        .name("arrivals".to_owned())
        .spawn(move || {
            for (request, at) in requests.into_iter().zip(arrivals) {
                thread::sleep((begun + at).saturating_duration_since(Instant::now()));
                // If all clients have failed, they report that themselves.
                if is_over.load(Ordering::Relaxed) || due.send((request, begun + at)).is_err() {
                    return;
                }
            }
        })
        .context("cannot start a thread")?;
    Answers::of_all(running, begun).await
}

async fn client(
    mut connection: Connection,
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<(Request, Instant)>>>,
) -> Result<Answers> {
    let mut answers = Answers::default();
    loop {
        let next = waiting.lock().await.recv().await;
        let Some((request, due)) = next else {
            return Ok(answers);
        };
        let status = connection.exchange(&request).await?;
        answers.add(status, due.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_sorted_and_have_the_requested_rate() {
        let arrivals = arrivals(10_000, 1000.0);
        assert!(arrivals.is_sorted());
        let last = arrivals.last().unwrap().as_secs_f64();
        assert!(
            (9.0..11.0).contains(&last),
            "10,000 requests at 1,000 a second last {last} s"
        );
    }
}
