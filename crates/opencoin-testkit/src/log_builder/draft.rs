//! A batch before it is sealed, and what an honest issuer makes of it.

use opencoin_crypto::VerifiedMintKey;
use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_ledger::{BatchOfStatements, KeyLedger, Signatures};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{
    CloseReason, Leaf, blind_recouped_leaf, coin_recouped_leaf, issued_leaf, spent_leaf,
};
use opencoin_log::tree;

/// The counts of a mint key.
#[derive(Debug, Clone)]
pub struct KeyTotals {
    key_no: KeyNo,
    fingerprint: [u8; 32],
    pub(super) denomination: u64,
    coins_until_s: u64,
    issued: u64,
    spent: u64,
}

impl KeyTotals {
    pub(super) fn new(key: &VerifiedMintKey, key_no: KeyNo) -> Self {
        let mint_key = key.mint_key();
        let expiry = mint_key.coins_expiry_date.unix_us() / 1_000_000;
        Self {
            key_no,
            fingerprint: *KeyFingerprint::of(&mint_key.public_mint_key).as_bytes(),
            denomination: mint_key.denomination,
            coins_until_s: u64::try_from(expiry).expect("a time after 1970"),
            issued: 0,
            spent: 0,
        }
    }
}

/// What waits to be sealed. Amounts are in the smallest unit.
#[derive(Debug, Clone, Default)]
pub struct BatchDraft {
    pub(super) leaves: Vec<Vec<u8>>,
    issued: Vec<KeyNo>,
    spent: Vec<KeyNo>,
    pub(super) closings: Vec<(KeyNo, CloseReason)>,
    pub(super) paid_in: u64,
    pub(super) paid_out: u64,
    pub(super) recouped: u64,
    pub(super) to_accounts: u64,
}

/// What there was before the batch.
pub(super) struct Before<'log> {
    pub(super) batch: Option<&'log BatchLeaf>,
    pub(super) end: u64,
    pub(super) now_s: u64,
    pub(super) origin: &'log str,
    pub(super) within_s: u32,
}

impl BatchDraft {
    pub(super) fn issue(&mut self, key_no: KeyNo, digest: Hash) {
        let leaf = issued_leaf(key_no, &IssuedDigest::new(*digest.as_bytes()));
        self.leaves.push(leaf.to_vec());
        self.issued.push(key_no);
    }

    pub(super) fn spend(&mut self, key_no: KeyNo, digest: Hash) {
        let leaf = spent_leaf(key_no, &SpentDigest::new(*digest.as_bytes()));
        self.leaves.push(leaf.to_vec());
        self.spent.push(key_no);
    }

    pub(super) fn recoup(&mut self, key_no: KeyNo, coin: Hash, blind: Hash) {
        let coin = coin_recouped_leaf(key_no, &SpentDigest::new(*coin.as_bytes()));
        let blind = blind_recouped_leaf(key_no, &IssuedDigest::new(*blind.as_bytes()));
        self.leaves.extend([coin.to_vec(), blind.to_vec()]);
    }

    /// Sorts the leaves and computes the totals.
    pub(super) fn seal(
        mut self,
        before: &Before<'_>,
        keys: &mut [KeyTotals],
        key_ledger: &mut KeyLedger,
    ) -> (Vec<Vec<u8>>, BatchLeaf) {
        let mut counts = Vec::new();
        for key in keys.iter_mut() {
            let count = |list: &[KeyNo]| list.iter().filter(|key_no| **key_no == key.key_no).count() as u64;
            let (issued, spent) = (count(&self.issued), count(&self.spent));
            key.issued += issued;
            key.spent += spent;
            if issued + spent > 0 {
                counts.push(KeyCounts {
                    key_no: key.key_no,
                    issued: key.issued,
                    spent: key.spent,
                });
            }
        }
        for (key_no, reason) in &self.closings {
            let key = &keys[key_no.get() as usize - 1];
            let closing = Leaf::KeyClosed {
                key_no: *key_no,
                reason: *reason,
                issued: key.issued,
                spent: key.spent,
            };
            self.leaves.push(closing.encode().expect("a short leaf"));
        }
        self.leaves.sort_unstable();
        let [credited, withdrawn] = self.apply_statements(before, key_ledger);
        let value = |is_expired: bool| {
            let of_time = keys
                .iter()
                .filter(|key| (key.coins_until_s < before.now_s) == is_expired);
            of_time
                .map(|key| key.issued.saturating_sub(key.spent) * key.denomination)
                .sum()
        };
        let last = before.batch;
        let total = |of: fn(&BatchLeaf) -> u64| last.map_or(0, of);
        let accounts = total(|last| last.accounts) + self.to_accounts + withdrawn;
        let batch = BatchLeaf {
            accounts: accounts.saturating_sub(self.paid_out),
            batch: total(|last| last.batch) + 1,
            coins: value(false),
            expired: value(true),
            first: before.end,
            key_accounts: key_ledger.total(),
            keys: counts,
            keys_root: keys_root(keys),
            ledger_root: key_ledger.root(),
            opening: false,
            paid_in: total(|last| last.paid_in) + self.paid_in + credited,
            paid_out: total(|last| last.paid_out) + self.paid_out,
            previous: last.map(|_| before.end - 1),
            recouped: total(|last| last.recouped) + self.recouped,
            time: before.now_s.max(total(|last| last.time)),
        };
        (self.leaves, batch)
    }

    /// Applies the statements about key accounts. Returns by how much more, and by how much less, these accounts have.
    fn apply_statements(&self, before: &Before<'_>, key_ledger: &mut KeyLedger) -> [u64; 2] {
        let statements: Vec<Leaf> = self
            .leaves
            .iter()
            .filter(|leaf| matches!(leaf.get(1), Some(0x20..=0x22)))
            .filter_map(|leaf| Leaf::decode(leaf).ok())
            .collect();
        let batch = BatchOfStatements {
            origin: before.origin,
            time_s: before.now_s,
            within_s: before.within_s,
        };
        let total = key_ledger.total();
        // A test that orders bad statements gets the ledger as it was.
        let _ = key_ledger.apply(&statements, batch, Signatures::AreVerified);
        let after = key_ledger.total();
        [after.saturating_sub(total), total.saturating_sub(after)]
    }
}

fn keys_root(keys: &[KeyTotals]) -> Hash {
    let mut fingerprints: Vec<[u8; 32]> = keys.iter().map(|key| key.fingerprint).collect();
    fingerprints.sort_unstable();
    let hashes: Vec<Hash> = fingerprints
        .iter()
        .map(|fingerprint| leaf_hash(fingerprint))
        .collect();
    tree::root(&hashes)
}
