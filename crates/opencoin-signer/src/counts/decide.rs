//! Decides which requests may be signed, from the signer's counts and those of the books. Without input and output:
//! the caller loads the state and stores the changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use opencoin_crypto::SignError;
use opencoin_ledger::{MintKeyId, MintKeyStatus};
use opencoin_schema::BigInt;

use super::key_row::KeyRow;
use super::transaction::{KeyPart, TransactionHash};

/// The counts and the books' counters for a batch of requests.
#[derive(Debug, Default)]
pub(super) struct State {
    keys: HashMap<MintKeyId, KeyRow>,
    /// Whether a known transaction was counted.
    transactions: HashMap<(MintKeyId, TransactionHash), bool>,
    books: HashMap<MintKeyId, BookedKey>,
    changed_keys: BTreeSet<MintKeyId>,
    changed_transactions: HashSet<(MintKeyId, TransactionHash)>,
    alarms: BTreeMap<MintKeyId, Alarm>,
}

#[derive(Debug)]
struct BookedKey {
    issued: u64,
    is_stopped: bool,
}

/// The books have counted fewer blinds than were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alarm {
    /// The number of signed blinds, had the first refused request been granted.
    pub(super) signed: u64,
    /// The books' counter.
    pub(super) issued: u64,
    /// The refused requests in this batch.
    pub(super) refused: u64,
    /// Whether the key had no alarm before.
    pub(super) is_new: bool,
}

/// The changes to store.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) keys: Vec<KeyRow>,
    /// The number of the mint key, the hash, and whether the transaction is counted.
    pub(super) transactions: Vec<(i64, TransactionHash, bool)>,
}

impl State {
    pub(super) fn new(keys: Vec<KeyRow>, books: Vec<MintKeyStatus>) -> Self {
        let keys = keys.into_iter().map(|key| (key.id, key)).collect();
        let books = books
            .into_iter()
            .map(|key| {
                (
                    key.id,
                    BookedKey {
                        issued: key.issued,
                        is_stopped: key.stopped.is_some(),
                    },
                )
            })
            .collect();
        Self {
            keys,
            books,
            ..Self::default()
        }
    }

    pub(super) fn key(&self, id: &MintKeyId) -> Option<&KeyRow> {
        self.keys.get(id)
    }

    /// Adds a new key and returns its number.
    pub(super) fn add_key(&mut self, key: KeyRow) -> i64 {
        let no = key.no;
        self.keys.insert(key.id, key);
        no
    }

    /// Adds a known transaction.
    pub(super) fn load_transaction(&mut self, key: MintKeyId, hash: TransactionHash, is_counted: bool) {
        self.transactions.insert((key, hash), is_counted);
    }

    /// Counts a request unless it is counted already, or refuses it as a whole. Its keys and known transactions must
    /// be loaded.
    pub(super) fn decide(&mut self, request: &[KeyPart]) -> Result<(), SignError> {
        for part in request {
            let id = part.key;
            if self
                .keys
                .get(&id)
                .expect("the keys of a request are loaded")
                .is_forgotten
            {
                return Err(SignError::UnknownKey(BigInt::from_be_bytes(id.as_bytes())));
            }
            if self.books.get(&id).is_some_and(|books| books.is_stopped) {
                return Err(SignError::NotAccepted(format!("mint key {id} was stopped")));
            }
        }
        let disagreeing: Vec<&KeyPart> = request.iter().filter(|part| !self.agrees(part)).collect();
        if let Some(first) = disagreeing.first() {
            let text = format!(
                "the signer's count and the books disagree about mint key {}",
                first.key
            );
            disagreeing.into_iter().for_each(|part| self.alarm(part));
            return Err(SignError::NotAccepted(text));
        }
        request.iter().for_each(|part| self.count(part));
        Ok(())
    }

    /// The changes and the alarms.
    pub(super) fn finish(self) -> (Changes, BTreeMap<MintKeyId, Alarm>) {
        let keys = self.changed_keys.iter().map(|id| self.keys[id].clone()).collect();
        let transaction = |&(key, hash): &(MintKeyId, TransactionHash)| {
            (self.keys[&key].no, hash, self.transactions[&(key, hash)])
        };
        let transactions = self.changed_transactions.iter().map(transaction).collect();
        (Changes { keys, transactions }, self.alarms)
    }

    /// The count of the key including this part.
    fn signed_with(&self, part: &KeyPart) -> u64 {
        let is_counted = self
            .transactions
            .get(&(part.key, part.hash))
            .copied()
            .unwrap_or(false);
        let new = if is_counted { 0 } else { part.blinds };
        // A saturated count is above every counter of the books.
        self.keys[&part.key].signed.saturating_add(new)
    }

    /// The books' counter, 0 for an unknown key.
    fn issued(&self, key: &MintKeyId) -> u64 {
        self.books.get(key).map_or(0, |books| books.issued)
    }

    fn agrees(&self, part: &KeyPart) -> bool {
        !self.keys[&part.key].is_alarmed && self.signed_with(part) <= self.issued(&part.key)
    }

    fn count(&mut self, part: &KeyPart) {
        let signed = self.signed_with(part);
        assert!(
            signed <= self.issued(&part.key),
            "the count never exceeds the books' counter"
        );
        let key = self
            .keys
            .get_mut(&part.key)
            .expect("the keys of a request are loaded");
        if key.signed != signed {
            key.signed = signed;
            self.changed_keys.insert(part.key);
        }
        self.put_transaction(part, true);
    }

    fn alarm(&mut self, part: &KeyPart) {
        let (signed, issued) = (self.signed_with(part), self.issued(&part.key));
        let key = self
            .keys
            .get_mut(&part.key)
            .expect("the keys of a request are loaded");
        let is_new = !std::mem::replace(&mut key.is_alarmed, true);
        if is_new {
            self.changed_keys.insert(part.key);
        }
        let alarm = self.alarms.entry(part.key).or_insert(Alarm {
            signed,
            issued,
            refused: 0,
            is_new,
        });
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

#[cfg(test)]
mod tests {
    use opencoin_ledger::{Amount, LedgerTime, MintKeyTerms};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use opencoin_ledger::view::MintKeyNo;
    use opencoin_ledger::{KeyFingerprint, MintKeyIdentity};

    use super::*;

    fn id(key: u8) -> MintKeyId {
        MintKeyId::new([key; 20])
    }

    fn row(key: u8, signed: u64, is_alarmed: bool) -> KeyRow {
        KeyRow {
            no: key.into(),
            id: id(key),
            signed,
            is_alarmed,
            is_forgotten: false,
        }
    }

    fn books(key: u8, issued: u64) -> MintKeyStatus {
        let terms = MintKeyTerms::new(Amount::new(1).unwrap(), time(1), time(2), time(3)).unwrap();
        MintKeyStatus {
            no: MintKeyNo::new(1),
            identity: MintKeyIdentity::new(KeyFingerprint::new([0; 32]), 256),
            awaits_log: false,
            id: id(key),
            terms,
            issued,
            returned: 0,
            recouped: 0,
            stopped: None,
            retired: false,
            pruned: false,
        }
    }

    fn time(micros: i64) -> LedgerTime {
        LedgerTime::from_unix_micros(micros)
    }

    fn part(key: u8, transaction: u8, blinds: u64) -> KeyPart {
        KeyPart {
            key: id(key),
            hash: [transaction; 16],
            blinds,
        }
    }

    fn disagrees(verdict: &Result<(), SignError>) -> bool {
        matches!(verdict, Err(SignError::NotAccepted(_)))
    }

    #[test]
    fn the_books_may_have_counted_more_and_never_less() {
        let mut state = State::new(vec![row(1, 10, false)], vec![books(1, 15)]);
        assert_eq!(state.decide(&[part(1, 1, 5)]), Ok(()));
        assert_eq!(state.decide(&[part(1, 1, 5)]), Ok(()), "it is counted already");
        assert!(disagrees(&state.decide(&[part(1, 2, 1)])));
        let (changes, alarms) = state.finish();
        assert_eq!(changes.keys, [row(1, 15, true)]);
        assert_eq!(changes.transactions.len(), 2);
        assert_eq!(
            alarms[&id(1)],
            Alarm {
                signed: 16,
                issued: 15,
                refused: 1,
                is_new: true
            }
        );
    }

    #[test]
    fn a_request_is_counted_as_a_whole_or_not() {
        let mut state = State::new(
            vec![row(1, 0, false), row(2, 0, false)],
            vec![books(1, 5), books(2, 0)],
        );
        assert!(disagrees(&state.decide(&[part(1, 1, 5), part(2, 1, 1)])));
        let (changes, alarms) = state.finish();
        assert_eq!(
            changes.keys,
            [row(2, 0, true)],
            "the other key has signed nothing, and is above suspicion"
        );
        assert_eq!(changes.transactions, [(2, [1; 16], false)]);
        assert_eq!(alarms.len(), 1);
    }

    #[test]
    fn a_key_that_the_books_do_not_know_has_signed_nothing() {
        let mut state = State::new(vec![row(1, 0, false)], Vec::new());
        assert!(disagrees(&state.decide(&[part(1, 1, 1)])));
    }

    #[test]
    fn what_was_counted_changes_nothing() {
        let mut state = State::new(vec![row(1, 5, false)], vec![books(1, 5)]);
        state.load_transaction(id(1), [1; 16], true);
        assert_eq!(state.decide(&[part(1, 1, 5)]), Ok(()));
        assert!(state.finish().0.is_empty());
    }

    proptest! {
        #[test]
        fn no_more_is_granted_than_the_books_have_counted(
            requests in vec((0_u8..3, 0_u8..6, 1_u64..4), 0..40),
            issued in 0_u64..20,
        ) {
            let mut state = State::new((0..3).map(|key| row(key, 0, false)).collect(), (0..3).map(|key| books(key, issued)).collect());
            let mut granted = HashMap::new();
            let mut refused = HashSet::new();
            for (key, transaction, blinds) in requests {
                // One transaction has one number of blinds.
                let blinds = granted.get(&(key, transaction)).copied().unwrap_or(blinds);
                match state.decide(&[part(key, transaction, blinds)]) {
                    Ok(()) => {
                        prop_assert!(!refused.contains(&key), "a key that was refused once stays refused");
                        granted.insert((key, transaction), blinds);
                    }
                    Err(_) => {
                        refused.insert(key);
                    }
                }
            }
            for key in 0..3 {
                let sum: u64 = granted.iter().filter(|((of, _), _)| *of == key).map(|(_, blinds)| blinds).sum();
                prop_assert!(sum <= issued);
                prop_assert_eq!(state.keys[&id(key)].signed, sum);
                prop_assert_eq!(state.keys[&id(key)].is_alarmed, refused.contains(&key));
            }
        }
    }
}
