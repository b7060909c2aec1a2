//! Files that holders make. They hold with no changed byte, but for the fields that nobody has signed: when somebody looked,
//! and which coin they say was refused.

use opencoin_evidence::{
    Absence, Claim, Evidence, EvidenceError, FalseRefusal, OmittedLeaf, Rollback, ShownPromise, StalledLog,
    WithheldSignature, check_evidence,
};
use opencoin_log::digest::{IssuedDigest, KeyFingerprint};
use opencoin_log::hash::leaf_hash;
use opencoin_log::key::SigningKey;
use opencoin_log::key_account::{Credit, CreditSource};
use opencoin_log::leaf::{Leaf, issued_leaf};
use opencoin_log::promise::{LeafPath, Promise};
use opencoin_schema::BigInt;
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder, WITHIN_S, account_key, key_of_account};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::support::{Case, ONE};

const SEED: u64 = 11;
/// How many bytes of a file are changed. Smaller files are changed everywhere.
const CHANGED_BYTES: usize = 2000;

/// Changes bytes of the file. It still holds only if the byte is in the value of one of these fields.
fn only_bytes_of(evidence: &Evidence, unsigned: &[&str]) {
    let file = evidence.to_json();
    let bytes = file.trim_end().as_bytes();
    let values: Vec<std::ops::Range<usize>> = unsigned
        .iter()
        .map(|field| {
            let name = format!("\"{field}\":");
            let begin = file.find(&name).unwrap() + name.len();
            let end = begin + file[begin..].find([',', '}']).unwrap();
            begin..end
        })
        .collect();
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut places: Vec<usize> = match bytes.len() {
        length @ ..=CHANGED_BYTES => (0..length).collect(),
        length => (0..CHANGED_BYTES).map(|_| rng.gen_range(0..length)).collect(),
    };
    places.extend(values.iter().flat_map(Clone::clone));
    let mut still_held = vec![0; values.len()];
    for at in places {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << rng.gen_range(0..8);
        if check_evidence(&changed).is_ok() {
            let field = values.iter().position(|value| value.contains(&at));
            let near = String::from_utf8_lossy(&bytes[at.saturating_sub(60)..at]);
            still_held[field.unwrap_or_else(|| panic!("seed {SEED}, byte {at}, after {near:?}"))] += 1;
        }
    }
    assert!(
        still_held.iter().all(|times| *times > 0),
        "{unsigned:?}: {still_held:?}"
    );
}

fn evidence(log: &LogBuilder, claim: Claim) -> Evidence {
    Evidence::new(log.cddc().cddc().clone(), claim).unwrap()
}

/// The promise that the log will have this leaf, alone.
fn promised(log: &LogBuilder, leaf: &[u8]) -> ShownPromise {
    let promise: Promise = log.promise(&[leaf.to_vec()], log.now_s).parse().unwrap();
    let path = LeafPath::of(&[leaf_hash(leaf)], 0).unwrap();
    ShownPromise::new(&promise, leaf.to_vec(), &path, None)
}

/// A log, the promise of a leaf that it does not have, and that leaf. The log goes on for three batches.
fn broken_promise() -> (LogBuilder, ShownPromise, Vec<u8>) {
    let mut log = LogBuilder::begun();
    let leaf = issued_leaf(ONE, &IssuedDigest::new([0x70; 32])).to_vec();
    let shown = promised(&log, &leaf);
    for _ in 0..3 {
        log.issue(ONE, 40);
        log.seal();
    }
    (log, shown, leaf)
}

/// The file that says that this leaf is in none of the batches after the first `skipped` ones: in each it would be before
/// the first leaf that is greater.
async fn omitted(
    log: &LogBuilder,
    promised: ShownPromise,
    leaf: &[u8],
    skipped: usize,
) -> Result<Evidence, EvidenceError> {
    let late = log.checkpoint_at(log.size(), log.now_s + u64::from(WITHIN_S));
    let mut case = Case::under(log, late);
    let mut absences = Vec::new();
    for (batch, place) in log.batches().iter().zip(1..).skip(skipped) {
        let end = log.batches().get(place).map_or(log.size(), |next| next.first) - 1;
        let right = (batch.first..=end)
            .find(|at| log.leaves()[*at as usize].as_slice() > leaf)
            .unwrap();
        let left = (right > batch.first).then(|| right - 1);
        absences.push(Absence {
            batch: case.included(end).await,
            left: match left {
                Some(left) => Some(case.included(left).await),
                None => None,
            },
            right: case.included(right).await,
        });
    }
    let claim = OmittedLeaf::new(promised, &case.checkpoint, absences, None);
    Evidence::new(log.cddc().cddc().clone(), Claim::OmittedLeaf(Box::new(claim)))
}

#[tokio::test]
async fn an_omitted_leaf() {
    let (log, promised, leaf) = broken_promise();
    only_bytes_of(&omitted(&log, promised, &leaf, 1).await.unwrap(), &[]);
}

/// A log with two key accounts, of which the first has money, and a leaf that is promised. It goes on for three batches:
/// one of coins, one of introductions, which has the leaf too if it is entered, and an empty one.
fn of_key_accounts(
    leaf: impl FnOnce(&LogBuilder) -> Leaf,
    is_entered: bool,
) -> (LogBuilder, ShownPromise, Vec<u8>) {
    let mut log = LogBuilder::begun();
    let [alice, bob] = holders();
    log.introduce(&alice);
    log.introduce(&bob);
    log.credit(&alice, 1, 100);
    log.seal();
    let leaf = leaf(&log);
    let shown = promised(&log, &leaf.encode().unwrap());
    log.issue(ONE, 5);
    log.seal();
    log.introduce(&account_key(21));
    if is_entered {
        log.add(&leaf);
    }
    log.seal();
    log.seal();
    (log, shown, leaf.encode().unwrap())
}

fn holders() -> [SigningKey; 2] {
    [11, 12].map(account_key)
}

fn introduction(log: &LogBuilder) -> Leaf {
    Leaf::KeyIntroduced(Box::new(log.introduction(&account_key(13))))
}

fn payment(log: &LogBuilder) -> Leaf {
    let [alice, bob] = holders();
    Leaf::KeyPaid(Box::new(log.payment(&alice, &bob, 1, |order| order.amount = 5)))
}

/// A statement that is left out is proven, and one that is in the log is not.
async fn is_proven_if_omitted(statement: fn(&LogBuilder) -> Leaf, words: &str) {
    let (log, promised, leaf) = of_key_accounts(statement, false);
    let evidence = omitted(&log, promised, &leaf, 2).await.unwrap();
    let checked = evidence.check().unwrap();
    assert!(checked.statement.contains(words), "{}", checked.statement);
    only_bytes_of(&evidence, &[]);
    let (log, promised, leaf) = of_key_accounts(statement, true);
    let evidence = omitted(&log, promised, &leaf, 2).await;
    assert!(
        matches!(evidence, Err(EvidenceError::DoesNotHold(_))),
        "{evidence:?}"
    );
}

#[tokio::test]
async fn an_omitted_introduction_of_a_key() {
    is_proven_if_omitted(introduction, "the introduction of a key account").await;
}

#[tokio::test]
async fn an_omitted_payment_by_a_key() {
    is_proven_if_omitted(payment, "a payment by a key").await;
}

#[tokio::test]
async fn a_credit_is_promised_to_nobody() {
    let credit = |_: &LogBuilder| {
        let [alice, _] = holders();
        Leaf::KeyCredited(Box::new(Credit {
            amount: 5,
            from: CreditSource::Coins,
            key: key_of_account(&alice),
            number: 2,
        }))
    };
    let (log, promised, leaf) = of_key_accounts(credit, false);
    let refused = omitted(&log, promised, &leaf, 2).await.unwrap_err().to_string();
    assert!(refused.contains("not one that is promised"), "{refused}");
}

#[test]
fn a_log_that_stands_still() {
    let (log, promised, _) = broken_promise();
    let claim = StalledLog::new(promised, &log.checkpoint(), log.now_s + 2 * u64::from(WITHIN_S));
    only_bytes_of(
        &evidence(&log, Claim::StalledLog(Box::new(claim))),
        &["looked_at"],
    );
}

#[tokio::test]
async fn a_withheld_signature() {
    let mut log = LogBuilder::begun();
    let key = log.currency().mint_key(0, 1, LOG_BEGIN_S);
    let width = key.public_key().modulus_bytes();
    let blinded = BigInt::from_be_bytes(&vec![0x31; width]);
    let fingerprint = KeyFingerprint::of(&key.mint_key().public_mint_key);
    let digest = IssuedDigest::of(&fingerprint, width, &blinded).unwrap();
    log.issue_blind(ONE, opencoin_log::hash::Hash::new(*digest.as_bytes()));
    log.issue(ONE, 5);
    log.seal();
    let leaf = issued_leaf(ONE, &digest);
    let at = log.leaves().iter().position(|other| *other == leaf).unwrap();
    let mut case = Case::new(&log);
    let (leaf, key) = (case.included(at as u64).await, case.included(1).await);
    let claim = WithheldSignature::new(&case.checkpoint, leaf, key, &blinded, width);
    only_bytes_of(&evidence(&log, Claim::WithheldSignature(Box::new(claim))), &[]);
}

#[tokio::test]
async fn a_false_refusal() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 5);
    log.seal();
    let mut case = Case::new(&log);
    let key = case.included(1).await;
    let claim = FalseRefusal::new(&case.checkpoint, key, &[9; 48], log.now_s);
    let unsigned = ["payload_hash", "refused_at"];
    only_bytes_of(&evidence(&log, Claim::FalseRefusal(Box::new(claim))), &unsigned);
}

#[test]
fn a_log_that_was_larger() {
    let mut log = LogBuilder::begun();
    let smaller = log.checkpoint_at(log.size(), log.now_s + 7200);
    log.issue(ONE, 5);
    log.seal();
    let claim = Rollback::new(&log.checkpoint(), &smaller);
    only_bytes_of(&evidence(&log, Claim::Rollback(claim)), &[]);
}
