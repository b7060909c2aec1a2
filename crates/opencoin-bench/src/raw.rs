//! Measures the costs of RSA alone on this machine, to which all other results are compared.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use opencoin_crypto::{LanesState, OperationError, PrivateKey, lanes_state};
use rand::rngs::OsRng;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::currency::random_bytes;
use super::mint_keys::KeyKind;

/// The operations of a group in lanes.
const GROUP: usize = 8;

/// Operations between two readings of the clock.
const OPERATIONS_AT_ONCE: usize = 16;

/// Costs and rates of the raw operations of keys of one size.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct RawRsa {
    pub(super) key_bits: usize,
    /// Only AWS-LC's private operation.
    pub(super) private: Rates,
    /// Only AWS-LC's public operation.
    pub(super) public: Rates,
    /// A whole verification: the public operation, the hashes of RSASSA-PSS, and the conversions.
    pub(super) verification: Rates,
    /// One of eight private operations in lanes, checks included, with a key of `key_primes`. `None` if this process
    /// uses no lanes.
    pub(super) private_in_lanes: Option<Rates>,
    /// The number of primes of the key in lanes.
    pub(super) key_primes: u64,
    /// One of eight public operations in lanes.
    pub(super) public_in_lanes: Option<Rates>,
}

/// Cost and rates of one operation.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rates {
    /// CPU time of one operation on one core.
    pub(super) cpu_us: f64,
    /// Operations per second of CPU time of one core.
    pub(super) one_core_per_second: f64,
    /// Operations per second of wall-clock time with a thread on each core, beside other programs.
    pub(super) all_cores_per_second: f64,
}

/// Measures each operation with new keys of this kind, twice for about `duration`.
pub(super) fn measure(kind: KeyKind, duration: Duration) -> Result<RawRsa> {
    let key = PrivateKey::generate(kind.bits)?;
    let public = key.public_key();
    let mut input = random_bytes(public.modulus_bytes());
    input[0] &= 0x3f; // less than the modulus, whose first bit is set
    let signature = key.sign_certificate("", &mut OsRng)?;
    let sign = || black_box(key.raw_sign(black_box(&input))).is_ok();
    let raise = || black_box(public.raw_public(black_box(&input))).is_ok();
    let verify = || black_box(public.verify_certificate("", black_box(&signature))).is_ok();
    ensure!(sign() && raise() && verify(), "the raw operations work");

    let key_in_lanes = PrivateKey::generate_with(kind.bits, kind.primes)?;
    let group = [&input[..]; GROUP];
    let is_good = |results: Vec<Result<Vec<u8>, OperationError>>| results.iter().all(Result::is_ok);
    let sign_group = || is_good(black_box(key_in_lanes.raw_sign_all(black_box(&group))));
    let raise_group = || is_good(black_box(public.raw_public_all(black_box(&group))));
    let in_lanes = |operation: &(dyn Fn() -> bool + Sync)| {
        (lanes_state() == LanesState::Used).then(|| rates(&operation, duration).of_each(GROUP))
    };
    Ok(RawRsa {
        key_bits: kind.bits,
        private: rates(&sign, duration),
        public: rates(&raise, duration),
        verification: rates(&verify, duration),
        private_in_lanes: in_lanes(&sign_group),
        key_primes: kind.primes.count(),
        public_in_lanes: in_lanes(&raise_group),
    })
}

impl Rates {
    /// The rates of each of several operations that are done together.
    fn of_each(self, together: usize) -> Self {
        let together = together as f64;
        Self {
            cpu_us: self.cpu_us / together,
            one_core_per_second: self.one_core_per_second * together,
            all_cores_per_second: self.all_cores_per_second * together,
        }
    }
}

fn rates(operation: &(impl Fn() -> bool + Sync), duration: Duration) -> Rates {
    let (count, cpu) = repeat(operation, duration);
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let begun = Instant::now();
    let all: usize = thread::scope(|scope| {
        let running: Vec<_> = (0..cores)
            .map(|_| scope.spawn(|| repeat(operation, duration).0))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("an operation does not panic"))
            .sum()
    });
    let all_cores_per_second = all as f64 / begun.elapsed().as_secs_f64();
    let seconds = cpu.as_secs_f64() / count as f64;
    Rates {
        cpu_us: seconds * 1e6,
        one_core_per_second: 1.0 / seconds,
        all_cores_per_second,
    }
}

/// Repeats the operation for about `duration`. Returns the number of operations and their CPU time.
fn repeat(operation: &impl Fn() -> bool, duration: Duration) -> (usize, Duration) {
    let (begun, cpu_begun) = (Instant::now(), thread_cpu_time());
    let mut count = 0;
    while begun.elapsed() < duration {
        for _ in 0..OPERATIONS_AT_ONCE {
            assert!(operation(), "an operation that worked once works again");
        }
        count += OPERATIONS_AT_ONCE;
    }
    (count, thread_cpu_time().saturating_sub(cpu_begun))
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("CPU time is not negative")
}
