//! Whether the issuer has kept its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opencoin_evidence::Claim;
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::checkpoint::is_later_than;
use opencoin_log_reader::{Batch, BatchHint, Place};
use opencoin_schema::BigInt;

use super::Wallet;
use super::checkpoint::NewestLog;
use super::omission::{Missing, omission};
use super::status::LogStatus;
use crate::client::urls;
use crate::error::WalletError;
use crate::event::OperationId;
use crate::public_log::LogError;
use crate::public_log::memory::{LogEvent, LogMemory, OpenPromise, PromisedLeaf, encode};

/// The longest time of a check.
const DURATION_MAX: Duration = Duration::from_secs(120);

/// The leaves that are looked for at a time: those of one large request.
const PART_LEAVES_MAX: usize = 2000;

/// A leaf of an open promise, by the number of the request and the place in it.
type LeafId = (OperationId, usize);

/// An open promise and its leaves.
struct Promised {
    open: OpenPromise,
    leaves: Vec<Vec<u8>>,
    /// The last batch that may have a leaf.
    last_batch: u64,
}

/// Where the leaves of the open promises are.
#[derive(Default)]
struct Found {
    /// The indices of the leaves that are in the log.
    found: BTreeMap<LeafId, u64>,
    /// The batches that do not have a leaf, in their order.
    missing: BTreeMap<LeafId, Vec<Missing>>,
}

impl Wallet {
    /// Checks the public log: the newest checkpoint, the current mint keys, and the issuer's open promises. `from` is the
    /// URL of a copy to read instead of the log itself. What is wrong with the log is in the result.
    ///
    /// # Errors
    /// The wallet has no such currency, or several, or the wallet cannot be written.
    pub async fn check_log(
        &mut self,
        currency: Option<&str>,
        from: Option<&str>,
    ) -> Result<LogStatus, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        self.refresh_if_old(&id).await?;
        let checked = match self.log_block(&id) {
            Ok(None) => {
                let problem = self.log_memory(&id).map(|_| LogError::Dropped);
                return self.log_status(&id, problem);
            }
            Ok(Some(block)) => tokio::time::timeout(DURATION_MAX, self.check_now(&id, &block, from)).await,
            Err(error) => Ok(Err(error)),
        };
        let checked = checked.unwrap_or_else(|_| Err(LogError::TooSlow(DURATION_MAX.as_secs()).into()));
        match checked {
            Ok(()) => self.log_status(&id, None),
            Err(WalletError::Log(problem)) => self.log_status(&id, Some(problem)),
            Err(error) => Err(error),
        }
    }

    async fn check_now(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        from: Option<&str>,
    ) -> Result<(), WalletError> {
        let mut newest = self.newest_log(id, block, from).await?;
        let keys = self.unchecked_keys(id, self.keys_to_check(id)?);
        let keys_checked = match keys.is_empty() {
            true => Ok(()),
            false => self.check_keys(id, &mut newest.tree, keys).await,
        };
        match keys_checked {
            // A missing key does not keep the wallet from looking for its leaves.
            Ok(()) | Err(WalletError::Log(_)) => {}
            Err(error) => return Err(error),
        }
        self.note_secret_keys(id, block, &mut newest).await?;
        self.verify_late(id, block)?;
        self.check_promises(id, block, &mut newest).await?;
        self.ask_for_signatures(id).await?;
        self.check_refusals(id, block, &mut newest).await?;
        keys_checked
    }

    /// Returns the mint keys that sign now, and those of open promises.
    fn keys_to_check(&self, id: &BigInt) -> Result<BTreeSet<BigInt>, WalletError> {
        let currency = self.currency(id)?;
        let is_used =
            |key: &&BigInt| currency.mint_keys.contains_key(*key) && !currency.revoked.contains_key(*key);
        let current = currency.current.iter().flatten().filter(is_used);
        let open = self
            .log_memory(id)
            .into_iter()
            .flat_map(|memory| memory.promises.values());
        let promised = open.flat_map(|open| open.leaves.iter().filter_map(PromisedLeaf::mint_key));
        let refused = self.log_memory(id).into_iter().flat_map(|memory| &memory.refused);
        let refused = refused.map(|coin| &coin.mint_key);
        Ok(current.chain(promised).chain(refused).cloned().collect())
    }

    async fn check_promises(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        newest: &mut NewestLog,
    ) -> Result<(), WalletError> {
        let mut promised = self.open_promises(id, block)?;
        while !promised.is_empty() {
            // The first promises, as many as one part may have.
            let mut leaves = 0;
            let mut fits = |promised: &Promised| {
                let is_first = leaves == 0;
                leaves += promised.leaves.len();
                is_first || leaves <= PART_LEAVES_MAX
            };
            let end = promised.iter().find(|(_, promised)| !fits(promised));
            let end = end.map(|(operation, _)| *operation);
            let later = end.map(|end| promised.split_off(&end)).unwrap_or_default();
            newest.tree.begin_part();
            self.check_part(id, block, newest, &promised).await?;
            promised = later;
        }
        Ok(())
    }

    async fn check_part(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        newest: &mut NewestLog,
        promised: &BTreeMap<OperationId, Promised>,
    ) -> Result<(), WalletError> {
        let last = Batch::last(&mut newest.tree).await?;
        let found = match &last {
            Some(last) => self.find_leaves(id, newest, promised, last).await?,
            None => Found::default(),
        };
        for (operation, promised) in promised {
            let mut all = (0..promised.leaves.len()).map(|index| (*operation, index));
            let Some(missing) = all.find(|leaf| !found.found.contains_key(leaf)) else {
                let (operation, first) = (*operation, found.found.get(&(*operation, 0)));
                if let Some(index) = first {
                    let due = promised.open.promise.deadline();
                    self.challenge_signatures(id, newest, operation, *index, due)
                        .await?;
                }
                self.record_log(id, LogEvent::Kept { operation })?;
                continue;
            };
            let deadline = promised.open.promise.deadline();
            if is_later_than(block.policy(), &newest.verified, deadline) {
                let places = found.missing.get(&missing).map_or(&[][..], Vec::as_slice);
                self.note_omission(id, newest, promised, missing, places, last.as_ref())
                    .await?;
            }
        }
        Ok(())
    }

    /// Returns the promises that were verified and are open.
    fn open_promises(
        &self,
        id: &BigInt,
        block: &LogBlock,
    ) -> Result<BTreeMap<OperationId, Promised>, WalletError> {
        let Some(memory) = self.log_memory(id) else {
            return Ok(BTreeMap::new());
        };
        let currency = self.currency(id)?;
        let of_memory = |memory: &LogMemory, operation: &OperationId, open: &OpenPromise| {
            let leaves = encode(&open.leaves, &memory.keys).filter(|_| open.is_verified)?;
            let then = super::block_of(currency, open.cdd_serial);
            let batches = then.as_ref().unwrap_or(block).batches();
            let last_batch = *open.promise.batches(batches).end();
            let open = open.clone();
            Some((
                *operation,
                Promised {
                    open,
                    leaves,
                    last_batch,
                },
            ))
        };
        let open = memory.promises.iter();
        Ok(open
            .filter_map(|(operation, open)| of_memory(memory, operation, open))
            .collect())
    }

    /// Looks for the leaves of all promises, batch by batch.
    async fn find_leaves(
        &mut self,
        id: &BigInt,
        newest: &mut NewestLog,
        promised: &BTreeMap<OperationId, Promised>,
        last: &Batch,
    ) -> Result<Found, WalletError> {
        let mut found = Found::default();
        let begins = promised.values().map(|promised| promised.open.promise.batch);
        let ends = promised.values().map(|promised| promised.last_batch);
        let (first, end) = (begins.min().unwrap_or(0), ends.max().unwrap_or(0));
        for number in first..=end.min(last.number) {
            let wanted: Vec<(LeafId, &Vec<u8>)> = promised
                .iter()
                .filter(|(_, promised)| (promised.open.promise.batch..=promised.last_batch).contains(&number))
                .flat_map(|(operation, promised)| {
                    let leaves = promised.leaves.iter().enumerate();
                    leaves.map(|(index, leaf)| ((*operation, index), leaf))
                })
                .filter(|(leaf, _)| !found.found.contains_key(leaf))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let hint = self.batch_hint(id, newest, number).await?;
            let batch = Batch::numbered(&mut newest.tree, number, hint, last).await?;
            let leaves: Vec<Vec<u8>> = wanted.iter().map(|(_, leaf)| (*leaf).clone()).collect();
            let places = batch.locate(&mut newest.tree, &leaves, &mut self.rng).await?;
            for ((leaf, _), place) in wanted.into_iter().zip(places) {
                match place {
                    Place::At(index) => drop(found.found.insert(leaf, index)),
                    Place::Between { left, right } => {
                        let end = batch.end;
                        let missing = Missing { left, right, end };
                        found.missing.entry(leaf).or_default().push(missing);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Asks the issuer where a batch is. Without an answer the wallet looks for it itself.
    pub(in super::super) async fn batch_hint(
        &self,
        id: &BigInt,
        newest: &mut NewestLog,
        number: u64,
    ) -> Result<Option<BatchHint>, WalletError> {
        let services = self.currency(id)?.info_services();
        for url in urls(&services, &format!("/v1/log/batches/{number}")) {
            if let Ok(Some(hint)) = newest.tree.reader().hint(&url).await {
                return Ok(Some(hint));
            }
        }
        Ok(None)
    }

    async fn note_omission(
        &mut self,
        id: &BigInt,
        newest: &mut NewestLog,
        promised: &Promised,
        (operation, index): LeafId,
        places: &[Missing],
        last: Option<&Batch>,
    ) -> Result<(), WalletError> {
        let last_batch = last.filter(|last| last.number < promised.last_batch);
        let then = self.other_description(id, promised.open.cdd_serial)?;
        let promise = super::promised_claim(&promised.open.promise, &promised.leaves, index, then);
        let claim = match promise {
            Some(promise) => Some(omission(newest, promise, places, last_batch).await?),
            None => None,
        };
        let description = format!(
            "request number {operation} is not in the public log, although the issuer promised it and the time is over"
        );
        let claim = claim.map(|claim| Claim::OmittedLeaf(Box::new(claim)));
        self.note_fault(
            id,
            Some(operation),
            description,
            Some(promised.open.promise.to_string()),
            claim,
        )
    }
}
