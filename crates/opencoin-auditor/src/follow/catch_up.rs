//! Brings the copy and the replay up to the newest checkpoint.

use std::sync::Arc;

use opencoin_log::hash::Hash;
use opencoin_log::tile::TILE_HASHES;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::{FollowError, Follower};
use crate::auditor::Auditor;
use crate::description::Description;
use crate::fetch::{TargetTree, VerifiedBundle, download_bundles};
use crate::store::StoreError;
use crate::worker::{Durable, Keep, Steps, WorkError, Worker};

/// The bundles on the disk that are replayed before the status is shown again.
const STORED_BUNDLES_AT_ONCE: usize = 1024;

/// Keeps in the database what is durable, from a thread that may block.
struct Keeper {
    auditor: Arc<Auditor>,
    currency: i64,
    runtime: Handle,
}

impl Keep for Keeper {
    fn keep(&mut self, durable: Durable) -> Result<(), StoreError> {
        self.runtime.block_on(async {
            let (no, now) = (self.currency, self.auditor.now_s());
            let mut writing = self.auditor.store.write().await?;
            writing.put_size(no, durable.size, &durable.root).await?;
            writing.put_supply(no, &durable.supply).await?;
            for finding in &durable.findings {
                if writing.put_finding(no, finding, now).await? && finding.is_broken() {
                    tracing::error!(%finding, "ALARM: a log breaks a rule");
                }
            }
            if let Some(snapshot) = &durable.snapshot {
                writing.put_snapshot(no, snapshot).await?;
            }
            writing.commit().await
        })
    }
}

impl Follower {
    /// Opens the copy and the replay. What is lost is begun anew.
    pub(super) async fn open_worker(&mut self) -> Result<(), FollowError> {
        if self.worker.is_some() {
            return Ok(());
        }
        let (store, no) = (self.auditor.store.clone(), self.currency.no);
        let folder = self.auditor.folder_of(&self.currency);
        let progress = store.progress(no).await?;
        let cddc = self.currency.cddc.clone();
        let opened = {
            let (folder, progress) = (folder.clone(), progress.clone());
            joined(
                tokio::task::spawn_blocking(move || {
                    Worker::open(&folder, &cddc, &progress, Steps::default())
                })
                .await,
            )
        };
        match opened {
            Ok(worker) => self.worker = Some(worker),
            Err(WorkError::Disk(error)) if error.is_lost() => {
                tracing::warn!(origin = self.currency.origin, %error, "files are lost; they are made again");
                if progress.snapshot.is_some() {
                    // First the index, which is made from the entries.
                    store.forget_snapshot(no).await?;
                } else {
                    self.auditor.copy_of(&self.currency).delete()?;
                    store.forget_copy(no).await?;
                }
                return Err(WorkError::Disk(error).into());
            }
            Err(error) => return Err(error.into()),
        }
        self.show_progress();
        Ok(())
    }

    /// Replays the entries that are on the disk and were not replayed.
    pub(super) async fn replay_stored(&mut self) -> Result<(), FollowError> {
        while self.worker.as_ref().is_some_and(Worker::is_behind) {
            self.work(|worker, keeper| {
                for _ in 0..STORED_BUNDLES_AT_ONCE {
                    if worker.is_behind() {
                        worker.replay_stored(keeper)?;
                    }
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Downloads and replays the entries up to the newest checkpoint.
    pub(super) async fn catch_up(&mut self) -> Result<(), FollowError> {
        let Some(newest) = self.newest.clone() else {
            return Ok(());
        };
        let (size, root) = (newest.checkpoint().size(), *newest.checkpoint().root());
        if self.auditor.options.is_light {
            return self.take_samples(size, root).await;
        }
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let copied = worker.size();
        if copied > size || worker.has_ended(size, &root) {
            return Ok(());
        }
        if copied < size {
            self.copy_up_to(size, &root, copied).await?;
        }
        self.finish(size, root).await
    }

    /// Downloads and replays the entries of a tree from those on the disk on.
    async fn copy_up_to(&mut self, size: u64, root: &Hash, copied: u64) -> Result<(), FollowError> {
        let sources = self.sources();
        let mut target = TargetTree::begin(&sources, size, root).await?;
        let mut bundles = download_bundles(&sources, &mut target, copied / u64::from(TILE_HASHES)).await?;
        while let Some(last) = bundles.last().map(|bundle| bundle.index) {
            let taken = std::mem::take(&mut bundles);
            // The next ones are downloaded while these are replayed.
            let (worked, next) = tokio::join!(
                self.work(move |worker, keeper| take(worker, &taken, keeper)),
                download_bundles(&sources, &mut target, last + 1)
            );
            worked?;
            bundles = next?;
        }
        Ok(())
    }

    /// Makes the entries and what was found in them durable, and checks that they are those of the checkpoint. This is done
    /// once for each checkpoint after a start, also if its entries were on the disk already.
    async fn finish(&mut self, size: u64, root: Hash) -> Result<(), FollowError> {
        let is_whole = self
            .work(move |worker, keeper| worker.end_tree(size, &root, keeper))
            .await?;
        if is_whole {
            return self.see_description_in_log().await;
        }
        // Each bundle belonged to the tree of the checkpoint, so what was there before does not.
        tracing::error!(
            origin = self.currency.origin,
            "the copy on the disk does not belong to the checkpoint; it is made again"
        );
        self.worker = None;
        self.auditor.copy_of(&self.currency).delete()?;
        self.auditor.store.forget_copy(self.currency.no).await?;
        Ok(())
    }

    /// Takes a newer description that is in the log.
    async fn see_description_in_log(&mut self) -> Result<(), FollowError> {
        let found = self
            .worker
            .as_ref()
            .map(|worker| worker.replay().description().cddc().clone());
        if let Some(found) = found.and_then(|cddc| Description::of(&cddc).ok()) {
            self.describe(found).await?;
        }
        Ok(())
    }

    /// Makes everything durable, so that nothing is replayed again.
    pub(super) async fn store_all(&mut self) -> Result<(), FollowError> {
        // A round that was interrupted may have left it at work.
        if let Some(working) = self.working.take() {
            self.worker = working.await.ok().flatten();
        }
        if self.worker.is_none() {
            return Ok(());
        }
        self.work(|worker, keeper| worker.store(true, keeper)).await
    }

    /// Lets the worker work on a thread of its own. If it fails, it is opened again in the next round.
    async fn work<T: Send + 'static>(
        &mut self,
        task: impl FnOnce(&mut Worker, &mut Keeper) -> Result<T, WorkError> + Send + 'static,
    ) -> Result<T, FollowError> {
        let Some(mut worker) = self.worker.take() else {
            unreachable!("the caller has opened the worker");
        };
        let mut keeper = Keeper {
            auditor: Arc::clone(&self.auditor),
            currency: self.currency.no,
            runtime: Handle::current(),
        };
        let (sender, receiver) = oneshot::channel();
        let working = tokio::task::spawn_blocking(move || {
            let done = task(&mut worker, &mut keeper);
            let worker = done.is_ok().then_some(worker);
            // Nobody waits for it when the auditor stops.
            let _ = sender.send(done);
            worker
        });
        // If this is interrupted, the worker is still there.
        let working = self.working.insert(working);
        self.worker = joined(working.await);
        self.working = None;
        let done = receiver.await.expect("the task has ended");
        self.show_progress();
        Ok(done?)
    }

    fn show_progress(&self) {
        let Some(worker) = &self.worker else { return };
        let (copied, replayed) = (worker.size(), worker.replay().size());
        let last_batch = worker.replay().last_batch().cloned();
        let ended = worker.ended_size();
        let first_broken = worker.replay().first_broken();
        self.auditor.statuses.change(self.currency.no, |status| {
            (status.copied, status.replayed) = (copied, replayed);
            status.ended = ended;
            status.first_broken = first_broken;
            status.last_batch = last_batch;
        });
    }
}

fn take(worker: &mut Worker, bundles: &[VerifiedBundle], keeper: &mut Keeper) -> Result<(), WorkError> {
    bundles.iter().try_for_each(|bundle| worker.take(bundle, keeper))
}

/// The result of a task, whose panic is one of this task too.
pub(super) fn joined<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => unreachable!("nobody cancels it: {error}"),
    })
}
