//! Nobody can make evidence against an honest issuer, whatever leaves they put into a file.

use std::collections::BTreeMap;

use opencoin_evidence::{BuildError, CountedKey, Evidence, EvidenceError};
use opencoin_log::hash::Hash;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_testkit::log_builder::{LogBuilder, MINT_KEY_SIGNS_S};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::support::{Case, indices_of, keys_until};

const SEEDS: u64 = 24;
const ATTEMPTS: usize = 60;

/// What an issuer and its holders have done with a mint key.
#[derive(Default)]
struct KeyLife {
    outstanding: Vec<()>,
    is_closed: bool,
    is_revoked: bool,
}

/// A log in which every rule holds: keys come, sign, are closed at their end or revoked, and coins come back.
pub(crate) fn honest(rng: &mut ChaCha20Rng) -> LogBuilder {
    let mut log = LogBuilder::begun();
    let mut keys: BTreeMap<u32, KeyLife> = [(1, KeyLife::default()), (2, KeyLife::default())].into();
    for _ in 0..rng.gen_range(2..9) {
        let mut new = None;
        for (number, key) in &mut keys {
            act(&mut log, KeyNo::new(*number).unwrap(), key, rng);
        }
        if rng.gen_bool(0.3) {
            new = Some(log.add_mint_key([1, 2, 5][rng.gen_range(0..3)]));
        }
        if rng.gen_bool(0.1) {
            let newer = log.currency().described(|cdd| cdd.cdd_serial += 1);
            log.add(&Leaf::Currency(Box::new(newer.cddc().clone())));
        }
        log.now_s += rng.gen_range(0..40_000);
        log.seal();
        // A key signs only after its leaf is published.
        keys.extend(new.map(|key_no| (key_no.get(), KeyLife::default())));
    }
    log
}

fn act(log: &mut LogBuilder, key_no: KeyNo, key: &mut KeyLife, rng: &mut ChaCha20Rng) {
    if key.is_revoked {
        let (coin, blind): (Hash, Hash) = (log.next_digest(), log.next_digest());
        if rng.gen_bool(0.3) {
            log.recoup(key_no, coin, blind);
        }
        return;
    }
    if !key.is_closed {
        let blinds = rng.gen_range(0..8);
        log.issue(key_no, blinds);
        key.outstanding.extend((0..blinds).map(|_| ()));
    }
    let coins = rng.gen_range(0..=key.outstanding.len().min(6));
    log.spend(key_no, coins as u64);
    key.outstanding.truncate(key.outstanding.len() - coins);
    if rng.gen_bool(0.1) {
        log.close(key_no, CloseReason::Revoked);
        key.is_revoked = true;
    } else if !key.is_closed && rng.gen_bool(0.1) {
        log.close(key_no, CloseReason::WindowOver);
        key.is_closed = true;
    }
}

/// One of all files that the builder makes, of leaves that somebody likes.
async fn attempt(
    log: &LogBuilder,
    case: &mut Case,
    rng: &mut ChaCha20Rng,
) -> (usize, Result<Evidence, BuildError>) {
    let size = log.size();
    let batches = indices_of(log, |leaf| matches!(leaf, Leaf::Batch(_)));
    let closings = indices_of(log, |leaf| matches!(leaf, Leaf::KeyClosed { .. }));
    let certificates = indices_of(log, |leaf| matches!(leaf, Leaf::MintKey { .. }));
    let mut any = || rng.gen_range(0..size);
    let (one, other, third) = (any(), any(), any());
    let pick = |rng: &mut ChaCha20Rng, from: &[u64]| match from.is_empty() {
        true => 0,
        false => from[rng.gen_range(0..from.len())],
    };
    let (batch, earlier) = (pick(rng, &batches), pick(rng, &batches));
    let (closing, key) = (pick(rng, &closings), pick(rng, &certificates));
    let own = *batches.iter().find(|batch| **batch > one).unwrap_or(&batch);
    let until = log.batches().iter().find(|found| found.previous == Some(earlier));
    let before = until.map_or(0, |found| found.first);
    let key_no = KeyNo::new(rng.gen_range(1..4)).unwrap();
    let counted = [CountedKey::Issued, CountedKey::Spent][rng.gen_range(0..2)];
    let places: BTreeMap<KeyNo, u64> = (1..)
        .map_while(KeyNo::new)
        .zip(certificates.iter().copied())
        .collect();
    let which = rng.gen_range(0..20);
    let mut builder = case.builder();
    let built = match which {
        0 => builder.over_redemption(batch).await,
        1 => builder.spent_twice(one, other).await,
        2 => builder.outside_dates(one, own, key).await,
        3 => builder.key_unknown(one, own, key).await,
        4 => builder.after_closing(one, closing, batch).await,
        5 => builder.wrong_batch(batch).await,
        6 => builder.wrong_sequence(earlier, batch).await,
        7 => builder.wrong_sequence(one, batch).await,
        8 => builder.wrong_closing(closing, batch).await,
        9 => builder.wrong_count(batch, key_no, counted).await,
        10 => builder.uncounted(one, own).await,
        11 => builder.wrong_value(batch, &places).await,
        12 => builder.wrong_keys_root(batch, keys_until(log, before)).await,
        13 => builder.disorder(one).await,
        14 => builder.malformed(one).await,
        15 => builder.unfinished().await,
        16 => builder.wrong_certificate(pick(rng, &certificates)).await,
        17 => builder.key_twice(key, pick(rng, &certificates)).await,
        18 => builder.key_number(one, own, keys_until(log, own)).await,
        _ => builder.bad_statement(third, batch).await,
    };
    (which, built)
}

#[tokio::test]
async fn an_honest_log_gives_no_evidence() {
    let mut tried = [0; 20];
    for seed in 0..SEEDS {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let log = honest(&mut rng);
        let mut case = Case::new(&log);
        for _ in 0..ATTEMPTS {
            let (which, built) = attempt(&log, &mut case, &mut rng).await;
            tried[which] += 1;
            case.tree.begin_part();
            assert!(
                matches!(
                    built,
                    Err(BuildError::Evidence(EvidenceError::DoesNotHold(_)) | BuildError::OtherLeaf(_))
                ),
                "seed {seed}, kind {which}: {built:?}"
            );
        }
    }
    assert!(tried.iter().all(|times| *times > 20), "{tried:?}");
}

#[tokio::test]
async fn no_key_of_an_honest_log_is_secret() {
    let mut log = LogBuilder::begun();
    log.add_mint_key(2);
    log.seal();
    let late = log.checkpoint_at(log.size(), log.now_s + MINT_KEY_SIGNS_S);
    let mut case = Case::under(&log, late);
    for (number, denomination) in [(0, 1), (1, 5), (2, 2)] {
        let key = log.currency().mint_key(number, denomination, log.now_s);
        for keys in [keys_until(&log, log.size()), keys_until(&log, 3), Vec::new()] {
            let built = case.builder().secret_key(key.mkc().clone(), keys).await;
            assert!(built.is_err());
        }
    }
}
