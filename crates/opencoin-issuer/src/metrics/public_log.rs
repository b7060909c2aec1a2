//! Metrics of the public log: what it has, what waits, what is published, and what each witness says.
//!
//! Figures from the books are the same in every process. Those of witnesses and failures are of this process: only the
//! one that seals asks witnesses.

use opencoin_ledger::{LedgerError, LogStore};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::gauge::single;
use crate::log::LogStatus;

/// The figures of the log from the books.
pub(crate) struct LogFacts {
    size: u64,
    is_halted: bool,
    pending_coins: u64,
    oldest_pending_s: u64,
    published_size: u64,
    published_at_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabel {
    witness: String,
}

impl LogFacts {
    /// Reads the figures; `None` if the books have no log.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn read(log: &dyn LogStore) -> Result<Option<Self>, LedgerError> {
        let Some(head) = log.head().await? else {
            return Ok(None);
        };
        let (pending, published) = (log.pending().await?, log.published().await?);
        Ok(Some(Self {
            size: head.size,
            is_halted: head.halted.is_some(),
            pending_coins: pending.coins,
            oldest_pending_s: pending.oldest.map_or(0, |at| at.unix_seconds()),
            published_size: published.as_ref().map_or(0, |published| published.size),
            published_at_s: published.map_or(0, |published| published.at.unix_seconds()),
        }))
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let figures = [
            (
                "opencoin_log_leaves",
                "Leaves of the public log, published or not",
                self.size,
            ),
            (
                "opencoin_log_halted",
                "Whether a rule of the public log was broken: nothing is sealed or accepted any more",
                u64::from(self.is_halted),
            ),
            (
                "opencoin_log_pending_coins",
                "Coins and blinds that wait for a batch of the public log",
                self.pending_coins,
            ),
            (
                "opencoin_log_oldest_pending_timestamp_seconds",
                "When the oldest of what waits was accepted; 0 when nothing waits",
                self.oldest_pending_s,
            ),
            (
                "opencoin_log_published_leaves",
                "Leaves under the published checkpoint",
                self.published_size,
            ),
            (
                "opencoin_log_published_timestamp_seconds",
                "When a checkpoint was published last, the same one again or a new one; 0 before the first",
                self.published_at_s,
            ),
        ];
        for (name, help, value) in figures {
            single(registry, name, help, i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
}

/// What this process knows of its sealing and of the witnesses.
pub(super) fn register_status(registry: &mut Registry, status: &LogStatus) {
    let help = "Whether the last checkpoint that this process published has the quorum of witnesses; 1 if it has published none";
    let has_quorum = status.has_quorum.unwrap_or(true);
    single(registry, "opencoin_log_quorum", help, i64::from(has_quorum));
    let failures = Counter::<u64>::default();
    failures.inc_by(status.failures);
    let help = "Attempts of this process to seal or publish that failed";
    registry.register("opencoin_log_failures", help, failures);
    let [cosigned, failed] = [(); 2].map(|()| Family::<WitnessLabel, Counter>::default());
    let leaves = Family::<WitnessLabel, Gauge>::default();
    for (name, witness) in &status.witnesses {
        let label = WitnessLabel {
            witness: name.clone(),
        };
        cosigned.get_or_create(&label).inc_by(witness.cosigned);
        failed.get_or_create(&label).inc_by(witness.failed);
        leaves
            .get_or_create(&label)
            .set(i64::try_from(witness.size).unwrap_or(i64::MAX));
    }
    registry.register(
        "opencoin_log_witness_cosignatures",
        "Checkpoints that a witness cosigned for this process",
        cosigned,
    );
    registry.register(
        "opencoin_log_witness_failures",
        "Checkpoints that a witness did not cosign for this process",
        failed,
    );
    registry.register(
        "opencoin_log_witness_leaves",
        "Leaves of the last checkpoint that a witness cosigned for this process",
        leaves,
    );
}
