//! What a replay finds: broken rules, with the leaves that show them.

mod text;

use opencoin_log::hash::Hash;
use opencoin_log::key_no::KeyNo;
use serde::{Deserialize, Serialize};

/// The most broken rules that a replay reports. A hostile log could break a rule in every leaf.
pub const FINDINGS_MAX: u64 = 256;
/// The most findings that break no rule that a replay reports. They have a limit of their own, so that a log cannot use
/// them up to hide a broken rule.
pub const REMARKS_MAX: u64 = 64;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The number of the batch, counted from the beginning of the log.
    pub batch: u64,
    /// The leaf that shows it. Every larger tree has it.
    pub index: u64,
    /// The rule.
    pub rule: BrokenRule,
}

/// Leaves that follow each other, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafRange {
    /// The index of the first leaf.
    pub first: u64,
    /// The index of the last leaf.
    pub last: u64,
}

/// For what a mint key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Blinds are signed.
    Issued,
    /// Coins come back.
    Spent,
    /// Coins and blinds of a revoked key are exchanged.
    Recouped,
}

/// Which rule is broken, and how. Indices are those of leaves in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BrokenRule {
    /// The leaf cannot be read.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The leaf is not after the one before it.
    Disorder,
    /// A coin came back, or was recouped, before.
    CoinTwice {
        /// The key of the coin.
        key_no: KeyNo,
        /// The digest of the coin.
        digest: Hash,
        /// The leaf before, if it is in the same batch. Otherwise it is in an earlier one.
        first: Option<u64>,
    },
    /// A blind was recouped before.
    BlindTwice {
        /// The key of the blind.
        key_no: KeyNo,
        /// The digest of the blind.
        digest: Hash,
        /// The leaf before, if it is in the same batch. Otherwise it is in an earlier one.
        first: Option<u64>,
    },
    /// The tree ends within a batch, with this leaf.
    Unfinished,
    /// A batch has another number.
    BatchNumber {
        /// The number that it has.
        declared: u64,
        /// The number that it must have.
        expected: u64,
    },
    /// A batch leaf says that its batch, or the one before it, is somewhere else.
    BatchPlace {
        /// The first leaf of the batch.
        first: u64,
        /// The batch leaf before it.
        previous: Option<u64>,
    },
    /// A batch is earlier than the one before it.
    TimeBack {
        /// The batch leaf before it.
        previous: u64,
    },
    /// A total has fallen that never falls.
    TotalFell {
        /// The name of the total in the batch leaf.
        total: String,
        /// The batch leaf before.
        previous: u64,
    },
    /// The totals of the batch leaf do not agree with each other.
    Unbalanced,
    /// The value of coins in the batch leaf is not that of the counts.
    CoinsValue {
        /// `coins` and `expired` as declared.
        declared: [u64; 2],
        /// The same as they follow from the counts; the largest number if they are larger.
        counted: [u64; 2],
    },
    /// The counts of a key do not follow from its leaves.
    KeyCounts {
        /// The key.
        key_no: KeyNo,
        /// Issued and spent coins as declared; `None` if the batch leaf leaves the key out.
        declared: Option<[u64; 2]>,
        /// The same as counted.
        counted: [u64; 2],
        /// The counts before the batch.
        before: [u64; 2],
        /// The batch leaf that declared the counts before; `None` if none has.
        counted_at: Option<u64>,
        /// The batch leaf before this one.
        previous: Option<u64>,
        /// The issued leaves of the key in this batch.
        issued: Option<LeafRange>,
        /// The spent leaves of the key in this batch.
        spent: Option<LeafRange>,
    },
    /// More coins of a key came back than were ever issued.
    OverRedemption {
        /// The key.
        key_no: KeyNo,
        /// Coins ever issued.
        issued: u64,
        /// Coins ever spent.
        spent: u64,
    },
    /// `keys_root` is not the root of all keys in the log.
    KeysRoot,
    /// A mint key does not have the next number.
    KeyNumber {
        /// The number that it has.
        declared: KeyNo,
        /// The number that it must have.
        expected: KeyNo,
    },
    /// A mint key is in the log already.
    KeyTwice {
        /// Its new number.
        key_no: KeyNo,
        /// The leaf that it has already.
        first: u64,
    },
    /// The certificate of a mint key is not one of the master key.
    Certificate {
        /// The key.
        key_no: KeyNo,
        /// What is wrong with it.
        reason: String,
    },
    /// A description of the currency is not one of the master key, or is of another log.
    Description {
        /// What is wrong with it.
        reason: String,
    },
    /// A leaf is of a mint key that is not in the log.
    UnknownKey {
        /// The number of the key.
        key_no: u32,
    },
    /// A mint key signs in the batch that first names it. Wallets could not look whether it is in the log.
    EarlyUse {
        /// The key.
        key_no: KeyNo,
        /// Its leaf.
        key_leaf: u64,
    },
    /// A mint key is used too early or too late.
    OutsideWindow {
        /// The key.
        key_no: KeyNo,
        /// For what.
        used: KeyUse,
        /// Its leaf.
        key_leaf: u64,
        /// The leaf at the end of the batch.
        batch_leaf: u64,
    },
    /// A mint key is used after it was closed.
    AfterClosing {
        /// The key.
        key_no: KeyNo,
        /// For what.
        used: KeyUse,
        /// The leaf that closed it.
        closing: u64,
    },
    /// A mint key was closed with other counts than it has.
    ClosingCounts {
        /// The key.
        key_no: KeyNo,
        /// Issued and spent coins as declared.
        declared: [u64; 2],
        /// The same as counted.
        counted: [u64; 2],
        /// The leaf at the end of the batch.
        batch_leaf: u64,
    },
    /// The batch closes more keys than a replay keeps in memory.
    TooManyClosings,
    /// Coins or blinds of a key are recouped that was not revoked.
    NotRevoked {
        /// The key.
        key_no: KeyNo,
        /// Its leaf.
        key_leaf: u64,
    },
    /// The statements of a batch about key accounts break a rule.
    KeyAccounts {
        /// The rule.
        reason: String,
        /// The leaf with the statement, if it is one alone.
        statement: Option<u64>,
    },
    /// `key_accounts` or `ledger_root` do not follow from the statements.
    KeyAccountTotals {
        /// The sum of all balances.
        total: u64,
        /// The root over all accounts.
        root: Hash,
    },
    /// More than two keys of a denomination sign at once. Not forbidden, because an issuer that has revoked a key may need
    /// a third one for a while; but an issuer with many keys could tell its customers apart.
    ManySigningKeys {
        /// The denomination.
        denomination: u64,
        /// How many sign.
        keys: u64,
    },
}

impl Finding {
    /// Whether a rule is broken. The other findings only deserve a look.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !matches!(self.rule, BrokenRule::ManySigningKeys { .. })
    }
}
