//! Tiles, bundles, their paths, and proofs from them.

use std::collections::BTreeMap;

use opencoin_log::bundle::{self, BundleError};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::tile::{
    LevelTiles, MissingTile, Resource, TILE_HASHES, Tile, TileBuilder, TileId, TilePath, TileWidth,
    levels_of_size, right_edge, tiles_of_size,
};
use opencoin_log::tile_proof::{
    TileProofError, consistency_proof, inclusion_proof, root_of, run_proof, tiles_of_consistency,
    tiles_of_inclusion, tiles_of_root,
};
use opencoin_log::tree::{root, verify_consistency, verify_inclusion, verify_run};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::tree::leaves;
use crate::vectors::{hex, list, number, text, unhex, vectors};

type Files = BTreeMap<TileId, Vec<u8>>;

fn store(files: &mut Files, tiles: Vec<Tile>) {
    for Tile { id, width, bytes } in tiles {
        assert_eq!(bytes.len(), 32 * usize::from(width.get()));
        files.insert(id, bytes);
    }
}

fn files_of(leaf_hashes: &[Hash]) -> Files {
    let mut files = Files::new();
    let mut builder = TileBuilder::new(0, &files, 0).unwrap();
    builder.append(leaf_hashes);
    store(&mut files, builder.changed());
    files
}

#[test]
fn paths_and_sizes_are_those_of_the_specification() {
    let Some(vectors) = vectors("tiles") else { return };
    for case in list(&vectors, "paths") {
        let (index, path) = (number(case, "index"), text(case, "path"));
        let path = format!("tile/entries/{path}");
        let parsed: TilePath = path.parse().unwrap();
        assert_eq!(parsed.resource, Resource::Entries(index));
        assert_eq!(parsed.to_string(), path);
    }
    for case in list(&vectors, "sizes") {
        let expected: Vec<LevelTiles> = list(case, "levels")
            .iter()
            .map(|level| LevelTiles {
                level: number(level, "level") as u8,
                full: number(level, "full"),
                partial: TileWidth::new(number(level, "partial_width") as u16),
            })
            .collect();
        let levels: Vec<LevelTiles> = levels_of_size(number(case, "size")).collect();
        assert_eq!(levels, expected);
    }
}

#[test]
fn a_log_of_600_entries_has_known_files() {
    let Some(vectors) = vectors("tiles") else { return };
    let tree = &vectors["tree"];
    let entries: Vec<String> = (0..600).map(|number| format!("entry {number}")).collect();
    let leaf_hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
    let mut files = files_of(&leaf_hashes)
        .into_iter()
        .map(|(id, bytes)| {
            let width = id.width_in(600).unwrap();
            let resource = Resource::Tile(id);
            (TilePath { resource, width }.to_string(), bytes)
        })
        .collect::<BTreeMap<String, Vec<u8>>>();
    for (index, entries) in (0..).zip(entries.chunks(256)) {
        let mut bytes = Vec::new();
        for entry in entries {
            bundle::append(&mut bytes, entry.as_bytes()).unwrap();
        }
        let width = TileWidth::new(entries.len() as u16).unwrap();
        let resource = Resource::Entries(index);
        files.insert(TilePath { resource, width }.to_string(), bytes);
    }
    for file in list(tree, "files") {
        let bytes = &files[text(file, "path")];
        assert_eq!(bytes.len() as u64, number(file, "bytes"));
        match file.get("hex") {
            Some(expected) => assert_eq!(hex(bytes), expected.as_str().unwrap()),
            None => assert_eq!(hex(&Sha256::digest(bytes)), text(file, "sha256")),
        }
    }
    assert_eq!(root(&leaf_hashes).to_string(), text(tree, "root"));
    let bundle = &vectors["bundle"];
    let mut bytes = Vec::new();
    for entry in list(bundle, "entries") {
        bundle::append(&mut bytes, &unhex(entry.as_str().unwrap())).unwrap();
    }
    assert_eq!(hex(&bytes), text(bundle, "hex"));
}

#[test]
fn other_spellings_of_a_path_are_refused() {
    for path in [
        "tile/0/000",
        "tile/63/x001/067.p/12",
        "tile/entries/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert_eq!(path.parse::<TilePath>().unwrap().to_string(), path);
    }
    for path in [
        "",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "/tile/0/000",
        "tile/entries/0+1",
        "tile/entries/x018/x446/x744/x073/x709/x551/616",
        "tile/Entries/000",
    ] {
        assert!(path.parse::<TilePath>().is_err(), "{path:?}");
    }
}

#[test]
fn tiles_give_the_same_roots_and_proofs_as_leaves() {
    let leaves = leaves(70_000);
    let files = files_of(&leaves);
    let expected: Vec<TileId> = tiles_of_size(70_000).map(|(id, _)| id).collect();
    assert!(files.keys().eq(&expected));
    let new_root = root(&leaves);
    assert_eq!(root_of(70_000, &files), Ok(new_root));
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_999] {
        let proof = inclusion_proof(index, 70_000, &files).unwrap();
        let leaf = &leaves[index as usize];
        assert_eq!(verify_inclusion(index, 70_000, leaf, &proof, &new_root), Ok(()));
    }
    for old in [0, 1, 255, 256, 257, 600, 65_536, 69_999, 70_000] {
        let proof = consistency_proof(old, 70_000, &files).unwrap();
        let old_root = root(&leaves[..old as usize]);
        assert_eq!(root_of(old, &files), Ok(old_root));
        assert_eq!(
            verify_consistency(old, 70_000, &old_root, &new_root, &proof),
            Ok(())
        );
    }
    for (first, end) in [
        (0, 1),
        (0, 70_000),
        (255, 257),
        (65_530, 69_900),
        (69_999, 70_000),
    ] {
        let proof = run_proof(first, end, 70_000, &files).unwrap();
        let run = &leaves[first as usize..end as usize];
        assert_eq!(verify_run(first, run, 70_000, &proof, &new_root), Ok(()));
    }
    let outside = Err(TileProofError::OutOfTree);
    assert_eq!(inclusion_proof(70_000, 70_000, &files), outside);
    assert_eq!(run_proof(69_999, 70_001, 70_000, &files), outside);
    assert_eq!(consistency_proof(70_001, 70_000, &files), outside);
}

/// Only the tiles that were named are needed, and each in the width of the size.
fn only(files: &Files, needed: &[TileId], size: u64) -> Files {
    let cut = |id: &TileId| {
        let width = id.width_in(size).unwrap().get();
        (*id, files[id][..32 * usize::from(width)].to_vec())
    };
    needed.iter().map(cut).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_builder_continues_anywhere(
        sizes in prop::collection::vec(0_usize..700, 1..6), lowest_level in 0_u8..2
    ) {
        let leaves = leaves(sizes.iter().sum::<usize>() as u64);
        let (mut files, mut size) = (Files::new(), 0);
        let mut kept = TileBuilder::new(0, &files, 0).unwrap();
        for added in sizes {
            let new = &leaves[size..size + added];
            // One that begins anew, and one that goes on.
            let mut builder = TileBuilder::new(size as u64, &files, lowest_level).unwrap();
            builder.append(new);
            let (first, second) = new.split_at(added / 2);
            kept.append(first);
            kept.append(second);
            size += added;
            let all = kept.changed();
            let mut above: Vec<Tile> = all.clone();
            above.retain(|tile| tile.id.level >= lowest_level);
            let mut of_builder = builder.changed();
            above.sort_by_key(|tile| tile.id);
            of_builder.sort_by_key(|tile| tile.id);
            prop_assert_eq!(of_builder, above);
            store(&mut files, all);
            prop_assert_eq!(builder.size(), size as u64);
            prop_assert_eq!(builder.root(), root(&leaves[..size]));
            prop_assert_eq!(kept.root(), builder.root());
            prop_assert!(builder.changed().is_empty());
        }
        prop_assert_eq!(files_of(&leaves[..size]), files);
    }

    #[test]
    fn named_tiles_suffice_and_each_is_needed(new in 1_u64..2000, old in 0_u64..2000, index in 0_u64..2000) {
        let (old, index) = (old % (new + 1), index % new);
        let leaves = leaves(new + 300);
        let files = files_of(&leaves);
        let needed = tiles_of_inclusion(index, new).unwrap();
        let some = only(&files, &needed, new);
        prop_assert_eq!(inclusion_proof(index, new, &some), inclusion_proof(index, new, &files));
        for id in &needed {
            let mut fewer = some.clone();
            fewer.remove(id);
            let missing = Err(TileProofError::Missing(MissingTile(*id)));
            prop_assert_eq!(inclusion_proof(index, new, &fewer), missing);
        }
        let some = only(&files, &tiles_of_consistency(old, new).unwrap(), new);
        prop_assert_eq!(consistency_proof(old, new, &some), consistency_proof(old, new, &files));
        let some = only(&files, &tiles_of_root(new), new);
        prop_assert_eq!(root_of(new, &some), Ok(root(&leaves[..new as usize])));
        let edge: Vec<TileId> = right_edge(new).map(|(id, _)| id).collect();
        let builder = TileBuilder::new(new, &only(&files, &edge, new), 0).unwrap();
        prop_assert_eq!(builder.root(), root(&leaves[..new as usize]));
    }

    #[test]
    fn a_path_is_the_same_after_writing_and_reading(
        level in 0_u8..64, index: u64, width in 1_u16..=TILE_HASHES, is_entries: bool
    ) {
        let tile = Resource::Tile(TileId { level, index });
        let resource = if is_entries { Resource::Entries(index) } else { tile };
        let path = TilePath { resource, width: TileWidth::new(width).unwrap() };
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn a_bundle_is_the_same_after_writing_and_reading(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..=256),
        cut in 1_u16..=256
    ) {
        let mut bytes = Vec::new();
        for entry in &entries {
            bundle::append(&mut bytes, entry).unwrap();
        }
        let width = TileWidth::new(entries.len() as u16).unwrap();
        let read: Vec<&[u8]> = bundle::decode(&bytes, width).unwrap().collect();
        prop_assert_eq!(&read, &entries);
        let part = TileWidth::new(cut).unwrap();
        match bundle::prefix(&bytes, part) {
            Ok(prefix) => {
                let read: Vec<&[u8]> = bundle::decode(prefix, part).unwrap().collect();
                prop_assert_eq!(&read, &entries[..usize::from(cut)]);
            }
            Err(error) => {
                prop_assert!(part > width);
                prop_assert_eq!(error, BundleError::TooShort);
            }
        }
        prop_assert!(bundle::decode(&bytes[..bytes.len() - 1], width).is_err());
        bytes.push(0);
        prop_assert_eq!(bundle::decode(&bytes, width).err(), Some(BundleError::TooLong));
    }
}

#[test]
fn an_entry_that_is_too_long_leaves_the_bundle_unchanged() {
    let mut bytes = Vec::new();
    let error = bundle::append(&mut bytes, &[0; 65_536]);
    assert_eq!(error, Err(BundleError::EntryTooLong(65_536)));
    assert!(bytes.is_empty());
    bundle::append(&mut bytes, &[0; 65_535]).unwrap();
}
