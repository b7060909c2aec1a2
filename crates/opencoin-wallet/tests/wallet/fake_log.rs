//! The public log of the issuer in memory: honest, or dishonest in one way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::bundle;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::key_ledger::{BatchOfStatements, KeyLedger, Signatures};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::promise::{request_root, sign_commit};
use opencoin_log::proof_file::ProofFile;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TILE_HASHES, TileBuilder, TileId, TilePath};
use opencoin_log::tree::{Layers, root};
use opencoin_schema::{BigInt, Mkc};
use opencoin_wallet::HttpAnswer;

use crate::fake_issuer::http;

/// The name of the log.
const ORIGIN: &str = "issuer.test/log";
/// How long a promise takes, in seconds.
pub(crate) const WITHIN_S: u32 = 3600;
/// The batches after the first one that may have a promised leaf.
const BATCHES: u32 = 2;

/// What the log does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// Answers have no promise.
    NoPromise,
    /// Promises are for another request.
    OtherRoot,
    /// Promises are signed by another key.
    OtherKey,
    /// Promises give the issuer more time than the currency's description does.
    LongPromise,
    /// Promises are dated in the far future.
    FuturePromise,
    /// Promised leaves are not entered.
    Omission,
    /// One witness cosigns.
    NoQuorum,
    /// Every hint names the leaf of another key.
    OtherMintKey,
    /// One mint key is neither in the list nor under the root over all keys.
    SecretKey,
    /// The list of mint keys is empty.
    NoMintKey,
    /// Tiles have wrong hashes.
    WrongTiles,
    /// Bundles have wrong entries.
    WrongBundles,
    /// Every answer of the log is a redirect.
    Redirect,
    /// Every answer of the log is nonsense.
    Nonsense,
    /// No answer says where a batch is.
    NoHints,
    /// The checkpoint is not there.
    Away,
    /// Every coin is said to be spent.
    Refusal,
    /// Refusals name the leaf of another coin.
    OtherIndex,
}

/// A log, with its keys and witnesses.
pub(crate) struct FakeLog {
    log_key: SigningKey,
    promise_key: SigningKey,
    witnesses: Vec<SigningKey>,
    leaves: Vec<Vec<u8>>,
    pending: Vec<Vec<u8>>,
    /// The index of the first leaf and the number of leaves of each batch.
    batches: Vec<(u64, u64)>,
    key_nos: BTreeMap<BigInt, (KeyNo, u64)>,
    /// The requests whose leaves were entered.
    requests: BTreeSet<Hash>,
    published: String,
    files: BTreeMap<TileId, Vec<u8>>,
    pub(crate) misdeed: Option<Misdeed>,
    /// Whose cosignature is the joint signature.
    auditor: SigningKey,
    /// Whether the auditor does not sign.
    pub(crate) is_auditor_away: bool,
    /// The key accounts at the end of each batch.
    ledgers: Vec<KeyLedger>,
}

fn key(name: &str, key_type: KeyType, seed: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), key_type, &[seed; 32].into()).unwrap()
}

impl FakeLog {
    pub(crate) fn new() -> Self {
        Self {
            log_key: key(ORIGIN, KeyType::Ed25519Note, 1),
            promise_key: key(&format!("{ORIGIN}/promise"), KeyType::Ed25519Promise, 2),
            witnesses: [3, 4]
                .map(|seed| key("witness.test", KeyType::Ed25519Cosignature, seed))
                .into(),
            leaves: Vec::new(),
            pending: Vec::new(),
            batches: Vec::new(),
            key_nos: BTreeMap::new(),
            requests: BTreeSet::new(),
            published: String::new(),
            files: BTreeMap::new(),
            misdeed: None,
            auditor: key("auditor.test", KeyType::Ed25519Cosignature, 5),
            is_auditor_away: false,
            ledgers: Vec::new(),
        }
    }

    pub(crate) fn origin(&self) -> String {
        ORIGIN.to_owned()
    }

    /// Signs promises with another key from now on.
    pub(crate) fn change_promise_key(&mut self) {
        self.promise_key = key(&format!("{ORIGIN}/promise"), KeyType::Ed25519Promise, 7);
    }

    /// Returns the block of the currency's description.
    pub(crate) fn block(&self, url: &str) -> String {
        let [w1, w2] = [0, 1].map(|index| self.witnesses[index].verifier().to_string());
        let (promise, log) = (self.promise_key.verifier(), self.log_key.verifier());
        format!(
            "opencoin log v1\npromise {promise} within {WITHIN_S} batches {BATCHES}\nlog {log} {url}/log\n\
             witness w1 {w1}\nwitness w2 {w2}\ngroup all all w1 w2\nquorum all\n"
        )
    }

    /// Returns the block of a description that names an auditor.
    pub(crate) fn block_with_auditor(&self, url: &str) -> String {
        let block = self.block(url);
        let auditor = self.auditor.verifier();
        let named = block.replace("quorum all", &format!("witness a1 {auditor}\nquorum all"));
        named.replace("\nlog ", "\njoint a1\nlog ")
    }

    /// Enters mint keys in a batch of their own.
    pub(crate) fn enter_keys(&mut self, mkcs: &[Mkc], now: DateTime<Utc>) {
        let leaf = |(number, mkc): (u32, &Mkc)| {
            let (key_no, certificate) = (KeyNo::new(number).unwrap(), Box::new(mkc.clone()));
            Leaf::MintKey { key_no, certificate }.encode().unwrap()
        };
        self.pending.extend((1..).zip(mkcs).map(leaf));
        let first = self.leaves.len() as u64;
        self.seal(now);
        // The numbers are in the order of the leaves.
        for (number, mkc) in (1..).zip(mkcs) {
            let place = (KeyNo::new(number).unwrap(), first + u64::from(number) - 1);
            self.key_nos.insert(mkc.mint_key.id.clone(), place);
        }
    }

    pub(crate) fn key_no(&self, id: &BigInt) -> KeyNo {
        self.key_nos[id].0
    }

    /// Enters leaves that are about nobody's coins.
    pub(crate) fn enter_others(&mut self, count: u32) {
        let leaf = |number: u32| {
            let digest = *leaf_hash(&number.to_be_bytes()).as_bytes();
            let digest = opencoin_log::digest::IssuedDigest::new(digest);
            opencoin_log::leaf::issued_leaf(KeyNo::FIRST, &digest).to_vec()
        };
        self.pending.extend((0..count).map(leaf));
    }

    /// Makes a batch of the pending leaves and publishes it, if there are any. Publishes the old tree anew otherwise.
    pub(crate) fn seal(&mut self, now: DateTime<Utc>) {
        if !self.pending.is_empty() {
            let first = self.leaves.len() as u64;
            self.pending.sort();
            self.leaves.append(&mut self.pending);
            let batch = self.batches.len() as u64;
            let mut ledger = self.ledgers.last().cloned().unwrap_or_default();
            let statements = self.leaves[first as usize..].iter();
            let statements: Vec<Leaf> = statements.filter_map(|leaf| Leaf::decode(leaf).ok()).collect();
            let batch_of = BatchOfStatements {
                origin: ORIGIN,
                time_s: now.timestamp() as u64,
                within_s: WITHIN_S,
            };
            ledger.apply(&statements, batch_of, Signatures::Verify).unwrap();
            let mut leaf = batch_leaf(batch, first, now);
            (leaf.key_accounts, leaf.ledger_root) = (ledger.total(), ledger.root());
            leaf.keys_root = self.keys_root();
            self.ledgers.push(ledger);
            let leaf = Leaf::Batch(Box::new(leaf));
            self.leaves.push(leaf.encode().unwrap());
            self.batches.push((first, self.leaves.len() as u64 - first));
        }
        self.publish(now);
    }

    /// The root over the mint keys that have leaves.
    fn keys_root(&self) -> Hash {
        let listed = self.listed_keys().into_iter();
        let key =
            |(_, (_, index)): (&BigInt, &(KeyNo, u64))| match Leaf::decode(&self.leaves[*index as usize]) {
                Ok(Leaf::MintKey { certificate, .. }) => {
                    KeyFingerprint::of(&certificate.mint_key.public_mint_key)
                }
                other => panic!("not the leaf of a mint key: {other:?}"),
            };
        let mut keys: Vec<KeyFingerprint> = listed.map(key).collect();
        keys.sort_unstable();
        let hashes: Vec<Hash> = keys.iter().map(|key| leaf_hash(key.as_bytes())).collect();
        root(&hashes)
    }

    /// The mint keys that the log admits to have.
    fn listed_keys(&self) -> Vec<(&BigInt, &(KeyNo, u64))> {
        let hidden = usize::from(self.misdeed == Some(Misdeed::SecretKey));
        self.key_nos.iter().skip(hidden).collect()
    }

    /// Signs the tree as it is.
    pub(crate) fn publish(&mut self, now: DateTime<Utc>) {
        let hashes: Vec<Hash> = self.leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let checkpoint = Checkpoint::new(ORIGIN, hashes.len() as u64, root(&hashes)).unwrap();
        let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
        let time = now.timestamp() as u64;
        signed.sign(&self.log_key, time).unwrap();
        let witnesses = if self.misdeed == Some(Misdeed::NoQuorum) {
            1
        } else {
            2
        };
        for witness in &self.witnesses[..witnesses] {
            signed.sign(witness, time).unwrap();
        }
        if !self.is_auditor_away {
            signed.sign(&self.auditor, time).unwrap();
        }
        self.published = signed.to_string();
        self.files.clear();
        let mut builder = TileBuilder::new(0, &self.files, 0).unwrap();
        builder.append(&hashes);
        let tiles = builder.changed();
        self.files
            .extend(tiles.into_iter().map(|tile| (tile.id, tile.bytes)));
    }

    /// Forgets the last batches, like a database that was set back.
    pub(crate) fn forget_batches(&mut self, count: usize) {
        let left = self.batches.len() - count;
        self.leaves.truncate(self.batches[left].0 as usize);
        self.ledgers.truncate(left);
        self.batches.truncate(left);
    }

    /// Shows the checkpoint of a smaller log with another history, and still serves the files of this one.
    pub(crate) fn show_smaller_history(&mut self, now: DateTime<Utc>) {
        let (leaves, batches) = (self.leaves.clone(), self.batches.clone());
        self.forget_batches(1);
        self.rewrite(20);
        self.publish(now);
        let note = self.published.clone();
        (self.leaves, self.batches) = (leaves, batches);
        self.publish(now);
        self.published = note;
    }

    /// Changes a leaf, so that the history is another one from there on.
    pub(crate) fn rewrite(&mut self, index: usize) {
        *self.leaves[index].last_mut().unwrap() ^= 1;
    }

    /// Enters a statement about a key account.
    pub(crate) fn enter(&mut self, leaf: &Leaf) {
        self.pending.push(leaf.encode().unwrap());
    }

    /// Returns the proof that a leaf is under the published checkpoint, which has all leaves.
    pub(crate) fn proof(&self, leaf: &[u8]) -> Option<String> {
        let index = self.leaves.iter().position(|other| other == leaf)?;
        let hashes = self.leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let proof = ProofFile {
            extra: leaf.to_vec(),
            index: index as u64,
            proof: Layers::new(hashes).inclusion_proof(index)?,
            checkpoint: self.published.parse().unwrap(),
        };
        Some(proof.to_string())
    }

    /// Returns the first leaf of this type.
    pub(crate) fn first_leaf(&self, leaf_type: u8) -> Option<Vec<u8>> {
        self.leaves.iter().find(|leaf| leaf[1] == leaf_type).cloned()
    }

    /// Returns the key accounts at the end of the last batch, or of the one before, and its batch leaf.
    pub(crate) fn published_ledger(&self, is_old: bool) -> (KeyLedger, Vec<u8>) {
        let batch = self.batches.len() - 1 - usize::from(is_old);
        let (first, count) = self.batches[batch];
        let leaf = self.leaves[(first + count - 1) as usize].clone();
        (self.ledgers[batch].clone(), leaf)
    }

    /// Where refusals say that a coin's leaf is.
    pub(crate) fn index_of(&self, leaf: &[u8]) -> Option<u64> {
        let index = self.leaves.iter().position(|other| other == leaf)? as u64;
        match self.misdeed {
            Some(Misdeed::OtherIndex) => Some(index - 1),
            _ => Some(index),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.leaves.len()
    }

    /// Enters the leaves of an accepted request, once, and returns the promise.
    pub(crate) fn promise(&mut self, leaves: &[Vec<u8>], now: DateTime<Utc>, enter: bool) -> Option<String> {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let root = request_root(&hashes);
        if enter && self.requests.insert(root) && self.misdeed != Some(Misdeed::Omission) {
            self.pending.extend(leaves.iter().cloned());
        }
        let other = key(&format!("{ORIGIN}/promise"), KeyType::Ed25519Promise, 9);
        let (mut key, mut root, mut within) = (&self.promise_key, root, WITHIN_S);
        let mut time = now.timestamp() as u64;
        match self.misdeed {
            Some(Misdeed::NoPromise) => return None,
            Some(Misdeed::OtherRoot) => root = Hash::EMPTY_TREE,
            Some(Misdeed::OtherKey) => key = &other,
            Some(Misdeed::LongPromise) => within += 1,
            Some(Misdeed::FuturePromise) => time += 2 * 24 * 60 * 60,
            _ => {}
        }
        // Two other requests are in the same commit.
        let roots = [Hash::EMPTY_TREE, root, leaf_hash(b"another request")];
        let batch = self.batches.len() as u64;
        let promises = sign_commit(key, ORIGIN, time, batch, within, &roots).unwrap();
        Some(promises[1].to_string())
    }

    /// Answers a GET of the log, below its prefix.
    pub(crate) fn get(&self, path: &str) -> HttpAnswer {
        match self.misdeed {
            Some(Misdeed::Redirect) => {
                return HttpAnswer {
                    location: Some("https://elsewhere.test/".to_owned()),
                    ..http(302, None, String::new())
                };
            }
            Some(Misdeed::Nonsense) => return http(200, None, "nonsense".to_owned()),
            Some(Misdeed::Away) => return http(503, None, String::new()),
            _ => {}
        }
        if path == "checkpoint" {
            return http(200, None, self.published.clone());
        }
        if path == "checkpoint.joint" {
            return match self.is_auditor_away {
                true => http(404, Some("not-found"), String::new()),
                false => http(200, None, self.published.clone()),
            };
        }
        let path: TilePath = path.parse().expect("the path of a tile or bundle");
        match self.file(path) {
            Some(body) => HttpAnswer {
                body,
                ..http(200, None, String::new())
            },
            None => http(404, None, String::new()),
        }
    }

    fn file(&self, path: TilePath) -> Option<Vec<u8>> {
        let width = usize::from(path.width.get());
        match path.resource {
            Resource::Tile(id) => {
                let mut tile = self.files.get(&id)?.get(..32 * width)?.to_vec();
                if self.misdeed == Some(Misdeed::WrongTiles) {
                    tile.iter_mut().for_each(|byte| *byte ^= 1);
                }
                Some(tile)
            }
            Resource::Entries(index) => {
                let first = index as usize * usize::from(TILE_HASHES);
                let mut bytes = Vec::new();
                for entry in self.leaves.get(first..first + width)? {
                    bundle::append(&mut bytes, entry).unwrap();
                }
                if self.misdeed == Some(Misdeed::WrongBundles) {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                Some(bytes)
            }
        }
    }

    /// Says where the leaves of mint keys are.
    pub(crate) fn keys(&self) -> HttpAnswer {
        let key = |(id, (key_no, index)): (&BigInt, &(KeyNo, u64))| {
            let index = match self.misdeed {
                Some(Misdeed::OtherMintKey) => (index + 1) % self.key_nos.len() as u64,
                _ => *index,
            };
            format!(
                r#"{{"id": "{id}", "key_no": {}, "index": {index}}}"#,
                key_no.get()
            )
        };
        let keys: Vec<String> = match self.misdeed {
            Some(Misdeed::NoMintKey) => Vec::new(),
            _ => self.listed_keys().into_iter().map(key).collect(),
        };
        http(
            200,
            None,
            format!(r#"{{"keys": [{}], "type": "log keys"}}"#, keys.join(", ")),
        )
    }

    /// Says where a batch is.
    pub(crate) fn batch(&self, number: usize) -> HttpAnswer {
        match self.batches.get(number) {
            Some((first, count)) if self.misdeed != Some(Misdeed::NoHints) => http(
                200,
                None,
                format!(
                    r#"{{"batch": {number}, "count": {count}, "first": {first}, "type": "log batch position"}}"#
                ),
            ),
            Some(_) | None => http(404, None, String::new()),
        }
    }
}

/// A batch leaf whose totals nobody looks at here.
fn batch_leaf(batch: u64, first: u64, now: DateTime<Utc>) -> BatchLeaf {
    BatchLeaf {
        accounts: 0,
        batch,
        coins: 0,
        expired: 0,
        first,
        key_accounts: 0,
        keys: Vec::new(),
        keys_root: Hash::EMPTY_TREE,
        ledger_root: Hash::EMPTY_TREE,
        opening: false,
        paid_in: 0,
        paid_out: 0,
        previous: first.checked_sub(1),
        recouped: 0,
        time: now.timestamp() as u64,
    }
}
