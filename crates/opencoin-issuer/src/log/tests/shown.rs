//! What a process shows of the tree while another process publishes.

use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;
use opencoin_log::tile::{Resource, TILE_HASHES, TileId};

use super::two_processes::{seal_elsewhere, signed_by_the_log};
use super::*;
use crate::log::shown::ShownCheckpoint;

/// Longer than requests for files that do not exist are held up.
const LATER: Duration = Duration::from_millis(60);

fn published(size: u64) -> PublishedCheckpoint {
    PublishedCheckpoint {
        size,
        note: String::new(),
        at: ledger_time(DateTime::UNIX_EPOCH),
    }
}

/// The tile of the last leaf of a tree.
fn last_tile(size: u64) -> [TilePath; 2] {
    let index = (size - 1) / u64::from(TILE_HASHES);
    let width = TileId { level: 0, index }.width_in(size).unwrap();
    [
        Resource::Tile(TileId { level: 0, index }),
        Resource::Entries(index),
    ]
    .map(|resource| TilePath { resource, width })
}

#[tokio::test]
async fn a_process_serves_files_of_a_checkpoint_that_another_one_has_just_published() {
    let world = World::new().await;
    world.credit("a").await;
    let (one, other) = (world.process().await, world.process().await);
    // Time stands still unless everybody waits, so what a process has read does not grow old by itself.
    tokio::time::pause();
    for number in 0..3 {
        let before = one.checkpoint().await.unwrap().unwrap().size;
        world.credit(&format!("b {number}")).await;
        seal_elsewhere(&world.ledger);
        let head = other.head().await.unwrap().unwrap();
        let newest = PublishedCheckpoint {
            note: signed_by_the_log(&world.log_keys(), &head),
            ..published(head.size)
        };
        assert!(world.ledger.log().publish(&newest).await.unwrap());
        assert!(head.size > before);
        assert_eq!(
            one.checkpoint().await.unwrap().unwrap().size,
            before,
            "it is not old yet"
        );
        for path in last_tile(head.size) {
            assert!(one.resource(&path).await.unwrap().is_some(), "{path}");
        }
        assert_eq!(one.checkpoint().await.unwrap().unwrap().size, head.size);
        for path in last_tile(head.size + 1) {
            assert_eq!(one.resource(&path).await.unwrap(), None, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_for_too_much_cause_few_reads() {
    let (shown, reads) = (ShownCheckpoint::default(), AtomicUsize::new(0));
    let read = || async {
        let number = reads.fetch_add(1, Ordering::Relaxed) as u64;
        Ok(Some(published(number)))
    };
    assert_eq!(shown.get(read()).await.unwrap().unwrap().size, 0);
    for round in 1..5 {
        // All of them get what was read after they had asked.
        let asked = join_all((0..100).map(|_| shown.get_newest(read()))).await;
        for found in asked {
            assert_eq!(found.unwrap().unwrap().size, round);
        }
        assert_eq!(reads.load(Ordering::Relaxed) as u64, round + 1);
    }
    // Who asks one after the other waits each time.
    let begun = tokio::time::Instant::now();
    for _ in 0..10 {
        shown.get_newest(read()).await.unwrap();
    }
    assert!(begun.elapsed() >= 9 * (LATER - Duration::from_millis(10)));
}

#[tokio::test(start_paused = true)]
async fn one_who_stops_waiting_holds_nobody_up() {
    let shown = ShownCheckpoint::default();
    shown.get(async { Ok(Some(published(1))) }).await.unwrap();
    let gone = shown.get_newest(std::future::pending());
    assert!(tokio::time::timeout(LATER, gone).await.is_err());
    let found = shown.get_newest(async { Ok(Some(published(2))) }).await;
    assert_eq!(found.unwrap().unwrap().size, 2);
}
