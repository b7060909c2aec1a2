//! Metrics of the public log: what it has, what waits, what is published, and what each witness says.
//!
//! Figures from the books are the same in every process. Those of witnesses and failures are of this process: only the
//! one that seals asks witnesses.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use opencoin_ledger::{LedgerError, LogStore};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::gauge::single;
use crate::log::{LogStatus, WitnessStatus};

/// The figures of the log from the books.
pub(crate) struct LogFacts {
    size: u64,
    is_halted: bool,
    pending_coins: u64,
    oldest_pending_s: u64,
    published_size: u64,
    published_at_s: u64,
    joint_size: u64,
    joint_at_s: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WitnessLabel {
    witness: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuditorLabel {
    auditor: String,
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
        let joint = log.joint().await?;
        Ok(Some(Self {
            size: head.size,
            is_halted: head.halted.is_some(),
            pending_coins: pending.coins,
            oldest_pending_s: pending.oldest.map_or(0, |at| at.unix_seconds()),
            published_size: published.as_ref().map_or(0, |published| published.size),
            published_at_s: published.map_or(0, |published| published.at.unix_seconds()),
            joint_size: joint.as_ref().map_or(0, |joint| joint.size),
            joint_at_s: joint.map_or(0, |joint| joint.at.unix_seconds()),
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
    /// The figures of the joint signature, which only some currencies have.
    pub(super) fn register_joint(&self, registry: &mut Registry) {
        let figures = [
            (
                "opencoin_log_joint_leaves",
                "Leaves under the newest checkpoint with the joint signature of the auditors; 0 before the first",
                self.joint_size,
            ),
            (
                "opencoin_log_joint_timestamp_seconds",
                "When a checkpoint with the joint signature was published last; 0 before the first",
                self.joint_at_s,
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
    Answers::of(&status.witnesses, |witness| WitnessLabel { witness }).register(
        registry,
        "witness",
        "Checkpoints that a witness cosigned for this process",
        "Checkpoints that a witness did not cosign for this process",
    );
    Answers::of(&status.auditors, |auditor| AuditorLabel { auditor }).register(
        registry,
        "auditor",
        "Signatures of an auditor that this process has collected",
        "Requests of this process to which an auditor has shown no signature of a published checkpoint",
    );
}

/// What witnesses, or auditors, have answered.
struct Answers<Label> {
    cosigned: Family<Label, Counter>,
    failed: Family<Label, Counter>,
    leaves: Family<Label, Gauge>,
}

impl<Label> Answers<Label>
where
    Label: Clone + Debug + Eq + Hash + EncodeLabelSet + Send + Sync + 'static,
{
    fn of(answers: &BTreeMap<String, WitnessStatus>, label: impl Fn(String) -> Label) -> Self {
        let (cosigned, failed) = (Family::<Label, Counter>::default(), Family::default());
        let leaves = Family::<Label, Gauge>::default();
        for (name, answer) in answers {
            let label = label(name.clone());
            cosigned.get_or_create(&label).inc_by(answer.cosigned);
            Family::<Label, Counter>::get_or_create(&failed, &label).inc_by(answer.failed);
            leaves
                .get_or_create(&label)
                .set(i64::try_from(answer.size).unwrap_or(i64::MAX));
        }
        Self {
            cosigned,
            failed,
            leaves,
        }
    }

    fn register(self, registry: &mut Registry, who: &str, cosigned: &str, failed: &str) {
        registry.register(
            format!("opencoin_log_{who}_cosignatures"),
            cosigned,
            self.cosigned,
        );
        registry.register(format!("opencoin_log_{who}_failures"), failed, self.failed);
        registry.register(
            format!("opencoin_log_{who}_leaves"),
            "Leaves of the last checkpoint that it cosigned, as this process has seen",
            self.leaves,
        );
    }
}
