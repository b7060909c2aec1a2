use opencoin_log::bundle;
use opencoin_log::tile::{TileWidth, tiles_of_size};
use opencoin_log::tree::{root, verify_consistency, verify_inclusion};
use proptest::prelude::*;

use super::*;

fn entry(number: u64) -> Vec<u8> {
    let mut entry = leaf_hash(&number.to_be_bytes()).as_bytes().repeat(2);
    entry.truncate(38 + (number % 7) as usize);
    entry
}

fn hashes(size: u64) -> Vec<Hash> {
    (0..size).map(|number| leaf_hash(&entry(number))).collect()
}

fn append(files: &mut LogFiles, to: u64) {
    for number in files.size()..to {
        let entry = entry(number);
        files.append(&entry, leaf_hash(&entry)).unwrap();
    }
}

/// Compares all that a copy serves with the entries.
fn check(folder: &Path, size: u64) {
    let copy = LogCopy::new(folder);
    assert_eq!(copy.root(size).unwrap(), root(&hashes(size)));
    for (id, width) in tiles_of_size(size).filter(|(id, _)| id.level > 0) {
        let tile = copy.tile(id, width, size).unwrap();
        assert_eq!(tile.len(), usize::from(width.get()) * HASH_BYTES);
    }
    for index in [0, 1, 255, 256, 257, size / 2, size - 1] {
        if index >= size {
            continue;
        }
        assert_eq!(copy.entry(index).unwrap(), entry(index));
        let proof = copy.inclusion_proof(index, size).unwrap();
        let hash = leaf_hash(&entry(index));
        verify_inclusion(index, size, &hash, &proof, &root(&hashes(size))).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_copy_has_what_was_appended_and_stored(sizes in proptest::collection::vec(1..900_u64, 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut size, mut tree) = (0, Hash::EMPTY_TREE);
        for added in sizes {
            let mut files = LogFiles::open(folder.path(), size, &tree).unwrap();
            append(&mut files, size + added);
            let before = size;
            (size, tree) = files.store().unwrap();
            check(folder.path(), size);
            if before > 0 {
                let proof = LogCopy::new(folder.path()).consistency_proof(before, size).unwrap();
                verify_consistency(before, size, &root(&hashes(before)), &tree, &proof).unwrap();
            }
            // What is not stored is lost, and does not harm.
            append(&mut files, size + added / 2);
        }
    }
}

#[test]
fn packs_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let pack = PACK_BUNDLES * BUNDLE_ENTRIES;
    let (mut size, mut tree) = (0, Hash::EMPTY_TREE);
    for end in [pack - 1, pack, pack + 1, 2 * pack + 300] {
        let mut files = LogFiles::open(folder.path(), size, &tree).unwrap();
        append(&mut files, end);
        (size, tree) = files.store().unwrap();
    }
    assert_eq!(tree, root(&hashes(size)));
    let copy = LogCopy::new(folder.path());
    for index in [
        0,
        PACK_BUNDLES - 1,
        PACK_BUNDLES,
        2 * PACK_BUNDLES,
        2 * PACK_BUNDLES + 1,
    ] {
        let width = TileId { level: 0, index }.width_in(size).unwrap();
        let bytes = copy.bundle(index, width).unwrap();
        let entries: Vec<Vec<u8>> = bundle::decode(&bytes, width)
            .unwrap()
            .map(<[u8]>::to_vec)
            .collect();
        let expected: Vec<Vec<u8>> = (index * BUNDLE_ENTRIES..)
            .take(usize::from(width.get()))
            .map(entry)
            .collect();
        assert_eq!(entries, expected);
    }
    // The beginning of a bundle is the bundle of an older checkpoint.
    let width = TileWidth::new(3).unwrap();
    let bytes = copy.bundle(PACK_BUNDLES, width).unwrap();
    assert_eq!(bundle::decode(&bytes, width).unwrap().len(), 3);
}

#[test]
fn lost_and_damaged_files_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = LogFiles::open(folder.path(), 0, &Hash::EMPTY_TREE).unwrap();
    append(&mut files, 1000);
    let (size, tree) = files.store().unwrap();
    drop(files);
    for path in [
        starts_path(folder.path()),
        pack_path(folder.path(), 0),
        hashes_path(folder.path(), 1),
    ] {
        let bytes = fs::read(&path).unwrap();
        for broken in [None, Some(&bytes[..bytes.len() / 2])] {
            match broken {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let opened = LogFiles::open(folder.path(), size, &tree);
            assert!(opened.unwrap_err().is_lost(), "{}", path.display());
        }
        fs::write(&path, bytes).unwrap();
    }
    LogFiles::open(folder.path(), size, &tree).unwrap();
    assert!(
        LogFiles::open(folder.path(), size, &Hash::EMPTY_TREE)
            .unwrap_err()
            .is_lost()
    );
}
