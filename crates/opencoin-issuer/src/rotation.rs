//! When mint keys are made, how long they sign, and when their private halves are destroyed.
//!
//! A denomination has one key after another. Each *generation* signs for `signing_window`; the next one begins `overlap` before
//! that ends, so that wallets and servers with clocks that differ always find a key, and it is made `lead` before it begins, so that
//! a person has time to carry a request to an offline master key and back. Coins are taken back for `coin_lifetime` after
//! their key has stopped signing. The private half is kept for `resume_window` after that moment.
//!
//! ```text
//!   made    begins                      ends          private half destroyed        coins expire
//!    |-lead-|------ signing_window ------|-- resume_window --|                           |
//!                              |-overlap-|--------------- coin_lifetime ------------------|
//!                              next begins
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use opencoin_crypto::{KEY_BITS_MAX, MINT_KEY_BITS_MIN};
use opencoin_ledger::{MintKeyId, MintKeyStatus};
use opencoin_schema::BigInt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::currency::{CertifiedMintKey, Currency, ledger_time};

/// Clocks of wallets may be behind by this much without finding a document from the future.
pub(crate) const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Beyond a century a date could not be written.
const SPAN_MAX: TimeDelta = TimeDelta::days(36_525);

/// A CDD that ends within this time should be followed by another.
const CDD_EXPIRY_MARGIN: TimeDelta = TimeDelta::days(90);

/// A length of time that people write as `90days` or `36h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// What a mint key is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It will sign.
    Future,
    /// It signs.
    Signing,
    /// It has stopped signing; its coins are taken back.
    Accepting,
    /// Its coins have expired.
    Expired,
    /// It was stopped for good, by an operator or because more coins came back than it signed.
    Revoked,
}

/// Something to be done or to be known, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From this moment on.
    pub at: DateTime<Utc>,
    /// What.
    pub what: Due,
}

/// What is due at a [`Step`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A key of this denomination is to be made.
    MakeKey {
        /// Which denomination.
        denomination: u64,
        /// When it will sign.
        window: Window,
    },
    /// The private half of this key is to be destroyed.
    DestroyKey {
        /// Which key.
        id: BigInt,
        /// Its denomination.
        denomination: u64,
    },
    /// The spent coins of this key can be pruned: no coin of it is taken back any more.
    Prune {
        /// Which key.
        id: BigInt,
        /// Its denomination.
        denomination: u64,
    },
    /// The CDD ends soon: sign one with a later expiry.
    ChangeCdd,
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
        match units.into_iter().find(|(_, length)| seconds > 0 && seconds % length == 0) {
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
        let delta = TimeDelta::from_std(duration).ok().filter(|delta| *delta <= SPAN_MAX);
        delta.map(Self).ok_or_else(|| wrong("it is longer than a century"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
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
        let RotationPolicy { signing_window, overlap, lead, coin_lifetime, resume_window, key_bits } = RotationPolicy::default();
        Self { signing_window, overlap, lead, coin_lifetime, resume_window, key_bits }
    }
}

impl TryFrom<RotationPolicyFields> for RotationPolicy {
    type Error = String;

    fn try_from(fields: RotationPolicyFields) -> Result<Self, String> {
        let RotationPolicyFields { signing_window, overlap, lead, coin_lifetime, resume_window, key_bits } = fields;
        let policy = Self { signing_window, overlap, lead, coin_lifetime, resume_window, key_bits };
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
        if !(MINT_KEY_BITS_MIN..=KEY_BITS_MAX).contains(&self.key_bits) || !self.key_bits.is_multiple_of(64) {
            return Err("key_bits must be 2048 to 8192, in steps of 64; 2048, 3072 and 4096 are usual".to_owned());
        }
        Ok(())
    }

    /// The window of a key that begins to sign at this moment.
    #[must_use]
    pub fn window_from(&self, sign_not_before: DateTime<Utc>) -> Window {
        // A fraction of a second in a certificate helps nobody.
        let sign_not_before = sign_not_before.trunc_subsecs(0);
        let sign_not_after = sign_not_before + self.signing_window.get();
        Window { sign_not_before, sign_not_after, coins_expiry: sign_not_after + self.coin_lifetime.get() }
    }

    /// The window of a key that is needed at once.
    #[must_use]
    pub fn window_now(&self, now: DateTime<Utc>) -> Window {
        let Window { sign_not_after, coins_expiry, .. } = self.window_from(now);
        Window { sign_not_before: now.trunc_subsecs(0) - CLOCK_SKEW, sign_not_after, coins_expiry }
    }
}

/// What a key is doing at this moment.
#[must_use]
pub(crate) fn state(key: &CertifiedMintKey, status: Option<&MintKeyStatus>, now: DateTime<Utc>) -> KeyState {
    let at = ledger_time(now);
    if status.is_some_and(|status| status.stopped.is_some()) {
        KeyState::Revoked
    } else if at < key.terms.sign_not_before() {
        KeyState::Future
    } else if key.terms.signs_at(at) && !status.is_some_and(|status| status.retired) {
        KeyState::Signing
    } else if key.terms.accepts_coins_at(at) {
        KeyState::Accepting
    } else {
        KeyState::Expired
    }
}

/// What is to be done with the keys of a currency and when, in the order of time. What is overdue has a moment in the past.
///
/// `private` names the keys whose private halves are there.
#[must_use]
pub(crate) fn plan(
    currency: &Currency,
    statuses: &[MintKeyStatus],
    private: &BTreeSet<BigInt>,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Vec<Step> {
    let statuses: BTreeMap<MintKeyId, &MintKeyStatus> = statuses.iter().map(|status| (status.id, status)).collect();
    let status = |key: &CertifiedMintKey| statuses.get(&key.ledger_id).copied();
    let mut steps: Vec<Step> = Vec::new();
    for &denomination in &currency.current().cdd().denominations {
        let of_denomination = currency.mint_keys().filter(|key| key.verified.mint_key().denomination == denomination);
        let states: Vec<(KeyState, DateTime<Utc>)> = of_denomination
            .map(|key| (state(key, status(key), now), key.verified.mint_key().sign_coins_not_after.to_utc()))
            .collect();
        let signs_now = states.iter().any(|(state, _)| *state == KeyState::Signing);
        let goes_on = states.iter().filter(|(state, _)| matches!(state, KeyState::Future | KeyState::Signing));
        let last_end = goes_on.map(|(_, end)| *end).max().filter(|_| signs_now);
        steps.push(match last_end {
            Some(end) => {
                let begins = end - policy.overlap.get();
                let window = if begins <= now { policy.window_now(now) } else { policy.window_from(begins) };
                Step { at: begins - policy.lead.get(), what: Due::MakeKey { denomination, window } }
            }
            // Also where the next one is there already and only its time has not come.
            None => Step { at: now, what: Due::MakeKey { denomination, window: policy.window_now(now) } },
        });
    }
    for key in currency.mint_keys() {
        let mint_key = key.verified.mint_key();
        let (id, denomination) = (mint_key.id.clone(), mint_key.denomination);
        if private.contains(&id) {
            // Nothing is signed with a revoked key any more, so there is nothing to wait for.
            let is_revoked = state(key, status(key), now) == KeyState::Revoked;
            let at = if is_revoked { now } else { mint_key.sign_coins_not_after.to_utc() + policy.resume_window.get() };
            steps.push(Step { at, what: Due::DestroyKey { id: id.clone(), denomination } });
        }
        if status(key).is_some_and(|status| !status.pruned) {
            steps.push(Step { at: mint_key.coins_expiry_date.to_utc(), what: Due::Prune { id, denomination } });
        }
    }
    steps.push(Step { at: currency.current().cdd().cdd_expiry_date.to_utc() - CDD_EXPIRY_MARGIN, what: Due::ChangeCdd });
    steps.sort_by_key(|step| step.at);
    steps
}
