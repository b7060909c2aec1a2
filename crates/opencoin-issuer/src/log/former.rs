//! Witnesses that only earlier descriptions of the currency name.
//!
//! A witness cosigns whatever continues what it has cosigned last, for anybody, with the present time. A witness that gets
//! no more checkpoints would cosign an old one today. Evidence may be judged by any description that the master key has
//! signed, so a quorum of such witnesses would show leaves as missing that the log has had for long. So they get each
//! checkpoint too, also while the present witnesses do not answer. Nobody waits for their answers, and they count for
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use opencoin_keys::Currency;
use opencoin_ledger::LedgerError;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::PolicyWitness;
use opencoin_logging::LogThrottle;

use super::IssuerLog;
use super::witnesses::asked;

/// The pause between two looks at the end of the log.
const TURN_PAUSE: Duration = Duration::from_secs(1);
/// How long a witness that does not cosign is left alone. It may be gone for ever.
const RETRY_AFTER: Duration = Duration::from_secs(60);

static FAILURES: LogThrottle = LogThrottle::new();

/// What each former witness was sent last, by the text of its key.
#[derive(Debug, Default)]
pub(super) struct Informed(BTreeMap<String, Sent>);

#[derive(Debug)]
struct Sent {
    size: u64,
    at: Instant,
    is_cosigned: bool,
}

impl IssuerLog {
    /// Sends each checkpoint to former witnesses, until it is dropped.
    pub(super) async fn inform_former(
        &self,
        is_served: impl Fn() -> bool,
        currency: impl Fn() -> Arc<Currency>,
    ) {
        let mut informed = Informed::default();
        let mut seen: Option<(Arc<Currency>, Vec<PolicyWitness>)> = None;
        loop {
            tokio::time::sleep(TURN_PAUSE).await;
            if !is_served() || !self.seals.load(Ordering::Relaxed) {
                continue;
            }
            let newest = currency();
            let (_, witnesses) = match seen.take() {
                Some(seen_last) if Arc::ptr_eq(&seen_last.0, &newest) => seen.insert(seen_last),
                _ => {
                    let witnesses = former_in(&newest);
                    seen.insert((newest, witnesses))
                }
            };
            if let Err(error) = self.inform_turn(&mut informed, witnesses).await
                && let Some(times) = FAILURES.count(Instant::now())
            {
                tracing::error!(%error, times, "former witnesses were not informed; trying again");
            }
        }
    }

    /// Sends the end of the log to those of these witnesses that do not have it.
    pub(super) async fn inform_turn(
        &self,
        informed: &mut Informed,
        witnesses: &[PolicyWitness],
    ) -> Result<(), LedgerError> {
        if witnesses.is_empty() {
            return Ok(());
        }
        let Some(head) = self.store.head().await? else {
            return Ok(());
        };
        if !witnesses.iter().any(|witness| informed.lacks(witness, head.size)) {
            return Ok(());
        }
        // As for the others: books that may be old, and a tree that lacks what is late, get no new date.
        if !self.confirmed.load(Ordering::Relaxed) || self.is_late().await? {
            return Ok(());
        }
        let Some(signed) = self.sign().await? else {
            return Ok(());
        };
        let size = signed.checkpoint().size();
        let lacking: Vec<PolicyWitness> = witnesses
            .iter()
            .filter(|witness| informed.lacks(witness, size))
            .cloned()
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let answers = self
            .witnesses
            .inform(&lacking, self.log_key.verifier(), &signed)
            .await;
        for witness in &lacking {
            let answer = answers.iter().find(|answer| answer.name == witness.name);
            if let Some(Err(refused)) = answer.map(|answer| &answer.result) {
                tracing::debug!(witness = witness.name, %refused, "a former witness does not cosign the log");
            }
            let sent = Sent {
                size,
                at: Instant::now(),
                is_cosigned: answer.is_some_and(|answer| answer.result.is_ok()),
            };
            informed.0.insert(witness.key.to_string(), sent);
        }
        Ok(())
    }
}

impl Informed {
    /// Whether the witness is to be sent a checkpoint of this size.
    fn lacks(&self, witness: &PolicyWitness, size: u64) -> bool {
        self.0.get(&witness.key.to_string()).is_none_or(|sent| {
            if sent.is_cosigned {
                sent.size < size
            } else {
                sent.at.elapsed() >= RETRY_AFTER
            }
        })
    }
}

/// The witnesses of earlier descriptions.
fn former_in(currency: &Currency) -> Vec<PolicyWitness> {
    let earlier = currency.cddcs().filter_map(|cddc| {
        // A description without a readable log names no witnesses.
        LogBlock::find(&cddc.cdd.additional_info).ok().flatten()
    });
    currency
        .log()
        .map(|current| former(current, earlier))
        .unwrap_or_default()
}

/// The witnesses of these descriptions of the log that the current one does not name, each once.
pub(super) fn former(current: &LogBlock, earlier: impl Iterator<Item = LogBlock>) -> Vec<PolicyWitness> {
    let mut found: BTreeMap<String, PolicyWitness> = BTreeMap::new();
    for block in earlier.filter(|block| block.origin() == current.origin()) {
        for witness in asked(&block).into_iter().filter(|witness| witness.url.is_some()) {
            found.insert(witness.key.to_string(), witness.clone());
        }
    }
    for witness in asked(current) {
        found.remove(&witness.key.to_string());
    }
    // Names are unique in one description only.
    let with_key_as_name = |(name, witness)| PolicyWitness { name, ..witness };
    found.into_iter().map(with_key_as_name).collect()
}
