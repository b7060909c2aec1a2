//! Promises.

use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key::KeyType;
use opencoin_log::promise::{
    LeafPath, PROMISE_TEXT_BYTES_MAX, Promise, PromiseError, commit_root, request_root, sign_commit,
};
use opencoin_log::tree::{root, root_of_inclusion};
use proptest::prelude::*;

use crate::notes::key;
use crate::tree::leaves;

const ORIGIN: &str = "issuer.example/log";

fn promises(requests: u64) -> (Vec<Hash>, Vec<Promise>) {
    let roots = leaves(requests);
    let key = key("issuer.example/log/promise", KeyType::Ed25519Promise, 5);
    let promises = sign_commit(&key, ORIGIN, 1_795_877_272, 4711, 3600, &roots).unwrap();
    (roots, promises)
}

#[test]
fn each_request_of_a_commit_has_its_promise() {
    let key = key("issuer.example/log/promise", KeyType::Ed25519Promise, 5);
    for requests in [1, 2, 3, 7, 8, 13] {
        let (roots, promises) = promises(requests);
        for (root, promise) in roots.iter().zip(&promises) {
            assert_eq!(promise.verify(key.verifier(), ORIGIN, root), Ok(()));
            assert_eq!(promise.to_string().parse(), Ok(promise.clone()));
            let refused = Err(PromiseError::Signature);
            assert_eq!(promise.verify(key.verifier(), "other.example/log", root), refused);
            assert_eq!(promise.verify(key.verifier(), ORIGIN, &Hash::EMPTY_TREE), refused);
            for change in [
                |promise: &mut Promise| promise.time += 1,
                |promise: &mut Promise| promise.batch += 1,
                |promise: &mut Promise| promise.within += 1,
                |promise: &mut Promise| promise.signature[0] ^= 1,
            ] {
                let mut changed = promise.clone();
                change(&mut changed);
                assert_eq!(changed.verify(key.verifier(), ORIGIN, root), refused);
            }
        }
    }
    let (roots, alone) = promises(1);
    assert_eq!(alone[0].to_string().len(), 124);
    assert_eq!(alone[0].batches(2), 4711..=4713);
    assert_eq!(alone[0].deadline(), 1_795_880_872);
    assert_eq!(commit_root(&roots), leaf_hash(roots[0].as_bytes()));
    assert_eq!(promises(512).1[17].to_string().len(), 508);
}

#[test]
fn a_promise_holds_for_each_leaf_of_its_request() {
    let key = key("issuer.example/log/promise", KeyType::Ed25519Promise, 5);
    let leaf_hashes = leaves(11);
    let roots = [root(&leaves(2)), request_root(&leaf_hashes), root(&leaves(3))];
    let promise = &sign_commit(&key, ORIGIN, 1, 2, 3, &roots).unwrap()[1];
    for (index, leaf) in (0..).zip(&leaf_hashes) {
        let mut path = LeafPath::of(&leaf_hashes, index).unwrap();
        let verify = |leaf: &Hash, path: &LeafPath| promise.verify_leaf(key.verifier(), ORIGIN, leaf, path);
        assert_eq!(verify(leaf, &path), Ok(()));
        assert_eq!(verify(&Hash::EMPTY_TREE, &path), Err(PromiseError::Signature));
        path.path.push(Hash::EMPTY_TREE);
        assert_eq!(verify(leaf, &path), Err(PromiseError::LeafPath));
    }
    assert_eq!(LeafPath::of(&leaf_hashes, 11), None);
}

#[test]
fn what_is_no_promise_is_refused() {
    let log = key(ORIGIN, KeyType::Ed25519Note, 5);
    let error = sign_commit(&log, ORIGIN, 1, 2, 3, &leaves(1));
    assert_eq!(error, Err(PromiseError::KeyType));
    let (roots, promises) = promises(3);
    assert_eq!(
        promises[0].verify(log.verifier(), ORIGIN, &roots[0]),
        Err(PromiseError::KeyType)
    );
    let promise = key("issuer.example/log/promise", KeyType::Ed25519Promise, 5);
    assert_eq!(
        sign_commit(&promise, ORIGIN, 1, 2, 3, &[]),
        Err(PromiseError::Requests)
    );
    let text = promises[0].to_string();
    let mut shorter = promises[0].clone();
    shorter.path.pop();
    let mut outside = promises[0].clone();
    outside.index = 3;
    for text in [
        String::new(),
        text[..text.len() - 4].to_owned(),
        format!("{text}AAAA"),
        format!(" {text}"),
        shorter.to_string(),
        outside.to_string(),
        "A".repeat(PROMISE_TEXT_BYTES_MAX + 4),
    ] {
        assert_eq!(text.parse::<Promise>(), Err(PromiseError::Form), "{text}");
    }
}

proptest! {
    #[test]
    fn what_reads_as_a_promise_is_written_the_same(
        at: prop::sample::Index, byte in 32_u8..127, requests in 1_u64..9
    ) {
        let mut text = promises(requests).1[0].to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(promise) = text.parse::<Promise>() {
            prop_assert_eq!(promise.to_string(), text);
        }
    }

    #[test]
    fn the_path_of_every_leaf_leads_to_the_root(count in 1_u64..600, index: prop::sample::Index) {
        let leaf_hashes = leaves(count);
        let index = index.index(leaf_hashes.len());
        let path = LeafPath::of(&leaf_hashes, index as u32).unwrap();
        let found = root_of_inclusion(index as u64, count, &leaf_hashes[index], &path.path);
        prop_assert_eq!(found, Ok(request_root(&leaf_hashes)));
    }
}
