//! The accounts of keys as the published log has them, and what proves them and their payments.
//!
//! The books have the accounts at the last batch that was sealed, which may not be published yet. So the accounts at the
//! published one are computed: forward from those that are known already, or back from those in the books, by the
//! statements in the batches between.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use opencoin_ledger::{LedgerError, LogBatch, LogBatchNo, PublishedCheckpoint};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::hash::Hash;
use opencoin_log::key::ED25519_KEY_BYTES;
use opencoin_log::key_account::{AccountKey, Payee};
use opencoin_log::key_ledger::{
    AccountProof, BatchOfStatements, KeyAccount, KeyLedger, Signatures, account_leaf_hash,
};
use opencoin_log::leaf::{Leaf, introduced_prefix, paid_prefix};
use opencoin_log::log_block::LogBlock;
use opencoin_log::tree::Layers;

use super::{IssuerLog, reader};

/// The most batches over which known accounts are brought forward. Over more, the books are read again.
const BATCHES_FORWARD_MAX: u64 = 256;

/// How far a payment by key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPaymentStatus {
    /// It is in the books, and the log will have it.
    Accepted,
    /// The log has it under a published checkpoint, which the auditors have not signed jointly yet. With a proof.
    Published(String),
    /// Nobody can undo it. With a proof.
    Final(String),
}

/// All accounts at the end of a batch, with the tree over them.
#[derive(Debug)]
pub struct LoggedAccounts {
    /// In the order of their keys.
    rows: Vec<(AccountKey, KeyAccount)>,
    layers: Layers,
}

/// The last leaf of a published batch.
#[derive(Debug, Clone)]
pub struct ProvenBatch {
    /// The batch leaf.
    pub leaf: Vec<u8>,
    /// Its proof under a published checkpoint, as a tlog-proof.
    pub proof: String,
}

/// The accounts at the newest published batch.
#[derive(Debug)]
pub struct AccountsAtBatch {
    /// The accounts.
    pub accounts: Arc<LoggedAccounts>,
    /// The batch.
    pub batch: ProvenBatch,
    list: OnceLock<Arc<[u8]>>,
}

/// An account at the newest published batch.
#[derive(Debug, Clone)]
pub(crate) struct LoggedAccount {
    /// The account.
    pub(crate) account: KeyAccount,
    /// Proves it under the `ledger_root` of the batch.
    pub(crate) proof: AccountProof,
    /// The batch.
    pub(crate) batch: ProvenBatch,
}

/// What this process has computed last.
#[derive(Debug)]
pub(super) struct KnownAccounts {
    /// The published checkpoint that it is for.
    note: String,
    no: LogBatchNo,
    ledger: KeyLedger,
    shown: Arc<AccountsAtBatch>,
}

impl IssuerLog {
    /// How far the payment of a key with this number is; `None` if none was accepted.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn payment(
        &self,
        block: &LogBlock,
        key: &AccountKey,
        seq: u64,
    ) -> Result<Option<KeyPaymentStatus>, LedgerError> {
        let store = self.store.as_ref();
        let Some(accepted) = store.key_payment(key, seq).await? else {
            return Ok(None);
        };
        let found = reader::locate(store, &paid_prefix(key, seq), accepted).await?;
        let (Some((batch, index)), Some(published)) = (found, self.checkpoint().await?) else {
            return Ok(Some(KeyPaymentStatus::Accepted));
        };
        if batch.end() > published.size {
            return Ok(Some(KeyPaymentStatus::Accepted));
        }
        if block.joint().is_none() {
            return self
                .proof(index, &published)
                .await
                .map(KeyPaymentStatus::Final)
                .map(Some);
        }
        let joint = self.joint(block).await?.filter(|joint| batch.end() <= joint.size);
        Ok(Some(match joint {
            Some(joint) => KeyPaymentStatus::Final(self.proof(index, &joint).await?),
            None => KeyPaymentStatus::Published(self.proof(index, &published).await?),
        }))
    }

    /// An account at the newest published batch; `None` if it is in none.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn logged_account(
        &self,
        key: &AccountKey,
    ) -> Result<Option<LoggedAccount>, LedgerError> {
        let Some(at) = self.logged_accounts().await? else {
            return Ok(None);
        };
        let found = at.accounts.find(key);
        Ok(found.map(|(account, proof)| LoggedAccount {
            account,
            proof,
            batch: at.batch.clone(),
        }))
    }

    /// All accounts at the newest published batch; `None` before the first one.
    ///
    /// # Errors
    /// When the books cannot be read, or do not agree with the log.
    pub(crate) async fn logged_accounts(&self) -> Result<Option<Arc<AccountsAtBatch>>, LedgerError> {
        let Some(published) = self.checkpoint().await? else {
            return Ok(None);
        };
        // One at a time computes them.
        let mut known = self.key_accounts.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.note == published.note) {
            return Ok(Some(Arc::clone(&known.shown)));
        }
        let index = published
            .size
            .checked_sub(1)
            .ok_or_else(|| corrupt("it is empty"))?;
        let leaf = reader::leaf(self.store.as_ref(), index).await?;
        let Ok(Leaf::Batch(batch)) = Leaf::decode(&leaf) else {
            return Err(corrupt("a published checkpoint does not end with a batch"));
        };
        let proof = self.proof(index, &published).await?;
        let next = self.accounts_at(known.take(), &published.note, &batch, ProvenBatch { leaf, proof });
        let next = next.await?;
        let shown = Arc::clone(&next.shown);
        *known = Some(next);
        Ok(Some(shown))
    }

    async fn accounts_at(
        &self,
        known: Option<KnownAccounts>,
        note: &str,
        batch: &BatchLeaf,
        proven: ProvenBatch,
    ) -> Result<KnownAccounts, LedgerError> {
        let no = LogBatchNo::new(batch.batch);
        let before = known.as_ref().map(|known| Arc::clone(&known.shown.accounts));
        let ledger = self.ledger_at(known, no).await?;
        let root = batch.ledger_root;
        // Hashing many accounts would keep everything else from running on this thread.
        let (ledger, accounts) = tokio::task::spawn_blocking(move || {
            let unchanged = before.filter(|before| before.layers.root() == root);
            let accounts = unchanged.unwrap_or_else(|| Arc::new(LoggedAccounts::of(&ledger)));
            (ledger, accounts)
        })
        .await
        .map_err(|error| {
            LedgerError::Unavailable(format!("the accounts of keys were not computed: {error}"))
        })?;
        if accounts.layers.root() != root {
            return Err(corrupt(
                "the accounts of keys in the books are not those of the log",
            ));
        }
        let shown = AccountsAtBatch {
            accounts,
            batch: proven,
            list: OnceLock::new(),
        };
        Ok(KnownAccounts {
            note: note.to_owned(),
            no,
            ledger,
            shown: Arc::new(shown),
        })
    }

    async fn ledger_at(
        &self,
        known: Option<KnownAccounts>,
        no: LogBatchNo,
    ) -> Result<KeyLedger, LedgerError> {
        let is_near = |known: &KnownAccounts| {
            let ahead = no.get().checked_sub(known.no.get());
            ahead.is_some_and(|ahead| ahead <= BATCHES_FORWARD_MAX)
        };
        let (mut ledger, mut at) = match known.filter(is_near) {
            Some(known) => (known.ledger, known.no.get()),
            None => {
                let stored = self.store.key_accounts().await?;
                let stored = stored.ok_or_else(|| corrupt("it is gone"))?;
                (stored.ledger, stored.open.get().saturating_sub(1))
            }
        };
        while at < no.get() {
            at += 1;
            let (batch, leaves) = self.statements(at).await?;
            self.forward(&mut ledger, &batch, &leaves)?;
        }
        while at > no.get() {
            let (_, leaves) = self.statements(at).await?;
            ledger = back(&ledger, &leaves)?;
            at -= 1;
        }
        Ok(ledger)
    }

    fn forward(&self, ledger: &mut KeyLedger, batch: &LogBatch, leaves: &[Leaf]) -> Result<(), LedgerError> {
        let of_batch = BatchOfStatements {
            origin: self.origin(),
            time_s: batch.time_s,
            within_s: self.terms.within_s,
        };
        let applied = ledger.apply(leaves, of_batch, Signatures::AreVerified);
        applied.map(drop).map_err(|fault| corrupt(&fault.to_string()))
    }

    /// The statements about accounts of keys in a batch, in their order.
    async fn statements(&self, no: u64) -> Result<(LogBatch, Vec<Leaf>), LedgerError> {
        let store = self.store.as_ref();
        let batch = store.batch(LogBatchNo::new(no)).await?;
        let batch = batch.ok_or_else(|| corrupt("a batch is missing"))?;
        let smallest = introduced_prefix(&AccountKey::of_stored([0; ED25519_KEY_BYTES]));
        let first = reader::first_from(store, &smallest, &batch).await?;
        // The last leaf is the batch leaf.
        let bytes = reader::leaves(store, first..batch.end() - 1).await?;
        let leaves = bytes.iter().map(|leaf| Leaf::decode(leaf));
        let leaves = leaves.collect::<Result<_, _>>();
        Ok((batch, leaves.map_err(|error| corrupt(&error.to_string()))?))
    }

    /// The proof of a leaf under a checkpoint, as the text of a tlog-proof that has the leaf.
    async fn proof(&self, index: u64, checkpoint: &PublishedCheckpoint) -> Result<String, LedgerError> {
        let file = reader::proof_file(self.store.as_ref(), index, checkpoint).await?;
        Ok(file.to_string())
    }
}

/// The accounts before a batch with these statements.
fn back(ledger: &KeyLedger, leaves: &[Leaf]) -> Result<KeyLedger, LedgerError> {
    let accounts = ledger.accounts().map(|(key, account)| (*key, *account));
    let mut accounts: BTreeMap<AccountKey, KeyAccount> = accounts.collect();
    // In between, a balance may be below zero, as in the batch.
    let mut balances: BTreeMap<AccountKey, i128> = BTreeMap::new();
    let mut introduced = Vec::new();
    let unknown = || corrupt("a batch names an unknown account of a key");
    for leaf in leaves {
        match leaf {
            Leaf::KeyIntroduced(introduction) => introduced.push(introduction.key),
            Leaf::KeyCredited(credit) => {
                let account = accounts.get_mut(&credit.key).ok_or_else(unknown)?;
                account.credits = account.credits.saturating_sub(1);
                *balances.entry(credit.key).or_default() -= i128::from(credit.amount);
            }
            Leaf::KeyPaid(payment) => {
                let order = &payment.order;
                let payer = accounts.get_mut(&order.from).ok_or_else(unknown)?;
                payer.seq = payer.seq.saturating_sub(1);
                *balances.entry(order.from).or_default() += i128::from(order.amount);
                if let Payee::Key(payee) = order.to {
                    *balances.entry(payee).or_default() -= i128::from(order.amount);
                }
            }
            _ => {}
        }
    }
    for (key, change) in balances {
        let account = accounts.get_mut(&key).ok_or_else(unknown)?;
        let balance = u64::try_from(i128::from(account.balance) + change);
        account.balance = balance.map_err(|_| corrupt("an account of a key was below zero"))?;
    }
    for key in introduced {
        accounts.remove(&key);
    }
    Ok(KeyLedger::new(accounts))
}

impl LoggedAccounts {
    fn of(ledger: &KeyLedger) -> Self {
        let rows: Vec<_> = ledger.accounts().map(|(key, account)| (*key, *account)).collect();
        let hashes: Vec<Hash> = rows
            .iter()
            .map(|(key, account)| account_leaf_hash(key, account))
            .collect();
        let layers = Layers::new(hashes);
        Self { rows, layers }
    }

    /// The number of accounts.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The accounts, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (AccountKey, KeyAccount)> {
        self.rows.iter().copied()
    }

    fn find(&self, key: &AccountKey) -> Option<(KeyAccount, AccountProof)> {
        let index = self.rows.binary_search_by_key(key, |(key, _)| *key).ok()?;
        let proof = AccountProof {
            index: index as u64,
            count: self.rows.len() as u64,
            path: self.layers.inclusion_proof(index)?,
        };
        Some((self.rows[index].1, proof))
    }
}

impl AccountsAtBatch {
    /// The text of all accounts, which is made once.
    pub fn list(&self, make: impl FnOnce(&LoggedAccounts, &ProvenBatch) -> String) -> Arc<[u8]> {
        let list = self
            .list
            .get_or_init(|| make(&self.accounts, &self.batch).into_bytes().into());
        Arc::clone(list)
    }
}

fn corrupt(reason: &str) -> LedgerError {
    LedgerError::corrupt("log", reason)
}
