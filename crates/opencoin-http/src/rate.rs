//! How often one address may ask.
//!
//! Each address (of IPv6, each network of 64 bits, which is what one customer has) has a bucket that a
//! request takes one drop of and that fills again over time: kept as the moment at which it will be full
//! again ("generic cell rate algorithm", ITU-T I.371). An address whose bucket is full is as one that never
//! came, and is forgotten. Addresses are kept nowhere else and for no longer.
//!
//! There are at most [`ADDRESSES_MAX`] buckets; addresses beyond share one, so that a flood from many
//! addresses takes no memory, and those that were there before keep their own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many addresses have a bucket of their own: some ten megabytes.
const ADDRESSES_MAX: usize = 100_000;
/// How often full buckets are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often they are looked for when there is no room for more.
const CROWDED_SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The part of an IPv6 address that is a customer's network.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// How long one drop takes to come back.
    pub(super) interval: Duration,
    /// How many fit into a bucket.
    pub(super) burst: NonZeroU32,
}

/// The buckets of all addresses.
pub(super) struct RateLimiter {
    rate: Rate,
    addresses_max: usize,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    /// When each will be full again.
    full_at: HashMap<IpAddr, Instant>,
    /// The one of all addresses for which there was no room.
    others_full_at: Option<Instant>,
    swept: Option<Instant>,
}

impl RateLimiter {
    pub(super) fn new(rate: Rate) -> Self {
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

    /// Takes a drop out of an address's bucket.
    ///
    /// # Errors
    /// It is empty: how long to wait for the next drop.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
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

    /// When a bucket is full again that will be full at `full_at`, once a drop more is out.
    fn taken(&self, full_at: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let full_at = full_at.map_or(now, |full_at| full_at.max(now)) + self.rate.interval;
        let wait = (full_at - now).saturating_sub(self.rate.interval * self.rate.burst.get());
        if wait.is_zero() { Ok(full_at) } else { Err(wait) }
    }

    /// Forgets the addresses whose buckets are full, now and then.
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

/// What has a bucket.
fn network(address: IpAddr) -> IpAddr {
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
    fn a_burst_passes_and_then_the_rate_holds() {
        let (limiter, start, client) = (limiter(3), Instant::now(), address("192.0.2.1"));
        let at = |seconds: u32| limiter.take(client, start + SECOND * seconds);
        assert_eq!(
            [at(0), at(0), at(0), at(0)],
            [Ok(()), Ok(()), Ok(()), Err(SECOND)]
        );
        // What was refused has taken nothing.
        assert_eq!([at(1), at(1)], [Ok(()), Err(SECOND)]);
        assert_eq!(
            [at(100), at(100), at(100), at(100)],
            [Ok(()), Ok(()), Ok(()), Err(SECOND)]
        );
        assert_eq!(
            limiter.take(address("192.0.2.2"), start + SECOND * 100),
            Ok(()),
            "another address has its own"
        );
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_mapped_address_is_its_own() {
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
        // Those for whom there is no room share a bucket; the others keep theirs.
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
