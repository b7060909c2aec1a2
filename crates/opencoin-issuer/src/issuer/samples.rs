//! Figures of the last day; see [`crate::samples`].

use chrono::TimeDelta;

use super::Issuer;
use crate::metrics::scrape::LedgerFacts;
use crate::samples::{SAMPLE_INTERVAL, SAMPLES_AGE_MAX, Sample};

impl Issuer {
    /// Takes a sample every ten seconds, until it is dropped.
    pub async fn take_samples(&self) {
        loop {
            tokio::time::sleep(SAMPLE_INTERVAL).await;
            self.take_sample().await;
        }
    }

    /// Takes a sample of what has happened since the one before.
    pub async fn take_sample(&self) {
        let facts = if self.is_set_back() {
            None
        } else {
            self.ledger_reader.read(LedgerFacts::read(&self.books)).await
        };
        let now = self.clock.now();
        let outstanding = facts.map(|facts| facts.outstanding(now));
        self.samples.add(now, self.metrics.sums(), outstanding);
    }

    /// The samples of the last while, at most of a day, the oldest first, in steps of so many seconds.
    #[must_use]
    pub fn samples(&self, age_max: TimeDelta, step_s: u32) -> Vec<Sample> {
        let begin = self.clock.now() - age_max.min(SAMPLES_AGE_MAX);
        self.samples.after(begin, step_s)
    }
}
