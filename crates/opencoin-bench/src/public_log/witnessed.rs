//! The time from the answer to an accepted request until a published checkpoint, which the quorum of witnesses has
//! cosigned, has its leaves.
//!
//! Some clients mint one coin at random times. The store is asked every few milliseconds what is published. Which batch
//! has which leaf is read from the log afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use opencoin_ledger::log::CoinLeaf;
use opencoin_ledger::{LogBatchNo, LogStore};
use opencoin_log::bundle;
use opencoin_log::leaf::{COIN_LEAF_BYTES, issued_leaf};
use opencoin_log::tile::{TILE_HASHES, TileId};
use opencoin_schema::RequestMint;
use opencoin_terminal::output;
use rand::Rng;
use rand::rngs::OsRng;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cells::Bench;
use crate::currency::Sender;
use crate::load::{Connection, OK, Request};
use crate::measurement::percentile_ms;
use crate::plan::Operation;

/// Clients, each of which pauses for a random time before each request.
const CLIENTS: usize = 8;
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Requests of each client, 30 seconds long.
const REQUESTS: usize = 150;
const REQUESTS_QUICK: usize = 5;
/// How often the published checkpoint is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// From the answer to the cosigned checkpoint.
#[derive(Debug, Serialize)]
pub(crate) struct Witnessed {
    pub(crate) answered: usize,
    pub(crate) witnesses: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// A leaf that was accepted, and when that was answered.
type Accepted = (CoinLeaf, Instant);

/// Sizes of the published log, each with the moment at which it was seen first. Both ascend.
type Published = Vec<(u64, Instant)>;

pub(super) async fn measure(bench: &Bench<'_>, is_quick: bool) -> Result<Witnessed> {
    bench.settling.settle().await?;
    let log = Arc::clone(&bench.currency.log);
    let first = log.head().await?.context("the currency has a log")?.batch;
    let (stop, stopped) = watch::channel(());
    let watcher = tokio::spawn(watch_published(Arc::clone(&log), stopped));
    let accepted = accept(bench, is_quick).await?;
    bench.settling.settle().await?;
    drop(stop);
    let published = watcher.await??;
    let witnesses = verified_witnesses(bench).await?;
    let ends = ends_of_leaves(log.as_ref(), first).await?;

    let mut latencies = Vec::with_capacity(accepted.len());
    for (leaf, answered) in accepted {
        let end = ends.get(&leaf).context("an accepted leaf is not in the log")?;
        let seen = published.iter().find(|(size, _)| size >= end);
        let (_, seen) = seen.context("the log was published without being seen")?;
        latencies.push(seen.saturating_duration_since(answered));
    }
    latencies.sort_unstable();
    let measured = Witnessed {
        answered: latencies.len(),
        witnesses,
        p50_ms: percentile_ms(&latencies, 50),
        p99_ms: percentile_ms(&latencies, 99),
        max_ms: percentile_ms(&latencies, 100),
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl Witnessed {
    fn text(&self) -> String {
        format!(
            "\nfrom the answer to a checkpoint with {} cosignatures, a batch a second, {} mints: p50 {:.0} ms, p99 {:.0} \
             ms, at most {:.0} ms",
            self.witnesses, self.answered, self.p50_ms, self.p99_ms, self.max_ms
        )
    }
}

/// Notes what is published until there is no more sender, and once more then.
async fn watch_published(log: Arc<dyn LogStore>, stopped: watch::Receiver<()>) -> Result<Published> {
    let mut seen = Published::new();
    loop {
        let is_last = stopped.has_changed().is_err();
        let size = log.published().await?.map_or(0, |published| published.size);
        if seen.last().is_none_or(|(last, _)| *last < size) {
            seen.push((size, Instant::now()));
        }
        if is_last {
            return Ok(seen);
        }
        sleep(LOOK_PAUSE).await;
    }
}

/// Mints from all clients.
async fn accept(bench: &Bench<'_>, is_quick: bool) -> Result<Vec<Accepted>> {
    let each = if is_quick { REQUESTS_QUICK } else { REQUESTS };
    let mut running = JoinSet::new();
    for connection in Connection::open_many(&[bench.issuers[0].address], CLIENTS).await? {
        let requests = bench.requests(Sender::Clients, Operation::Mint, 1, each).await?;
        let mut with_leaves = Vec::with_capacity(each);
        for request in requests {
            with_leaves.push((leaf_of(bench, &request).await?, request));
        }
        running.spawn(client(connection, with_leaves));
    }
    let mut accepted = Vec::new();
    while let Some(of_client) = running.join_next().await {
        accepted.extend(of_client??);
    }
    Ok(accepted)
}

async fn client(mut connection: Connection, requests: Vec<(CoinLeaf, Request)>) -> Result<Vec<Accepted>> {
    let mut accepted = Vec::with_capacity(requests.len());
    for (leaf, request) in requests {
        sleep(OsRng.gen_range(Duration::ZERO..PAUSE_MAX)).await;
        let status = connection.exchange(&request).await?;
        ensure!(status == OK, "a mint was answered with status {status}");
        accepted.push((leaf, Instant::now()));
    }
    Ok(accepted)
}

/// The leaf of the only blind of a request.
async fn leaf_of(bench: &Bench<'_>, request: &[u8]) -> Result<CoinLeaf> {
    let head = request
        .windows(END_OF_HEAD.len())
        .position(|bytes| bytes == END_OF_HEAD);
    let body = head.map_or(request, |head| &request[head + END_OF_HEAD.len()..]);
    let mint: RequestMint = serde_json::from_slice(body).context("a mint that was prepared")?;
    let blind = mint.blinds.first().context("a mint has a blind")?;
    let keys = bench.currency.ledger.mint_keys().await?;
    let key = keys.iter().find(|key| key.id == bench.key.ledger_id);
    let key = key.context("the books have the mint key")?;
    let digest = key
        .identity
        .issued_digest(blind.blinded_payload_hash.as_be_bytes());
    Ok(issued_leaf(key.no.key_no(), &digest))
}

/// For each leaf of these batches and all later ones, the size of the log at the end of its batch.
async fn ends_of_leaves(log: &dyn LogStore, from: LogBatchNo) -> Result<HashMap<CoinLeaf, u64>> {
    let size = log.head().await?.context("the currency has a log")?.size;
    let (mut ends, mut no) = (HashMap::new(), from);
    while let Some(batch) = log.batch(no).await? {
        let bundle_of = |index: u64| index / u64::from(TILE_HASHES);
        for index in bundle_of(batch.first)..=bundle_of(batch.end() - 1) {
            let width = TileId { level: 0, index }.width_in(size);
            let (bytes, width) = log
                .bundle(index)
                .await?
                .zip(width)
                .context("the log has no such bundle")?;
            for (place, entry) in bundle::decode(&bytes, width)?.enumerate() {
                let at = index * u64::from(TILE_HASHES) + place as u64;
                if (batch.first..batch.end()).contains(&at)
                    && let Ok(leaf) = <[u8; COIN_LEAF_BYTES]>::try_from(entry)
                {
                    ends.insert(leaf, batch.end());
                }
            }
        }
        no = no.next();
    }
    Ok(ends)
}

/// The number of witnesses of the published checkpoint, which must have their cosignatures.
async fn verified_witnesses(bench: &Bench<'_>) -> Result<usize> {
    let currency = bench.currency.directory.currency()?;
    let policy = currency.log().context("the currency has a log")?.policy();
    let published = bench.currency.log.published().await?;
    let note = published.context("the log is published")?.note;
    policy
        .verify_checkpoint(&note.parse()?, None)
        .context("the checkpoint is published without its quorum")?;
    Ok(policy.witnesses().len())
}
