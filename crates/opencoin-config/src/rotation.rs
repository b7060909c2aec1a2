//! How keys rotate: the table `[rotation]` of `issuer.toml`, and the windows that follow from it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use opencoin_crypto::{KEY_BITS_MAX, KEY_BITS_STEP, MINT_KEY_BITS_MIN};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Clocks of wallets may be behind by this much without finding a document from the future.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Beyond a century a date could not be written.
const SPAN_MAX: TimeDelta = TimeDelta::days(36_525);

/// A length of time that people write as `90days` or `36h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(TimeDelta);

/// How keys rotate: the table `[rotation]` of `issuer.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "RotationPolicyFields")]
pub struct RotationPolicy {
    /// How long a key signs.
    pub signing_window: Span,
    /// How long two generations sign side by side.
    pub overlap: Span,
    /// How long before it begins a key is made.
    pub lead: Span,
    /// How long coins are taken back after their key has stopped signing.
    pub coin_lifetime: Span,
    /// How long the private half is kept after the key has stopped signing.
    pub resume_window: Span,
    /// The size of new keys.
    pub key_bits: usize,
}

/// The policy as it is written, before it is known to make sense.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RotationPolicyFields {
    signing_window: Span,
    overlap: Span,
    lead: Span,
    coin_lifetime: Span,
    resume_window: Span,
    key_bits: usize,
}

/// When a key signs, and until when its coins are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment at which the key may sign.
    pub sign_not_before: DateTime<Utc>,
    /// The last moment at which it may.
    pub sign_not_after: DateTime<Utc>,
    /// The last moment at which its coins are taken back.
    pub coins_expiry: DateTime<Utc>,
}

impl Span {
    /// This many days.
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self(TimeDelta::days(days))
    }

    /// The length.
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
        let wrong = |reason: &str| format!("{text:?} is no length of time: {reason}; write 90days, or 36h");
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
            key_bits: MINT_KEY_BITS_MIN,
        }
    }
}

impl Default for RotationPolicyFields {
    fn default() -> Self {
        let RotationPolicy {
            signing_window,
            overlap,
            lead,
            coin_lifetime,
            resume_window,
            key_bits,
        } = RotationPolicy::default();
        Self {
            signing_window,
            overlap,
            lead,
            coin_lifetime,
            resume_window,
            key_bits,
        }
    }
}

impl TryFrom<RotationPolicyFields> for RotationPolicy {
    type Error = String;

    fn try_from(fields: RotationPolicyFields) -> Result<Self, String> {
        let RotationPolicyFields {
            signing_window,
            overlap,
            lead,
            coin_lifetime,
            resume_window,
            key_bits,
        } = fields;
        let policy = Self {
            signing_window,
            overlap,
            lead,
            coin_lifetime,
            resume_window,
            key_bits,
        };
        policy.check().map(|()| policy)
    }
}

impl RotationPolicy {
    /// Whether keys can rotate like this.
    ///
    /// # Errors
    /// Names the setting that does not fit.
    pub fn check(&self) -> Result<(), String> {
        if self.signing_window.get() <= self.overlap.get() {
            return Err("overlap must be shorter than signing_window".to_owned());
        }
        if self.coin_lifetime.get() < self.resume_window.get() {
            return Err("resume_window must not be longer than coin_lifetime: whoever resumes late gets coins that have expired"
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

    /// The window of a key that begins to sign at this moment.
    #[must_use]
    pub fn window_from(&self, sign_not_before: DateTime<Utc>) -> Window {
        // A fraction of a second in a certificate helps nobody.
        let sign_not_before = sign_not_before.trunc_subsecs(0);
        let sign_not_after = sign_not_before + self.signing_window.get();
        Window {
            sign_not_before,
            sign_not_after,
            coins_expiry: sign_not_after + self.coin_lifetime.get(),
        }
    }

    /// The window of a key that is needed at once.
    #[must_use]
    pub fn window_now(&self, now: DateTime<Utc>) -> Window {
        let Window {
            sign_not_after,
            coins_expiry,
            ..
        } = self.window_from(now);
        Window {
            sign_not_before: now.trunc_subsecs(0) - CLOCK_SKEW,
            sign_not_after,
            coins_expiry,
        }
    }
}
