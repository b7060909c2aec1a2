//! A rate limiter per client address, with token buckets.
//!
//! Each IPv4 address and each IPv6 network of 64 bits (the network of one customer) has a bucket. A request takes one
//! token, and the bucket fills up over time. A bucket is stored as the time at which it will be full again ("generic
//! cell rate algorithm", ITU-T I.371). Full buckets are deleted, and with them the addresses, which are stored nowhere
//! else.
//!
//! There are at most [`ADDRESSES_MAX`] buckets. Further addresses share one, so that a flood from many addresses uses no
//! more memory, and known addresses keep their own buckets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most addresses with their own bucket (about ten megabytes).
const ADDRESSES_MAX: usize = 100_000;
/// The time between two sweeps that delete full buckets.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The time between two sweeps while there is no room for more buckets.
const CROWDED_SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The network part of an IPv6 address.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one token comes back.
    pub interval: Duration,
    /// The tokens of a full bucket.
    pub burst: NonZeroU32,
}

/// The buckets of all addresses.
pub struct RateLimiter {
    rate: Rate,
    addresses_max: usize,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    /// The time at which each bucket will be full again.
    full_at: HashMap<IpAddr, Instant>,
    /// The same of the bucket that all further addresses share.
    others_full_at: Option<Instant>,
    swept: Option<Instant>,
}

impl RateLimiter {
    /// Full buckets.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let buckets = Buckets {
            full_at: HashMap::new(),
            others_full_at: None,
            swept: None,
        };
        Self {
            rate,
            addresses_max: ADDRESSES_MAX,
            buckets: Mutex::new(buckets),
        }
    }

    /// Takes a token out of the bucket of an address.
    ///
    /// # Errors
    /// The bucket is empty: how long to wait for the next token.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let network = network(address);
        let mut buckets = self.buckets();
        self.sweep(&mut buckets, now);
        let is_known = buckets.full_at.contains_key(&network);
        if !is_known && buckets.full_at.len() >= self.addresses_max {
            let full_at = self.taken(buckets.others_full_at, now)?;
            buckets.others_full_at = Some(full_at);
            return Ok(());
        }
        let full_at = self.taken(buckets.full_at.get(&network).copied(), now)?;
        buckets.full_at.insert(network, full_at);
        Ok(())
    }

    /// Takes a token out of a bucket that is full at `full_at`. Returns the new time, or how long to wait.
    fn taken(&self, full_at: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let full_at = full_at.map_or(now, |full_at| full_at.max(now)) + self.rate.interval;
        let wait = (full_at - now).saturating_sub(self.rate.interval * self.rate.burst.get());
        if wait.is_zero() { Ok(full_at) } else { Err(wait) }
    }

    /// Deletes full buckets if a sweep is due.
    fn sweep(&self, buckets: &mut Buckets, now: Instant) {
        let interval = if buckets.full_at.len() < self.addresses_max {
            SWEEP_INTERVAL
        } else {
            CROWDED_SWEEP_INTERVAL
        };
        let is_due = buckets
            .swept
            .is_none_or(|swept| now.saturating_duration_since(swept) >= interval);
        if is_due {
            buckets.full_at.retain(|_, full_at| *full_at > now);
            buckets.full_at.shrink_to_fit();
            buckets.swept = Some(now);
        }
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 network of 64 bits.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(burst: u32) -> RateLimiter {
        RateLimiter::new(Rate {
            interval: SECOND,
            burst: NonZeroU32::new(burst).unwrap(),
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_rate_limit_applies_after_a_burst() {
        let (limiter, start, client) = (limiter(3), Instant::now(), address("192.0.2.1"));
        let at = |seconds: u32| limiter.take(client, start + SECOND * seconds);
        let burst = [Ok(()), Ok(()), Ok(()), Err(SECOND)];
        assert_eq!([at(0), at(0), at(0), at(0)], burst);
        // A refused request takes no token.
        assert_eq!([at(1), at(1)], [Ok(()), Err(SECOND)]);
        assert_eq!([at(100), at(100), at(100), at(100)], burst);
        // Another address has its own bucket.
        assert_eq!(limiter.take(address("192.0.2.2"), start + SECOND * 100), Ok(()));
    }

    #[test]
    fn an_ipv6_network_has_one_bucket_and_a_mapped_address_that_of_ipv4() {
        let (limiter, now) = (limiter(1), Instant::now());
        assert_eq!(limiter.take(address("2001:db8:1:1::1"), now), Ok(()));
        assert_eq!(limiter.take(address("2001:db8:1:1:ffff::2"), now), Err(SECOND));
        assert_eq!(limiter.take(address("2001:db8:1:2::1"), now), Ok(()));
        assert_eq!(limiter.take(address("192.0.2.1"), now), Ok(()));
        assert_eq!(limiter.take(address("::ffff:192.0.2.1"), now), Err(SECOND));
    }

    #[test]
    fn memory_is_bounded_and_idle_addresses_are_forgotten() {
        let mut limiter = limiter(2);
        limiter.addresses_max = 3;
        let (start, address) = (Instant::now(), |number: u32| IpAddr::from(number.to_be_bytes()));
        for number in 0..3 {
            assert_eq!(limiter.take(address(number), start), Ok(()));
        }
        // Further addresses share a bucket; the others keep theirs.
        assert_eq!(
            [3, 4, 5].map(|number| limiter.take(address(number), start)),
            [Ok(()), Ok(()), Err(SECOND)]
        );
        assert_eq!(limiter.take(address(0), start), Ok(()));
        assert_eq!(limiter.buckets().full_at.len(), 3);
        let later = start + SWEEP_INTERVAL;
        assert_eq!(limiter.take(address(9), later), Ok(()));
        assert_eq!(
            limiter.buckets().full_at.keys().copied().collect::<Vec<_>>(),
            [address(9)]
        );
    }
}
