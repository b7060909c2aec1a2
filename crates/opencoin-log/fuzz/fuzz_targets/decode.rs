//! Any bytes: each decoder refuses them or gives a value that is written as it was read.
//!
//! The first byte selects the decoder, so that one corpus serves all. `cargo +nightly fuzz run decode` in
//! `crates/opencoin-log`.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::{self, FromStr};

use libfuzzer_sys::fuzz_target;
use opencoin_log::bundle;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::cosignature;
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log::note::Note;
use opencoin_log::policy::Policy;
use opencoin_log::promise::Promise;
use opencoin_log::proof_file::ProofFile;
use opencoin_log::signature_line::{SignatureLine, parse_lines};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{TileBuilder, TileId, TilePath, TileWidth};
use opencoin_log::tile_proof::{consistency_proof, inclusion_proof, root_of};
use opencoin_log::tree::{verify_consistency, verify_inclusion};
use opencoin_log::witness::{AddCheckpoint, parse_size_body, size_body};

fuzz_target!(|input: &[u8]| {
    let Some((decoder, bytes)) = input.split_first() else {
        return;
    };
    match decoder {
        0 => leaf(bytes),
        1 => bundle(bytes),
        2 => proofs(bytes),
        3 => tiles(bytes),
        _ => {
            if let Ok(text) = str::from_utf8(bytes) {
                texts(*decoder, text);
            }
        }
    }
});

fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert_eq!(leaf.encode().as_deref(), Ok(bytes));
    }
}

/// The number of entries, then a bundle.
fn bundle(bytes: &[u8]) {
    let Some((count, bytes)) = bytes.split_first() else {
        return;
    };
    let Some(width) = TileWidth::new(u16::from(*count) + 1) else {
        return;
    };
    if let Ok(entries) = bundle::decode(bytes, width) {
        let mut again = Vec::new();
        for entry in entries {
            bundle::append(&mut again, entry).unwrap();
        }
        assert_eq!(again, bytes);
    }
}

fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// Two sizes, then the hashes of a proof.
fn proofs(bytes: &[u8]) {
    let Some((first, rest)) = split_number(bytes) else {
        return;
    };
    let Some((second, rest)) = split_number(rest) else {
        return;
    };
    let (hashes, _) = rest.as_chunks();
    let proof: Vec<Hash> = hashes.iter().map(|hash| Hash::new(*hash)).collect();
    let empty = Hash::EMPTY_TREE;
    let _ = verify_inclusion(first, second, &empty, &proof, &empty);
    let _ = verify_consistency(first, second, &empty, &empty, &proof);
}

/// Two sizes, then one tile of leaf hashes.
fn tiles(bytes: &[u8]) {
    let Some((first, rest)) = split_number(bytes) else {
        return;
    };
    let Some((second, rest)) = split_number(rest) else {
        return;
    };
    let tiles = BTreeMap::from([(TileId { level: 0, index: 0 }, rest)]);
    let _ = inclusion_proof(first, second, &tiles);
    let _ = consistency_proof(first, second, &tiles);
    if let (Ok(root), Ok(builder)) = (root_of(second, &tiles), TileBuilder::new(second, &tiles, 0)) {
        assert_eq!(root, builder.root());
    }
}

fn texts(decoder: u8, text: &str) {
    match decoder {
        4 => exact::<KeyName>(text),
        5 => exact::<VerifierKey>(text),
        6 => exact::<SignatureLine>(text),
        7 => exact::<Checkpoint>(text),
        8 => exact::<Note>(text),
        9 => exact::<SignedCheckpoint>(text),
        10 => exact::<AddCheckpoint>(text),
        11 => exact::<ProofFile>(text),
        12 => exact::<Promise>(text),
        13 => exact::<TilePath>(text),
        14 => exact::<Hash>(text),
        15 => same_meaning::<Policy>(text),
        16 => same_meaning::<LogBlock>(text),
        17 => {
            if let Ok(Some(block)) = LogBlock::find(text) {
                assert_eq!(LogBlock::find(&block.to_string()), Ok(Some(block)));
            }
        }
        18 => {
            if let Ok(size) = parse_size_body(text) {
                assert_eq!(size_body(size), text);
            }
        }
        19 => {
            if let Ok(lines) = parse_lines(text) {
                let again: String = lines.iter().map(|line| format!("{line}\n")).collect();
                assert_eq!(again, text);
            }
        }
        20 => verified(text),
        _ => {}
    }
}

/// What is read is written the same.
fn exact<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// Comments and blanks may go, but not the meaning.
fn same_meaning<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().unwrap(), value);
    }
}

/// A policy, an empty line, and a checkpoint.
fn verified(text: &str) {
    let Some((policy, checkpoint)) = text.split_once("\n\n") else {
        return;
    };
    let Ok(policy) = policy.parse::<Policy>() else {
        return;
    };
    let Ok(checkpoint) = checkpoint.parse::<SignedCheckpoint>() else {
        return;
    };
    let _ = policy.verify_checkpoint(&checkpoint, None);
    for witness in policy.witnesses() {
        for line in checkpoint.note().signatures() {
            let _ = cosignature::verify(&witness.key, checkpoint.note().text(), &line.signature);
        }
    }
}
