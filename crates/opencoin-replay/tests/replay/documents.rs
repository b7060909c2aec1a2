//! Rules for descriptions and mint keys.

use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_replay::{BrokenRule, Replay, ReplayError};
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};

use crate::support::{findings, only, replayed, rules};

#[test]
fn descriptions_are_of_the_same_master_key_and_log() {
    let log = LogBuilder::begun();
    let newer = log.currency().described(|cdd| cdd.cdd_serial = 2);
    let other_currency = LogCurrency::new("other.test", "http://other.test");
    let other_log = log.currency().described(|cdd| {
        cdd.cdd_serial = 2;
        cdd.additional_info = other_currency.cddc().cdd().additional_info.clone();
    });
    let no_log = log.currency().described(|cdd| {
        cdd.cdd_serial = 2;
        cdd.additional_info = "no more log".to_owned();
    });
    let other_terms = log.currency().described(|cdd| {
        cdd.cdd_serial = 2;
        cdd.additional_info = cdd.additional_info.replace("within 3600", "within 7200");
    });
    let same_serial = log.currency().described(|cdd| cdd.currency_divisor = 7);
    let mut forged = newer.cddc().clone();
    forged.cdd.cdd_serial = 3;
    for (cddc, is_right) in [
        (newer.cddc(), true),
        (other_currency.cddc().cddc(), false),
        (other_log.cddc(), false),
        (no_log.cddc(), false),
        (other_terms.cddc(), false),
        (same_serial.cddc(), false),
        (&forged, false),
    ] {
        let mut log = log.fork();
        log.add(&Leaf::Currency(Box::new(cddc.clone())));
        let index = log.size();
        log.seal();
        if is_right {
            assert_eq!(findings(&log), []);
            assert_eq!(replayed(&log).description().cddc(), cddc);
        } else {
            let (found, rule) = only(&log);
            assert!(matches!(rule, BrokenRule::Description { .. }), "{rule:?}");
            assert_eq!(found, index);
        }
    }
}

#[test]
fn the_same_description_with_another_signature_is_no_other_one() {
    let mut log = LogBuilder::begun();
    let again = log.currency().signed_again();
    assert_ne!(again.cddc(), log.currency().cddc().cddc());
    assert_eq!(replayed(&log).has_description(again.cddc()), Some(true));
    log.add(&Leaf::Currency(Box::new(again.cddc().clone())));
    log.seal();
    assert_eq!(findings(&log), []);
}

#[test]
fn a_description_from_before_the_log_is_allowed() {
    let mut log = LogBuilder::begun();
    let older = log.currency().described(|cdd| {
        cdd.cdd_serial = 0;
        cdd.additional_info = String::new();
    });
    log.add(&Leaf::Currency(Box::new(older.cddc().clone())));
    log.seal();
    assert_eq!(findings(&log), []);
    assert_eq!(Replay::new(older.cddc()).unwrap_err(), ReplayError::NoLog);
}

#[test]
fn mint_keys_are_certified() {
    let mut log = LogBuilder::begun();
    let other = LogCurrency::new("other.test", "http://other.test");
    log.add_certified_key(&other.mint_key(0, 1, log.now_s));
    log.seal();
    assert!(matches!(only(&log).1, BrokenRule::Certificate { .. }));
}

#[test]
fn mint_keys_have_the_next_number() {
    let mut log = LogBuilder::begun();
    let key = log.currency().mint_key(2, 2, log.now_s);
    log.add(&Leaf::MintKey {
        key_no: KeyNo::new(4).unwrap(),
        certificate: Box::new(key.mkc().clone()),
    });
    log.seal();
    assert!(rules(&log).contains(&BrokenRule::KeyNumber {
        declared: KeyNo::new(4).unwrap(),
        expected: KeyNo::new(3).unwrap(),
    }));
}

#[test]
fn a_mint_key_has_one_number() {
    let mut log = LogBuilder::begun();
    let again = log.currency().mint_key(0, 1, log.now_s);
    let key_no = log.add_certified_key(&again);
    log.seal();
    assert!(rules(&log).contains(&BrokenRule::KeyTwice { key_no, first: 1 }));
}

#[test]
fn the_root_of_all_keys_is_in_the_batch_leaf() {
    let mut log = LogBuilder::begun();
    log.issue(KeyNo::FIRST, 1);
    let root = log.next_digest();
    log.seal_changed(|_, batch| batch.keys_root = root);
    assert_eq!(only(&log), (log.size() - 1, BrokenRule::KeysRoot));
}

#[test]
fn many_keys_that_sign_at_once_are_reported_and_not_forbidden() {
    let mut log = LogBuilder::begun();
    log.add_mint_key(1);
    log.seal();
    assert_eq!(findings(&log), []);
    log.add_mint_key(1);
    log.seal();
    let many = BrokenRule::ManySigningKeys {
        denomination: 1,
        keys: 3,
    };
    let found = findings(&log);
    assert_eq!(found.len(), 1);
    assert!(found[0].rule == many && !found[0].is_broken());
    assert_eq!(replayed(&log).first_broken(), None);
}
