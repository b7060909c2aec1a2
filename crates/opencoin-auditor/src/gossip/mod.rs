//! Gossip with other auditors: what they send is examined, what is new is passed on to peers.
//!
//! A checkpoint counts if its log has signed it, and evidence if it verifies; who sends it does not matter. A checkpoint
//! that this auditor cannot place is handed to the follower of its log, which compares it and keeps the evidence. One that
//! is larger than what the log shows is remembered in the database until the log has grown to its size.

mod announce;
mod collect;
mod examine;
mod send;
#[cfg(test)]
mod tests;
mod unresolved;

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::auditor::Auditor;

/// Talks to the peers until it is told to stop.
pub(crate) async fn talk(auditor: Arc<Auditor>, stop: watch::Receiver<bool>) {
    let peers: Vec<_> = auditor.gossip.gossip().peers().collect();
    let sending = peers.iter().map(|peer| send::send_to(&auditor, *peer));
    let collecting = peers.iter().map(|peer| collect::collect_from(&auditor, *peer));
    let work = async {
        tokio::join!(
            join_all(sending),
            join_all(collecting),
            announce::announce_news(&auditor),
            unresolved::resolve(&auditor),
        );
    };
    let mut stop = stop;
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
