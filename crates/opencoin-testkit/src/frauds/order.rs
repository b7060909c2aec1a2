//! Leaves that cannot be in a log, or not in their place.

use opencoin_log::digest::IssuedDigest;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf, issued_leaf};

use super::{Fraud, ONE, key_no};
use crate::log_builder::{LogBuilder, LogCurrency};

pub(super) const FRAUDS: &[Fraud] = &[
    Fraud::new("leaves are not in order", "disorder", "disorder", |log| {
        log.issue(ONE, 4);
        log.seal_changed(|leaves, _| leaves.swap(1, 2));
    }),
    Fraud::new("a document is repeated", "disorder", "disorder", |log| {
        log.add_mint_key(2);
        log.seal_changed(|leaves, _| leaves.insert(0, leaves[0].clone()));
    }),
    Fraud::new("a leaf has an unknown type", "disorder", "malformed", |log| {
        strange(log, &[0x01, 0x7f, 1])
    }),
    Fraud::new("a leaf has an unknown version", "disorder", "malformed", |log| {
        strange(log, &[0x02, 0x10])
    }),
    Fraud::new("a leaf is cut off", "disorder", "malformed", |log| {
        strange(log, &[0x01, 0x10, 0, 0, 0, 1])
    }),
    Fraud::new("a leaf is empty", "disorder", "malformed", |log| {
        strange(log, &[])
    }),
    Fraud::new(
        "a mint key is one of another issuer",
        "disorder",
        "certificate",
        |log| {
            let other = LogCurrency::new("other.test", "http://other.test");
            log.add_certified_key(&other.mint_key(0, 1, log.now_s));
            log.seal();
        },
    ),
    Fraud::new(
        "a description is one of another issuer",
        "disorder",
        "description",
        |log| {
            let other = LogCurrency::new("other.test", "http://other.test");
            log.add(&Leaf::Currency(Box::new(other.cddc().cddc().clone())));
            log.seal();
        },
    ),
    Fraud::new(
        "a description was changed after it was signed",
        "disorder",
        "description",
        |log| {
            let mut forged = log.cddc().cddc().clone();
            forged.cdd.cdd_serial = 9;
            log.add(&Leaf::Currency(Box::new(forged)));
            log.seal();
        },
    ),
    Fraud::new(
        "two descriptions have one number",
        "disorder",
        "description",
        |log| {
            describe(log, |cdd| cdd.currency_divisor = 7);
        },
    ),
    Fraud::new(
        "a new description names another log",
        "disorder",
        "description",
        |log| {
            let other = LogCurrency::new("other.test", "http://other.test");
            let block = other.cddc().cdd().additional_info.clone();
            describe(log, |cdd| {
                cdd.cdd_serial = 2;
                cdd.additional_info = block;
            });
        },
    ),
    Fraud::new(
        "a new description names no log",
        "disorder",
        "description",
        |log| {
            describe(log, |cdd| {
                cdd.cdd_serial = 2;
                cdd.additional_info = "no more log".to_owned();
            });
        },
    ),
    Fraud::new("a mint key is in the log twice", "disorder", "key_twice", |log| {
        let again = log.currency().mint_key(0, 1, log.now_s);
        log.add_certified_key(&again);
        log.seal();
    }),
    Fraud::new("two mint keys have one number", "disorder", "key_number", |log| {
        add_key_as(log, ONE);
    }),
    Fraud::new(
        "a number of mint keys is left out",
        "disorder",
        "key_number",
        |log| add_key_as(log, key_no(5)),
    ),
    Fraud::new(
        "a coin of a key that is not in the log",
        "disorder",
        "unknown_key",
        |log| {
            log.issue(ONE, 1);
            let stranger = issued_leaf(key_no(9), &IssuedDigest::new([7; 32]));
            log.seal_changed(|leaves, _| leaves.push(stranger.to_vec()));
        },
    ),
    Fraud::new(
        "a key is closed that is not in the log",
        "disorder",
        "unknown_key",
        |log| {
            log.add(&Leaf::KeyClosed {
                key_no: key_no(9),
                reason: CloseReason::Stopped,
                issued: 0,
                spent: 0,
            });
            log.seal();
        },
    ),
];

/// Seals a batch with this leaf, in its place.
fn strange(log: &mut LogBuilder, leaf: &[u8]) {
    log.issue(ONE, 1);
    log.seal_changed(|leaves, _| {
        leaves.push(leaf.to_vec());
        leaves.sort_unstable();
    });
}

/// Seals a batch with a new mint key under this number.
fn add_key_as(log: &mut LogBuilder, key_no: KeyNo) {
    log.add_mint_key(2);
    log.seal_changed(|leaves, _| {
        for leaf in leaves {
            if let Ok(Leaf::MintKey { certificate, .. }) = Leaf::decode(leaf) {
                let changed = Leaf::MintKey { key_no, certificate };
                *leaf = changed.encode().expect("a short leaf");
            }
        }
    });
}

/// Seals a batch with a description that the master key has signed.
fn describe(log: &mut LogBuilder, change: impl FnOnce(&mut opencoin_schema::Cdd)) {
    let cddc = log.currency().described(change);
    log.add(&Leaf::Currency(Box::new(cddc.cddc().clone())));
    log.seal();
}
