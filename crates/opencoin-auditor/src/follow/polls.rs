//! What others have seen of the log: its witnesses, and other auditors.
//!
//! A log could show a history of its own to this auditor. Witnesses show what they have cosigned last, and auditors what
//! they follow; both have the log's signature. So a second history comes to light even if no message arrives. What they
//! show is taken as a message of theirs would be.

use std::time::Instant;

use opencoin_gossip::{Decision, GossipKind};
use opencoin_log::policy::PolicyWitness;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use rand::seq::SliceRandom;

use super::{FollowError, Follower};
use crate::auditor::Auditor;

/// After so many rounds others are asked again.
const POLL_ROUNDS: u32 = 15;
/// How many are asked in a round. The others have their turn in the next ones.
const POLLED_MAX: usize = 4;

impl Follower {
    /// Asks some of the others for the newest checkpoint that they know.
    pub(super) async fn poll_others(&mut self) -> Result<(), FollowError> {
        let pause = POLL_ROUNDS * self.auditor.options.look_every;
        if self.polled_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(());
        }
        self.polled_at = Some(Instant::now());
        let origin = self.description.origin().to_owned();
        let witnesses = self.description.block().policy().witnesses().iter();
        let of_witness = |witness: &PolicyWitness| {
            let prefix = Auditor::monitoring_prefix(witness.url.as_deref()?, &origin);
            Some((prefix, Some(witness.name.clone())))
        };
        let mut others: Vec<(String, Option<String>)> = witnesses.filter_map(of_witness).collect();
        let peers = self.auditor.options.peers.iter();
        others.extend(peers.map(|peer| (Auditor::mirror_prefix(peer, &origin), None)));
        others.shuffle(&mut self.rng);
        for (prefix, witness) in others.into_iter().take(POLLED_MAX) {
            let note: SignedCheckpoint = match self.reader(&prefix).checkpoint().await {
                Ok(note) => note,
                Err(error) => {
                    tracing::debug!(%error, "another node was not asked");
                    continue;
                }
            };
            self.take_shown(&note).await?;
            if let Some(name) = witness {
                self.look_at_cosigner(&name, &note).await?;
            }
        }
        Ok(())
    }

    /// Takes a checkpoint that somebody shows.
    async fn take_shown(&self, note: &SignedCheckpoint) -> Result<(), FollowError> {
        let fetched = self
            .auditor
            .gossip
            .gossip()
            .fetched(GossipKind::Checkpoint, note.to_string(), None);
        if let Ok(Decision::Examine(arrived)) = fetched {
            self.auditor.examine(arrived).await?;
        }
        Ok(())
    }
}
