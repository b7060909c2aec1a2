//! Looks again at checkpoints that are larger than what the log showed.
//!
//! If the log has reached their size, its own tree tells whether they are of its history. Until then the copies that peers
//! have may tell, because whoever has seen the other history has its files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opencoin_gossip::LogPlace;

use crate::auditor::{Auditor, Candidate};
use crate::store::{AuditedCurrency, StoreError};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks again and again, as long as the auditor runs.
pub(super) async fn resolve(auditor: &Arc<Auditor>) {
    // When each was handed to the follower, in seconds since 1970, by currency and size.
    let mut offered: BTreeMap<(i64, u64), u64> = BTreeMap::new();
    for turn in 0_usize.. {
        tokio::time::sleep(PAUSE).await;
        let currencies = match auditor.followed().await {
            Ok(currencies) => currencies,
            Err(error) => {
                tracing::error!(%error, "unresolved checkpoints are not looked at");
                continue;
            }
        };
        for currency in currencies {
            if let Err(error) = auditor.resolve_of(&currency, turn, &mut offered).await {
                tracing::error!(%error, "unresolved checkpoints are not looked at");
            }
        }
    }
}

impl Auditor {
    async fn resolve_of(
        &self,
        currency: &AuditedCurrency,
        turn: usize,
        offered: &mut BTreeMap<(i64, u64), u64>,
    ) -> Result<(), StoreError> {
        let _held = self.gossip.unresolved.lock().await;
        let mut unresolved = self.store.unresolved(currency.no).await?;
        if unresolved.is_empty() {
            return Ok(());
        }
        let evidence = self.store.evidence_of(currency.no).await?;
        let is_proven = evidence.iter().any(|evidence| evidence.kind == "split view");
        let (before, read_at) = (unresolved.clone(), self.statuses.get(currency.no).read_at);
        for one in before.iter() {
            let (key, note) = ((currency.no, one.signed.checkpoint().size()), one.signed.clone());
            match self.place_of(currency, &note).await? {
                LogPlace::Same | LogPlace::Older => unresolved.forget(key.1),
                LogPlace::Newer if is_proven => {}
                LogPlace::Newer => {
                    let peers = &self.options.peers;
                    let peer = peers.get(turn % peers.len().max(1));
                    let prefix = peer.map(|peer| Self::mirror_prefix(peer, &currency.origin));
                    self.offer(Candidate { note, prefix });
                }
                LogPlace::Contradiction | LogPlace::Unknown => {
                    // A round of the follower after it was handed over has compared it.
                    let is_compared = offered.get(&key).is_some_and(|at| read_at > Some(at + 1));
                    if is_proven || is_compared {
                        unresolved.forget(key.1);
                    } else {
                        offered.entry(key).or_insert_with(|| self.now_s());
                        self.offer_without_files(note);
                    }
                }
            }
        }
        offered.retain(|key, _| {
            key.0 != currency.no
                || unresolved
                    .iter()
                    .any(|one| one.signed.checkpoint().size() == key.1)
        });
        if unresolved != before {
            self.store.put_unresolved(currency.no, &unresolved).await?;
        }
        Ok(())
    }
}
