//! The tasks that follow the currencies: one for each, as long as it is in the list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngCore;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auditor::Auditor;
use crate::follow::Follower;
use crate::store::{AuditedCurrency, StoreError};

/// How often the list of currencies is read, which other processes change.
const LIST_PAUSE: Duration = Duration::from_secs(2);

/// Makes a random number generator for each task.
pub type MakeRng = Box<dyn Fn() -> Box<dyn RngCore + Send + Sync> + Send + Sync>;

/// A task, and what stops it.
struct Following {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Follows all currencies of the list until it is told to stop, and waits for the tasks.
pub(crate) async fn follow_all(auditor: Arc<Auditor>, make_rng: MakeRng, mut stop: watch::Receiver<bool>) {
    let mut following: BTreeMap<i64, Following> = BTreeMap::new();
    loop {
        if let Err(error) = follow_listed(&auditor, &make_rng, &mut following).await {
            tracing::error!(%error, "the list of currencies cannot be read; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(LIST_PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    for one in following.values() {
        one.stop.send_replace(true);
    }
    for one in following.into_values() {
        ended(one.task).await;
    }
}

/// Begins to follow what is new in the list, and stops what is no longer in it.
async fn follow_listed(
    auditor: &Arc<Auditor>,
    make_rng: &MakeRng,
    following: &mut BTreeMap<i64, Following>,
) -> Result<(), StoreError> {
    let listed = auditor.store.currencies().await?;
    let followed: BTreeMap<i64, AuditedCurrency> = listed
        .into_iter()
        .filter(|currency| currency.is_followed)
        .map(|currency| (currency.no, currency))
        .collect();
    let removed: Vec<i64> = following
        .iter()
        .filter(|(no, one)| !followed.contains_key(no) || one.task.is_finished())
        .map(|(no, _)| *no)
        .collect();
    for no in removed {
        if let Some(one) = following.remove(&no) {
            one.stop.send_replace(true);
            ended(one.task).await;
        }
    }
    for (no, currency) in followed {
        if following.contains_key(&no) {
            continue;
        }
        let follower = Follower::new(Arc::clone(auditor), currency, make_rng()).await?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follower.run(stopped));
        following.insert(no, Following { stop, task });
    }
    Ok(())
}

async fn ended(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a log is followed again after a fault of this program");
    }
}
