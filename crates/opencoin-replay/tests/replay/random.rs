//! Random honest logs have no finding; each change of one has.

use opencoin_log::hash::Hash;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_testkit::log_builder::LogBuilder;
use proptest::prelude::*;

use crate::support::{findings, replayed};

/// What happens in a batch: the key, how many blinds, how many coins of those that are outstanding, the pause before it.
type Step = (u32, u64, u64, u64);

fn honest(steps: &[Step]) -> LogBuilder {
    let mut log = LogBuilder::begun();
    let mut outstanding = [0_u64; 2];
    for (key, blinds, coins, pause_s) in steps {
        let place = (*key % 2) as usize;
        let key_no = KeyNo::new(*key % 2 + 1).unwrap();
        log.issue(key_no, *blinds);
        outstanding[place] += blinds;
        let coins = (*coins).min(outstanding[place]);
        log.spend(key_no, coins);
        outstanding[place] -= coins;
        log.now_s += pause_s;
        log.seal();
    }
    log
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0..2_u32, 0..12_u64, 0..12_u64, 0..5000_u64), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn honest_logs_break_no_rule(steps in steps()) {
        let log = honest(&steps);
        prop_assert_eq!(findings(&log), []);
        let replay = replayed(&log);
        let last = replay.last_batch().unwrap();
        let outstanding: u128 = replay.keys().values().map(opencoin_replay::ReplayedKey::outstanding).sum();
        prop_assert_eq!(u128::from(last.coins + last.expired), outstanding);
    }

    #[test]
    fn no_leaf_can_be_left_out_doubled_or_changed(
        steps in steps(),
        place: prop::sample::Index,
        change in 0..3_u8,
        bit: prop::sample::Index,
    ) {
        let mut log = honest(&steps);
        log.issue(KeyNo::FIRST, 3);
        log.spend(KeyNo::FIRST, 1);
        let mut changed = Vec::new();
        log.seal_changed(|leaves, _| {
            let at = place.index(leaves.len());
            changed = leaves[at].clone();
            match change {
                0 => drop(leaves.remove(at)),
                1 => leaves.insert(at, leaves[at].clone()),
                // A digest says nothing to a replay, so the type and the key are changed.
                _ => {
                    let bit = 8 + bit.index(40);
                    leaves[at][bit / 8] ^= 1 << (bit % 8);
                    leaves.sort();
                }
            }
        });
        prop_assert!(!findings(&log).is_empty(), "change {} of {:x?}", change, changed);
    }

    #[test]
    fn no_total_can_be_changed(steps in steps(), total in 0..10_u8, by in 1..1000_u64) {
        let mut log = honest(&steps);
        log.issue(KeyNo::FIRST, 3);
        log.seal_changed(|_, batch| match total {
            0 => batch.accounts += by,
            1 => batch.batch += by,
            2 => batch.coins += by,
            3 => batch.expired += by,
            4 => batch.first += by,
            5 => batch.key_accounts += by,
            6 => batch.keys[0].issued += by,
            7 => batch.keys[0].spent += by,
            8 => batch.paid_in += by,
            _ => batch.recouped += by,
        });
        prop_assert!(!findings(&log).is_empty());
    }

    #[test]
    fn any_bytes_are_read(leaves in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..20)) {
        let mut log = LogBuilder::begun();
        log.seal_changed(|all, _| all.extend(leaves));
        replayed(&log);
    }
}

#[test]
fn a_long_life_of_keys_breaks_no_rule() {
    let mut log = LogBuilder::begun();
    let mut keys = vec![KeyNo::FIRST];
    for generation in 0..4 {
        let key_no = log.add_mint_key(1);
        log.seal();
        keys.push(key_no);
        log.issue(key_no, 20);
        log.spend(key_no, 5);
        log.seal();
        if generation == 2 {
            log.close(key_no, CloseReason::Revoked);
            let (coin, blind) = (log.next_digest(), log.next_digest());
            log.recoup(key_no, coin, blind);
            log.seal();
        }
        log.now_s += opencoin_testkit::log_builder::MINT_KEY_SIGNS_S + 1;
        for key_no in &keys {
            let replay = replayed(&log);
            let key = &replay.keys()[key_no];
            if key.closed.signing().is_none() && key.signs_until_s < log.now_s {
                log.close(*key_no, CloseReason::WindowOver);
            } else if key.closed.spending().is_none() && key.coins_until_s < log.now_s {
                log.close(*key_no, CloseReason::CoinsExpired);
            }
        }
        log.seal();
    }
    assert_eq!(findings(&log), []);
    let root: Hash = log.root_at(log.size());
    assert_eq!(log.checkpoint().checkpoint().root(), &root);
    assert!(matches!(
        Leaf::decode(log.leaves().last().unwrap()),
        Ok(Leaf::Batch(_))
    ));
}
