//! Tells peers what this auditor has: at the start what is stored, then what is new.

use std::sync::Arc;

use opencoin_gossip::{Content, EvidenceSubject, tidy_checkpoint};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use tokio::sync::broadcast::error::RecvError;

use crate::auditor::{Auditor, News};
use crate::description::Description;
use crate::store::{AuditedCurrency, StoreError};

/// Announces what is stored, then what is new, as long as the auditor runs.
pub(super) async fn announce_news(auditor: &Arc<Auditor>) {
    let mut news = auditor.news();
    loop {
        if let Err(error) = auditor.announce_stored().await {
            tracing::error!(%error, "peers are not told what this auditor has");
        }
        loop {
            match news.recv().await {
                Ok(news) => {
                    if let Err(error) = auditor.announce(news).await {
                        tracing::error!(%error, "peers are not told what is new");
                    }
                }
                // Something was missed, so everything is announced.
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

impl Auditor {
    /// The currencies that are followed.
    pub(super) async fn followed(&self) -> Result<Vec<AuditedCurrency>, StoreError> {
        let all = self.store.currencies().await?.into_iter();
        Ok(all.filter(|currency| currency.is_followed).collect())
    }

    async fn announce_stored(&self) -> Result<(), StoreError> {
        for currency in self.followed().await? {
            for evidence in self.store.evidence_of(currency.no).await? {
                self.gossip.known().add(EvidenceSubject {
                    master_key: &currency.master_key,
                    kind: &evidence.kind,
                    statement: &evidence.statement,
                });
                if let Some(text) = self.store.evidence_text(&evidence.id).await? {
                    self.announce_content(&Content::Evidence(text));
                }
            }
            if let Some(newest) = self.store.newest_checkpoint(currency.no).await? {
                self.announce_checkpoint(&currency, &newest);
            }
            for one in self.store.unresolved(currency.no).await?.iter() {
                // One that is too long for a message was not taken.
                let _ = self.gossip.gossip().announce_unresolved(&one.signed);
            }
        }
        self.gossip.wake();
        Ok(())
    }

    async fn announce(&self, news: News) -> Result<(), StoreError> {
        match news {
            News::Evidence(text) => {
                if let Ok(checked) = opencoin_evidence::check_evidence(text.as_bytes()) {
                    self.gossip.known().add(EvidenceSubject {
                        master_key: &checked.master_key_fingerprint,
                        kind: checked.kind,
                        statement: &checked.statement,
                    });
                }
                self.announce_content(&Content::Evidence(text));
            }
            News::Checkpoint(text) => {
                let Ok(signed) = text.parse::<SignedCheckpoint>() else {
                    return Ok(());
                };
                let origin = signed.checkpoint().origin();
                let currency = self
                    .followed()
                    .await?
                    .into_iter()
                    .find(|one| one.origin == origin);
                if let Some(currency) = currency {
                    self.announce_checkpoint(&currency, &signed);
                }
            }
        }
        self.gossip.wake();
        Ok(())
    }

    fn announce_checkpoint(&self, currency: &AuditedCurrency, signed: &SignedCheckpoint) {
        let Ok(description) = Description::of(&currency.cddc) else {
            return;
        };
        if let Ok(tidy) = tidy_checkpoint(signed, description.block()) {
            self.announce_content(&Content::Checkpoint(tidy));
        }
    }

    fn announce_content(&self, content: &Content) {
        if let Err(error) = self.gossip.gossip().announce(content) {
            // Peers look for evidence from time to time.
            tracing::debug!(%error, "peers are not told, but can ask");
        }
    }
}
