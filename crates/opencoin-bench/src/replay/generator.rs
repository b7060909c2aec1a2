//! Writes the log of a currency that is honest and busy: coins of eight denominations are issued and come back, mint
//! keys succeed each other, key accounts pay, and every batch is balanced.
//!
//! Digests come from a fixed seed. There are no coins for them, which no reader of the log can tell. No coin expires, so
//! that an index of spent coins forgets nothing.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::{DIGEST_BYTES, IssuedDigest, SpentDigest};
use opencoin_log::key_ledger::BatchOfStatements;
use opencoin_log::leaf::{Leaf, issued_leaf, spent_leaf};
use opencoin_terminal::progress::ProgressBar;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::accounts::{AccountTotals, Accounts};
use super::currency::{DENOMINATIONS, LOG_BEGIN_S, LoggedCurrency};
use super::log_folder::LogFolderWriter;
use super::mint_keys::{KeyFlow, LoggedKeys};
use crate::plan::LEAVES_MIN;

const SEED: u64 = 1;
/// The leaves of each batch, except the first, which begins the log, and the last.
pub(super) const BATCH_LEAVES: u64 = 100_000;
/// The last batch has at least the leaves of another one, divided by this.
const LAST_BATCH_DIVISOR: u64 = 20;
const BATCH_SECONDS: u64 = 60;
/// So many batches issue coins of a generation of mint keys.
const GENERATION_BATCHES: u64 = 50;
/// One of so many leaves is a payment by a key account.
const LEAVES_PER_PAYMENT: u64 = 1000;

/// Writes a log of this many leaves to a folder, which is made if it is missing and must be empty.
pub(super) fn generate(folder: &Path, leaves: u64, batch_leaves: u64) -> Result<()> {
    ensure!(
        leaves >= LEAVES_MIN,
        "a log to replay has at least {LEAVES_MIN} leaves"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let currency = LoggedCurrency::new(&mut rng)?;
    let mut log = Generator {
        files: LogFolderWriter::create(folder, currency.cddc().cddc())?,
        accounts: Accounts::new(&mut rng)?,
        keys: LoggedKeys::default(),
        currency,
        rng,
        last: None,
    };
    let progress = ProgressBar::new("writing a log to replay");
    log.begin()?;
    while log.files.size() < leaves {
        let left = leaves - log.files.size();
        let is_last = left < batch_leaves + batch_leaves / LAST_BATCH_DIVISOR;
        log.batch(if is_last { left } else { batch_leaves })?;
        progress.set(usize::try_from(log.files.size())?, usize::try_from(leaves)?);
    }
    log.finish()
}

struct Generator {
    files: LogFolderWriter,
    accounts: Accounts,
    keys: LoggedKeys,
    currency: LoggedCurrency,
    rng: ChaCha8Rng,
    last: Option<BatchLeaf>,
}

/// What a batch has beside its last leaf, in the order of the leaves.
#[derive(Default)]
struct Draft {
    documents: Vec<Leaf>,
    /// The generation of mint keys that is closed for signing.
    closed: Option<usize>,
    /// The coins of each key.
    flows: Vec<KeyFlow>,
    statements: Vec<Leaf>,
}

impl Generator {
    /// The first batch: the description, the first mint keys and the key accounts.
    fn begin(&mut self) -> Result<()> {
        let description = self.currency.cddc().cddc().clone();
        let mut documents = vec![Leaf::Currency(Box::new(description))];
        documents.extend(self.new_generation()?);
        let draft = Draft {
            documents,
            statements: self.accounts.begin(self.of_statements())?,
            ..Draft::default()
        };
        self.seal(&draft)
    }

    /// A batch of this many leaves. New mint keys are in the last batch in which the old ones sign, and these are closed in
    /// the next one.
    fn batch(&mut self, leaves: u64) -> Result<()> {
        let issuing = self.number() - 2;
        let generation = usize::try_from(issuing / GENERATION_BATCHES)?;
        let is_last_of_generation = (issuing + 1).is_multiple_of(GENERATION_BATCHES);
        let is_first_of_generation = issuing.is_multiple_of(GENERATION_BATCHES);
        let closed = generation.checked_sub(1).filter(|_| is_first_of_generation);
        let payments = leaves / LEAVES_PER_PAYMENT;
        let changes = if is_last_of_generation || closed.is_some() {
            DENOMINATIONS.len() as u64
        } else {
            0
        };
        // The batch leaf is one more.
        let coins = leaves - changes - payments - 1;
        let draft = Draft {
            flows: self.keys.flows(coins, generation),
            documents: if is_last_of_generation {
                self.new_generation()?
            } else {
                Vec::new()
            },
            closed,
            statements: self.accounts.pay(payments, self.of_statements())?,
        };
        self.seal(&draft)
    }

    /// Writes a batch, with its last leaf.
    fn seal(&mut self, draft: &Draft) -> Result<()> {
        let first = self.files.size();
        let value = self.keys.enter(&draft.flows);
        // With the counts at the end of this batch.
        let closings = draft.closed.map(|generation| self.keys.closings(generation));
        for leaf in draft.documents.iter().chain(closings.iter().flatten()) {
            self.files.append(&leaf.encode()?)?;
        }
        for (key_no, flow) in self.keys.numbers().zip(&draft.flows) {
            for digest in sorted_digests(&mut self.rng, flow.issued)? {
                self.files
                    .append(&issued_leaf(key_no, &IssuedDigest::new(digest)))?;
            }
        }
        for (key_no, flow) in self.keys.numbers().zip(&draft.flows) {
            for digest in sorted_digests(&mut self.rng, flow.spent)? {
                self.files
                    .append(&spent_leaf(key_no, &SpentDigest::new(digest)))?;
            }
        }
        let statements = draft.statements.iter().map(Leaf::encode);
        let mut statements = statements.collect::<Result<Vec<_>, _>>()?;
        statements.sort_unstable();
        for leaf in statements {
            self.files.append(&leaf)?;
        }
        let of_accounts = self.accounts.apply(&draft.statements, self.of_statements())?;
        let batch = self.totals(first, &draft.flows, value, &of_accounts);
        self.files
            .append(&Leaf::Batch(Box::new(batch.clone())).encode()?)?;
        self.last = Some(batch);
        self.files.end_batch()
    }

    fn totals(&self, first: u64, flows: &[KeyFlow], value: KeyFlow, accounts: &AccountTotals) -> BatchLeaf {
        let total = |of: fn(&BatchLeaf) -> u64| self.last.as_ref().map_or(0, of);
        // Coins are paid from custodial accounts as far as these have money.
        let from_accounts = value.issued.min(total(|last| last.accounts));
        let credited = accounts.total - total(|last| last.key_accounts);
        BatchLeaf {
            accounts: total(|last| last.accounts) - from_accounts + value.spent,
            batch: self.number(),
            coins: self.keys.outstanding(),
            expired: 0,
            first,
            key_accounts: accounts.total,
            keys: self.keys.changed(flows),
            keys_root: self.keys.root(),
            ledger_root: accounts.root,
            opening: false,
            paid_in: total(|last| last.paid_in) + value.issued - from_accounts + credited,
            paid_out: 0,
            previous: first.checked_sub(1),
            recouped: 0,
            time: self.time_s(),
        }
    }

    fn finish(self) -> Result<()> {
        let (currency, time_s) = (&self.currency, self.time_s());
        self.files
            .finish(|size, root| currency.checkpoint(size, root, time_s))
    }

    /// The number of the batch that is being made.
    fn number(&self) -> u64 {
        self.last.as_ref().map_or(1, |last| last.batch + 1)
    }

    fn time_s(&self) -> u64 {
        LOG_BEGIN_S + self.number() * BATCH_SECONDS
    }

    fn of_statements(&self) -> BatchOfStatements<'static> {
        BatchOfStatements {
            origin: self.currency.origin(),
            time_s: self.time_s(),
            within_s: self.currency.within_s(),
        }
    }

    /// The leaves of mint keys that sign from the next batch on.
    fn new_generation(&mut self) -> Result<Vec<Leaf>> {
        let from_s = self.time_s() + BATCH_SECONDS;
        let until_s = from_s + GENERATION_BATCHES * BATCH_SECONDS;
        let mut leaves = Vec::with_capacity(DENOMINATIONS.len());
        for denomination in DENOMINATIONS {
            let certificate = self
                .currency
                .mint_key(denomination, (from_s, until_s), &mut self.rng)?;
            let key_no = self.keys.next_no().context("too many mint keys")?;
            self.keys.add(key_no, &certificate);
            leaves.push(Leaf::MintKey {
                key_no,
                certificate: Box::new(certificate),
            });
        }
        Ok(leaves)
    }
}

fn sorted_digests(rng: &mut impl RngCore, count: u64) -> Result<Vec<[u8; DIGEST_BYTES]>> {
    let mut digests = vec![[0; DIGEST_BYTES]; usize::try_from(count)?];
    rng.fill_bytes(digests.as_flattened_mut());
    digests.sort_unstable();
    Ok(digests)
}
