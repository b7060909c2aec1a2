//! Following a key account in the public log: what it pays and receives, batch by batch.
//!
//! The leaves about key accounts stand together in a batch. The wallet reads all of them, so nobody learns which account
//! it follows, and any copy of the log will do. Only the beginning comes from the issuer, with a proof (`proven`).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opencoin_log::key_account::{AccountKey, Credit, CreditSource, Payee, Payment};
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log_reader::checkpoint::verify_quorum;
use opencoin_log_reader::{Batch, LogReadError, LogReader};
use opencoin_schema::BigInt;

use super::super::log::NewestLog;
use super::{Wallet, batch_time};
use crate::clock::CLOCK_DIFFERENCE_MAX;
use crate::error::WalletError;
use crate::key_account::records::{AccountAt, KeyEvent};
use crate::public_log::LogError;
use crate::public_log::files::LogFiles;

/// The longest time of one look.
const DURATION_MAX: Duration = Duration::from_secs(120);
/// An account that was not followed for more batches continues with the newest one.
const BATCHES_MAX: u64 = 2_000;
/// The most batches of one look.
const BATCHES_AT_ONCE: u64 = 16;

/// What has happened to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// The index of its leaf in the log.
    pub index: u64,
    /// The number of its batch.
    pub batch: u64,
    /// When the batch was sealed.
    pub time: DateTime<Utc>,
    /// What has happened.
    pub kind: EntryKind,
    /// What the account holds at the end of the batch, in the smallest unit.
    pub balance: u64,
}

/// The kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// The account was opened.
    Introduced,
    /// The issuer has put money on it.
    Credited {
        /// In the smallest unit.
        amount: u64,
        /// Where the money comes from.
        from: CreditSource,
        /// The number among the account's credits.
        number: u64,
    },
    /// Another key has paid to it.
    Received(Box<Payment>),
    /// It has paid.
    Paid(Box<Payment>),
}

/// What is new of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedKey {
    /// What has happened since the last look, in the order of the log.
    pub entries: Vec<KeyEntry>,
    /// What the account holds now, in the smallest unit.
    pub balance: u64,
    /// The number of the newest batch.
    pub batch: u64,
    /// When it was sealed.
    pub time: DateTime<Utc>,
    /// Whether the last look was so long ago that not all that has happened since was read.
    pub has_gap: bool,
    /// Whether there is more, so that the next look need not wait.
    pub has_more: bool,
    /// Entries with a smaller index are final: the auditors have made the joint signature, or the currency asks for none.
    pub final_size: u64,
    pub(crate) position: AccountAt,
}

impl Wallet {
    /// Returns what has happened to an account since [`Self::key_followed`] was called. The first call finds the beginning
    /// and returns nothing. `from` is the URL of a copy of the log to read.
    ///
    /// # Errors
    /// The wallet has no such key, the log cannot be read, or it breaks a rule.
    pub async fn follow_key(
        &mut self,
        key: &AccountKey,
        from: Option<&str>,
    ) -> Result<FollowedKey, WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        match self.look_in_time(&id, no, from).await {
            // The description may name other witnesses by now. Otherwise it is not asked for, because this is called often.
            Err(WalletError::Log(LogError::Read(LogReadError::NotSigned(_) | LogReadError::NoQuorum(_)))) => {
                self.refresh(&id).await?;
                self.look_in_time(&id, no, from).await
            }
            looked => looked,
        }
    }

    /// Says that the user has seen this. The next call of [`Self::follow_key`] continues there.
    ///
    /// # Errors
    /// The wallet has no such key, or it cannot be written.
    pub fn key_followed(&mut self, key: &AccountKey, followed: &FollowedKey) -> Result<(), WalletError> {
        let (no, at) = (self.key_no(key)?, followed.position);
        match self.state.keys[&no].followed == Some(at) {
            true => Ok(()),
            false => self.record_key(KeyEvent::Followed { no, at }),
        }
    }

    async fn look_in_time(
        &mut self,
        id: &BigInt,
        no: u64,
        from: Option<&str>,
    ) -> Result<FollowedKey, WalletError> {
        let block = self.require_log(id)?;
        let looked = tokio::time::timeout(DURATION_MAX, self.look_at_key(id, &block, no, from)).await;
        looked.unwrap_or_else(|_| Err(LogError::TooSlow(DURATION_MAX.as_secs()).into()))
    }

    async fn look_at_key(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        no: u64,
        from: Option<&str>,
    ) -> Result<FollowedKey, WalletError> {
        let mut newest = self.newest_log(id, block, from).await?;
        let final_size = self.final_size(block, &mut newest, from.is_some()).await?;
        let followed = self.state.keys[&no].followed;
        if let Some(at) = followed.filter(|at| at.size == newest.tree.size()) {
            return Ok(looked(Vec::new(), at, final_size));
        }
        let last = Batch::last(&mut newest.tree).await.map_err(LogError::from)?;
        let last = last.ok_or(LogError::OtherMoment)?;
        let Some(mut at) = followed.filter(|at| last.number.saturating_sub(at.batch) <= BATCHES_MAX) else {
            let key = self.state.keys[&no].key;
            let proven = self.prove(id, &[key], from).await?;
            let at = *proven.first().ok_or(LogError::OtherMoment)?;
            return Ok(FollowedKey {
                has_gap: followed.is_some(),
                ..looked(Vec::new(), at, final_size)
            });
        };
        let mut entries = Vec::new();
        let end = last.number.min(at.batch.saturating_add(BATCHES_AT_ONCE));
        for number in at.batch + 1..=end {
            newest.tree.begin_part();
            let hint = match number == last.number {
                true => None,
                false => self.batch_hint(id, &mut newest, number).await?,
            };
            let batch = Batch::numbered(&mut newest.tree, number, hint, &last).await;
            let batch = batch.map_err(LogError::from)?;
            let (new, end) = self.read_batch(no, &mut newest, &batch, at).await?;
            entries.extend(new);
            at = end;
        }
        Ok(FollowedKey {
            has_more: end < last.number,
            ..looked(entries, at, final_size)
        })
    }

    /// Returns up to where the log is final. A copy of the log need not know, so the log itself is asked too.
    async fn final_size(
        &self,
        block: &LogBlock,
        newest: &mut NewestLog,
        is_copy: bool,
    ) -> Result<u64, LogError> {
        if has_joint_signature(block, &newest.verified) {
            return Ok(newest.tree.size());
        }
        newest.tree.begin_part();
        let mut signed = newest.tree.reader().joint_checkpoint().await;
        if is_copy && !matches!(signed, Ok(Some(_))) {
            let of_log = block.policy().logs().iter().find_map(|log| log.url.as_deref());
            let prefix = of_log.ok_or(LogError::NoUrl)?;
            let files = Arc::new(LogFiles(self.transport.inner()));
            signed = LogReader::new(files, prefix).joint_checkpoint().await;
        }
        let signed = match signed {
            Ok(Some(signed)) if signed.checkpoint().size() <= newest.tree.size() => signed,
            // It comes later, or it is of a moment that the copy does not have yet.
            Ok(_) => return Ok(0),
            Err(error) if error.is_temporary() => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let latest = (self.now + CLOCK_DIFFERENCE_MAX).timestamp();
        let verified = verify_quorum(block, &signed, u64::try_from(latest).ok())?;
        if !has_joint_signature(block, &verified) {
            return Err(LogReadError::NoQuorum("the joint signature is missing".to_owned()).into());
        }
        let size = signed.checkpoint().size();
        match newest.tree.beginning(size).await?.root == *signed.checkpoint().root() {
            true => Ok(size),
            false => Err(LogError::SplitView),
        }
    }

    /// Reads what a batch has about an account, and what the account holds at its end.
    async fn read_batch(
        &self,
        no: u64,
        newest: &mut NewestLog,
        batch: &Batch,
        before: AccountAt,
    ) -> Result<(Vec<KeyEntry>, AccountAt), LogError> {
        let key = self.state.keys[&no].key;
        let mut about_key = Vec::new();
        let mut each = |index, leaf| about_key.extend(about(&key, leaf).map(|kind| (index, kind)));
        batch.key_accounts(&mut newest.tree, &mut each).await?;
        let Ok(Leaf::Batch(end)) = Leaf::decode(newest.tree.leaf(batch.end).await?) else {
            return Err(LogReadError::Disorder("a batch does not end with a batch leaf").into());
        };
        let mut at = AccountAt {
            batch: end.batch,
            time_s: end.time,
            size: batch.end + 1,
            ..before
        };
        let mut balance = i128::from(before.balance);
        for (_, kind) in &about_key {
            match kind {
                EntryKind::Introduced => at.exists = true,
                EntryKind::Credited { amount, .. } => balance += i128::from(*amount),
                EntryKind::Received(payment) => balance += i128::from(payment.order.amount),
                EntryKind::Paid(payment) => {
                    balance -= i128::from(payment.order.amount);
                    if payment.order.seq != at.seq + 1 || !payment.is_signed() {
                        return Err(LogReadError::Disorder(
                            "a payment of this account has a wrong number or signature",
                        )
                        .into());
                    }
                    at.seq += 1;
                }
            }
        }
        at.balance = u64::try_from(balance)
            .map_err(|_| LogReadError::Disorder("this account pays more than it has"))?;
        let entry = |(index, kind)| KeyEntry {
            index,
            batch: at.batch,
            time: batch_time(at),
            kind,
            balance: at.balance,
        };
        Ok((about_key.into_iter().map(entry).collect(), at))
    }
}

/// What a leaf says about an account.
fn about(key: &AccountKey, leaf: Leaf) -> Option<EntryKind> {
    match leaf {
        Leaf::KeyIntroduced(introduction) if introduction.key == *key => Some(EntryKind::Introduced),
        Leaf::KeyCredited(credit) if credit.key == *key => {
            let Credit {
                amount, from, number, ..
            } = *credit;
            Some(EntryKind::Credited { amount, from, number })
        }
        Leaf::KeyPaid(payment) if payment.order.from == *key => Some(EntryKind::Paid(payment)),
        Leaf::KeyPaid(payment) if payment.order.to == Payee::Key(*key) => Some(EntryKind::Received(payment)),
        _ => None,
    }
}

/// Whether a checkpoint has the joint signature, or needs none.
fn has_joint_signature(block: &LogBlock, verified: &VerifiedCheckpoint) -> bool {
    let cosigned = verified.witnesses_after(0);
    block
        .joint()
        .is_none_or(|name| block.policy().is_met(name, &cosigned) == Some(true))
}

fn looked(entries: Vec<KeyEntry>, at: AccountAt, final_size: u64) -> FollowedKey {
    FollowedKey {
        entries,
        balance: at.balance,
        batch: at.batch,
        time: batch_time(at),
        has_gap: false,
        has_more: false,
        final_size,
        position: at,
    }
}
