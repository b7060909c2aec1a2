//! What the wallet remembers of a currency's log. The store has it as rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use opencoin_evidence::Evidence;
use opencoin_log::digest::{IssuedDigest, SpentDigest};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{issued_leaf, spent_leaf};
use opencoin_log::promise::{LeafPath, Promise, request_root};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_schema::BigInt;
use serde::{Deserialize, Serialize};

/// The most refused coins that are remembered. The oldest are forgotten first.
const REFUSED_MAX: usize = 64;

/// A change of what the wallet remembers.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum LogEvent {
    /// A checkpoint was verified: its signatures, and that its tree begins with the one before.
    Checkpoint { checkpoint: String, at: DateTime<Utc> },
    /// The leaves of mint keys were verified.
    Keys { keys: Vec<LoggedKey> },
    /// Mint keys were used without a look at the log, because the user wanted it.
    Unchecked {},
    /// An answer had a promise.
    Promised {
        operation: u64,
        /// As in the header of the answer.
        promise: String,
        cdd_serial: u64,
        leaves: Vec<PromisedLeaf>,
        is_verified: bool,
    },
    /// A promise that could not be verified at first was verified.
    Verified { operation: u64 },
    /// All leaves of the promise are in the log.
    Kept { operation: u64 },
    /// Something is wrong. If it is about a request, its promise is no longer open.
    Fault(LogFault),
    /// The issuer has refused a coin as spent.
    Refused(RefusedCoin),
    /// The log has the leaf of a refused coin.
    Spent { payload_hash: String },
    /// The issuer owes an answer. If it is about a refused coin, nobody looks for its leaf any more.
    Challenge(LogChallenge),
}

/// The log of a currency, as this wallet has seen it.
#[derive(Debug, Default)]
pub(crate) struct LogMemory {
    /// The newest checkpoint that was verified.
    pub(crate) newest: Option<SeenCheckpoint>,
    /// The mint keys whose leaves were verified, by id.
    pub(crate) keys: BTreeMap<BigInt, LoggedKey>,
    /// The issuer's promises, by the number of the request.
    pub(crate) promises: BTreeMap<u64, OpenPromise>,
    /// The requests whose promises were kept. Without those that had ended when the wallet was opened.
    pub(crate) kept: BTreeSet<u64>,
    /// The number of kept promises.
    pub(crate) kept_count: u64,
    /// How often mint keys were used without a look at the log.
    pub(crate) unchecked_uses: usize,
    pub(crate) faults: Vec<LogFault>,
    /// The coins that were refused as spent and whose leaves were not found yet, the oldest first.
    pub(crate) refused: Vec<RefusedCoin>,
    pub(crate) challenges: Vec<LogChallenge>,
}

/// A verified checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct SeenCheckpoint {
    pub(crate) note: SignedCheckpoint,
    /// When the wallet last saw it.
    pub(crate) at: DateTime<Utc>,
}

/// A mint key whose leaf was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoggedKey {
    pub(crate) id: BigInt,
    pub(crate) key_no: KeyNo,
    /// The index of the leaf.
    pub(crate) index: u64,
}

/// A promise that is not fulfilled yet.
#[derive(Debug, Clone)]
pub(crate) struct OpenPromise {
    pub(crate) promise: Promise,
    /// The description of the currency under which it was made.
    pub(crate) cdd_serial: u64,
    /// In the order of the request.
    pub(crate) leaves: Vec<PromisedLeaf>,
    /// Whether it was verified. Not without the numbers of the mint keys.
    pub(crate) is_verified: bool,
}

/// A leaf that was promised. `Debug` hides it, because it ties coins to requests.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PromisedLeaf {
    /// A blind or a coin of the request.
    Coin {
        /// Whether it is an issued leaf, and not a spent one.
        is_issued: bool,
        mint_key: BigInt,
        digest: Hash,
    },
    /// A statement about a key account: the leaf in hex.
    Statement { leaf: String },
}

/// Something that is wrong with the log or with the issuer's promises.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogFault {
    /// The number of the request, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<u64>,
    /// For the user.
    pub(crate) description: String,
    /// What was wrong: a promise or a checkpoint, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<String>,
    /// What proves it to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<Box<Evidence>>,
    pub(crate) at: DateTime<Utc>,
}

/// A coin that the issuer has refused as spent. `Debug` hides which.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedCoin {
    pub(crate) mint_key: BigInt,
    /// In hex.
    pub(crate) payload_hash: String,
    /// Where its leaf is, as the issuer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u64>,
    pub(crate) at: DateTime<Utc>,
}

/// Something that the issuer owes, and that settles the matter when it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogChallenge {
    pub(crate) about: Challenged,
    /// When it is due, in seconds since 1970.
    pub(crate) due: u64,
    /// Whether the issuer was asked since then and has not shown it.
    pub(crate) stands: bool,
    pub(crate) evidence: Box<Evidence>,
    pub(crate) at: DateTime<Utc>,
}

/// What a challenge is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Challenged {
    /// The signatures of the request with this number. The challenge is over when they are there.
    Signatures(u64),
    /// The leaf of the coin with this payload hash, in hex.
    Coin(String),
}

impl fmt::Debug for RefusedCoin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefusedCoin(..)")
    }
}

impl fmt::Debug for Challenged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Signatures(_) => "Signatures(..)",
            Self::Coin(_) => "Coin(..)",
        })
    }
}

impl fmt::Debug for PromisedLeaf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PromisedLeaf(..)")
    }
}

impl LogEvent {
    /// Returns the number of the request whose promise this changes.
    pub(crate) fn operation(&self) -> Option<u64> {
        match self {
            Self::Promised { operation, .. }
            | Self::Verified { operation, .. }
            | Self::Kept { operation, .. } => Some(*operation),
            Self::Fault(fault) => fault.operation,
            Self::Checkpoint { .. }
            | Self::Keys { .. }
            | Self::Unchecked {}
            | Self::Refused(_)
            | Self::Spent { .. }
            | Self::Challenge(_) => None,
        }
    }
}

impl LogMemory {
    /// Applies an event.
    pub(crate) fn apply(&mut self, event: LogEvent) -> Result<(), String> {
        match event {
            LogEvent::Checkpoint { checkpoint, at } => {
                let note: SignedCheckpoint = checkpoint
                    .parse()
                    .map_err(|_| "a stored checkpoint cannot be read")?;
                if self.origin() != Some(note.checkpoint().origin()) {
                    // The numbers of the keys belong to the old log.
                    self.keys.clear();
                }
                self.newest = Some(SeenCheckpoint { note, at });
            }
            LogEvent::Keys { keys } => {
                self.keys
                    .extend(keys.into_iter().map(|key| (key.id.clone(), key)));
            }
            LogEvent::Unchecked {} => self.unchecked_uses += 1,
            LogEvent::Promised {
                operation,
                promise,
                cdd_serial,
                leaves,
                is_verified,
            } => {
                let promise = promise.parse().map_err(|_| "a stored promise cannot be read")?;
                let promise = OpenPromise {
                    promise,
                    cdd_serial,
                    leaves,
                    is_verified,
                };
                self.promises.insert(operation, promise);
            }
            LogEvent::Verified { operation } => {
                let promise = self.promises.get_mut(&operation).ok_or("a promise is unknown")?;
                promise.is_verified = true;
            }
            LogEvent::Kept { operation } => {
                self.promises.remove(&operation);
                self.kept_count += u64::from(self.kept.insert(operation));
            }
            LogEvent::Fault(fault) => {
                if let Some(operation) = fault.operation {
                    self.promises.remove(&operation);
                }
                self.faults.push(fault);
            }
            LogEvent::Refused(coin) => {
                self.refused
                    .retain(|other| other.payload_hash != coin.payload_hash);
                self.refused.push(coin);
                let too_many = self.refused.len().saturating_sub(REFUSED_MAX);
                self.refused.drain(..too_many);
            }
            LogEvent::Spent { payload_hash } => self.refused.retain(|coin| coin.payload_hash != payload_hash),
            LogEvent::Challenge(challenge) => {
                if let Challenged::Coin(payload_hash) = &challenge.about {
                    self.refused.retain(|coin| coin.payload_hash != *payload_hash);
                }
                self.challenges.retain(|other| other.about != challenge.about);
                self.challenges.push(challenge);
            }
        }
        Ok(())
    }

    /// Returns the name of the log.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.newest.as_ref().map(|seen| seen.note.checkpoint().origin())
    }

    /// Whether the request has a promise, kept or not.
    pub(crate) fn has_promise(&self, operation: u64) -> bool {
        self.promises.contains_key(&operation) || self.kept.contains(&operation)
    }

    /// Whether this was noted before: the same checkpoint or promise of the same request.
    pub(crate) fn has_fault(&self, operation: Option<u64>, shown: Option<&str>) -> bool {
        let is_same = |fault: &LogFault| fault.operation == operation && fault.shown.as_deref() == shown;
        self.faults.iter().any(is_same)
    }
}

impl PromisedLeaf {
    /// Returns the bytes of the leaf; `None` when the mint key's leaf was not verified.
    fn encode(&self, keys: &BTreeMap<BigInt, LoggedKey>) -> Option<Vec<u8>> {
        let (is_issued, mint_key, digest) = match self {
            Self::Statement { leaf } => return const_hex::decode(leaf).ok(),
            Self::Coin {
                is_issued,
                mint_key,
                digest,
            } => (is_issued, mint_key, *digest.as_bytes()),
        };
        let key_no = keys.get(mint_key)?.key_no;
        Some(if *is_issued {
            issued_leaf(key_no, &IssuedDigest::new(digest)).to_vec()
        } else {
            spent_leaf(key_no, &SpentDigest::new(digest)).to_vec()
        })
    }

    /// Returns the mint key of the blind or coin.
    pub(crate) fn mint_key(&self) -> Option<&BigInt> {
        match self {
            Self::Coin { mint_key, .. } => Some(mint_key),
            Self::Statement { .. } => None,
        }
    }
}

/// Returns the bytes of leaves; `None` when the leaf of a mint key was not verified.
pub(crate) fn encode(leaves: &[PromisedLeaf], keys: &BTreeMap<BigInt, LoggedKey>) -> Option<Vec<Vec<u8>>> {
    leaves.iter().map(|leaf| leaf.encode(keys)).collect()
}

/// Returns the root of a request with these leaves.
pub(crate) fn root_of(leaves: &[Vec<u8>]) -> Hash {
    request_root(&hashes(leaves))
}

/// Returns the path from a leaf to the root of its request.
pub(crate) fn path_of(leaves: &[Vec<u8>], index: usize) -> Option<LeafPath> {
    LeafPath::of(&hashes(leaves), u32::try_from(index).ok()?)
}

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| leaf_hash(leaf)).collect()
}
