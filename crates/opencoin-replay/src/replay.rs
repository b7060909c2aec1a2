//! Reads the leaves of a log, and keeps what the rules need to know of those before.

use std::collections::BTreeMap;

use opencoin_crypto::{CertificateError, VerifiedCddc, verify_cddc};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::hash::Hash;
use opencoin_log::key_ledger::KeyLedger;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::{LogBlock, LogBlockError};
use opencoin_schema::Cddc;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::coin_run;
use crate::finding::{BrokenRule, FINDINGS_MAX, Finding, REMARKS_MAX};
use crate::key_accounts::KeyAccounts;
use crate::keys::{Keys, ReplayedKey};
use crate::open_batch::{ClosingLeaf, OpenBatch};
use crate::spent_index::SpentIndex;

/// The replay of a log, from its first leaf.
#[derive(Debug)]
pub struct Replay {
    /// The newest description, by its serial.
    pub(crate) description: VerifiedCddc,
    pub(crate) origin: String,
    /// The hash of the content of each description in the log, by its serial.
    pub(crate) descriptions: BTreeMap<u64, Hash>,
    /// The longest merge delay of any description, since a leaf may have been promised under an older one.
    pub(crate) within_s: u32,
    pub(crate) size: u64,
    pub(crate) last: Option<LastBatch>,
    pub(crate) keys: Keys,
    pub(crate) key_accounts: KeyAccounts,
    /// The most keys of each denomination that were reported to sign at once.
    pub(crate) many_signing: BTreeMap<u64, u64>,
    pub(crate) open: OpenBatch,
    /// Findings that were not taken.
    pub(crate) findings: Vec<Finding>,
    /// All findings, also those that were not reported.
    pub(crate) found: u64,
    /// Those of them that break no rule.
    pub(crate) remarks: u64,
    pub(crate) first_broken: Option<u64>,
    /// Positions of known digests; kept for its memory.
    pub(crate) known: Vec<usize>,
}

/// The batch that was read last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBatch {
    /// The index of its batch leaf.
    pub index: u64,
    /// Its number, counted from the beginning of the log.
    pub number: u64,
    /// Its time, in seconds since 1970; never earlier than that of a batch before.
    pub time_s: u64,
    /// On custodial accounts.
    pub accounts: u64,
    /// On key accounts.
    pub key_accounts: u64,
    /// The tree hash over all key accounts. `None` if an earlier version of this program has read the batch.
    #[serde(default)]
    pub ledger_root: Option<Hash>,
    /// The value of valid coins.
    pub coins: u64,
    /// The value of expired coins.
    pub expired: u64,
    /// Ever paid in.
    pub paid_in: u64,
    /// Ever paid out.
    pub paid_out: u64,
    /// Ever given for coins of revoked keys, and borne after recoveries.
    pub recouped: u64,
    /// Whether the currency had coins before its log, which nobody attests.
    pub began_late: bool,
}

/// A log cannot be replayed with this description of its currency.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The description is not certified.
    #[error("the description of the currency: {0}")]
    Description(#[from] CertificateError),
    /// The description names no log.
    #[error("the description of the currency names no public log")]
    NoLog,
    /// The description names a log in a form that cannot be read.
    #[error("the description of the currency: {0}")]
    Block(#[from] LogBlockError),
}

impl Replay {
    /// Begins with the first leaf of the log that a description names. The caller trusts the master key of the description;
    /// everything in the log must be certified by it.
    ///
    /// # Errors
    /// The description is not certified, or names no log.
    pub fn new(cddc: &Cddc) -> Result<Self, ReplayError> {
        let description = verify_cddc(cddc)?;
        let block = LogBlock::find(&description.cdd().additional_info)?.ok_or(ReplayError::NoLog)?;
        Ok(Self {
            description,
            origin: block.origin().as_str().to_owned(),
            descriptions: BTreeMap::new(),
            within_s: block.within_s(),
            size: 0,
            last: None,
            keys: Keys::default(),
            key_accounts: KeyAccounts::default(),
            many_signing: BTreeMap::new(),
            open: OpenBatch::default(),
            findings: Vec::new(),
            found: 0,
            remarks: 0,
            first_broken: None,
            known: Vec::new(),
        })
    }

    /// The number of leaves that were read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The batch that was read last.
    #[must_use]
    pub fn last_batch(&self) -> Option<&LastBatch> {
        self.last.as_ref()
    }

    /// The mint keys in the log, and their counts as of the last batch.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<KeyNo, ReplayedKey> {
        self.keys.all()
    }

    /// The key accounts as of the last batch; unknown after a broken rule.
    #[must_use]
    pub fn key_ledger(&self) -> &KeyLedger {
        self.key_accounts.ledger()
    }

    /// The description with the highest serial, of those in the log and the one at the beginning.
    #[must_use]
    pub fn description(&self) -> &VerifiedCddc {
        &self.description
    }

    /// The first leaf that shows a broken rule. No larger tree obeys all rules.
    #[must_use]
    pub fn first_broken(&self) -> Option<u64> {
        self.first_broken
    }

    /// The number of findings, also of those that were not reported because there were too many.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Takes the findings since the last call: for a whole log at most [`FINDINGS_MAX`] broken rules and [`REMARKS_MAX`]
    /// others. [`Self::first_broken`] says whether a rule is broken, however many were reported.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// The broken rule if the tree of a checkpoint ends here, within a batch.
    #[must_use]
    pub fn end_of_tree(&self) -> Option<Finding> {
        let index = self.size.checked_sub(1)?;
        (!self.open.is_empty(self.size)).then(|| Finding {
            batch: self.batch_number(),
            index,
            rule: BrokenRule::Unfinished,
        })
    }

    /// Reads leaves until the end of a batch, which is returned, or of the iterator. The next call goes on with the next
    /// leaf.
    ///
    /// # Errors
    /// The index cannot be used. Then the replay cannot be used any more either, and is continued from what was stored.
    pub fn read<'leaf, I: SpentIndex>(
        &mut self,
        leaves: &mut impl Iterator<Item = &'leaf [u8]>,
        index: &mut I,
    ) -> Result<Option<BatchLeaf>, I::Error> {
        let mut kept = std::mem::take(&mut self.open.last_leaf);
        let mut last: Option<&[u8]> = None;
        for leaf in leaves {
            let is_repeated = self.check_order(last.unwrap_or(&kept), leaf);
            let coin = coin_run::split(leaf);
            if let Some((header, digest)) = coin {
                if !self.open.run.has(header) {
                    self.end_run(index)?;
                    self.begin_run(*header);
                }
                self.open.run.count();
                let is_unique = self.open.run.kind().is_some_and(|kind| kind.series().is_some());
                if is_unique {
                    self.see_unique(digest, is_repeated, index)?;
                }
                self.size += 1;
                last = Some(leaf);
                continue;
            }
            self.end_run(index)?;
            let batch = self.see_other(leaf, index)?;
            self.size += 1;
            if batch.is_some() {
                self.open.last_leaf = kept;
                self.open.begin(self.size);
                return Ok(batch);
            }
            last = Some(leaf);
        }
        if let Some(last) = last {
            kept.clear();
            kept.extend_from_slice(last);
        }
        self.open.last_leaf = kept;
        Ok(None)
    }

    /// Reads a leaf that is not of a coin. Returns the totals if it ends the batch.
    fn see_other<I: SpentIndex>(
        &mut self,
        leaf: &[u8],
        index: &mut I,
    ) -> Result<Option<BatchLeaf>, I::Error> {
        match Leaf::decode(leaf) {
            Err(error) => {
                let reason = error.to_string();
                self.find(self.size, BrokenRule::Malformed { reason });
            }
            Ok(Leaf::Currency(cddc)) => self.see_currency(&cddc),
            Ok(Leaf::MintKey { key_no, certificate }) => self.see_mint_key(key_no, &certificate),
            Ok(Leaf::KeyClosed {
                key_no,
                reason,
                issued,
                spent,
            }) => self.see_closing(ClosingLeaf {
                key_no,
                reason,
                counts: [issued, spent],
                index: self.size,
            }),
            Ok(statement @ (Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_))) => {
                self.see_statement(statement, leaf.len());
            }
            Ok(Leaf::Batch(batch)) => {
                self.end_batch(&batch, index)?;
                return Ok(Some(*batch));
            }
            Ok(
                Leaf::Issued { .. }
                | Leaf::Spent { .. }
                | Leaf::CoinRecouped { .. }
                | Leaf::BlindRecouped { .. },
            ) => unreachable!("leaves of coins are read before"),
        }
        Ok(None)
    }

    /// The number of the batch that is being read.
    pub(crate) fn batch_number(&self) -> u64 {
        self.last.as_ref().map_or(1, |last| last.number.saturating_add(1))
    }

    /// Takes note of a finding.
    pub(crate) fn find(&mut self, index: u64, rule: BrokenRule) {
        let finding = Finding {
            batch: self.batch_number(),
            index,
            rule,
        };
        let is_reported = if finding.is_broken() {
            let is_first = self.first_broken.is_none();
            let first = self.first_broken.map_or(index, |first| first.min(index));
            self.first_broken = Some(first);
            is_first || self.found.saturating_sub(self.remarks) < FINDINGS_MAX
        } else {
            self.remarks = self.remarks.saturating_add(1);
            self.remarks <= REMARKS_MAX
        };
        self.found = self.found.saturating_add(1);
        if is_reported {
            self.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests;
