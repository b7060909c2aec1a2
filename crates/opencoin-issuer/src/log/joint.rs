//! The joint signature: auditors sign checkpoints that were published before, each at its own pace. Their signatures are
//! collected and published with the checkpoint when there are enough of them.
//!
//! One process at a time collects, the one that seals. What it has found is in the books, so that all processes serve it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use opencoin_keys::{Currency, ledger_time};
use opencoin_ledger::{LedgerError, PUBLISHED_KEPT_MAX, PublishedCheckpoint};
use opencoin_log::log_block::LogBlock;
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_logging::LogThrottle;

use super::IssuerLog;
use super::auditors::Shown;

/// The pause between two looks at what is published.
const TURN_PAUSE: Duration = Duration::from_millis(250);
/// How often the auditors are asked while the newest published checkpoint lacks the joint signature.
const ASK_WHILE_MISSING: Duration = Duration::from_secs(1);
/// How often they are asked when that has lasted for [`PATIENCE`].
const ASK_WHILE_STALLED: Duration = Duration::from_secs(10);
/// How often they are asked when nothing is missing, for a fresh time.
const ASK_WHILE_COMPLETE: Duration = Duration::from_secs(60);
/// How long a checkpoint usually waits for the joint signature, at most.
const PATIENCE: Duration = Duration::from_secs(60);

static FAILURES: LogThrottle = LogThrottle::new();

/// What the collecting process remembers between its turns.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Signatures of published checkpoints, with their times, by the size of the tree and the name of the auditor.
    signatures: BTreeMap<u64, BTreeMap<String, (u64, SignatureLine)>>,
    /// When the auditors were asked last.
    asked: Option<Instant>,
    /// The published size that lacks the joint signature, and since when.
    missing: Option<(u64, Instant)>,
}

impl IssuerLog {
    /// Collects the joint signature, until it is dropped.
    pub(super) async fn collect(&self, is_served: impl Fn() -> bool, currency: impl Fn() -> Arc<Currency>) {
        let mut collected = Collected::default();
        loop {
            tokio::time::sleep(TURN_PAUSE).await;
            let currency = currency();
            let audited = currency.log().filter(|block| block.joint().is_some());
            let Some(block) = audited.filter(|_| is_served() && self.seals.load(Ordering::Relaxed)) else {
                continue;
            };
            if let Err(error) = self.collect_turn(&mut collected, block).await {
                self.recorder.failed();
                if let Some(times) = FAILURES.count(Instant::now()) {
                    tracing::error!(%error, times, "the joint signature was not collected; trying again");
                }
            }
        }
    }

    /// Asks the auditors if it is time, and publishes the newest checkpoint that has the joint signature.
    pub(super) async fn collect_turn(
        &self,
        collected: &mut Collected,
        block: &LogBlock,
    ) -> Result<(), LedgerError> {
        let Some(published) = self.store.published().await? else {
            return Ok(());
        };
        let joint = self.joint(block).await?;
        let joint_size = joint.as_ref().map(|joint| joint.size);
        if !collected.is_due(joint_size < Some(published.size), published.size) {
            return Ok(());
        }
        for shown in self.auditors.ask(block).await {
            match self.examine_shown(&shown).await? {
                Ok((size, time, line)) => {
                    let is_new = collected.add(size, &shown.name, time, line);
                    self.recorder.auditor_signed(&shown.name, size, is_new);
                }
                Err(reason) => self.recorder.auditor_failed(&shown.name, reason),
            }
        }
        self.combine(collected, block, joint.as_deref()).await
    }

    /// Publishes the newest checkpoint that has the joint signature now, unless it is published already.
    async fn combine(
        &self,
        collected: &mut Collected,
        block: &LogBlock,
        before: Option<&PublishedCheckpoint>,
    ) -> Result<(), LedgerError> {
        let from = before.map_or(0, |before| before.size);
        for (size, signatures) in collected.signatures.range(from..).rev() {
            let Some(published) = self.published_of_size(*size).await? else {
                continue;
            };
            let Some(signed) = signed_jointly(&published, signatures, block) else {
                continue;
            };
            let note = signed.to_string();
            if before.is_none_or(|before| before.size < *size || before.note != note) {
                let at = ledger_time(self.clock.now());
                let (size, note) = (*size, note);
                self.store
                    .publish_joint(&PublishedCheckpoint { size, note, at })
                    .await?;
                self.joint_shown.forget();
            }
            let size = *size;
            collected.signatures.retain(|known, _| *known >= size);
            break;
        }
        Ok(())
    }

    /// The signature in what an auditor shows, with the size of its tree and its time, if it is one of a checkpoint that
    /// was published here; otherwise the reason why not. Closes the issuer if it proves that these books are not the
    /// newest ones.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(super) async fn examine_shown(
        &self,
        shown: &Shown,
    ) -> Result<Result<(u64, u64, SignatureLine), String>, LedgerError> {
        let checkpoint = match &shown.checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        let ours = self.log_key.verifier();
        let (size, note) = (checkpoint.checkpoint().size(), checkpoint.note());
        if checkpoint.checkpoint().origin() != ours.name().as_str() {
            return Ok(Err("it shows a checkpoint of another log".to_owned()));
        }
        let is_ours = note.verify(std::slice::from_ref(ours)).is_ok();
        let published = self.published_of_size(size).await?;
        let text = match &published {
            Some(published) => Some(parse(published)?.note().text().to_owned()),
            None => None,
        };
        match text {
            Some(text) if text == note.text() => {}
            Some(_) if is_ours => {
                self.close_by(shown, "another tree of the same size");
                return Ok(Err("it shows another history that this log has signed".to_owned()));
            }
            Some(_) => return Ok(Err("it shows a tree that this log has not signed".to_owned())),
            None if is_ours && !self.has_size(size).await? => {
                self.close_by(shown, "a larger tree than the books have");
                return Ok(Err("it shows more than the books have".to_owned()));
            }
            None => {
                return Ok(Err(format!(
                    "it shows a checkpoint of {size} leaves, which was not published lately"
                )));
            }
        }
        let now_s = ledger_time(self.clock.now()).unix_seconds();
        Ok(shown
            .signature(checkpoint, now_s)
            .map(|(time, line)| (size, time, line)))
    }

    /// Whether the books have so many leaves of the log by now.
    async fn has_size(&self, size: u64) -> Result<bool, LedgerError> {
        Ok(self.store.head().await?.is_some_and(|head| head.size >= size))
    }

    async fn published_of_size(&self, size: u64) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        self.store.published_of_size(size).await
    }

    fn close_by(&self, shown: &Shown, what: &str) {
        self.close(format!(
            "auditor {} shows {what}, which this log has signed: docs/LOG.md, \"When the books were restored\"",
            shown.name
        ));
    }
}

/// The checkpoint with these signatures, if the joint signature and the quorum are complete.
fn signed_jointly(
    published: &PublishedCheckpoint,
    signatures: &BTreeMap<String, (u64, SignatureLine)>,
    block: &LogBlock,
) -> Option<SignedCheckpoint> {
    let mut signed = parse(published).ok()?;
    for (_, line) in signatures.values() {
        signed.add(line.clone()).ok()?;
    }
    block.verify_joint(&signed, None).ok()?;
    Some(signed)
}

fn parse(published: &PublishedCheckpoint) -> Result<SignedCheckpoint, LedgerError> {
    let parsed = published.note.parse();
    parsed.map_err(|error| LedgerError::corrupt("published checkpoint", error))
}

impl Collected {
    /// Whether the auditors are to be asked now. `is_missing` says whether the published tree of this size lacks the joint
    /// signature.
    fn is_due(&mut self, is_missing: bool, size: u64) -> bool {
        let now = Instant::now();
        let pause = if is_missing {
            let (_, since) = match self.missing {
                Some(missing) if missing.0 == size => missing,
                _ => *self.missing.insert((size, now)),
            };
            if now.duration_since(since) < PATIENCE {
                ASK_WHILE_MISSING
            } else {
                ASK_WHILE_STALLED
            }
        } else {
            self.missing = None;
            ASK_WHILE_COMPLETE
        };
        let is_due = self.asked.is_none_or(|asked| now.duration_since(asked) >= pause);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// The next turn asks the auditors.
    #[cfg(test)]
    pub(super) fn is_due_at_once(&mut self) {
        self.asked = None;
    }

    /// Remembers a signature. Returns whether it is a new one.
    fn add(&mut self, size: u64, auditor: &str, time: u64, line: SignatureLine) -> bool {
        let of_size = self.signatures.entry(size).or_default();
        let is_new = of_size.get(auditor).is_none_or(|(known, _)| *known < time);
        if is_new {
            of_size.insert(auditor.to_owned(), (time, line));
        }
        if self.signatures.len() > PUBLISHED_KEPT_MAX {
            self.signatures.pop_first();
        }
        is_new
    }
}
