//! The table `[rotation]` of `issuer.toml`, and the time windows of keys that follow from it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use opencoin_crypto::{KEY_BITS_MAX, KEY_BITS_STEP, KeyPrimes, MINT_KEY_BITS_MIN};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Documents are dated back by this much, so that wallets whose clocks are behind accept them.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A century. Larger spans could lead to dates that documents cannot hold.
const SPAN_MAX: TimeDelta = TimeDelta::days(36_525);

/// A duration that people write as `90days` or `36h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(TimeDelta);

/// The table `[rotation]` of `issuer.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotationPolicy {
    /// How long a mint key signs.
    pub signing_window: Span,
    /// How long a key and its successor both sign.
    pub overlap: Span,
    /// How long before its first signature a key is generated.
    pub lead: Span,
    /// How long the issuer accepts coins after their key has stopped signing.
    pub coin_lifetime: Span,
    /// How long the private key is kept after it has stopped signing.
    pub resume_window: Span,
    /// How long certificates may take to come back from a master key on another machine, if the currency has a public
    /// log: a key must be in the log soon after it begins to sign, so keys that wait for the master key begin so much later.
    pub offline_time: Span,
    /// The size of new keys, in bits.
    pub key_bits: usize,
    /// How many primes new keys have.
    #[serde(with = "key_primes")]
    pub key_primes: KeyPrimes,
}

/// When a key signs, and until when the issuer accepts its coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment at which the key signs.
    pub sign_not_before: DateTime<Utc>,
    /// The last moment at which the key signs.
    pub sign_not_after: DateTime<Utc>,
    /// The last moment at which the issuer accepts its coins.
    pub coins_expiry: DateTime<Utc>,
}

impl Span {
    /// A span of whole hours.
    #[must_use]
    pub const fn hours(hours: i64) -> Self {
        Self(TimeDelta::hours(hours))
    }

    /// A span of whole days.
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self(TimeDelta::days(days))
    }

    /// The span as a [`TimeDelta`], never negative.
    #[must_use]
    pub const fn get(self) -> TimeDelta {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.num_seconds();
        let units = [("days", 86_400), ("hours", 3600), ("minutes", 60)];
        match units
            .into_iter()
            .find(|(_, length)| seconds > 0 && seconds % length == 0)
        {
            Some((unit, length)) => write!(formatter, "{}{unit}", seconds / length),
            None => write!(formatter, "{seconds}seconds"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |reason: &str| format!("{text:?} is not a duration: {reason}; write 90days or 36h, for example");
        let duration = humantime::parse_duration(text).map_err(|error| wrong(&error.to_string()))?;
        let delta = TimeDelta::from_std(duration)
            .ok()
            .filter(|delta| *delta <= SPAN_MAX);
        delta
            .map(Self)
            .ok_or_else(|| wrong("it is longer than a century"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self {
            signing_window: Span::days(90),
            overlap: Span::days(7),
            lead: Span::days(14),
            coin_lifetime: Span::days(180),
            resume_window: Span::days(14),
            offline_time: Span::hours(12),
            key_bits: MINT_KEY_BITS_MIN,
            key_primes: KeyPrimes::default(),
        }
    }
}

impl RotationPolicy {
    /// Checks that the settings fit together.
    ///
    /// # Errors
    /// The text names the first setting that does not fit.
    pub fn check(&self) -> Result<(), String> {
        if self.signing_window.get() <= self.overlap.get() {
            return Err("overlap must be shorter than signing_window".to_owned());
        }
        if self.coin_lifetime.get() < self.resume_window.get() {
            return Err("resume_window must not be longer than coin_lifetime, or a late resume would give expired coins"
                .to_owned());
        }
        if !(MINT_KEY_BITS_MIN..=KEY_BITS_MAX).contains(&self.key_bits)
            || !self.key_bits.is_multiple_of(KEY_BITS_STEP)
        {
            return Err(format!(
                "key_bits must be {MINT_KEY_BITS_MIN} to {KEY_BITS_MAX}, in steps of {KEY_BITS_STEP}; 2048, 3072 and 4096 are usual"
            ));
        }
        Ok(())
    }

    /// The window of a key that begins to sign at `sign_not_before`, in whole seconds.
    #[must_use]
    pub fn window_from(&self, sign_not_before: DateTime<Utc>) -> Window {
        let sign_not_before = sign_not_before.trunc_subsecs(0);
        let sign_not_after = sign_not_before + self.signing_window.get();
        Window {
            sign_not_before,
            sign_not_after,
            coins_expiry: sign_not_after + self.coin_lifetime.get(),
        }
    }

    /// The window of a key that signs at once. It begins before `now`, by [`CLOCK_SKEW`].
    #[must_use]
    pub fn window_now(&self, now: DateTime<Utc>) -> Window {
        Window {
            sign_not_before: now.trunc_subsecs(0) - CLOCK_SKEW,
            ..self.window_from(now)
        }
    }

    /// The window of a key whose certificate may take [`Self::offline_time`] to come.
    #[must_use]
    pub fn window_soon(&self, now: DateTime<Utc>) -> Window {
        self.window_now(now + self.offline_time.get())
    }
}

/// The number of primes, as a number.
mod key_primes {
    use opencoin_crypto::KeyPrimes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(primes: &KeyPrimes, serializer: S) -> Result<S::Ok, S::Error> {
        primes.count().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyPrimes, D::Error> {
        u64::deserialize(deserializer)?
            .try_into()
            .map_err(serde::de::Error::custom)
    }
}
