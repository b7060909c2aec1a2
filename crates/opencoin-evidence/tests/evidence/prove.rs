//! From what a replay finds to the file that proves it, as an auditor does it.
//!
//! A finding names the leaf that shows it. What else a file needs is found by reading the log once more, up to the end of
//! the finding's batch.

use std::collections::BTreeMap;

use opencoin_evidence::{BuildError, CountedKey, Evidence, EvidenceBuilder};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, Signatures};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_replay::{BrokenRule, Finding};
use opencoin_testkit::log_builder::LogBuilder;

/// A mint key in the log.
struct LoggedKey {
    key_no: KeyNo,
    index: u64,
    fingerprint: KeyFingerprint,
}

/// What the log has up to the end of the batch of a finding.
pub(crate) struct Surroundings {
    /// The batch leaves, with their indices.
    batches: Vec<(u64, BatchLeaf)>,
    /// The mint keys, in the order of their leaves.
    keys: Vec<LoggedKey>,
    /// The key accounts at the end of the batch before.
    accounts: KeyLedger,
}

impl Surroundings {
    pub(crate) fn read(log: &LogBuilder, at: u64) -> Self {
        let (origin, within_s) = (log.currency().origin(), log.currency().terms().within_s);
        let mut read = Self {
            batches: Vec::new(),
            keys: Vec::new(),
            accounts: KeyLedger::default(),
        };
        let mut statements = Vec::new();
        for (index, leaf) in (0..).zip(log.leaves()) {
            match Leaf::decode(leaf) {
                Ok(Leaf::MintKey { key_no, certificate }) => read.keys.push(LoggedKey {
                    key_no,
                    index,
                    fingerprint: KeyFingerprint::of(&certificate.mint_key.public_mint_key),
                }),
                Ok(statement @ (Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_))) => {
                    statements.push(statement);
                }
                Ok(Leaf::Batch(batch)) => {
                    let time_s = batch.time;
                    read.batches.push((index, *batch));
                    if index >= at {
                        break;
                    }
                    let batch = BatchOfStatements {
                        origin,
                        time_s,
                        within_s,
                    };
                    read.accounts
                        .apply(&statements, batch, Signatures::AreVerified)
                        .unwrap();
                    statements.clear();
                }
                Ok(_) | Err(_) => {}
            }
        }
        read
    }

    /// The batch leaf at the end of the finding's batch.
    fn end(&self) -> u64 {
        self.batches.last().unwrap().0
    }

    /// The batch leaf before it.
    fn previous(&self) -> Option<u64> {
        self.batches.iter().rev().nth(1).map(|(index, _)| *index)
    }

    pub(crate) fn fingerprints_before(&self, index: u64) -> Vec<KeyFingerprint> {
        let before = self.keys.iter().filter(|key| key.index < index);
        before.map(|key| key.fingerprint).collect()
    }

    fn key(&self, key_no: KeyNo) -> Option<&LoggedKey> {
        self.keys.iter().find(|key| key.key_no == key_no)
    }

    pub(crate) fn accounts(&self) -> Vec<(AccountKey, KeyAccount)> {
        let accounts = self.accounts.accounts();
        accounts.map(|(key, account)| (*key, *account)).collect()
    }
}

/// The file that proves a finding; `None` if there is no kind for it.
pub(crate) async fn prove(
    builder: &mut EvidenceBuilder<'_>,
    log: &LogBuilder,
    finding: &Finding,
) -> Option<Result<Evidence, BuildError>> {
    let (at, leaves) = (finding.index, log.leaves());
    if finding.rule == BrokenRule::Unfinished {
        return Some(builder.unfinished().await);
    }
    let around = Surroundings::read(log, at);
    let end = around.end();
    Some(match &finding.rule {
        BrokenRule::Malformed { .. } => builder.malformed(at).await,
        BrokenRule::Disorder => builder.disorder(at).await,
        BrokenRule::CoinTwice { .. } | BrokenRule::BlindTwice { .. } => {
            builder.spent_twice(twin(leaves, at, used)?, at).await
        }
        BrokenRule::Unbalanced => builder.wrong_batch(at).await,
        BrokenRule::BatchNumber { .. } | BrokenRule::TimeBack { .. } | BrokenRule::TotalFell { .. } => {
            wrong_sequence(builder, around.previous(), at).await
        }
        BrokenRule::BatchPlace { previous, .. } => wrong_place(builder, &around, *previous, at).await,
        BrokenRule::CoinsValue { .. } => {
            let places: BTreeMap<KeyNo, u64> =
                around.keys.iter().map(|key| (key.key_no, key.index)).collect();
            builder.wrong_value(at, &places).await
        }
        BrokenRule::KeyCounts {
            key_no,
            declared: Some(declared),
            before,
            issued,
            ..
        } => {
            let leaves = issued.map_or(0, |range| range.last - range.first + 1);
            let counted = if before[0] + leaves == declared[0] {
                CountedKey::Spent
            } else {
                CountedKey::Issued
            };
            builder.wrong_count(at, *key_no, counted).await
        }
        BrokenRule::KeyCounts { issued, spent, .. } => {
            let leaf = issued.or(*spent)?.first;
            builder.uncounted(leaf, at).await
        }
        BrokenRule::OverRedemption { .. } => builder.over_redemption(at).await,
        BrokenRule::KeysRoot => {
            let previous = around.previous().map_or(0, |previous| previous + 1);
            builder
                .wrong_keys_root(at, around.fingerprints_before(previous))
                .await
        }
        BrokenRule::KeyNumber { declared, .. } => match around.key(*declared) {
            Some(other) if other.index < at => builder.key_twice(other.index, at).await,
            _ => builder.key_number(at, end, around.fingerprints_before(end)).await,
        },
        BrokenRule::KeyTwice { first, .. } => builder.key_twice(*first, at).await,
        BrokenRule::Certificate { .. } => builder.wrong_certificate(at).await,
        BrokenRule::Description { .. } => wrong_description(builder, leaves, at).await,
        BrokenRule::UnknownKey { key_no } => unknown_key(builder, &around, *key_no, at).await,
        BrokenRule::EarlyUse { key_leaf, .. } => builder.key_unknown(at, end, *key_leaf).await,
        BrokenRule::OutsideWindow {
            key_leaf, batch_leaf, ..
        } => builder.outside_dates(at, *batch_leaf, *key_leaf).await,
        BrokenRule::AfterClosing { closing, .. } => {
            let mut batches = around.batches.iter().map(|(index, _)| *index);
            builder
                .after_closing(at, *closing, batches.find(|index| index > closing)?)
                .await
        }
        BrokenRule::ClosingCounts { batch_leaf, .. } => builder.wrong_closing(at, *batch_leaf).await,
        BrokenRule::KeyAccounts { statement, .. } => {
            bad_statement(builder, leaves, &around, *statement).await
        }
        BrokenRule::KeyAccountTotals { .. } => builder.bad_ledger(end, around.accounts()).await,
        _ => return None,
    })
}

async fn wrong_sequence(
    builder: &mut EvidenceBuilder<'_>,
    previous: Option<u64>,
    at: u64,
) -> Result<Evidence, BuildError> {
    match previous {
        Some(previous) => builder.wrong_sequence(previous, at).await,
        None => builder.wrong_batch(at).await,
    }
}

/// A batch leaf that names a wrong place contradicts itself, the leaf at that place, or the batch leaf before.
async fn wrong_place(
    builder: &mut EvidenceBuilder<'_>,
    around: &Surroundings,
    named: Option<u64>,
    at: u64,
) -> Result<Evidence, BuildError> {
    if let Ok(evidence) = builder.wrong_batch(at).await {
        return Ok(evidence);
    }
    if let Some(named) = named.filter(|named| *named < at)
        && let Ok(evidence) = builder.wrong_sequence(named, at).await
    {
        return Ok(evidence);
    }
    wrong_sequence(builder, around.previous(), at).await
}

/// The master key did not sign it, it is not of this log, or another one has its number.
async fn wrong_description(
    builder: &mut EvidenceBuilder<'_>,
    leaves: &[Vec<u8>],
    at: u64,
) -> Result<Evidence, BuildError> {
    if let Ok(evidence) = builder.wrong_certificate(at).await {
        return Ok(evidence);
    }
    let serial = |leaf: &[u8]| match Leaf::decode(leaf) {
        Ok(Leaf::Currency(cddc)) => Some(cddc.cdd.cdd_serial),
        Ok(_) | Err(_) => None,
    };
    match twin(leaves, at, serial) {
        Some(other) => builder.description_twice(other, at).await,
        None => builder.wrong_description(at).await,
    }
}

/// A leaf names a key that comes later or never. So may a batch leaf, which then counts coins without leaves.
async fn unknown_key(
    builder: &mut EvidenceBuilder<'_>,
    around: &Surroundings,
    key_no: u32,
    at: u64,
) -> Result<Evidence, BuildError> {
    let end = around.end();
    match KeyNo::new(key_no) {
        Some(key_no) if at == end => {
            let issued = builder.wrong_count(at, key_no, CountedKey::Issued).await;
            match issued {
                Ok(evidence) => Ok(evidence),
                Err(_) => builder.wrong_count(at, key_no, CountedKey::Spent).await,
            }
        }
        key_no => match key_no.and_then(|key_no| around.key(key_no)) {
            Some(key) => builder.key_unknown(at, end, key.index).await,
            None => builder.key_number(at, end, around.fingerprints_before(end)).await,
        },
    }
}

/// A statement is wrong by itself, has the number of an earlier one, or does not follow from the accounts before.
async fn bad_statement(
    builder: &mut EvidenceBuilder<'_>,
    leaves: &[Vec<u8>],
    around: &Surroundings,
    statement: Option<u64>,
) -> Result<Evidence, BuildError> {
    let end = around.end();
    if let Some(at) = statement {
        if let Ok(evidence) = builder.bad_statement(at, end).await {
            return Ok(evidence);
        }
        let number = |leaf: &[u8]| match Leaf::decode(leaf) {
            Ok(Leaf::KeyIntroduced(introduction)) => Some((0x20, introduction.key, 0)),
            Ok(Leaf::KeyCredited(credit)) => Some((0x21, credit.key, credit.number)),
            Ok(Leaf::KeyPaid(payment)) => Some((0x22, payment.order.from, payment.order.seq)),
            Ok(_) | Err(_) => None,
        };
        if let Some(other) = twin(leaves, at, number)
            && let Ok(evidence) = builder.statement_twice(other, at).await
        {
            return Ok(evidence);
        }
    }
    builder.bad_ledger(end, around.accounts()).await
}

/// What can be used once.
fn used(leaf: &[u8]) -> Option<(bool, KeyNo, [u8; 32])> {
    match Leaf::decode(leaf) {
        Ok(Leaf::Spent { key_no, digest } | Leaf::CoinRecouped { key_no, digest }) => {
            Some((true, key_no, *digest.as_bytes()))
        }
        Ok(Leaf::BlindRecouped { key_no, digest }) => Some((false, key_no, *digest.as_bytes())),
        Ok(_) | Err(_) => None,
    }
}

/// The first leaf before this one that has the same in this respect.
fn twin<T: PartialEq>(leaves: &[Vec<u8>], at: u64, what: impl Fn(&[u8]) -> Option<T>) -> Option<u64> {
    let at = usize::try_from(at).unwrap();
    let this = what(&leaves[at])?;
    let earlier = leaves[..at]
        .iter()
        .position(|leaf| what(leaf).as_ref() == Some(&this));
    earlier.map(|index| index as u64)
}
