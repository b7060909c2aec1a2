//! Replays the public log of a currency, and compares it with the books. Written from docs/LOG.md and RFC 6962 alone: it
//! uses no code of this project, so that it can find faults in that.

mod books;
mod key_accounts;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Rows;
use crate::foreign_wallet::compact;

use key_accounts::{CREDITED, INTRODUCED, KeyAccounts, PAID};
pub use tree::{Hash, leaf_hash, root, root_of_proof};

/// The number of entries in a full bundle, and of hashes in a full tile.
const BUNDLE_ENTRIES: usize = 256;
const COIN_LEAF_BYTES: usize = 38;
/// How long after its end a payment by key may be sealed, in seconds.
const WITHIN_S: u64 = 3600;

const CURRENCY: u8 = 0x01;
const MINT_KEY: u8 = 0x02;
const KEY_CLOSED: u8 = 0x03;
const ISSUED: u8 = 0x10;
const SPENT: u8 = 0x11;
const COIN_RECOUPED: u8 = 0x12;
const BLIND_RECOUPED: u8 = 0x13;
const BATCH: u8 = 0xff;

/// The number of a mint key in the log, and the digest of a coin or blind as hex digits.
type Digests = BTreeSet<(u32, String)>;

/// A mint key in the log.
struct Key {
    fingerprint: Hash,
    denomination: u64,
    issued: u64,
    spent: u64,
}

/// A batch in the log.
struct Batch {
    first: usize,
    end: usize,
    totals: Value,
}

/// A log whose leaves were all read.
#[derive(Default)]
pub struct ReplayedLog {
    hashes: Vec<Hash>,
    batches: Vec<Batch>,
    keys: BTreeMap<u32, Key>,
    spent: Digests,
    coins_recouped: Digests,
    blinds_recouped: Digests,
    /// The mint keys that the current batch closes, with their counts.
    closed: Vec<(u32, Vec<u8>)>,
    /// In which batch each spent coin is.
    batch_of_spent: BTreeMap<(u32, String), usize>,
    /// The name of the log, as the published checkpoint has it.
    origin: String,
    key_accounts: KeyAccounts,
    faults: Vec<String>,
}

impl ReplayedLog {
    /// Reads all leaves from the bundles in the books, and checks every rule that the log alone must keep.
    #[must_use]
    pub fn read(rows: &Rows<'_>) -> Self {
        let published = rows.texts("SELECT note FROM log_checkpoint").concat();
        let mut log = Self {
            origin: published.lines().next().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        let mut batch = Vec::new();
        for leaf in leaves(rows) {
            log.hashes.push(leaf_hash(&leaf));
            let is_end = leaf.get(1) == Some(&BATCH);
            batch.push(leaf);
            if is_end {
                log.end_batch(&std::mem::take(&mut batch));
            }
        }
        log.expect("leaves after the last batch", &batch.len(), &0);
        log
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The number of batches.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// What the last batch says of the accounts of keys: the sum of their balances, and the hash over all of them.
    #[must_use]
    pub fn key_accounts(&self) -> (u64, String) {
        let totals = &self.batches.last().unwrap().totals;
        let root = totals["ledger_root"].as_str().unwrap();
        (totals["key_accounts"].as_u64().unwrap(), root.to_owned())
    }

    /// What is wrong with the log itself; empty if nothing is.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The tree hash over so many leaves, as in a checkpoint; `None` if the log is shorter.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        let size = usize::try_from(size).ok()?;
        self.hashes.get(..size).map(root)
    }

    fn expect<T: PartialEq + Debug>(&mut self, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.faults
                .push(format!("{what}: {found:?} instead of {expected:?}"));
        }
    }

    fn end_batch(&mut self, leaves: &[Vec<u8>]) {
        let (no, end) = (self.batches.len() + 1, self.hashes.len());
        let first = end - leaves.len();
        let before: Vec<(u64, u64)> = self.keys.values().map(|key| (key.issued, key.spent)).collect();
        if !leaves.is_sorted() {
            self.faults.push(format!("batch {no} is not sorted"));
        }
        for leaf in leaves {
            if let Err(fault) = self.see(leaf, no) {
                self.faults.push(format!(
                    "batch {no}: {fault}: {}",
                    hex(&leaf[..leaf.len().min(64)])
                ));
            }
        }
        for (key_no, counts) in std::mem::take(&mut self.closed) {
            let known = self.keys.get(&key_no);
            let now = known.map(|key| [key.issued.to_be_bytes(), key.spent.to_be_bytes()].concat());
            self.expect(&format!("final counts of key {key_no}"), &Some(counts), &now);
        }
        let text = leaves.last().map_or(&[][..], |leaf| &leaf[2..]);
        let Ok(totals) = serde_json::from_slice::<Value>(text) else {
            self.faults.push(format!("batch {no} ends without totals"));
            return;
        };
        if compact(&totals).as_bytes() != text {
            self.faults
                .push(format!("the totals of batch {no} are not compact"));
        }
        let counted = |(place, (no, key)): (usize, (&u32, &Key))| {
            let now = (key.issued, key.spent);
            let changed = before.get(place).copied().unwrap_or_default() != now;
            changed.then(|| Value::from(vec![u64::from(*no), now.0, now.1]))
        };
        // Keys come in the order of their numbers, so the places of the older ones stay.
        let changed: Vec<Value> = self.keys.iter().enumerate().filter_map(counted).collect();
        self.expect(&format!("keys of batch {no}"), &totals["keys"], &changed.into());
        self.check_totals(no, first, &totals);
        self.batches.push(Batch { first, end, totals });
    }

    fn see(&mut self, leaf: &[u8], batch: usize) -> Result<(), String> {
        if leaf.first() != Some(&0x01) {
            return Err("another version".to_owned());
        }
        let (&kind, body) = leaf[1..].split_first().ok_or("no type")?;
        match kind {
            CURRENCY => document(body).map(drop),
            BATCH => Ok(()),
            MINT_KEY => {
                let (no, text) = numbered(body)?;
                let certificate = &document(text)?["mint_key"];
                let key = Key {
                    fingerprint: Sha256::digest(compact(&certificate["public_mint_key"])).into(),
                    denomination: certificate["denomination"].as_u64().ok_or("no denomination")?,
                    issued: 0,
                    spent: 0,
                };
                match self.keys.insert(no, key) {
                    None if no as usize == self.keys.len() => Ok(()),
                    _ => Err("a mint key out of order".to_owned()),
                }
            }
            KEY_CLOSED => {
                let (no, rest) = numbered(body)?;
                let (_reason, counts) = rest.split_first().ok_or("no reason")?;
                self.closed.push((no, counts.to_vec()));
                Ok(())
            }
            ISSUED | SPENT | COIN_RECOUPED | BLIND_RECOUPED if leaf.len() == COIN_LEAF_BYTES => {
                self.see_coin(kind, body, batch)
            }
            INTRODUCED | CREDITED | PAID => self.key_accounts.see(kind, body, &self.origin),
            _ => Err("no known leaf".to_owned()),
        }
    }

    fn see_coin(&mut self, kind: u8, body: &[u8], batch: usize) -> Result<(), String> {
        let (no, digest) = numbered(body)?;
        let key = self.keys.get_mut(&no).ok_or("a key that is not in the log")?;
        let coin = (no, hex(digest));
        let is_new = match kind {
            ISSUED => {
                key.issued += 1;
                true
            }
            SPENT => {
                key.spent += 1;
                self.batch_of_spent.insert(coin.clone(), batch);
                self.spent.insert(coin)
            }
            COIN_RECOUPED => self.coins_recouped.insert(coin),
            _ => self.blinds_recouped.insert(coin),
        };
        if key.spent > key.issued {
            return Err("more coins spent than issued".to_owned());
        }
        is_new
            .then_some(())
            .ok_or_else(|| "the same coin twice".to_owned())
    }

    fn check_totals(&mut self, no: usize, first: usize, totals: &Value) {
        let total = |name: &str| totals[name].as_u64().unwrap_or(u64::MAX);
        let previous = self.batches.last().map(|batch| (batch.end - 1) as u64);
        self.expect(&format!("number of batch {no}"), &total("batch"), &(no as u64));
        self.expect(
            &format!("first leaf of batch {no}"),
            &total("first"),
            &(first as u64),
        );
        self.expect(
            &format!("leaf before batch {no}"),
            &totals["previous"].as_u64(),
            &previous,
        );
        let outstanding: u64 = self
            .keys
            .values()
            .map(|key| (key.issued - key.spent.min(key.issued)) * key.denomination)
            .sum();
        let coins = total("coins").saturating_add(total("expired"));
        self.expect(&format!("coins after batch {no}"), &coins, &outstanding);
        let received = u128::from(total("paid_in")) + u128::from(total("recouped"));
        let owed = [total("paid_out"), total("accounts"), total("key_accounts"), coins];
        let owed = owed.into_iter().map(u128::from).sum();
        self.expect(&format!("balance after batch {no}"), &received, &owed);
        match self.key_accounts.end_batch(total("time"), WITHIN_S) {
            Ok((sum, ledger_root)) => {
                self.expect(
                    &format!("key_accounts after batch {no}"),
                    &total("key_accounts"),
                    &sum,
                );
                let found = totals["ledger_root"].as_str().unwrap_or_default();
                self.expect(&format!("ledger_root after batch {no}"), &found, &&*ledger_root);
            }
            Err(fault) => self.faults.push(format!("batch {no}: {fault}")),
        }
        let mut fingerprints: Vec<Hash> = self.keys.values().map(|key| key.fingerprint).collect();
        fingerprints.sort_unstable();
        let hashes: Vec<Hash> = fingerprints
            .iter()
            .map(|fingerprint| leaf_hash(fingerprint))
            .collect();
        let keys_root = totals["keys_root"].as_str().unwrap_or_default();
        self.expect(
            &format!("keys_root after batch {no}"),
            &keys_root,
            &&*hex(&root(&hashes)),
        );
        for name in ["paid_in", "paid_out", "recouped", "time"] {
            let before = self.batches.last().and_then(|batch| batch.totals[name].as_u64());
            if before.is_some_and(|before| before > total(name)) {
                self.faults.push(format!("{name} falls with batch {no}"));
            }
        }
    }
}

/// All entries of all bundles.
#[must_use]
pub fn leaves(rows: &Rows<'_>) -> Vec<Vec<u8>> {
    let data = rows.hex("data");
    let bundles = rows.texts(&format!(
        "SELECT width || ' ' || {data} FROM log_bundles ORDER BY no"
    ));
    let mut leaves = Vec::new();
    for (place, row) in bundles.iter().enumerate() {
        let (width, data) = row.split_once(' ').unwrap();
        let (width, data): (usize, _) = (width.parse().unwrap(), from_hex(data));
        assert_eq!(
            leaves.len(),
            place * BUNDLE_ENTRIES,
            "only the last bundle is not full"
        );
        let mut rest = &data[..];
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let (leaf, tail) = tail.split_at(u16::from_be_bytes(*length).into());
            leaves.push(leaf.to_vec());
            rest = tail;
        }
        assert_eq!(
            leaves.len(),
            place * BUNDLE_ENTRIES + width,
            "the width of bundle {place}"
        );
    }
    leaves
}

fn document(text: &[u8]) -> Result<Value, String> {
    let document: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let is_compact = compact(&document).as_bytes() == text;
    is_compact
        .then_some(document)
        .ok_or_else(|| "the text of a document is not compact".to_owned())
}

/// The number of a mint key, and what follows it.
fn numbered(body: &[u8]) -> Result<(u32, &[u8]), String> {
    let (no, rest) = body.split_first_chunk().ok_or("no number of a mint key")?;
    Ok((u32::from_be_bytes(*no), rest))
}

/// Bytes as hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hex digits.
#[must_use]
pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |place: usize| u8::from_str_radix(&digits[place..place + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The bytes of a text in base64; `None` if it is none.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
