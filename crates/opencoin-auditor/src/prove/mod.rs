//! From what a replay has found to the file that proves it to others.
//!
//! A finding names the leaf that shows it. What else a file needs is found by reading the copy of the log once more, up to
//! the end of the finding's batch ([`Surroundings`]).

mod surroundings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use opencoin_evidence::{BuildError, CountedKey, Evidence, EvidenceBuilder};
use opencoin_log::key_no::KeyNo;
use opencoin_replay::{BrokenRule, Finding};

pub(crate) use surroundings::{Surroundings, SurroundingsOf};

/// Makes the file that proves a finding; `None` if there is no kind for it.
pub(crate) async fn prove(
    builder: &mut EvidenceBuilder<'_>,
    around: &Surroundings,
    finding: &Finding,
) -> Option<Result<Evidence, BuildError>> {
    let (at, end) = (finding.index, around.end());
    Some(match &finding.rule {
        BrokenRule::Unfinished => builder.unfinished().await,
        BrokenRule::Malformed { .. } => builder.malformed(at).await,
        BrokenRule::Disorder => builder.disorder(at).await,
        BrokenRule::CoinTwice { .. } | BrokenRule::BlindTwice { .. } => {
            builder.spent_twice(around.twin()?, at).await
        }
        BrokenRule::Unbalanced => builder.wrong_batch(at).await,
        BrokenRule::BatchNumber { .. } | BrokenRule::TimeBack { .. } | BrokenRule::TotalFell { .. } => {
            wrong_sequence(builder, around.previous(), at).await
        }
        BrokenRule::BatchPlace { previous, .. } => wrong_place(builder, around, *previous, at).await,
        BrokenRule::CoinsValue { .. } => {
            let keys = around.keys().iter();
            let places: BTreeMap<KeyNo, u64> = keys.map(|key| (key.key_no, key.index)).collect();
            builder.wrong_value(at, &places).await
        }
        BrokenRule::KeyCounts {
            declared: Some(declared),
            before,
            counted_at,
            ..
        } if declared == before => match counted_at {
            Some(earlier) => builder.wrong_sequence(*earlier, at).await,
            None => builder.wrong_batch(at).await,
        },
        BrokenRule::KeyCounts {
            key_no,
            declared: Some(declared),
            before,
            issued,
            ..
        } => {
            let leaves = issued.map_or(0, |range| range.last - range.first + 1);
            // If the issued coins are right, the spent ones are wrong.
            let counted = if before[0].checked_add(leaves) == Some(declared[0]) {
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
            let first = around.previous().map_or(0, |previous| previous + 1);
            let keys = around.fingerprints_before(first);
            builder.wrong_keys_root(at, keys).await
        }
        BrokenRule::KeyNumber { declared, .. } => match around.key(*declared) {
            Some(other) if other.index < at => builder.key_twice(other.index, at).await,
            _ => builder.key_number(at, end, around.fingerprints_before(end)).await,
        },
        BrokenRule::KeyTwice { first, .. } => builder.key_twice(*first, at).await,
        BrokenRule::Certificate { .. } => builder.wrong_certificate(at).await,
        BrokenRule::Description { .. } => wrong_description(builder, around, at).await,
        BrokenRule::UnknownKey { key_no } => unknown_key(builder, around, *key_no, at).await,
        BrokenRule::EarlyUse { key_leaf, .. } => builder.key_unknown(at, end, *key_leaf).await,
        BrokenRule::OutsideWindow {
            key_leaf, batch_leaf, ..
        } => builder.outside_dates(at, *batch_leaf, *key_leaf).await,
        BrokenRule::AfterClosing { closing, .. } => {
            let batch = around.batch_leaf_after(*closing)?;
            builder.after_closing(at, *closing, batch).await
        }
        BrokenRule::ClosingCounts { batch_leaf, .. } => builder.wrong_closing(at, *batch_leaf).await,
        BrokenRule::KeyAccounts { statement, .. } => bad_statement(builder, around, *statement).await?,
        BrokenRule::KeyAccountTotals { .. } => builder.bad_ledger(end, around.accounts()?).await,
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
    around: &Surroundings,
    at: u64,
) -> Result<Evidence, BuildError> {
    if let Ok(evidence) = builder.wrong_certificate(at).await {
        return Ok(evidence);
    }
    if let Some(other) = around.twin()
        && let Ok(evidence) = builder.description_twice(other, at).await
    {
        return Ok(evidence);
    }
    builder.wrong_description(at).await
}

/// A leaf names a key that comes later or never. So may a batch leaf, which then counts coins without leaves.
async fn unknown_key(
    builder: &mut EvidenceBuilder<'_>,
    around: &Surroundings,
    key_no: u32,
    at: u64,
) -> Result<Evidence, BuildError> {
    let end = around.end();
    let key_no = KeyNo::new(key_no);
    if let Some(key_no) = key_no.filter(|_| at == end) {
        if let Ok(evidence) = builder.wrong_count(at, key_no, CountedKey::Issued).await {
            return Ok(evidence);
        }
        return builder.wrong_count(at, key_no, CountedKey::Spent).await;
    }
    match key_no.and_then(|key_no| around.key(key_no)) {
        Some(key) => builder.key_unknown(at, end, key.index).await,
        None => builder.key_number(at, end, around.fingerprints_before(end)).await,
    }
}

/// A statement is wrong by itself, has the number of an earlier one, or does not follow from the accounts before.
async fn bad_statement(
    builder: &mut EvidenceBuilder<'_>,
    around: &Surroundings,
    statement: Option<u64>,
) -> Option<Result<Evidence, BuildError>> {
    let end = around.end();
    if let Some(at) = statement {
        if let Ok(evidence) = builder.bad_statement(at, end).await {
            return Some(Ok(evidence));
        }
        if let Some(other) = around.twin()
            && let Ok(evidence) = builder.statement_twice(other, at).await
        {
            return Some(Ok(evidence));
        }
    }
    Some(builder.bad_ledger(end, around.accounts()?).await)
}
