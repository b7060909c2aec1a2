//! Many submissions at once, to one server and to several processes on one folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use opencoin_log::hash::Hash;
use opencoin_witness::{AddError, CheckpointRefusal, Witness};

use crate::support::{ORIGIN, TestLog, World, exchange, post};

const CLIENTS: u8 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_histories_at_once_one_is_cosigned() {
    let log = TestLog::new(ORIGIN, 40);
    let world = World::start(&[&log]).await;
    let begun: Vec<_> = (0..CLIENTS)
        .map(|client| {
            // The sizes differ too, so that some are larger than the tree that wins and some are smaller.
            let size = 20 + usize::from(client % 3);
            let history = log.forked_at(1, client);
            let request = post("/add-checkpoint", &history.request(0, size).to_string());
            let address = world.address.clone();
            let submitted = tokio::spawn(async move { exchange(&address, &request).await });
            (size, history.root(size), submitted)
        })
        .collect();
    let mut cosigned = Vec::new();
    for (size, root, submitted) in begun {
        let reply = submitted.await.unwrap();
        match reply.status {
            200 => cosigned.push((size as u64, root)),
            409 => assert!(
                ["20\n", "21\n", "22\n"].contains(&reply.body.as_str()),
                "{reply:?}"
            ),
            other => panic!("{other}: {reply:?}"),
        }
    }
    let logs = world.witness().store().logs().await.unwrap();
    let last = logs[0].last.as_ref().unwrap();
    assert_eq!(cosigned, [(last.size, last.root)]);
    // Those of the same size have contradicted it.
    let found = world.witness().store().contradictions(None).await.unwrap();
    assert!(found.len() >= 15, "{}", found.len());
    assert!(
        found
            .iter()
            .all(|found| found.size == last.size && found.root != last.root)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_race_never_go_back() {
    let log = Arc::new(TestLog::new(ORIGIN, 200));
    let world = World::start(&[&log]).await;
    let witnesses: Vec<Arc<Witness>> = vec![
        Arc::new(world.second().await),
        Arc::new(world.second().await),
        Arc::new(world.second().await),
    ];
    let mut running = Vec::new();
    for client in 0..CLIENTS {
        let (log, witness) = (Arc::clone(&log), Arc::clone(&witnesses[usize::from(client) % 3]));
        running.push(tokio::spawn(async move { grow(&log, &witness, client).await }));
    }
    let mut roots: BTreeMap<u64, Hash> = BTreeMap::new();
    for client in running {
        for (size, root) in client.await.unwrap() {
            assert_eq!(
                *roots.entry(size).or_insert(root),
                root,
                "two trees of size {size}"
            );
        }
    }
    let last = *roots.last_key_value().unwrap().0;
    assert_eq!(world.size(&log).await, Some(last));
}

/// Submits ever larger trees, each time from the size that the witness names. Returns what was cosigned.
async fn grow(log: &TestLog, witness: &Witness, client: u8) -> Vec<(u64, Hash)> {
    let (mut cosigned, mut known) = (Vec::new(), 0);
    for step in 1..=8 {
        let new = (usize::from(client) + step * 17).min(log.leaves.len()).max(known);
        let request = log.request(known, new).to_string();
        match witness.add_checkpoint(request.as_bytes()).await.result {
            Ok(_) => {
                cosigned.push((new as u64, log.root(new)));
                known = new;
            }
            Err(AddError::Refused(CheckpointRefusal::Conflict(size))) => {
                let size = usize::try_from(size).unwrap();
                assert!(size > known, "the witness went back from {known} to {size}");
                known = size;
            }
            Err(error) => panic!("{error}"),
        }
    }
    cosigned
}
