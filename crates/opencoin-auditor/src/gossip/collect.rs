//! Looks for evidence that a peer has: what is too long for a message, and what was sent while this auditor was away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use opencoin_evidence::EVIDENCE_BYTES_MAX;
use opencoin_gossip::{Decision, GossipKind, PeerNo, Rejection};
use opencoin_log::hash::Hash;
use opencoin_log_reader::{Download, DownloadError};
use serde::Deserialize;

use crate::auditor::{Auditor, content_id};
use crate::store::StoreError;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest list of evidence.
const LIST_BYTES_MAX: usize = 1024 * 1024;
/// The most files that are fetched from a peer at a time.
const FETCHED_MAX: usize = 16;
/// How many files of a peer are remembered as of no use.
const USELESS_MAX: usize = 1024;
const OK: u16 = 200;

/// An entry of the list. Other fields are for people.
#[derive(Deserialize)]
struct Listed {
    id: Hash,
}

/// Looks again and again, as long as the auditor runs.
pub(super) async fn collect_from(auditor: &Arc<Auditor>, peer: PeerNo) {
    let base = auditor.options.peers[peer.index()]
        .trim_end_matches('/')
        .to_owned();
    let mut useless = BTreeSet::new();
    loop {
        match auditor.collect(&base, peer, &mut useless).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(peer = base, %error, "a peer shows no evidence"),
            Err(error) => tracing::error!(%error, "evidence of peers is not taken"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Auditor {
    async fn collect(
        &self,
        base: &str,
        peer: PeerNo,
        useless: &mut BTreeSet<Hash>,
    ) -> Result<Result<(), DownloadError>, StoreError> {
        let list = match self.get(&format!("{base}/evidence"), LIST_BYTES_MAX).await {
            Ok(list) => list,
            Err(error) => return Ok(Err(error)),
        };
        let Ok(list) = serde_json::from_slice::<Vec<Listed>>(&list) else {
            return Ok(Err(DownloadError("its list cannot be read".to_owned())));
        };
        let mut fetched = 0;
        for Listed { id } in list {
            if useless.contains(&id) || self.store.evidence_text(&id).await?.is_some() {
                continue;
            }
            if fetched == FETCHED_MAX {
                break;
            }
            fetched += 1;
            let text = match self
                .get(&format!("{base}/evidence/{id}"), EVIDENCE_BYTES_MAX)
                .await
            {
                Ok(text) => text,
                Err(error) => return Ok(Err(error)),
            };
            if useless.len() >= USELESS_MAX {
                useless.clear();
            }
            useless.insert(id);
            if let Ok(text) = String::from_utf8(text)
                && content_id(&text) == id
            {
                self.take_fetched(text, peer).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn take_fetched(&self, text: String, peer: PeerNo) -> Result<(), StoreError> {
        let fetched = self
            .gossip
            .gossip()
            .fetched(GossipKind::Evidence, text.clone(), Some(peer));
        match fetched {
            Ok(Decision::Examine(arrived)) => self.examine(arrived).await.map(drop),
            Ok(Decision::Ignore) => Ok(()),
            // It is too long to be passed on. Others fetch it too.
            Err(Rejection::Invalid(_)) => self.take_evidence(text).await.map(drop),
            Err(_) => Ok(()),
        }
    }

    async fn get(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, DownloadError> {
        let answer = self.files.download(url, bytes_max).await?;
        if answer.status == OK {
            Ok(answer.body)
        } else {
            Err(DownloadError(format!("HTTP status {}", answer.status)))
        }
    }
}
