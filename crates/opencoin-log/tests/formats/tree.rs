//! Roots and proofs.

use opencoin_log::hash::{Hash, leaf_hash, node_hash};
use opencoin_log::tree::{
    Frontier, Layers, ProofError, Span, Subtree, consistency_spans, inclusion_spans, root, run_spans,
    verify_consistency, verify_inclusion, verify_run,
};
use proptest::prelude::*;

use crate::vectors::{hashes, list, number, unhex, vectors};

pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| leaf_hash(number.to_string().as_bytes()))
        .collect()
}

#[test]
fn the_test_leaves_of_rfc_6962_have_known_roots_and_proofs() {
    let Some(vectors) = vectors("rfc6962") else { return };
    let leaf_hashes = hashes(&vectors["leaf_hashes"]);
    for (entry, hash) in list(&vectors, "leaves").iter().zip(&leaf_hashes) {
        assert_eq!(leaf_hash(&unhex(entry.as_str().unwrap())), *hash);
    }
    let roots = hashes(&vectors["roots"]);
    for (size, expected) in roots.iter().enumerate() {
        assert_eq!(root(&leaf_hashes[..size]), *expected);
        assert_eq!(Layers::new(leaf_hashes[..size].to_vec()).root(), *expected);
    }
    for case in list(&vectors, "inclusion") {
        let (index, size) = (number(case, "index"), number(case, "size"));
        let (proof, at) = (hashes(&case["proof"]), index as usize);
        let root = &roots[size as usize];
        assert_eq!(
            verify_inclusion(index, size, &leaf_hashes[at], &proof, root),
            Ok(())
        );
        let layers = Layers::new(leaf_hashes[..size as usize].to_vec());
        assert_eq!(layers.inclusion_proof(at), Some(proof));
    }
    for case in list(&vectors, "consistency") {
        let (old, new) = (number(case, "old"), number(case, "new"));
        let proof = hashes(&case["proof"]);
        let [old_root, new_root] = [old, new].map(|size| &roots[size as usize]);
        assert_eq!(verify_consistency(old, new, old_root, new_root, &proof), Ok(()));
    }
}

/// The root of a span, as RFC 6962 defines it.
fn reference(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_TREE,
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            node_hash(&reference(&leaves[..middle]), &reference(&leaves[middle..]))
        }
    }
}

fn proof(spans: Option<Vec<Span>>, leaves: &[Hash]) -> Vec<Hash> {
    let of_span = |span: Span| {
        let roots: Vec<Hash> = span
            .subtrees()
            .map(|Subtree { level, index }| {
                reference(&leaves[(index << level) as usize..((index + 1) << level) as usize])
            })
            .collect();
        let root = Span::fold(&roots);
        assert_eq!(root, reference(&leaves[span.start as usize..span.end as usize]));
        root
    };
    spans.unwrap().into_iter().map(of_span).collect()
}

#[test]
fn all_proofs_of_small_trees_verify_and_no_changed_one_does() {
    let leaves = leaves(40);
    for new in 1..=40_u64 {
        let new_root = reference(&leaves[..new as usize]);
        assert_eq!(root(&leaves[..new as usize]), new_root);
        for index in 0..new {
            let leaf = &leaves[index as usize];
            let mut proof = proof(inclusion_spans(index, new), &leaves);
            let verify = |proof: &[Hash]| verify_inclusion(index, new, leaf, proof, &new_root);
            assert_eq!(verify(&proof), Ok(()));
            assert_eq!(
                verify_inclusion(index, new, &new_root, &proof, leaf),
                if new == 1 { Ok(()) } else { Err(ProofError::Root) }
            );
            proof.push(new_root);
            assert_eq!(verify(&proof), Err(ProofError::Length));
            proof.pop();
            if let Some(last) = proof.pop() {
                assert_eq!(verify(&proof), Err(ProofError::Length));
                proof.push(*leaf);
                assert!(last == *leaf || verify(&proof) == Err(ProofError::Root));
            }
        }
        for old in 0..=new {
            let old_root = reference(&leaves[..old as usize]);
            let mut proof = proof(consistency_spans(old, new), &leaves);
            let verify = |proof: &[Hash]| verify_consistency(old, new, &old_root, &new_root, proof);
            assert_eq!(verify(&proof), Ok(()));
            let other = &leaves[39];
            assert!(verify_consistency(old, new, other, &new_root, &proof).is_err());
            if old > 0 {
                assert!(verify_consistency(old, new, &old_root, other, &proof).is_err());
            }
            proof.push(new_root);
            assert!(verify(&proof).is_err());
            proof.pop();
            if proof.pop().is_some() {
                assert!(verify(&proof).is_err());
            }
        }
    }
}

#[test]
fn what_is_outside_the_tree_has_no_proof() {
    let [one, two] = [1, 2].map(|size| root(&leaves(size)));
    assert_eq!(inclusion_spans(2, 2), None);
    assert_eq!(consistency_spans(2, 1), None);
    let outside = Err(ProofError::OutOfTree);
    assert_eq!(verify_inclusion(2, 2, &one, &[], &two), outside);
    assert_eq!(verify_inclusion(0, 0, &one, &[], &Hash::EMPTY_TREE), outside);
    assert_eq!(verify_consistency(2, 1, &two, &one, &[]), outside);
    assert_eq!(
        verify_consistency(0, 0, &Hash::EMPTY_TREE, &one, &[]),
        Err(ProofError::Root)
    );
    assert_eq!(verify_consistency(0, 1, &one, &one, &[]), Err(ProofError::Root));
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    let largest = u64::MAX;
    for index in [0, 1, largest / 2, largest - 1] {
        let spans = inclusion_spans(index, largest).unwrap();
        let proof = vec![Hash::EMPTY_TREE; spans.len()];
        let result = verify_inclusion(index, largest, &Hash::EMPTY_TREE, &proof, &Hash::EMPTY_TREE);
        assert_eq!(result, Err(ProofError::Root));
        assert!(spans.iter().all(|span| span.subtrees().count() <= 64));
    }
    for old in [1, 1 << 63, largest - 1] {
        let spans = consistency_spans(old, largest).unwrap();
        let proof = vec![Hash::EMPTY_TREE; spans.len()];
        let result = verify_consistency(old, largest, &Hash::EMPTY_TREE, &Hash::EMPTY_TREE, &proof);
        assert_eq!(result, Err(ProofError::Root));
    }
}

#[test]
fn a_frontier_continues_from_its_roots() {
    let leaves = leaves(37);
    let mut frontier = Frontier::new();
    for (size, leaf) in (0..).zip(&leaves) {
        assert_eq!(frontier.roots().len(), Frontier::subtrees(size).count());
        frontier = Frontier::from_roots(frontier.size(), frontier.roots().to_vec()).unwrap();
        frontier.append(*leaf);
    }
    assert_eq!(frontier.root(), reference(&leaves));
    assert_eq!(Frontier::from_roots(3, leaves[..1].to_vec()), None);
}

proptest! {
    #[test]
    fn a_verified_proof_is_the_only_one(
        old in 1_u64..200, more in 0_u64..200, cut in 0_usize..9, random: [u8; 32]
    ) {
        let (leaves, new) = (leaves(old + more), old + more);
        let [old_root, new_root] = [old, new].map(|size| reference(&leaves[..size as usize]));
        let mut changed = proof(consistency_spans(old, new), &leaves);
        prop_assert_eq!(verify_consistency(old, new, &old_root, &new_root, &changed), Ok(()));
        changed.insert(cut.min(changed.len()), Hash::new(random));
        prop_assert!(verify_consistency(old, new, &old_root, &new_root, &changed).is_err());
    }
}

#[test]
fn a_run_of_leaves_has_one_proof() {
    for size in 1..=19_u64 {
        let leaves = leaves(size);
        let root = root(&leaves);
        for first in 0..size {
            for end in first + 1..=size {
                let run = &leaves[first as usize..end as usize];
                let spans = run_spans(first, end, size).unwrap();
                let beside = |span: &Span| reference(&leaves[span.start as usize..span.end as usize]);
                let proof: Vec<Hash> = spans.iter().map(beside).collect();
                assert_eq!(verify_run(first, run, size, &proof, &root), Ok(()));
                // One leaf less, another place, another size, another proof.
                if run.len() > 1 {
                    assert!(verify_run(first, &run[1..], size, &proof, &root).is_err());
                    assert!(verify_run(first + 1, &run[1..], size, &proof, &root).is_err());
                }
                assert!(verify_run(first + 1, run, size, &proof, &root).is_err());
                let mut longer = proof.clone();
                longer.push(root);
                assert_eq!(
                    verify_run(first, run, size, &longer, &root),
                    Err(ProofError::Length)
                );
                if let Some((_, shorter)) = proof.split_last() {
                    assert_eq!(
                        verify_run(first, run, size, shorter, &root),
                        Err(ProofError::Length)
                    );
                }
                let mut other = run.to_vec();
                other[0] = node_hash(&other[0], &other[0]);
                assert_eq!(
                    verify_run(first, &other, size, &proof, &root),
                    Err(ProofError::Root)
                );
            }
        }
        assert_eq!(run_spans(0, size + 1, size), None);
        assert_eq!(run_spans(1, 1, size), None);
        assert_eq!(verify_run(0, &[], size, &[], &root), Err(ProofError::OutOfTree));
        let last = [leaves[0], leaves[0]];
        assert_eq!(
            verify_run(u64::MAX, &last, size, &[], &root),
            Err(ProofError::OutOfTree)
        );
    }
    // The path to a node of a tree of the largest size is followed without recursion without end.
    let leaf = [leaves(1)[0]];
    let spans = run_spans(u64::MAX - 1, u64::MAX, u64::MAX).unwrap();
    assert_eq!(spans.len(), 63);
    let proof = vec![leaf[0]; 63];
    let root = leaf[0];
    assert_eq!(
        verify_run(u64::MAX - 1, &leaf, u64::MAX, &proof, &root),
        Err(ProofError::Root)
    );
}
