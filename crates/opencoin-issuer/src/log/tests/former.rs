//! Witnesses that the description does not name any more.

use std::sync::mpsc;

use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::super::former::{Informed, former};
use super::fake_witness::{Asked, FakeWitness};
use super::*;

fn described(world: &World, keys: &LogKeys, witnesses: &[&FakeWitness]) -> LogBlock {
    let cosigners = Cosigners {
        witnesses: witnesses.iter().map(|witness| witness.named()).collect(),
        quorum: witnesses.len(),
        ..Cosigners::default()
    };
    assert_eq!(keys.log.verifier().name(), world.block.origin());
    describe_log(keys, URL, &cosigners).unwrap()
}

/// Nobody gets an old tree with a new date from a witness of an earlier description.
#[tokio::test]
async fn witnesses_of_an_earlier_description_get_each_checkpoint() {
    let mut world = World::new().await;
    let (left, stays) = (
        FakeWitness::start_as("witness.example/left", 7),
        FakeWitness::start_as("witness.example/stays", 8),
    );
    let folder = world.folder.path().join("log");
    let keys = LogKeys::open(&folder, world.block.origin(), &world.passphrase).unwrap();
    let earlier = described(&world, &keys, &[&left, &stays]);
    world.block = described(&world, &keys, &[&stays]);
    let former = former(&world.block, [earlier, world.block.clone()].into_iter());
    let keys: Vec<_> = former.iter().map(|witness| &witness.key).collect();
    assert_eq!(keys, [left.key().verifier()]);

    world.credit("a").await;
    let log = world.process().await;
    let first = log.checkpoint().await.unwrap().unwrap();
    let mut informed = Informed::default();
    log.inform_turn(&mut informed, &former).await.unwrap();
    assert_eq!(left.known_size(), first.size);

    world.credit("b").await;
    world.pass(TimeDelta::hours(2));
    let mut sealer = Sealer::default();
    let mut turns = 0;
    while log.store.published().await.unwrap().unwrap().size == first.size {
        log.turn(&mut sealer, &world.ledger, &world.block).await;
        turns += 1;
        assert!(turns < TURNS_MAX, "what waits for hours is sealed at once");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    log.inform_turn(&mut informed, &former).await.unwrap();
    let newest = log.store.published().await.unwrap().unwrap();
    assert_eq!(left.known_size(), newest.size);

    // It is not asked again for what it has cosigned, and what it answers changes nothing.
    let (sender, asked) = mpsc::channel();
    left.answers(move |request| {
        if let Asked::Add(request) = request {
            sender.send(request.checkpoint.clone()).unwrap();
        }
        Some((422, String::new()))
    });
    log.inform_turn(&mut informed, &former).await.unwrap();
    assert_eq!(asked.try_recv().ok(), None::<SignedCheckpoint>);
    log.inform_turn(&mut Informed::default(), &former).await.unwrap();
    let newest: SignedCheckpoint = newest.note.parse().unwrap();
    assert_eq!(asked.try_recv().unwrap().checkpoint(), newest.checkpoint());
    assert_eq!(log.closed(), None);
}
