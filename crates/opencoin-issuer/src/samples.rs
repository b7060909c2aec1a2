//! Figures of the last day, one sample every ten seconds, for the charts of operators.
//!
//! They are of this process and in its memory: a restart begins anew, and each of several processes has its own. Monitoring
//! that keeps figures for longer reads the metrics.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The time between two samples, in seconds.
pub const SAMPLE_INTERVAL_S: u32 = 10;
/// The longest step in which samples are read, in seconds.
pub const SAMPLE_STEP_S_MAX: u32 = 3_600;
/// How long samples are kept.
pub const SAMPLES_AGE_MAX: TimeDelta = TimeDelta::days(1);
/// The most samples that are kept.
const SAMPLES_MAX: usize = 24 * 60 * 60 / SAMPLE_INTERVAL_S as usize;
/// The time between two samples.
pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_secs(SAMPLE_INTERVAL_S as u64);

/// What has happened since the sample before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The end of the time that it covers.
    pub at: DateTime<Utc>,
    /// How long that time is.
    pub covered: Duration,
    /// Requests of wallets, programs and visitors that were answered.
    pub requests: u64,
    /// Those that were refused, for whatever reason.
    pub refusals: u64,
    /// Requests whose blinds were signed.
    pub signings: u64,
    /// How long signing took in all.
    pub signing: Duration,
    /// The value of the coins in circulation, in the smallest unit; `None` if the books could not be read.
    pub outstanding: Option<u64>,
}

impl Sample {
    /// How long signing the blinds of one request took on average; `None` if none was signed.
    #[must_use]
    pub fn mean_signing(&self) -> Option<Duration> {
        let count = u32::try_from(self.signings).unwrap_or(u32::MAX);
        self.signing.checked_div(count)
    }

    /// Adds what a later sample has.
    fn extend(&mut self, later: &Self) {
        *self = Self {
            at: later.at,
            covered: self.covered + later.covered,
            requests: self.requests + later.requests,
            refusals: self.refusals + later.refusals,
            signings: self.signings + later.signings,
            signing: self.signing + later.signing,
            outstanding: later.outstanding.or(self.outstanding),
        };
    }
}

/// Sums since the start of the process. A sample is the difference of two readings.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    requests: AtomicU64,
    refusals: AtomicU64,
    signings: AtomicU64,
    signing_us: AtomicU64,
}

/// [`Sums`] at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SumsRead {
    requests: u64,
    refusals: u64,
    signings: u64,
    signing_us: u64,
}

impl Sums {
    pub(crate) fn answered(&self, is_refused: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.refusals.fetch_add(u64::from(is_refused), Ordering::Relaxed);
    }

    pub(crate) fn signed(&self, duration: Duration) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.signings.fetch_add(1, Ordering::Relaxed);
        self.signing_us.fetch_add(duration_us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> SumsRead {
        let [requests, refusals, signings, signing_us] =
            [&self.requests, &self.refusals, &self.signings, &self.signing_us]
                .map(|sum| sum.load(Ordering::Relaxed));
        SumsRead {
            requests,
            refusals,
            signings,
            signing_us,
        }
    }
}

/// The samples of the last day.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    last: SumsRead,
    samples: VecDeque<Sample>,
}

impl Samples {
    pub(crate) fn add(&self, at: DateTime<Utc>, sums: SumsRead, outstanding: Option<u64>) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock of the machine may have been set back.
        while ring.samples.back().is_some_and(|newest| newest.at >= at) {
            ring.samples.pop_back();
        }
        if ring.samples.len() == SAMPLES_MAX {
            ring.samples.pop_front();
        }
        let covered = ring
            .samples
            .back()
            .and_then(|newest| (at - newest.at).to_std().ok());
        let last = std::mem::replace(&mut ring.last, sums);
        ring.samples.push_back(Sample {
            at,
            covered: covered.unwrap_or(SAMPLE_INTERVAL),
            requests: sums.requests.saturating_sub(last.requests),
            refusals: sums.refusals.saturating_sub(last.refusals),
            signings: sums.signings.saturating_sub(last.signings),
            signing: Duration::from_micros(sums.signing_us.saturating_sub(last.signing_us)),
            outstanding,
        });
    }

    /// The samples after this moment, the oldest first, in steps of so many seconds: all that end in the same step are one.
    pub(crate) fn after(&self, begin: DateTime<Utc>, step_s: u32) -> Vec<Sample> {
        let step_s = i64::from(step_s.max(1));
        // The moment of a sample is the end of what it covers, so a step is open at its beginning.
        let step = |sample: &Sample| (sample.at.timestamp_millis() - 1).div_euclid(step_s * 1_000);
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut merged: Vec<Sample> = Vec::new();
        for sample in ring.samples.iter().filter(|sample| sample.at > begin) {
            match merged.last_mut() {
                Some(last) if step(last) == step(sample) => last.extend(sample),
                _ => merged.push(*sample),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("a moment")
    }

    #[test]
    fn a_sample_has_what_happened_since_the_one_before() {
        let (sums, samples) = (Sums::default(), Samples::default());
        sums.answered(false);
        sums.answered(true);
        sums.signed(Duration::from_millis(3));
        sums.signed(Duration::from_millis(5));
        samples.add(at(10), sums.read(), Some(700));
        sums.answered(false);
        samples.add(at(20), sums.read(), None);
        let read = samples.after(at(0), SAMPLE_INTERVAL_S);
        assert_eq!(
            read,
            [
                Sample {
                    at: at(10),
                    covered: SAMPLE_INTERVAL,
                    requests: 2,
                    refusals: 1,
                    signings: 2,
                    signing: Duration::from_millis(8),
                    outstanding: Some(700),
                },
                Sample {
                    at: at(20),
                    covered: SAMPLE_INTERVAL,
                    requests: 1,
                    refusals: 0,
                    signings: 0,
                    signing: Duration::ZERO,
                    outstanding: None,
                },
            ]
        );
        assert_eq!(read[0].mean_signing(), Some(Duration::from_millis(4)));
        assert_eq!(read[1].mean_signing(), None);
        assert_eq!(samples.after(at(10), SAMPLE_INTERVAL_S).len(), 1);
    }

    #[test]
    fn a_step_adds_up_and_keeps_the_last_known_value() {
        let (sums, samples) = (Sums::default(), Samples::default());
        // 1_700_000_000 is 20 seconds after the beginning of a minute.
        for (second, outstanding) in [(30, Some(1)), (40, None), (50, Some(3)), (60, Some(4))] {
            sums.answered(second == 40);
            samples.add(at(second), sums.read(), outstanding);
        }
        let steps: Vec<_> = samples
            .after(at(0), 60)
            .iter()
            .map(|sample| (sample.at, sample.requests, sample.refusals, sample.outstanding))
            .collect();
        assert_eq!(steps, [(at(40), 2, 1, Some(1)), (at(60), 2, 0, Some(4))]);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_the_time_after_it_along() {
        let (sums, samples) = (Sums::default(), Samples::default());
        for second in [10, 20, 30, 15] {
            sums.answered(false);
            samples.add(at(second), sums.read(), None);
        }
        let left: Vec<_> = samples
            .after(at(0), SAMPLE_INTERVAL_S)
            .iter()
            .map(|sample| (sample.at, sample.covered.as_secs()))
            .collect();
        assert_eq!(left, [(at(10), 10), (at(15), 5)]);
    }

    #[test]
    fn samples_of_more_than_a_day_ago_are_gone() {
        let (sums, samples) = (Sums::default(), Samples::default());
        let count = i64::try_from(SAMPLES_MAX).expect("few") + 5;
        for turn in 1..=count {
            samples.add(at(turn * i64::from(SAMPLE_INTERVAL_S)), sums.read(), None);
        }
        let all = samples.after(at(0), SAMPLE_INTERVAL_S);
        assert_eq!((all.len(), all[0].at), (SAMPLES_MAX, at(60)));
    }
}
