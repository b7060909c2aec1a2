//! Recovers from a copy of the log what restored books lack (docs/LOG.md, "When the books were restored").
//!
//! First everything is read and verified ([`read`]): the signatures of the newest checkpoint, that its tree begins with the
//! tree in the books, and that the batches follow each other. Only then the books change ([`carry_out`]), batch by batch.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use opencoin_keys::{Clock, Currency, CurrencyError, ledger_time, register_command};
use opencoin_ledger::log::CopiedBatch;
use opencoin_ledger::recovery::{RecoveredBatch, RecoveryError, Settled, recover_batch, settle};
use opencoin_ledger::{LedgerError, LogBatchNo, LogHead, LogTotals, PublishedCheckpoint};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::leaf::{COIN_LEAF_BYTES, Leaf};
use opencoin_log::policy::PolicyError;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{TILE_HASHES, TileBuilder, TileId, TileWidth, right_edge};
use opencoin_schema::{BigInt, Cddc, Mkc};
use thiserror::Error;

use super::auditors::Auditors;
use super::copy::{CopyError, LogCopy};
use super::signed_mark::{SignedMark, SignedMarkError};
use super::witnesses::{Refused, Witnesses};
use super::{reader, terms_of};
use crate::Books;

/// The numbers of the types of leaves of coins and blinds.
const COIN_TYPES: std::ops::RangeInclusive<u8> = 0x10..=0x13;

/// What is accepted without a proof that the copy is the newest one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust {
    /// Whether the copy may end before what this machine has signed or a witness has seen.
    pub although_newer: bool,
    /// Whether the signature of the log alone is enough.
    pub without_quorum: bool,
}

/// What a copy has and the books lack, verified.
#[derive(Debug)]
pub struct CopiedLog {
    batches: Vec<Arc<CopiedBatch>>,
    checkpoint: SignedCheckpoint,
    /// The documents of the currency, with those of the copy.
    currency: Currency,
    /// Descriptions in the copy that the folder of the currency does not have.
    pub cddcs: Vec<Cddc>,
    /// Certificates of mint keys in the copy that the folder of the currency does not have.
    pub mkcs: Vec<Mkc>,
}

/// What was recovered. Amounts are in the smallest unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecoveredLog {
    /// The number of batches.
    pub batches: u64,
    /// The sum of what was booked.
    pub booked: RecoveredBatch,
    /// How much the money in accounts has changed in the lost time.
    pub accounts: i128,
    /// What was settled afterwards.
    pub settled: Settled,
}

/// Why nothing, or not everything, was recovered.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// The copy cannot be read.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The books cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A batch was not recovered.
    #[error(transparent)]
    Batch(#[from] RecoveryError),
    /// The books have no log.
    #[error("the books have no public log")]
    NoLog,
    /// The log in the books is halted.
    #[error("the log in the books is halted, so nothing can be recovered: {0}")]
    Halted(String),
    /// The copy is of another log, or not signed as it must.
    #[error("the copy of the log cannot be used: {0}")]
    Untrusted(String),
    /// Signatures of the checkpoint are missing.
    #[error("the checkpoint of the copy: {0}")]
    Policy(PolicyError),
    /// The copy ends before the books.
    #[error("the copy ends at {copy} leaves, but the books have {books}: it is older than the books")]
    Older {
        /// The size of the copy.
        copy: u64,
        /// The size in the books.
        books: u64,
    },
    /// More is known to exist.
    #[error(
        "the copy ends at {copy} leaves, but {who}: look for a newer copy; if there is none, add --although-newer"
    )]
    NotNewest {
        /// The size of the copy.
        copy: u64,
        /// Who knows more.
        who: String,
    },
    /// A document of the copy does not belong to this currency.
    #[error("a document in the copy: {0}")]
    Document(#[from] CurrencyError),
    /// The file of the last signed checkpoint cannot be read.
    #[error("{0}")]
    Mark(String),
}

impl CopiedLog {
    /// The time of the last batch that the books lack, in seconds since 1970.
    #[must_use]
    pub fn last_batch_s(&self) -> Option<u64> {
        self.batches.last().map(|batch| batch.time_s)
    }

    /// Whether the books lack nothing that the copy has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

/// Reads and verifies what the books lack. Nothing is changed.
///
/// # Errors
/// When the copy is not one of this log, or is not the newest one.
pub async fn read(
    copy: &LogCopy,
    books: &Books,
    currency: &Currency,
    log_folder: &Path,
    trust: Trust,
) -> Result<CopiedLog, RecoverError> {
    let head = books.log.head().await?.ok_or(RecoverError::NoLog)?;
    if let Some(reason) = head.halted {
        return Err(RecoverError::Halted(reason));
    }
    let checkpoint = copy.checkpoint().await?;
    // The key of the log never changes. Without its signature nothing more is read.
    let block = currency.log().ok_or(RecoverError::NoLog)?;
    match block.policy().verify_checkpoint(&checkpoint, None) {
        Ok(_) | Err(PolicyError::Quorum) => {}
        Err(error) => return Err(RecoverError::Policy(error)),
    }
    let mark = SignedMark::last(log_folder);
    let mark = mark.map_err(|error: SignedMarkError| RecoverError::Mark(error.to_string()))?;
    let size = checkpoint.checkpoint().size();
    if size < head.size {
        let (copy, books) = (size, head.size);
        return Err(RecoverError::Older { copy, books });
    }
    let batches = batches(copy, books, &head, &checkpoint, mark.as_ref()).await?;
    let (cddcs, mkcs) = new_documents(&batches, currency)?;
    let known = currency.mint_keys().map(|key| key.verified.mkc().clone());
    let with_copy = Currency::new(
        currency.cddcs().chain(&cddcs).cloned().collect(),
        known.chain(mkcs.iter().cloned()).collect(),
    )?;
    check_newest(books, &with_copy, &checkpoint, mark.as_ref(), trust).await?;
    Ok(CopiedLog {
        batches: batches.into_iter().map(Arc::new).collect(),
        checkpoint,
        currency: with_copy,
        cddcs,
        mkcs,
    })
}

/// Books what the copy has and seals its batches again. An error leaves the books in between, and reading the copy again
/// and carrying it out goes on.
///
/// # Errors
/// When a batch does not fit the books, or these cannot be written.
pub async fn carry_out(
    copied: &CopiedLog,
    books: &Books,
    clock: &dyn Clock,
) -> Result<RecoveredLog, RecoverError> {
    let before = in_accounts(books).await?;
    let mut recovered = RecoveredLog::default();
    let at = ledger_time(clock.now());
    let terms = terms_of(copied.currency.log().ok_or(RecoverError::NoLog)?);
    let register = |certificate: &Mkc| {
        let key = copied.currency.mint_key(&certificate.mint_key.id);
        let key = key.filter(|key| key.verified.mkc() == certificate);
        key.map(|key| register_command(key, at))
    };
    for batch in &copied.batches {
        let (ledger, log) = (books.ledger.as_ref(), books.log.as_ref());
        let booked = recover_batch(ledger, log, batch, &register, &terms, at).await?;
        tracing::info!(
            batch = batch.no.get(),
            issued = booked.issued,
            spent = booked.spent,
            "a batch was recovered"
        );
        recovered.batches += 1;
        recovered.booked = recovered.booked + booked;
    }
    recovered.accounts = in_accounts(books).await? - before;
    let published = PublishedCheckpoint {
        size: copied.checkpoint.checkpoint().size(),
        note: copied.checkpoint.to_string(),
        at,
    };
    books.log.publish(&published).await?;
    let settled = settle(
        books.ledger.as_ref(),
        books.accounts.as_ref(),
        books.log.as_ref(),
        at,
    );
    recovered.settled = settled.await?;
    Ok(recovered)
}

/// The money in accounts, with what waits for the log.
async fn in_accounts(books: &Books) -> Result<i128, RecoverError> {
    let head = books.log.head().await?.ok_or(RecoverError::NoLog)?;
    let waiting = books.log.waiting().await?;
    let waiting: LogTotals = waiting.iter().map(|(_, row)| row.totals).sum();
    Ok((head.totals + waiting).accounts)
}

/// The batches of the copy after the end of the log in the books. Their tree is the one that the checkpoint signs.
async fn batches(
    copy: &LogCopy,
    books: &Books,
    head: &LogHead,
    checkpoint: &SignedCheckpoint,
    mark: Option<&Checkpoint>,
) -> Result<Vec<CopiedBatch>, RecoverError> {
    let untrusted = |what: &str| RecoverError::Untrusted(what.to_owned());
    let mut edge: HashMap<TileId, Vec<u8>> = HashMap::new();
    for (id, width) in right_edge(head.size) {
        edge.insert(id, reader::tile(books.log.as_ref(), id, width).await?);
    }
    let tree = TileBuilder::new(head.size, &edge, 1);
    let mut tree = tree.map_err(|error| LedgerError::corrupt("log", error))?;
    let (mut size, end) = (head.size, checkpoint.checkpoint().size());
    let (mut no, mut previous) = (head.batch, head.previous);
    let (mut batches, mut first) = (Vec::new(), size);
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    while size < end {
        let index = size / u64::from(TILE_HASHES);
        let width = (end - index * u64::from(TILE_HASHES)).min(TILE_HASHES.into());
        let width = u16::try_from(width).ok().and_then(TileWidth::new);
        let entries = copy.entries(index, width.expect("a bundle has an entry")).await?;
        let skipped = (size % u64::from(TILE_HASHES)) as usize;
        for entry in entries.into_iter().skip(skipped) {
            tree.append(&[leaf_hash(&entry)]);
            size += 1;
            if mark.is_some_and(|mark| mark.size() == size && *mark.root() != tree.root()) {
                return Err(untrusted("this machine has signed another tree"));
            }
            let decoded = Leaf::decode(&entry).map_err(|_| untrusted("a leaf cannot be read"))?;
            let Leaf::Batch(leaf) = decoded else {
                if leaves.last().is_some_and(|last| !may_follow(last, &entry)) {
                    return Err(untrusted("leaves are not in their order"));
                }
                leaves.push(entry);
                continue;
            };
            if (leaf.batch, leaf.first, leaf.previous) != (no.get(), first, previous) {
                return Err(untrusted("a batch does not follow the one before it"));
            }
            let leaves = std::mem::take(&mut leaves);
            batches.push(copied_batch(no, leaves, &leaf, tree.root()));
            (no, first, previous) = (no.next(), size, Some(size - 1));
        }
    }
    if tree.root() != *checkpoint.checkpoint().root() {
        return Err(untrusted(
            "its tree is not a continuation of the one in the books",
        ));
    }
    if !leaves.is_empty() {
        return Err(untrusted("it ends inside a batch"));
    }
    Ok(batches)
}

/// Whether a leaf may follow another in a batch: in ascending order, and equal only if it is an accepted blind.
fn may_follow(last: &[u8], next: &[u8]) -> bool {
    last < next || last == next && next.get(1) == Some(COIN_TYPES.start())
}

fn copied_batch(no: LogBatchNo, leaves: Vec<Vec<u8>>, leaf: &BatchLeaf, root: Hash) -> CopiedBatch {
    let (mut coins, mut others) = (Vec::new(), Vec::new());
    for entry in leaves {
        let is_coin = entry.len() == COIN_LEAF_BYTES && COIN_TYPES.contains(&entry[1]);
        match <[u8; COIN_LEAF_BYTES]>::try_from(&entry[..]) {
            Ok(coin) if is_coin => coins.push(coin),
            _ => others.push(entry),
        }
    }
    CopiedBatch {
        no,
        coins,
        others,
        totals: LogTotals::from(leaf),
        time_s: leaf.time,
        root,
    }
}

/// The documents in the batches that the folder of the currency does not have.
fn new_documents(
    batches: &[CopiedBatch],
    currency: &Currency,
) -> Result<(Vec<Cddc>, Vec<Mkc>), RecoverError> {
    let (mut cddcs, mut mkcs) = (Vec::new(), Vec::new());
    for leaf in batches.iter().flat_map(|batch| &batch.others) {
        match Leaf::decode(leaf) {
            Ok(Leaf::Currency(cddc)) if currency.cddcs().all(|known| known.cdd != cddc.cdd) => {
                cddcs.push(*cddc)
            }
            Ok(Leaf::MintKey { certificate, .. }) => {
                let id: &BigInt = &certificate.mint_key.id;
                if currency.mint_key(id).is_none() {
                    mkcs.push(*certificate);
                }
            }
            Ok(_) => {}
            Err(_) => return Err(RecoverError::Untrusted("a document cannot be read".to_owned())),
        }
    }
    Ok((cddcs, mkcs))
}

/// Checks the signatures of the checkpoint, and that nobody knows a newer one.
async fn check_newest(
    books: &Books,
    currency: &Currency,
    checkpoint: &SignedCheckpoint,
    mark: Option<&Checkpoint>,
    trust: Trust,
) -> Result<(), RecoverError> {
    let block = currency.log().ok_or(RecoverError::NoLog)?;
    match block.policy().verify_checkpoint(checkpoint, None) {
        Ok(_) => {}
        Err(PolicyError::Quorum) if trust.without_quorum => {}
        Err(error) => return Err(RecoverError::Policy(error)),
    }
    let copy = checkpoint.checkpoint().size();
    let mut newer = mark
        .filter(|mark| mark.size() > copy)
        .map(|mark| format!("this machine has signed one of {}", mark.size()));
    let witnesses = Witnesses::new(Arc::clone(&books.log))
        .map_err(|error| LedgerError::Address(format!("witnesses cannot be asked: {error}")))?;
    for log in block.policy().logs() {
        for answer in witnesses.compare(block, &log.key, checkpoint).await {
            match answer.result {
                Err(Refused::Ahead { size, .. }) => {
                    newer = Some(format!("witness {} has seen one of {size}", answer.name));
                }
                Err(Refused::OtherHistory) => {
                    let what = format!("witness {} has seen another log", answer.name);
                    return Err(RecoverError::Untrusted(what));
                }
                Ok(_) | Err(Refused::Failed(_) | Refused::Books(_)) => {}
            }
        }
    }
    let auditors = Auditors::new()
        .map_err(|error| LedgerError::Address(format!("auditors cannot be asked: {error}")))?;
    let keys: Vec<_> = block.policy().logs().iter().map(|log| log.key.clone()).collect();
    for shown in auditors.ask(block).await {
        let Ok(theirs) = shown.checkpoint else {
            continue;
        };
        let size = theirs.checkpoint().size();
        let is_of_log = theirs.checkpoint().origin() == checkpoint.checkpoint().origin();
        if is_of_log && size > copy && theirs.note().verify(&keys).is_ok() {
            newer = Some(format!("auditor {} shows one of {size}", shown.name));
        }
    }
    match newer {
        Some(who) if !trust.although_newer => Err(RecoverError::NotNewest { copy, who }),
        _ => Ok(()),
    }
}
