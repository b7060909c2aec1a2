//! The last leaf of a batch: totals from which everybody can see how much money there is.
//!
//! Each total either follows from the other leaves or is the issuer's word, and one equation binds them all. So money
//! that was made or lost in secret must show up as a wrong total, or as more coins back than were signed.

use opencoin_schema::{from_json, text};
use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::key_no::KeyNo;

/// The most closings of mint keys in a batch. Auditors have them in memory at the same time. An issuer closes a key a few
/// times in its life.
pub const BATCH_CLOSINGS_MAX: usize = 100_000;
/// The most bytes that the statements about key accounts in a batch have as leaves: about half a million payments. Auditors
/// have them in memory at the same time.
pub const BATCH_STATEMENT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The value of the field `type`.
const TYPE: &str = "log batch";

/// The totals at the end of a batch. Amounts are in the smallest unit of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLeaf {
    /// On custodial accounts. The issuer's word.
    pub accounts: u64,
    /// The number of the batch.
    pub batch: u64,
    /// The value of the coins that were signed and did not come back, of keys whose coins are valid.
    pub coins: u64,
    /// The same of keys whose coins have expired.
    pub expired: u64,
    /// The index of the batch's first leaf.
    pub first: u64,
    /// On accounts that belong to public keys.
    pub key_accounts: u64,
    /// The counts of every key that changed in this batch, in ascending order of their numbers.
    pub keys: Vec<KeyCounts>,
    /// The tree hash over the fingerprints of all keys in the log, in ascending order.
    pub keys_root: Hash,
    /// The tree hash over all key accounts, in ascending order of their keys.
    pub ledger_root: Hash,
    /// Whether the currency had coins before its log. Only its first batch says so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub opening: bool,
    /// What was ever paid in. It never falls.
    pub paid_in: u64,
    /// What was ever paid out. It never falls.
    pub paid_out: u64,
    /// The index of the batch leaf before this one; `None`, and not written, in the first batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// What was ever given, at the issuer's expense, for coins and blinds of revoked keys. It never falls.
    pub recouped: u64,
    /// When the batch was sealed, in seconds since 1970; not before the batch before it.
    pub time: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// How many coins of a key were ever signed and how many came back. Written as a list of three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(KeyNo, u64, u64)", into = "(KeyNo, u64, u64)")]
pub struct KeyCounts {
    /// The key.
    pub key_no: KeyNo,
    /// Blinds accepted for signing.
    pub issued: u64,
    /// Coins that came back.
    pub spent: u64,
}

impl From<(KeyNo, u64, u64)> for KeyCounts {
    fn from((key_no, issued, spent): (KeyNo, u64, u64)) -> Self {
        Self {
            key_no,
            issued,
            spent,
        }
    }
}

impl From<KeyCounts> for (KeyNo, u64, u64) {
    fn from(counts: KeyCounts) -> Self {
        (counts.key_no, counts.issued, counts.spent)
    }
}

/// The JSON object: `type` is the last of its fields, which stand in alphabetical order.
#[derive(Serialize, Deserialize)]
struct Object<Leaf> {
    #[serde(flatten)]
    leaf: Leaf,
    r#type: String,
}

impl BatchLeaf {
    /// Whether the totals agree: `paid_in` + `recouped` - `paid_out` = `accounts` + `key_accounts` + `coins` +
    /// `expired`.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let sum = |amounts: &[u64]| amounts.iter().map(|amount| u128::from(*amount)).sum::<u128>();
        let received = sum(&[self.paid_in, self.recouped]);
        let owed = sum(&[self.accounts, self.key_accounts, self.coins, self.expired]);
        received == owed + u128::from(self.paid_out)
    }

    /// Whether this can be the batch after `previous`: the next number, no earlier time, and no total falls that must
    /// not.
    #[must_use]
    pub fn follows(&self, previous: &Self) -> bool {
        previous.batch.checked_add(1) == Some(self.batch)
            && self.time >= previous.time
            && self.paid_in >= previous.paid_in
            && self.paid_out >= previous.paid_out
            && self.recouped >= previous.recouped
    }

    /// Whether the leaf can be in a log at all: each key once and in order, and no opening after the first batch.
    pub(crate) fn is_well_formed(&self) -> bool {
        self.keys.is_sorted_by(|one, next| one.key_no < next.key_no)
            && !(self.opening && self.previous.is_some())
    }

    /// The compact text.
    pub(crate) fn to_text(&self) -> String {
        let r#type = TYPE.to_owned();
        text::compact(&Object { leaf: self, r#type })
    }

    /// Reads a JSON object. The caller compares it with the compact text.
    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        let object: Object<Self> = from_json(text).ok()?;
        (object.r#type == TYPE && object.leaf.is_well_formed()).then_some(object.leaf)
    }
}
