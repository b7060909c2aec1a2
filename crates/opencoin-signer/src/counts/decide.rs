//! What may be signed, given what was signed and what the books have counted. Pure: what it needs is read before, what it changes
//! is written after.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use opencoin_crypto::SignError;
use opencoin_ledger::{MintKeyId, MintKeyStatus};
use opencoin_schema::BigInt;

use super::database::KeyRow;
use super::transaction::{KeyPart, TransactionHash};

/// Counts and books, as far as a batch of requests needs them.
#[derive(Debug, Default)]
pub(super) struct State {
    keys: HashMap<MintKeyId, KeyRow>,
    /// Whether these were counted; others are new.
    transactions: HashMap<(MintKeyId, TransactionHash), bool>,
    books: HashMap<MintKeyId, Books>,
    changed_keys: BTreeSet<MintKeyId>,
    changed_transactions: HashSet<(MintKeyId, TransactionHash)>,
    alarms: BTreeMap<MintKeyId, Alarm>,
}

#[derive(Debug)]
struct Books {
    issued: u64,
    is_stopped: bool,
}

/// Counts that disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alarm {
    /// How many blinds would have been signed, had the last request been granted.
    pub(super) signed: u64,
    /// How many the books have counted.
    pub(super) issued: u64,
    /// How many requests were refused for it, in this batch.
    pub(super) refused: u64,
    /// Whether it was not known before.
    pub(super) is_new: bool,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) keys: Vec<KeyRow>,
    /// Number of the mint key, hash, whether it is counted.
    pub(super) transactions: Vec<(i64, TransactionHash, bool)>,
}

impl State {
    pub(super) fn new(keys: Vec<KeyRow>, books: Vec<MintKeyStatus>) -> Self {
        let keys = keys.into_iter().map(|key| (key.id, key)).collect();
        let books =
            books.into_iter().map(|key| (key.id, Books { issued: key.issued, is_stopped: key.stopped.is_some() })).collect();
        Self { keys, books, ..Self::default() }
    }

    pub(super) fn key(&self, id: &MintKeyId) -> Option<&KeyRow> {
        self.keys.get(id)
    }

    /// Takes up a key that was not known, and gives its number.
    pub(super) fn add_key(&mut self, key: KeyRow) -> i64 {
        let no = key.no;
        self.keys.insert(key.id, key);
        no
    }

    /// Says that a transaction is known already.
    pub(super) fn load_transaction(&mut self, key: MintKeyId, hash: TransactionHash, is_counted: bool) {
        self.transactions.insert((key, hash), is_counted);
    }

    /// Counts a request, unless it is counted already, or refuses it as a whole. Its keys and transactions must have been
    /// loaded.
    pub(super) fn decide(&mut self, request: &[KeyPart]) -> Result<(), SignError> {
        for part in request {
            let id = part.key;
            if self.keys.get(&id).expect("the keys of a request are loaded").is_forgotten {
                return Err(SignError::UnknownKey(BigInt::from_be_bytes(id.as_bytes())));
            }
            if self.books.get(&id).is_some_and(|books| books.is_stopped) {
                return Err(SignError::NotAccepted(format!("mint key {id} was stopped")));
            }
        }
        let disagreeing: Vec<&KeyPart> = request.iter().filter(|part| !self.agrees(part)).collect();
        if let Some(first) = disagreeing.first() {
            let text = format!("the signer's count and the books disagree about mint key {}", first.key);
            disagreeing.into_iter().for_each(|part| self.alarm(part));
            return Err(SignError::NotAccepted(text));
        }
        request.iter().for_each(|part| self.count(part));
        Ok(())
    }

    /// What was changed, and what an operator must hear of.
    pub(super) fn finish(self) -> (Changes, BTreeMap<MintKeyId, Alarm>) {
        let keys = self.changed_keys.iter().map(|id| self.keys[id].clone()).collect();
        let transaction =
            |&(key, hash): &(MintKeyId, TransactionHash)| (self.keys[&key].no, hash, self.transactions[&(key, hash)]);
        let transactions = self.changed_transactions.iter().map(transaction).collect();
        (Changes { keys, transactions }, self.alarms)
    }

    /// How many blinds the key will have signed with this part.
    fn signed_with(&self, part: &KeyPart) -> u64 {
        let is_counted = self.transactions.get(&(part.key, part.hash)).copied().unwrap_or(false);
        let new = if is_counted { 0 } else { part.blinds };
        // What is too large is more than the books can count, so it disagrees.
        self.keys[&part.key].signed.saturating_add(new)
    }

    /// What the books have counted; nothing for a key that they do not know.
    fn issued(&self, key: &MintKeyId) -> u64 {
        self.books.get(key).map_or(0, |books| books.issued)
    }

    fn agrees(&self, part: &KeyPart) -> bool {
        !self.keys[&part.key].is_alarmed && self.signed_with(part) <= self.issued(&part.key)
    }

    fn count(&mut self, part: &KeyPart) {
        let signed = self.signed_with(part);
        assert!(signed <= self.issued(&part.key), "no more is counted than the books have counted");
        let key = self.keys.get_mut(&part.key).expect("the keys of a request are loaded");
        if key.signed != signed {
            key.signed = signed;
            self.changed_keys.insert(part.key);
        }
        self.put_transaction(part, true);
    }

    fn alarm(&mut self, part: &KeyPart) {
        let (signed, issued) = (self.signed_with(part), self.issued(&part.key));
        let key = self.keys.get_mut(&part.key).expect("the keys of a request are loaded");
        let is_new = !std::mem::replace(&mut key.is_alarmed, true);
        if is_new {
            self.changed_keys.insert(part.key);
        }
        let alarm = self.alarms.entry(part.key).or_insert(Alarm { signed, issued, refused: 0, is_new });
        alarm.refused += 1;
        if !self.transactions.contains_key(&(part.key, part.hash)) {
            self.put_transaction(part, false);
        }
    }

    fn put_transaction(&mut self, part: &KeyPart, is_counted: bool) {
        let transaction = (part.key, part.hash);
        if self.transactions.insert(transaction, is_counted) != Some(is_counted) {
            self.changed_transactions.insert(transaction);
        }
    }
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.transactions.is_empty()
    }
}
