//! Publishing: the checkpoint at the end of the log is signed, cosigned by the witnesses, and shown.
//!
//! Signing the same tree again gives the same note, so this can be repeated after a crash at any point.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::join;
use opencoin_keys::ledger_time;
use opencoin_ledger::{LedgerError, PublishedCheckpoint};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_logging::LogThrottle;

use super::IssuerLog;
use super::signed_mark::SignedMarkError;
use super::witnesses::{Answer, Refused, are_needed};

static NO_QUORUM: LogThrottle = LogThrottle::new();

impl IssuerLog {
    /// Signs the end of the log, asks the witnesses, and publishes what they say if the quorum is reached. Returns whether
    /// it is.
    ///
    /// # Errors
    /// When the books or the file of the last signed checkpoint cannot be read or written.
    pub(super) async fn publish(&self, block: &LogBlock) -> Result<bool, LedgerError> {
        let Some(mut signed) = self.sign().await? else {
            return Ok(false);
        };
        let log_key = self.log_key.verifier();
        let answers = self.witnesses.ask(block, log_key, &signed).await;
        let size = signed.checkpoint().size();
        self.examine(block, &answers, size).await?;
        if self.closed().is_some() {
            return Ok(false);
        }
        let missing = reasons(&answers);
        for answer in answers {
            match answer.result {
                Ok(lines) => {
                    self.recorder.cosigned(&answer.name, size);
                    for line in lines {
                        signed.add(line).map_err(corrupt)?;
                    }
                }
                Err(refused) => self.recorder.refused(&answer.name, refused.to_string()),
            }
        }
        let has_quorum = block.policy().verify_checkpoint(&signed, None).is_ok();
        if has_quorum {
            let note = signed.to_string();
            let at = ledger_time(self.clock.now());
            self.store
                .publish(&PublishedCheckpoint { size, note, at })
                .await?;
            self.published_shown.forget();
        } else {
            complain(&missing);
        }
        self.recorder.published(has_quorum, self.clock.now());
        Ok(has_quorum)
    }

    /// Asks the witnesses whether they have seen more than the books have. A witness that knows the log gives the tree no
    /// new date. Returns whether a quorum has seen nothing newer. Auditors that answer must not show more either.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(super) async fn compare(&self, block: &LogBlock) -> Result<bool, LedgerError> {
        let Some(signed) = self.sign().await? else {
            return Ok(false);
        };
        let log_key = self.log_key.verifier();
        let (answers, shown) = join(
            self.witnesses.compare(block, log_key, &signed),
            self.auditors.ask(block),
        )
        .await;
        self.examine(block, &answers, signed.checkpoint().size()).await?;
        for shown in shown {
            // Signatures are collected later. One of a tree that the books do not have closes the issuer.
            let _ = self.examine_shown(&shown).await?;
        }
        let agree = answers.iter().filter(|answer| answer.result.is_ok());
        let agree: BTreeSet<&str> = agree.map(|answer| answer.name.as_str()).collect();
        let has_quorum = block.policy().is_satisfied(&agree);
        if !has_quorum {
            complain(&reasons(&answers));
        }
        Ok(self.closed().is_none() && has_quorum)
    }

    /// Signs the end of the log; `None` while it is empty.
    pub(super) async fn sign(&self) -> Result<Option<SignedCheckpoint>, LedgerError> {
        let Some(head) = self.store.head().await?.filter(|head| head.size > 0) else {
            return Ok(None);
        };
        let origin = self.log_key.verifier().name().as_str();
        let checkpoint = Checkpoint::new(origin, head.size, head.root).map_err(corrupt)?;
        match self.signed.raise(&checkpoint) {
            Ok(()) => {}
            Err(older @ SignedMarkError::Older { .. }) => {
                if !self.has_grown(head.size).await? {
                    self.close(older.to_string());
                }
                return Ok(None);
            }
            Err(error) => return Err(corrupt(error)),
        }
        let mut signed = SignedCheckpoint::new(checkpoint).map_err(corrupt)?;
        signed.sign(&self.log_key, 0).map_err(corrupt)?;
        Ok(Some(signed))
    }

    /// Whether another process has sealed a batch since the log had this size. Then what was said about that size tells
    /// nothing about the books.
    async fn has_grown(&self, size: u64) -> Result<bool, LedgerError> {
        Ok(self.store.head().await?.is_some_and(|head| head.size > size))
    }

    /// Closes the issuer if the books are older than what the world has seen. One witness that claims this without a
    /// proof can only do so if there is no quorum without it.
    async fn examine(&self, block: &LogBlock, answers: &[Answer], size: u64) -> Result<(), LedgerError> {
        let objects =
            |answer: &&Answer| matches!(answer.result, Err(Refused::Ahead { .. } | Refused::OtherHistory));
        let objecting: Vec<&Answer> = answers.iter().filter(objects).collect();
        if objecting.is_empty() || self.has_grown(size).await? {
            return Ok(());
        }
        for answer in &objecting {
            if let Err(refused) = &answer.result {
                tracing::error!(witness = answer.name, %refused, "a witness does not cosign the log");
                let text = format!("witness {}: {refused}", answer.name);
                self.recorder.incident(self.clock.now(), text);
            }
        }
        let names: BTreeSet<&str> = objecting.iter().map(|answer| answer.name.as_str()).collect();
        let is_proven = answers
            .iter()
            .any(|answer| matches!(answer.result, Err(Refused::Ahead { is_proven: true, .. })));
        if is_proven || are_needed(block.policy(), &names) {
            let names: Vec<&str> = names.into_iter().collect();
            self.close(format!(
                "the books are older than what the witnesses have seen, or others ({}): docs/LOG.md, \"When the books were restored\"",
                names.join(", ")
            ));
        }
        Ok(())
    }
}

/// Why witnesses have not cosigned.
fn reasons(answers: &[Answer]) -> String {
    let refused = answers.iter().filter_map(|answer| {
        let refused = answer.result.as_ref().err()?;
        Some(format!("{}: {refused}", answer.name))
    });
    refused.collect::<Vec<_>>().join("; ")
}

fn complain(reasons: &str) {
    if let Some(times) = NO_QUORUM.count(Instant::now()) {
        tracing::warn!(
            reasons,
            times,
            "a quorum of witnesses has not cosigned the public log; new mint keys and promises wait"
        );
    }
}

fn corrupt(error: impl ToString) -> LedgerError {
    LedgerError::corrupt("log", error)
}
