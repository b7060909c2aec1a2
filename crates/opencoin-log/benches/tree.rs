//! The log's writer and reader: hashing, and building tiles.

use std::collections::BTreeMap;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use opencoin_log::hash::{Hash, leaf_hash, node_hash};
use opencoin_log::tile::{TileBuilder, TileId};

/// The leaves of one run.
const LEAVES: u64 = 1_000_000;

/// The bytes of a leaf about a coin.
const LEAF_BYTES: usize = 38;

fn main() {
    divan::main();
}

fn leaf_hashes() -> Vec<Hash> {
    (0..LEAVES)
        .map(|number| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Hash::new(bytes)
        })
        .collect()
}

#[divan::bench]
fn hash_a_leaf(bencher: Bencher<'_, '_>) {
    bencher.bench(|| leaf_hash(black_box(&[7; LEAF_BYTES])));
}

#[divan::bench]
fn hash_a_node(bencher: Bencher<'_, '_>) {
    bencher.bench(|| node_hash(black_box(&Hash::EMPTY_TREE), black_box(&Hash::EMPTY_TREE)));
}

/// From the lowest level whose tiles are returned.
#[divan::bench(args = [0, 1], sample_count = 10, sample_size = 1)]
fn build_tiles(bencher: Bencher<'_, '_>, lowest_level: u8) {
    let leaf_hashes = leaf_hashes();
    let none = BTreeMap::<TileId, Vec<u8>>::new();
    bencher
        .counter(ItemsCount::new(LEAVES as usize))
        .with_inputs(|| TileBuilder::new(0, &none, lowest_level).expect("an empty tree needs no tiles"))
        .bench_values(|mut builder| {
            builder.append(&leaf_hashes);
            (builder.changed(), builder.root())
        });
}
