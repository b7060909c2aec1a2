//! What a log has around a finding.
//!
//! Leaves of coins are only compared with the leaf of the finding, and no leaf is kept, so reading a long log takes little
//! memory.

use opencoin_log::batch::BATCH_STATEMENT_BYTES_MAX;
use opencoin_log::bundle;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, Signatures};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{KEY_ACCOUNT_PREFIX_BYTES_MAX, Leaf};
use opencoin_log::tile::{TILE_HASHES, TileWidth};
use opencoin_schema::Cddc;

use crate::disk_error::DiskError;
use crate::log_files::LogCopy;

const CURRENCY: u8 = 0x01;
const SPENT: u8 = 0x11;
const COIN_RECOUPED: u8 = 0x12;
const BLIND_RECOUPED: u8 = 0x13;
const COINS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
const KEY_INTRODUCED: u8 = 0x20;
const KEY_CREDITED: u8 = 0x21;
const KEY_PAID: u8 = 0x22;
/// Version, type and key.
const INTRODUCED_PREFIX_BYTES: usize = 2 + 32;

/// Where to look, and at what.
pub(crate) struct SurroundingsOf {
    pub(crate) copy: LogCopy,
    /// The number of entries in the copy.
    pub(crate) size: u64,
    /// The leaf of the finding.
    pub(crate) at: u64,
    /// The origin of the log.
    pub(crate) origin: String,
    /// The merge delay of the log, in seconds.
    pub(crate) within_s: u32,
}

/// A mint key in the log.
pub(crate) struct LoggedKey {
    pub(crate) key_no: KeyNo,
    pub(crate) index: u64,
    fingerprint: KeyFingerprint,
}

/// What the log has up to the end of the batch of a finding.
pub(crate) struct Surroundings {
    /// The indices of the batch leaves.
    batches: Vec<u64>,
    /// The mint keys, in the order of their leaves.
    keys: Vec<LoggedKey>,
    /// The key accounts at the end of the batch before; `None` if a rule was broken before.
    accounts: Option<KeyLedger>,
    /// The last description before the leaf of the finding, and its index.
    description: Option<(u64, Cddc)>,
    /// The first leaf before that of the finding that has the same: the coin, the blind, the number of the description or
    /// of the statement.
    twin: Option<u64>,
}

/// What the leaf of a finding must not share with an earlier one.
enum Once {
    /// The key and the digest of a coin.
    Coin(Vec<u8>),
    /// The whole leaf of a blind.
    Blind(Vec<u8>),
    /// The number of a description.
    Serial(u64),
    /// The first bytes of a statement.
    Statement(Vec<u8>),
    Nothing,
}

impl Once {
    fn of(leaf: &[u8]) -> Self {
        match leaf.get(1) {
            Some(&(SPENT | COIN_RECOUPED)) => Self::Coin(leaf[2..].to_vec()),
            Some(&BLIND_RECOUPED) => Self::Blind(leaf.to_vec()),
            Some(&CURRENCY) => serial(leaf).map_or(Self::Nothing, Self::Serial),
            Some(&KEY_INTRODUCED) => Self::statement(leaf, INTRODUCED_PREFIX_BYTES),
            Some(&(KEY_CREDITED | KEY_PAID)) => Self::statement(leaf, KEY_ACCOUNT_PREFIX_BYTES_MAX),
            _ => Self::Nothing,
        }
    }

    fn statement(leaf: &[u8], bytes: usize) -> Self {
        leaf.get(..bytes)
            .map_or(Self::Nothing, |prefix| Self::Statement(prefix.to_vec()))
    }

    fn is_in(&self, leaf: &[u8]) -> bool {
        match self {
            Self::Coin(coin) => matches!(leaf.get(1), Some(&(SPENT | COIN_RECOUPED))) && leaf[2..] == **coin,
            Self::Blind(blind) => leaf == blind,
            Self::Serial(number) => leaf.get(1) == Some(&CURRENCY) && serial(leaf) == Some(*number),
            Self::Statement(prefix) => leaf.starts_with(prefix),
            Self::Nothing => false,
        }
    }
}

/// The statements of a batch, up to [`BATCH_STATEMENT_BYTES_MAX`].
#[derive(Default)]
struct Statements {
    leaves: Vec<Leaf>,
    bytes: usize,
}

impl Statements {
    fn add(&mut self, statement: Leaf, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BATCH_STATEMENT_BYTES_MAX {
            self.leaves = Vec::new();
        } else {
            self.leaves.push(statement);
        }
    }

    /// Returns all statements of the batch; `None` if there were too many.
    fn all(&self) -> Option<&[Leaf]> {
        (self.bytes <= BATCH_STATEMENT_BYTES_MAX).then_some(&self.leaves)
    }
}

fn serial(leaf: &[u8]) -> Option<u64> {
    match Leaf::decode(leaf) {
        Ok(Leaf::Currency(cddc)) => Some(cddc.cdd.cdd_serial),
        Ok(_) | Err(_) => None,
    }
}

impl Surroundings {
    /// Reads the copy up to the end of the finding's batch.
    ///
    /// # Errors
    /// The copy cannot be read.
    pub(crate) fn read(of: &SurroundingsOf) -> Result<Self, DiskError> {
        let width = u64::from(TILE_HASHES);
        let mut read = Self {
            batches: Vec::new(),
            keys: Vec::new(),
            accounts: Some(KeyLedger::default()),
            twin: None,
            description: None,
        };
        let once = Once::of(&of.copy.entry(of.at)?);
        let (mut index, mut statements) = (0, Statements::default());
        while index < of.size {
            let entries = TileWidth::new((of.size - index).min(width) as u16).expect("entries are left");
            let bytes = of.copy.bundle(index / width, entries)?;
            let entries = bundle::decode(&bytes, entries);
            for leaf in entries.map_err(|error| of.copy.unusable(&error))? {
                if read.see(of, index, leaf, &once, &mut statements) {
                    return Ok(read);
                }
                index += 1;
            }
        }
        Ok(read)
    }

    /// Looks at a leaf. Returns whether it ends the batch of the finding.
    fn see(
        &mut self,
        of: &SurroundingsOf,
        index: u64,
        leaf: &[u8],
        once: &Once,
        statements: &mut Statements,
    ) -> bool {
        if self.twin.is_none() && index < of.at && once.is_in(leaf) {
            self.twin = Some(index);
        }
        if leaf.get(1).is_some_and(|leaf_type| COINS.contains(leaf_type)) {
            return false;
        }
        match Leaf::decode(leaf) {
            Ok(Leaf::Currency(cddc)) if index < of.at => self.description = Some((index, *cddc)),
            Ok(Leaf::MintKey { key_no, certificate }) => self.keys.push(LoggedKey {
                key_no,
                index,
                fingerprint: KeyFingerprint::of(&certificate.mint_key.public_mint_key),
            }),
            Ok(statement @ (Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_))) => {
                statements.add(statement, leaf.len());
            }
            Ok(Leaf::Batch(batch)) => {
                self.batches.push(index);
                if index >= of.at {
                    return true;
                }
                self.apply(of, batch.time, &std::mem::take(statements));
            }
            Ok(_) | Err(_) => {}
        }
        false
    }

    fn apply(&mut self, of: &SurroundingsOf, time_s: u64, statements: &Statements) {
        let batch = BatchOfStatements {
            origin: &of.origin,
            time_s,
            within_s: of.within_s,
        };
        let accounts = self.accounts.take();
        self.accounts = accounts.and_then(|mut accounts| {
            let statements = statements.all()?;
            let applied = accounts.apply(statements, batch, Signatures::AreVerified);
            applied.is_ok().then_some(accounts)
        });
    }

    /// The batch leaf at the end of the finding's batch; of a log that ends within it, the last one.
    pub(super) fn end(&self) -> u64 {
        self.batches.last().copied().unwrap_or(0)
    }

    /// The batch leaf before it.
    pub(super) fn previous(&self) -> Option<u64> {
        self.batches.iter().rev().nth(1).copied()
    }

    /// The first batch leaf after a leaf.
    pub(super) fn batch_leaf_after(&self, leaf: u64) -> Option<u64> {
        self.batches.iter().find(|index| **index > leaf).copied()
    }

    /// The last description before the leaf of the finding, and its index.
    pub(crate) fn description(&self) -> Option<&(u64, Cddc)> {
        self.description.as_ref()
    }

    pub(super) fn twin(&self) -> Option<u64> {
        self.twin
    }

    pub(super) fn keys(&self) -> &[LoggedKey] {
        &self.keys
    }

    pub(super) fn key(&self, key_no: KeyNo) -> Option<&LoggedKey> {
        self.keys.iter().find(|key| key.key_no == key_no)
    }

    pub(super) fn fingerprints_before(&self, index: u64) -> Vec<KeyFingerprint> {
        let before = self.keys.iter().filter(|key| key.index < index);
        before.map(|key| key.fingerprint).collect()
    }

    pub(super) fn accounts(&self) -> Option<Vec<(AccountKey, KeyAccount)>> {
        let accounts = self.accounts.as_ref()?.accounts();
        Some(accounts.map(|(key, account)| (*key, *account)).collect())
    }
}
