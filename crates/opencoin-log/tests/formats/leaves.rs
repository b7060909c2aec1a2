//! Leaves, digests and batches.

use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::digest::{BlindTooLong, IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{
    COIN_LEAF_BYTES, CloseReason, Leaf, LeafError, blind_recouped_leaf, coin_recouped_leaf, issued_leaf,
    spent_leaf,
};
use opencoin_schema::{BigInt, Blind, Cddc, Mkc, PayloadHash, from_json};
use proptest::prelude::*;

use crate::vectors::{hex, shared_file, unhex};

/// A number for a key that exists.
fn key_no(number: u32) -> KeyNo {
    KeyNo::new(number).unwrap()
}

/// The expected values were computed with another program. They are published, so they must never change.
#[test]
fn the_leaves_of_an_example_of_the_specification_are_known() {
    let Some(mkc) = shared_file("examples/mkc_1.json") else {
        return;
    };
    let mkc: Mkc = from_json(&mkc).unwrap();
    let blind: Blind = from_json(&shared_file("examples/blind_a0.json").unwrap()).unwrap();
    let public_key = &mkc.mint_key.public_mint_key;
    let fingerprint = KeyFingerprint::of(public_key);
    assert_eq!(
        hex(fingerprint.as_bytes()),
        "379c691e8d8ea2dbef94296dae7fa26190e7fcaa28569c636da96ca63d239ab0"
    );
    let modulus_bytes = public_key.modulus.as_be_bytes().len();
    let issued = IssuedDigest::of(&fingerprint, modulus_bytes, &blind.blinded_payload_hash).unwrap();
    let issued = issued_leaf(KeyNo::FIRST, &issued);
    assert_eq!(
        hex(&issued),
        "0110000000014dc4f1f4086ec5f53366fb94132342e3f6f72ea709bb258e430f56d218d755e6"
    );
    // The SHA-1 of the payload of the coin a0.
    let payload_hash = PayloadHash::new(&unhex("ca8a773bc76f814f5dc2e82e4bc0f8a923934f65")).unwrap();
    let spent = spent_leaf(KeyNo::FIRST, &SpentDigest::of(&fingerprint, &payload_hash));
    assert_eq!(
        hex(&spent),
        "011100000001bdaab0cb26fb7a3dfe8fa107dd6657fa18951c937cfa3314dc456bb1bc9e40d4"
    );
    for (leaf, begin, end) in [(issued, "f184549e", "55bd91"), (spent, "6c179e60", "875bac")] {
        let hash = leaf_hash(&leaf).to_string();
        assert!(hash.starts_with(begin) && hash.ends_with(end), "{hash}");
    }
}

#[test]
fn documents_are_leaves_in_their_compact_text_only() {
    let Some(mkc) = shared_file("examples/mkc_1.json") else {
        return;
    };
    let certificate: Box<Mkc> = Box::new(from_json(&mkc).unwrap());
    let cddc: Cddc = from_json(&shared_file("examples/cddc.json").unwrap()).unwrap();
    let key_no = key_no(3);
    for leaf in [
        Leaf::MintKey { key_no, certificate },
        Leaf::Currency(Box::new(cddc)),
    ] {
        let bytes = leaf.encode().unwrap();
        assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        let text = String::from_utf8(bytes).unwrap();
        for other in [
            text.replacen(": ", ":", 1),
            text.replacen(", ", ",  ", 1),
            format!("{text} "),
        ] {
            assert_eq!(Leaf::decode(other.as_bytes()), Err(LeafError::Text));
        }
    }
    let pretty = [b"\x01\x02\0\0\0\x01", mkc.as_slice()].concat();
    assert_eq!(Leaf::decode(&pretty), Err(LeafError::Text));
}

#[test]
fn a_digest_covers_the_key_and_the_width_and_is_not_printed() {
    let [one, two] = [1, 2].map(|byte| KeyFingerprint::new([byte; 32]));
    let number = BigInt::from_be_bytes(&[7, 8]);
    let of = |key, bytes| IssuedDigest::of(key, bytes, &number);
    assert_ne!(of(&one, 2), of(&two, 2));
    assert_ne!(of(&one, 2), of(&one, 3));
    assert_eq!(of(&one, 1), Err(BlindTooLong));
    assert!(of(&one, 64).is_ok());
    let spent = SpentDigest::of(&one, &PayloadHash::new(&[7; 20]).unwrap());
    assert_ne!(spent.as_bytes(), of(&one, 20).unwrap().as_bytes());
    assert_eq!(
        format!("{:?} {spent:?}", of(&one, 2).unwrap()),
        "IssuedDigest(..) SpentDigest(..)"
    );
}

#[test]
fn leaves_about_coins_have_one_length_and_sort_by_type_and_key() {
    let (issued, spent) = (IssuedDigest::new([9; 32]), SpentDigest::new([1; 32]));
    let mut leaves = [
        blind_recouped_leaf(key_no(1), &issued),
        coin_recouped_leaf(key_no(1), &spent),
        spent_leaf(key_no(1), &spent),
        issued_leaf(key_no(256), &issued),
        issued_leaf(key_no(2), &issued),
    ];
    leaves.sort_unstable();
    assert!(
        leaves
            .iter()
            .map(|leaf| leaf[1])
            .eq([0x10, 0x10, 0x11, 0x12, 0x13])
    );
    assert_eq!(leaves[0][2..6], [0, 0, 0, 2]);
    assert_eq!(leaves[0].len(), COIN_LEAF_BYTES);
    let batch = Leaf::Batch(Box::new(batch())).encode().unwrap();
    assert!(leaves.iter().all(|leaf| leaf.as_slice() < batch.as_slice()));
}

fn batch() -> BatchLeaf {
    let counts = |number, issued, spent| KeyCounts {
        key_no: key_no(number),
        issued,
        spent,
    };
    BatchLeaf {
        accounts: 1200,
        batch: 4711,
        coins: 88_120,
        expired: 40,
        first: 1_234_000,
        key_accounts: 300,
        keys: vec![counts(17, 90_412, 80_111), counts(18, 3, 0)],
        keys_root: Hash::EMPTY_TREE,
        ledger_root: Hash::EMPTY_TREE,
        opening: false,
        paid_in: 90_000,
        paid_out: 345,
        previous: Some(1_233_999),
        recouped: 5,
        time: 1_795_877_272,
    }
}

#[test]
fn a_batch_leaf_has_one_text() {
    let leaf = Leaf::Batch(Box::new(batch()));
    let bytes = leaf.encode().unwrap();
    let empty = Hash::EMPTY_TREE;
    let text = format!(
        "{{\"accounts\": 1200, \"batch\": 4711, \"coins\": 88120, \"expired\": 40, \"first\": 1234000, \
         \"key_accounts\": 300, \"keys\": [[17, 90412, 80111], [18, 3, 0]], \"keys_root\": \"{empty}\", \
         \"ledger_root\": \"{empty}\", \"paid_in\": 90000, \"paid_out\": 345, \"previous\": 1233999, \
         \"recouped\": 5, \
         \"time\": 1795877272, \"type\": \"log batch\"}}"
    );
    assert_eq!(std::str::from_utf8(&bytes[2..]).unwrap(), text);
    assert_eq!(Leaf::decode(&bytes), Ok(leaf));
    let decode = |text: &str| Leaf::decode(&[b"\x01\xff", text.as_bytes()].concat());
    for (old, new) in [
        ("\"previous\": 1233999", "\"previous\": null"),
        ("\"paid_in\"", "\"opening\": false, \"paid_in\""),
        ("\"paid_in\"", "\"opening\": true, \"paid_in\""),
        ("\"paid_in\"", "\"others\": 1, \"paid_in\""),
        ("[18, 3, 0]", "[17, 3, 0]"),
        ("[17, 90412, 80111]", "[0, 90412, 80111]"),
        ("\"coins\": 88120", "\"coins\": -1"),
        ("\"coins\": 88120", "\"coins\": 88120.0"),
        ("\"coins\": 88120, ", ""),
        ("\"coins\": 88120", "\"coins\": 88120, \"coins\": 88120"),
        ("log batch", "log Batch"),
        ("e3b0c442", "E3b0c442"),
    ] {
        assert!(text.contains(old));
        assert_eq!(decode(&text.replacen(old, new, 1)), Err(LeafError::Text), "{new}");
    }
    let mut first = batch();
    (first.previous, first.opening) = (None, true);
    let leaf = Leaf::Batch(Box::new(first));
    let bytes = leaf.encode().unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("\"opening\": true, \"paid_in\""));
    assert_eq!(Leaf::decode(&bytes), Ok(leaf));
    let mut unordered = batch();
    unordered.keys.swap(0, 1);
    assert_eq!(Leaf::Batch(Box::new(unordered)).encode(), Err(LeafError::Value));
}

#[test]
fn the_totals_of_a_batch_must_agree() {
    let good = batch();
    assert!(good.is_balanced());
    for change in [
        |batch: &mut BatchLeaf| batch.accounts += 1,
        |batch: &mut BatchLeaf| batch.key_accounts += 1,
        |batch: &mut BatchLeaf| batch.coins += 1,
        |batch: &mut BatchLeaf| batch.expired -= 1,
        |batch: &mut BatchLeaf| batch.paid_in -= 1,
        |batch: &mut BatchLeaf| batch.paid_out += 1,
        |batch: &mut BatchLeaf| batch.recouped += 1,
    ] {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(!changed.is_balanced());
    }
    let mut largest = good.clone();
    (largest.accounts, largest.coins, largest.paid_in, largest.recouped) =
        (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
    (largest.expired, largest.key_accounts, largest.paid_out) = (0, 0, 0);
    assert!(largest.is_balanced());
    let mut next = good.clone();
    next.batch += 1;
    assert!(next.follows(&good) && !good.follows(&next) && !good.follows(&good));
    next.recouped -= 1;
    assert!(!next.follows(&good));
}

#[test]
fn other_bytes_are_no_leaf() {
    let leaf = spent_leaf(key_no(1), &SpentDigest::new([1; 32]));
    let decode = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = leaf.to_vec();
        change(&mut bytes);
        Leaf::decode(&bytes)
    };
    assert!(decode(&|_| ()).is_ok());
    assert_eq!(decode(&|bytes| bytes[0] = 2), Err(LeafError::Version));
    for reserved in [0x00, 0x04, 0x14, 0x1f, 0x23, 0xfe] {
        assert_eq!(
            decode(&|bytes| bytes[1] = reserved),
            Err(LeafError::Type(reserved))
        );
    }
    assert_eq!(decode(&|bytes| bytes[5] = 0), Err(LeafError::Value));
    assert_eq!(decode(&|bytes| bytes.push(0)), Err(LeafError::Length));
    for length in 0..COIN_LEAF_BYTES {
        assert_eq!(decode(&|bytes| bytes.truncate(length)), Err(LeafError::Length));
    }
    let closed = Leaf::KeyClosed {
        key_no: key_no(7),
        reason: CloseReason::Revoked,
        issued: 1,
        spent: 2,
    };
    let mut bytes = closed.encode().unwrap();
    assert_eq!(hex(&bytes), "0103000000070300000000000000010000000000000002");
    for wrong in [0, 5, 255] {
        bytes[6] = wrong;
        assert_eq!(Leaf::decode(&bytes), Err(LeafError::Value));
    }
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let reason = prop::sample::select(vec![
        CloseReason::WindowOver,
        CloseReason::CoinsExpired,
        CloseReason::Revoked,
        CloseReason::Stopped,
    ]);
    let closed = (any::<u64>(), any::<u64>(), reason);
    let keys = prop::collection::btree_map(1_u32.., any::<(u64, u64)>(), 0..9);
    let amounts = any::<[u64; 12]>();
    (0..6, 1_u32.., any::<[u8; 32]>(), closed, keys, amounts).prop_map(
        |(kind, number, digest, (issued, spent, reason), keys, amounts)| {
            let key_no = key_no(number);
            let (blind, coin) = (IssuedDigest::new(digest), SpentDigest::new(digest));
            let is_first = amounts[11].is_multiple_of(2);
            match kind {
                0 => Leaf::Issued {
                    key_no,
                    digest: blind,
                },
                1 => Leaf::Spent { key_no, digest: coin },
                2 => Leaf::CoinRecouped { key_no, digest: coin },
                3 => Leaf::BlindRecouped {
                    key_no,
                    digest: blind,
                },
                4 => Leaf::KeyClosed {
                    key_no,
                    reason,
                    issued,
                    spent,
                },
                _ => Leaf::Batch(Box::new(BatchLeaf {
                    accounts: amounts[0],
                    batch: amounts[1],
                    coins: amounts[2],
                    expired: amounts[3],
                    first: amounts[4],
                    key_accounts: amounts[5],
                    keys: keys
                        .into_iter()
                        .map(|(number, (issued, spent))| {
                            KeyCounts::from((KeyNo::new(number).unwrap(), issued, spent))
                        })
                        .collect(),
                    keys_root: Hash::new(digest),
                    ledger_root: Hash::EMPTY_TREE,
                    opening: is_first,
                    paid_in: amounts[6],
                    paid_out: amounts[7],
                    previous: (!is_first).then_some(amounts[8]),
                    recouped: amounts[9],
                    time: amounts[10],
                })),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_leaf_is_the_same_after_writing_and_reading(leaf in any_leaf(), at: prop::sample::Index, byte: u8) {
        let mut bytes = leaf.encode().unwrap();
        prop_assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        // What reads is written the same.
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(changed) = Leaf::decode(&bytes) {
            prop_assert_eq!(changed.encode(), Ok(bytes));
        }
    }
}
