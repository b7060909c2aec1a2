//! Sends to one peer what waits for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_gossip::{Delivery, Outgoing, PeerNo};
use url::Url;

use crate::auditor::Auditor;

/// How long the addresses of a peer are believed.
const ADDRESS_PAUSE: Duration = Duration::from_secs(600);
/// The longest wait without a look at what waits.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Sends as long as the auditor runs.
pub(super) async fn send_to(auditor: &Arc<Auditor>, peer: PeerNo) {
    let base = auditor.options.peers[peer.index()]
        .trim_end_matches('/')
        .to_owned();
    let url = format!("{base}/v1/gossip");
    let mut looked_up: Option<Instant> = None;
    loop {
        if looked_up.is_none_or(|at| at.elapsed() >= ADDRESS_PAUSE) {
            looked_up = Some(Instant::now());
            auditor.gossip.set_addresses(peer, addresses(&base).await);
        }
        let next = auditor.gossip.gossip().next(peer, Instant::now());
        match next {
            Outgoing::Send { subject, body } => {
                let delivery = match auditor.files.post(&url, body.to_string()).await {
                    Ok((status, retry_after)) => Delivery::of_status(status, retry_after),
                    Err(error) => {
                        tracing::debug!(peer = base, %error, "a peer does not answer");
                        Delivery::Failed { retry_after: None }
                    }
                };
                if delivery == Delivery::Refused {
                    tracing::debug!(peer = base, "a peer has refused a message");
                }
                auditor
                    .gossip
                    .gossip()
                    .delivered(peer, subject, delivery, Instant::now());
            }
            Outgoing::Wait(until) => tokio::time::sleep_until(until.into()).await,
            Outgoing::Idle => {
                tokio::select! {
                    () = auditor.gossip.changed() => {}
                    () = tokio::time::sleep(LOOK_PAUSE) => {}
                }
            }
        }
    }
}

/// The addresses from which a peer may send: those of its URL.
async fn addresses(base: &str) -> Vec<IpAddr> {
    let Ok(url) = base.parse::<Url>() else {
        return Vec::new();
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Vec::new();
    };
    // Without the brackets of an IPv6 address.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((host, port)).await;
    found.map_or_else(
        |_| Vec::new(),
        |found| found.map(|address| address.ip()).collect(),
    )
}
