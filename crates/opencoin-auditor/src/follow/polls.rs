//! What others have seen of the log: its witnesses, and other auditors.
//!
//! A log could show a history of its own to this auditor. Witnesses show what they have cosigned last, and auditors what
//! they follow; both have the log's signature. So a second history comes to light even if no message arrives.

use std::time::{Duration, Instant};

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use rand::seq::SliceRandom;

use super::{FollowError, Follower};
use crate::auditor::Auditor;

/// The pause between two looks at what others have seen.
const POLL_PAUSE: Duration = Duration::from_secs(15);
/// How many are asked in a round. The others have their turn in the next ones.
const POLLED_MAX: usize = 4;

impl Follower {
    /// Asks some of the others for the newest checkpoint that they know.
    pub(super) async fn poll_others(&mut self) -> Result<(), FollowError> {
        if self.polled_at.is_some_and(|at| at.elapsed() < POLL_PAUSE) {
            return Ok(());
        }
        self.polled_at = Some(Instant::now());
        let origin = self.description.origin().to_owned();
        let witnesses = self.description.block().policy().witnesses().iter();
        let witnesses = witnesses.filter_map(|witness| witness.url.as_deref());
        let mut others: Vec<(String, String)> = witnesses
            .map(|url| Auditor::monitoring_prefix(url, &origin))
            .map(|prefix| (prefix, String::new()))
            .collect();
        for peer in &self.auditor.options.peers {
            let mirror = Auditor::mirror_prefix(peer, &origin);
            others.push((mirror.clone(), mirror));
        }
        others.shuffle(&mut self.rng);
        for (prefix, files) in others.into_iter().take(POLLED_MAX) {
            let note: SignedCheckpoint = match self.reader(&prefix).checkpoint().await {
                Ok(note) => note,
                Err(error) => {
                    tracing::debug!(%error, "another node was not asked");
                    continue;
                }
            };
            let files = if files.is_empty() {
                self.sources().prefixes().next().unwrap_or_default().to_owned()
            } else {
                files
            };
            self.see_of_others(note, &files).await?;
        }
        Ok(())
    }
}
