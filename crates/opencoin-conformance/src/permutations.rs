//! The same coins and blinds in other requests, of other accounts, in another order and other commits, give the same bytes
//! of the log.

use opencoin_ledger::{Blind, Command, LogHead, SealOutcome, TileOfLog};
use opencoin_log::tile::{TILE_HASHES, levels_of_size};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::Pair;
use crate::world::*;

/// The most coins of each key that a batch spends.
const COINS_MAX: usize = 20;
/// The key that is stopped before the batch. Coins of it are recouped.
const STOPPED: u8 = 5;

/// What goes into one batch of the log, and two ways in which it arrives.
#[derive(Debug, Clone)]
pub struct Permuted {
    /// The key of each blind that is minted.
    minted: Vec<u8>,
    /// The key and serial of each coin that is redeemed.
    redeemed: Vec<(u8, u32)>,
    /// The key of each coin that is renewed.
    renewed: Vec<u8>,
    /// The number of coins that are recouped.
    recouped: u32,
    /// What is paid in.
    credits: Vec<u64>,
    arrivals: [Arrival; 2],
}

/// How requests arrive.
#[derive(Debug, Clone)]
struct Arrival {
    /// In every reference.
    name: &'static str,
    /// The number of blinds in each mint and of coins in each redeem, again from the beginning at the end.
    request_sizes: Vec<usize>,
    /// The requests with smaller numbers come first.
    places: Vec<u32>,
    /// Whether a request is one of Alice.
    of_alice: Vec<bool>,
    /// The number of commands in each commit.
    commit_sizes: Vec<usize>,
    times: Vec<i64>,
    /// Transfers and payouts, of which the log says nothing.
    others: usize,
}

/// Any batch, and two arrivals of it.
pub fn permuted() -> impl Strategy<Value = Permuted> {
    let key = || 1_u8..=2;
    (
        vec(key(), 1..30),
        vec(key(), 0..COINS_MAX),
        vec(key(), 0..6),
        0_u32..3,
        vec(1_u64..50, 0..4),
        [arrival("one"), arrival("other")],
    )
        .prop_map(
            |(minted, redeemed, renewed, recouped, credits, arrivals)| Permuted {
                minted,
                redeemed: redeemed.into_iter().zip(100..).collect(),
                renewed,
                recouped,
                credits,
                arrivals,
            },
        )
}

fn arrival(name: &'static str) -> impl Strategy<Value = Arrival> {
    (
        vec(1_usize..6, 1..6),
        vec(any::<u32>(), 1..40),
        vec(any::<bool>(), 1..8),
        vec(1_usize..8, 1..5),
        vec(SIGN_FROM..=SIGN_TO, 1..8),
        0_usize..4,
    )
        .prop_map(
            move |(request_sizes, places, of_alice, commit_sizes, times, others)| Arrival {
                name,
                request_sizes,
                places,
                of_alice,
                commit_sizes,
                times,
                others,
            },
        )
}

/// Everything that the log consists of.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    head: LogHead,
    bundles: Vec<TileOfLog>,
    tiles: Vec<TileOfLog>,
}

/// Asserts that two currencies, to which the same comes in two ways, have the same log.
///
/// # Panics
/// A command is refused, or their logs differ.
pub async fn assert_same_log(permuted: &Permuted, currencies: [&Pair; 2]) {
    let mut logs = Vec::new();
    for (ledgers, arrival) in currencies.into_iter().zip(&permuted.arrivals) {
        prepare(ledgers).await;
        let before = ledgers[0].log().head().await.unwrap().unwrap();
        for (number, commit) in permuted.commits(arrival).iter().enumerate() {
            for (outcome, command) in ledgers[number % 2]
                .apply(commit)
                .await
                .unwrap()
                .iter()
                .zip(commit)
            {
                let is_new = outcome.as_ref().is_ok_and(|applied| !applied.repeated);
                assert!(is_new, "{command:?}: {outcome:?}");
            }
        }
        let log = ledgers[0].log();
        let sealed = log.seal(before.batch, NOW, &log_terms()).await.unwrap();
        let SealOutcome::Sealed(batch) = sealed else {
            panic!("{sealed:?}");
        };
        let blinds = permuted.minted.len() + permuted.renewed.len() + 5 * permuted.recouped as usize;
        let coins = permuted.redeemed.len() + permuted.renewed.len() + permuted.recouped as usize;
        let recouped_blinds = permuted.recouped as usize;
        assert_eq!(batch.count, (blinds + coins + recouped_blinds + 1) as u64);
        logs.push(written(ledgers).await);
    }
    assert_eq!(logs[0], logs[1]);
}

/// Currencies with the same first batch.
async fn prepare(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 2000).await;
    world.one(transfer(alice(), bob(), 1000, "half")).await.unwrap();
    for key in [1, 2, STOPPED] {
        let coins = [key; 2 * COINS_MAX];
        world
            .one(mint(alice(), &format!("of key {key}"), &coins))
            .await
            .unwrap();
    }
    world.one(stop(STOPPED)).await.unwrap();
    let log = ledgers[0].log();
    let open = log.head().await.unwrap().unwrap().batch;
    let sealed = log.seal(open, NOW, &log_terms()).await.unwrap();
    assert!(matches!(sealed, SealOutcome::Sealed(_)), "{sealed:?}");
}

async fn written(ledgers: &Pair) -> Written {
    let log = ledgers[1].log();
    let head = log.head().await.unwrap().unwrap();
    let (mut bundles, mut tiles) = (Vec::new(), Vec::new());
    for index in 0..head.size.div_ceil(TILE_HASHES.into()) {
        bundles.push(log.bundle(index).await.unwrap().unwrap());
    }
    for level in levels_of_size(head.size).filter(|level| level.level > 0) {
        for index in 0..level.full + u64::from(level.partial.is_some()) {
            tiles.push(log.tile(level.level, index).await.unwrap().unwrap());
        }
    }
    Written { head, bundles, tiles }
}

impl Permuted {
    /// The commits of one arrival.
    fn commits(&self, arrival: &Arrival) -> Vec<Vec<Command>> {
        let mut requests = self.requests(arrival);
        let mut places = arrival.places.iter().cycle();
        requests.sort_by_cached_key(|_| *places.next().expect("there is one at least"));
        let mut times = arrival.times.iter().cycle();
        let mut requests = requests
            .into_iter()
            .map(|request| at(*times.next().expect("there is one at least"), request));
        let mut commits = Vec::new();
        let mut sizes = arrival.commit_sizes.iter().cycle();
        loop {
            let size = *sizes.next().expect("there is one at least");
            let commit: Vec<Command> = requests.by_ref().take(size).collect();
            if commit.is_empty() {
                return commits;
            }
            commits.push(commit);
        }
    }

    fn requests(&self, arrival: &Arrival) -> Vec<Command> {
        let Arrival { name, .. } = arrival;
        let mut of_alice = arrival.of_alice.iter().cycle();
        let mut account = || {
            if *of_alice.next().expect("there is one at least") {
                alice()
            } else {
                bob()
            }
        };
        let mut requests = Vec::new();
        let minted: Vec<(u8, u32)> = self.minted.iter().copied().zip(0..).collect();
        for (number, blinds) in divided(&minted, &arrival.request_sizes).into_iter().enumerate() {
            requests.push(Command::Mint {
                account: account(),
                transaction_reference: reference(&format!("{name} mint {number}")),
                blinds: blinds
                    .iter()
                    .map(|(key, serial)| blind(name, *key, *serial))
                    .collect(),
                payment: None,
                wait_until: None,
                at: NOW,
            });
        }
        for coins_in in divided(&self.redeemed, &arrival.request_sizes) {
            requests.push(redeem(account(), coins_in));
        }
        for (serial, key) in (1000..).zip(&self.renewed) {
            requests.push(Command::Renew {
                transaction_reference: reference(&format!("{name} renew {serial}")),
                coins: coins(&[(*key, serial)]),
                blinds: vec![blind(name, *key, serial)],
                at: NOW,
            });
        }
        for number in 0..self.recouped {
            let serials = 2000 + 10 * number..;
            requests.push(Command::Recoup {
                transaction_reference: reference(&format!("{name} recoup {number}")),
                revoked: revoked(&[(STOPPED, number, number)]),
                blinds: serials.take(5).map(|serial| blind(name, 1, serial)).collect(),
                at: NOW,
            });
        }
        for (number, units) in self.credits.iter().enumerate() {
            requests.push(credit(account(), *units, &format!("{name} {number}")));
        }
        for number in 0..arrival.others {
            requests.push(transfer(alice(), bob(), 1, &format!("{name}-transfer-{number}")));
            requests.push(payout(account(), 2, &format!("{name}-payout-{number}")));
        }
        requests
    }
}

fn blind(name: &str, key: u8, serial: u32) -> Blind {
    Blind {
        reference: format!("{name} {serial}"),
        mint_key: key_id(key),
        blinded: [&[key; 60][..], &serial.to_be_bytes()].concat(),
    }
}

/// Divides items into requests of these sizes.
fn divided<'items, T>(mut items: &'items [T], sizes: &[usize]) -> Vec<&'items [T]> {
    let mut divided = Vec::new();
    for size in sizes.iter().cycle() {
        if items.is_empty() {
            break;
        }
        let (request, rest) = items.split_at((*size).min(items.len()));
        divided.push(request);
        items = rest;
    }
    divided
}
