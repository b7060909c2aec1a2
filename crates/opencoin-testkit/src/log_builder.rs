//! Logs of a currency in memory: honest by default, or changed by a test before a batch is sealed.
//!
//! A [`LogBuilder`] has the keys of a currency, of its log and of witnesses. What a test orders waits until
//! [`LogBuilder::seal`], which makes the batch leaf that an honest issuer would. [`LogBuilder::seal_changed`] lets a test
//! change leaves and totals first. [`LogBuilder::file`] gives the files that an HTTP server of the log would.

mod currency;
mod desk;
mod draft;
mod key_accounts;

use std::collections::BTreeMap;
use std::sync::Arc;

use opencoin_crypto::{VerifiedCddc, VerifiedMintKey};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::bundle;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key::SigningKey;
use opencoin_log::key_ledger::KeyLedger;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TILE_HASHES, TileBuilder, TileId, TilePath};

pub use currency::{LogCurrency, LogTerms, MINT_KEY_SIGNS_S, MINT_KEY_TAKEN_S, WITHIN_S};
pub use desk::{Conduct, Desk, DeskAnswer};
pub use draft::{BatchDraft, KeyTotals};
pub use key_accounts::{account_key, key_of_account};

/// When the logs of tests begin, in seconds since 1970.
pub const LOG_BEGIN_S: u64 = 1_800_000_000;

/// A log, and what waits to be sealed.
pub struct LogBuilder {
    currency: Arc<LogCurrency>,
    /// The time of the next batch, in seconds since 1970. Tests may change it.
    pub now_s: u64,
    leaves: Vec<Vec<u8>>,
    batches: Vec<BatchLeaf>,
    /// Keys in the log, in the order of their numbers.
    keys: Vec<KeyTotals>,
    key_ledger: KeyLedger,
    waiting: BatchDraft,
    digests: u64,
}

impl LogBuilder {
    /// A log that is empty, of a currency that is always the same.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Arc::new(LogCurrency::new("issuer.test", "http://issuer.test")))
    }

    /// A log that is empty.
    #[must_use]
    pub fn of(currency: Arc<LogCurrency>) -> Self {
        Self {
            now_s: currency.terms().begin_s,
            currency,
            leaves: Vec::new(),
            batches: Vec::new(),
            keys: Vec::new(),
            key_ledger: KeyLedger::default(),
            waiting: BatchDraft::default(),
            digests: 0,
        }
    }

    /// A log with a first batch: the description of the currency and a key of denomination 1, and one of 5.
    #[must_use]
    pub fn begun() -> Self {
        Self::begun_of(Self::new().currency)
    }

    /// As [`Self::begun`], of this currency.
    #[must_use]
    pub fn begun_of(currency: Arc<LogCurrency>) -> Self {
        let mut log = Self::of(currency);
        log.add_description();
        log.add_mint_key(1);
        log.add_mint_key(5);
        log.seal();
        log
    }

    /// The keys of the currency and of its log.
    #[must_use]
    pub fn currency(&self) -> &Arc<LogCurrency> {
        &self.currency
    }

    /// The description.
    #[must_use]
    pub fn cddc(&self) -> &VerifiedCddc {
        self.currency.cddc()
    }

    /// All leaves that were sealed.
    #[must_use]
    pub fn leaves(&self) -> &[Vec<u8>] {
        &self.leaves
    }

    /// The totals of the batches that were sealed.
    #[must_use]
    pub fn batches(&self) -> &[BatchLeaf] {
        &self.batches
    }

    /// The number of leaves that were sealed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The accounts of keys.
    #[must_use]
    pub fn key_ledger(&self) -> &KeyLedger {
        &self.key_ledger
    }

    /// A copy, to be continued differently.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            currency: Arc::clone(&self.currency),
            now_s: self.now_s,
            leaves: self.leaves.clone(),
            batches: self.batches.clone(),
            keys: self.keys.clone(),
            key_ledger: self.key_ledger.clone(),
            waiting: self.waiting.clone(),
            // Its digests differ from those of the original.
            digests: self.digests + 1_000_000,
        }
    }

    /// Orders any leaf.
    pub fn add(&mut self, leaf: &Leaf) {
        self.waiting.leaves.push(leaf.encode().expect("a short leaf"));
    }

    /// Orders the leaf of the description.
    pub fn add_description(&mut self) {
        let cddc = self.cddc().cddc().clone();
        self.add(&Leaf::Currency(Box::new(cddc)));
    }

    /// Orders a mint key that signs from now on.
    pub fn add_mint_key(&mut self, denomination: u64) -> KeyNo {
        let key = self.currency.mint_key(self.keys.len(), denomination, self.now_s);
        self.add_certified_key(&key)
    }

    /// Orders a mint key.
    pub fn add_certified_key(&mut self, key: &VerifiedMintKey) -> KeyNo {
        let number = u32::try_from(self.keys.len() + 1).expect("few keys");
        let key_no = KeyNo::new(number).expect("it is not 0");
        self.keys.push(KeyTotals::new(key, key_no));
        self.add(&Leaf::MintKey {
            key_no,
            certificate: Box::new(key.mkc().clone()),
        });
        key_no
    }

    /// Orders issued leaves. The money for them is paid in.
    pub fn issue(&mut self, key_no: KeyNo, count: u64) {
        for _ in 0..count {
            let digest = self.next_digest();
            self.issue_blind(key_no, digest);
        }
    }

    /// Orders an issued leaf with this digest. The money for it is paid in.
    pub fn issue_blind(&mut self, key_no: KeyNo, digest: Hash) {
        self.waiting.issue(key_no, digest);
        self.waiting.paid_in += self.denomination(key_no);
    }

    /// Orders spent leaves, and returns the digests. The money is put on custodial accounts.
    pub fn spend(&mut self, key_no: KeyNo, count: u64) -> Vec<Hash> {
        let digests: Vec<Hash> = (0..count).map(|_| self.next_digest()).collect();
        for digest in &digests {
            self.spend_again(key_no, *digest);
        }
        digests
    }

    /// Orders a spent leaf with this digest.
    pub fn spend_again(&mut self, key_no: KeyNo, digest: Hash) {
        self.waiting.spend(key_no, digest);
        self.waiting.to_accounts += self.denomination(key_no);
    }

    /// Orders the leaves of a recouped coin and of its blind.
    pub fn recoup(&mut self, key_no: KeyNo, coin: Hash, blind: Hash) {
        self.waiting.recoup(key_no, coin, blind);
        let value = self.denomination(key_no);
        self.waiting.recouped += value;
        self.waiting.to_accounts += value;
    }

    /// A digest that the log does not have.
    pub fn next_digest(&mut self) -> Hash {
        self.digests += 1;
        leaf_hash(&self.digests.to_be_bytes())
    }

    /// Orders the closing of a key. Its counts are those at the end of the batch.
    pub fn close(&mut self, key_no: KeyNo, reason: CloseReason) {
        self.waiting.closings.push((key_no, reason));
    }

    /// Orders a payment out of custodial accounts, which must have the money.
    pub fn pay_out(&mut self, amount: u64) {
        self.waiting.paid_out += amount;
    }

    fn denomination(&self, key_no: KeyNo) -> u64 {
        self.keys[key_no.get() as usize - 1].denomination
    }

    /// Seals what waits, as an honest issuer does.
    pub fn seal(&mut self) {
        self.seal_changed(|_, _| {});
    }

    /// Seals what waits, after a change to its sorted leaves (without the batch leaf) and to the totals.
    pub fn seal_changed(&mut self, change: impl FnOnce(&mut Vec<Vec<u8>>, &mut BatchLeaf)) {
        let waiting = std::mem::take(&mut self.waiting);
        let previous = self.batches.last();
        let sealed = waiting.seal(
            &draft::Before {
                batch: previous,
                end: self.size(),
                now_s: self.now_s,
                origin: self.currency.origin(),
                within_s: self.currency.terms().within_s,
            },
            &mut self.keys,
            &mut self.key_ledger,
        );
        let (mut leaves, mut batch) = sealed;
        change(&mut leaves, &mut batch);
        let leaf = Leaf::Batch(Box::new(batch.clone()))
            .encode()
            .expect("a short leaf");
        self.leaves.append(&mut leaves);
        self.leaves.push(leaf);
        self.batches.push(batch);
        self.now_s += 60;
    }

    /// The root of the tree of the first leaves.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Hash {
        let leaves = &self.leaves[..usize::try_from(size).expect("a short log")];
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        opencoin_log::tree::root(&hashes)
    }

    /// The checkpoint of the whole log, signed by it and by all witnesses at the time of the last batch.
    #[must_use]
    pub fn checkpoint(&self) -> SignedCheckpoint {
        let begin = self.currency.terms().begin_s;
        let time = self.batches.last().map_or(begin, |batch| batch.time);
        self.checkpoint_at(self.size(), time)
    }

    /// The checkpoint of the first leaves, cosigned at a time.
    #[must_use]
    pub fn checkpoint_at(&self, size: u64, time: u64) -> SignedCheckpoint {
        let witnesses = self.currency.witnesses();
        self.signed_checkpoint(size, self.root_at(size), witnesses, time)
    }

    /// A checkpoint with any root, signed by the log and cosigned by these witnesses.
    #[must_use]
    pub fn signed_checkpoint(
        &self,
        size: u64,
        root: Hash,
        witnesses: &[SigningKey],
        time: u64,
    ) -> SignedCheckpoint {
        let checkpoint = Checkpoint::new(self.currency.origin(), size, root).expect("a short origin");
        let mut signed = SignedCheckpoint::new(checkpoint).expect("a short note");
        signed.sign(self.currency.log_key(), time).expect("a log's key");
        for witness in witnesses {
            signed.sign(witness, time).expect("a witness's key");
        }
        signed
    }

    /// All tiles, also those of leaf hashes.
    #[must_use]
    pub fn tiles(&self) -> BTreeMap<TileId, Vec<u8>> {
        let none: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
        let mut builder = TileBuilder::new(0, &none, 0).expect("an empty tree has no edge");
        let hashes: Vec<Hash> = self.leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        builder.append(&hashes);
        let tiles = builder.changed().into_iter();
        tiles.map(|tile| (tile.id, tile.bytes)).collect()
    }

    /// The file at a path below the prefix of the log: `checkpoint`, a tile or a bundle.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        if path == "checkpoint" {
            return Some(self.checkpoint().to_string().into_bytes());
        }
        let TilePath { resource, width } = path.parse().ok()?;
        match resource {
            Resource::Tile(id) => {
                let tile = self.tiles().remove(&id)?;
                Some(tile.get(..usize::from(width.get()) * 32)?.to_vec())
            }
            Resource::Entries(index) => {
                let first = usize::try_from(index).ok()? * usize::from(TILE_HASHES);
                let leaves = self.leaves.get(first..first + usize::from(width.get()))?;
                let mut bytes = Vec::new();
                for leaf in leaves {
                    bundle::append(&mut bytes, leaf).expect("a short leaf");
                }
                Some(bytes)
            }
        }
    }
}

impl Default for LogBuilder {
    fn default() -> Self {
        Self::new()
    }
}
