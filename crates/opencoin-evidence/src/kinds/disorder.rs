//! A leaf that cannot be in a log, or not in this place.

use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_schema::{Mkc, text};
use opencoin_text::printable;
use serde::{Deserialize, Serialize};

use super::key_list::KeyList;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};

/// The first bytes of a batch leaf, after which the next batch begins.
const BATCH: [u8; 2] = [0x01, 0xff];
/// The first bytes of the only leaves that may stand twice in a batch: a blind that two requests bring is signed for both.
const ISSUED: [u8; 2] = [0x01, 0x10];

/// Leaves, and the rule for leaves that they break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disorder {
    pub(crate) checkpoint: String,
    pub(crate) rule: OrderRule,
}

/// Which rule for leaves is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "broken")]
pub enum OrderRule {
    /// A leaf is not after the one before it, in the same batch.
    #[serde(rename = "order")]
    Order(Neighbours),
    /// A leaf cannot be read.
    #[serde(rename = "form")]
    Form(OneLeaf),
    /// The tree does not end with a batch leaf.
    #[serde(rename = "end")]
    End(OneLeaf),
    /// The master key did not sign the certificate in a leaf.
    #[serde(rename = "certificate")]
    Certificate(OneLeaf),
    /// The master key has signed a description that cannot be in this log.
    #[serde(rename = "description")]
    Description(OneLeaf),
    /// Two descriptions have the same number.
    #[serde(rename = "description twice")]
    DescriptionTwice(TwoLeaves),
    /// Two leaves have the same mint key, or two mint keys the same number.
    #[serde(rename = "key twice")]
    KeyTwice(TwoLeaves),
    /// A leaf names a mint key by a number that no key has.
    #[serde(rename = "key number")]
    KeyNumber(KeyNumber),
}

/// A leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneLeaf {
    /// The leaf that breaks the rule.
    pub leaf: Included,
}

/// A leaf and the one after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    /// The one that should be the smaller one.
    pub leaf: Included,
    /// The one after it.
    pub next: Included,
}

/// Two leaves that cannot both be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoLeaves {
    /// The one with the smaller index.
    pub first: Included,
    /// The other one.
    pub second: Included,
}

/// A leaf, and the keys that were in the log at the end of its batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyNumber {
    pub(crate) leaf: Included,
    /// The batch leaf of its batch.
    batch: Included,
    /// All mint keys that the log then had.
    keys: KeyList,
}

impl KeyNumber {
    /// `leaf` names a mint key, `batch` is the batch leaf of its batch, and `keys` are all mint keys that the log had then.
    #[must_use]
    pub fn new(leaf: Included, batch: Included, keys: Vec<KeyFingerprint>) -> Self {
        let keys = KeyList::new(keys);
        Self { leaf, batch, keys }
    }
}

impl Disorder {
    /// The leaves are of the tree of this checkpoint.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, rule: OrderRule) -> Self {
        let checkpoint = checkpoint.to_string();
        Self { checkpoint, rule }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        match &self.rule {
            OrderRule::Order(rule) => rule.check(&tree),
            OrderRule::Form(OneLeaf { leaf }) => check_form(&tree, leaf),
            OrderRule::End(OneLeaf { leaf }) => check_end(&tree, leaf),
            OrderRule::Certificate(OneLeaf { leaf }) => check_certificate(&tree, leaf, keys),
            OrderRule::Description(OneLeaf { leaf }) => check_description(&tree, leaf, keys),
            OrderRule::DescriptionTwice(rule) => rule.check_descriptions(&tree),
            OrderRule::KeyTwice(rule) => rule.check_keys(&tree),
            OrderRule::KeyNumber(rule) => rule.check(&tree),
        }
    }

    /// Whether everybody sees the fault who replays the log, whatever description they know.
    pub(crate) const fn is_in_replay(&self) -> bool {
        !matches!(self.rule, OrderRule::Description(_))
    }

    /// The index of the last leaf that shows the fault.
    pub(crate) const fn index(&self) -> u64 {
        match &self.rule {
            OrderRule::Order(rule) => rule.next.index,
            OrderRule::Form(rule)
            | OrderRule::End(rule)
            | OrderRule::Certificate(rule)
            | OrderRule::Description(rule) => rule.leaf.index,
            OrderRule::DescriptionTwice(rule) | OrderRule::KeyTwice(rule) => rule.second.index,
            OrderRule::KeyNumber(rule) => rule.batch.index,
        }
    }
}

impl Neighbours {
    fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (leaf, next) = (&self.leaf, &self.next);
        tree.include(leaf)?;
        tree.include(next)?;
        if leaf.index.checked_add(1) != Some(next.index) {
            return Err(fails("the leaves are not neighbours"));
        }
        let may_be_equal = leaf.leaf().starts_with(&ISSUED);
        let is_in_order = leaf.leaf() < next.leaf() || may_be_equal && leaf.leaf() == next.leaf();
        if leaf.leaf().starts_with(&BATCH) || is_in_order {
            return Err(fails("the leaves are in order"));
        }
        Ok(format!(
            "Leaves {} and {} of the log are of one batch and not in ascending order, so their order can tell who has \
             made which request, and nobody can prove that a leaf is missing.",
            leaf.index, next.index
        ))
    }
}

fn check_form(tree: &SignedTree, leaf: &Included) -> Result<String, EvidenceError> {
    tree.include(leaf)?;
    match Leaf::decode(leaf.leaf()) {
        Ok(_) => Err(fails("the leaf can be read")),
        Err(error) => Ok(format!(
            "Leaf {} of the log is none that a log may have: {error}.",
            leaf.index
        )),
    }
}

fn check_end(tree: &SignedTree, leaf: &Included) -> Result<String, EvidenceError> {
    tree.include(leaf)?;
    let is_last = leaf.index.checked_add(1) == Some(tree.size());
    if !is_last || leaf.leaf().starts_with(&BATCH) {
        return Err(fails("the leaf is not the last one, or ends a batch"));
    }
    Ok(format!(
        "The log has signed a tree of {} leaves that ends in the middle of a batch, so nobody sees the totals.",
        tree.size()
    ))
}

/// Only the signature counts. Which denominations or cipher suites there are may change with the description.
fn check_certificate(tree: &SignedTree, leaf: &Included, keys: &LogKeys) -> Result<String, EvidenceError> {
    let master_key = keys.cddc.master_key();
    let (what, is_signed) = match tree.leaf(leaf)? {
        Leaf::MintKey { certificate, .. } => {
            let Mkc { mint_key, signature } = *certificate;
            let signed = master_key.verify_certificate(&text::pretty(&mint_key), &signature);
            ("mint key", signed.is_ok())
        }
        Leaf::Currency(cddc) => {
            let signed = master_key.verify_certificate(&text::pretty(&cddc.cdd), &cddc.signature);
            ("description of the currency", signed.is_ok())
        }
        _ => return Err(fails("the leaf has no certificate")),
    };
    if is_signed {
        return Err(fails("the master key has signed the certificate"));
    }
    Ok(format!(
        "Leaf {} of the log is a {what} that the currency's master key did not sign.",
        leaf.index
    ))
}

/// A description without a log may be from before the log; it cannot follow one that names it.
fn check_description(tree: &SignedTree, leaf: &Included, keys: &LogKeys) -> Result<String, EvidenceError> {
    let cddc = match tree.leaf(leaf)? {
        Leaf::Currency(cddc) => cddc,
        _ => return Err(fails("the leaf is not a description of the currency")),
    };
    let (cdd, log, own) = (&cddc.cdd, keys.block.origin(), keys.cddc.cddc());
    let fault = match LogBlock::find(&cdd.additional_info) {
        Ok(Some(block)) if block.origin() != log => {
            format!("names another log, {}", printable(block.origin().as_str()))
        }
        Ok(Some(block)) if !keys.has_terms_of(&block) => {
            "lets the log take another time for what was promised than before".to_owned()
        }
        Ok(None) if cdd.cdd_serial > own.cdd.cdd_serial => "no longer names a log".to_owned(),
        Err(error) => format!("names its log in a form that nobody can read: {error}"),
        // The master key may have signed the same description twice.
        Ok(_) if cdd.cdd_serial == own.cdd.cdd_serial && *cdd != own.cdd => {
            let signed = keys
                .cddc
                .master_key()
                .verify_certificate(&text::pretty(cdd), &cddc.signature);
            signed.map_err(|_| fails("the master key did not sign the description in the log"))?;
            "differs from another one with this number, which the master key has signed too".to_owned()
        }
        Ok(_) => return Err(fails("the description may be in the log")),
    };
    Ok(format!(
        "Leaf {} of the log is a description of the currency, number {}, that {fault}. Nobody knows any more \
         which rules count.",
        leaf.index, cdd.cdd_serial
    ))
}

impl TwoLeaves {
    fn check_descriptions(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (first, second) = (&self.first, &self.second);
        let cddc = |included: &Included| match tree.leaf(included)? {
            Leaf::Currency(cddc) => Ok(cddc),
            _ => Err(fails("a leaf is not a description of the currency")),
        };
        let (one, other) = (cddc(first)?, cddc(second)?);
        let number = one.cdd.cdd_serial;
        // The master key may have signed the same description twice, and its signatures are random.
        if first.index >= second.index || number != other.cdd.cdd_serial || one.cdd == other.cdd {
            return Err(fails("the leaves are not two descriptions with one number"));
        }
        Ok(format!(
            "Leaves {} and {} of the log are two descriptions of the currency with the number {number}, so nobody knows \
             which one counts.",
            first.index, second.index
        ))
    }

    fn check_keys(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (first, second) = (&self.first, &self.second);
        let key = |included: &Included| match tree.leaf(included)? {
            Leaf::MintKey { key_no, certificate } => {
                Ok((key_no, KeyFingerprint::of(&certificate.mint_key.public_mint_key)))
            }
            _ => Err(fails("a leaf is not that of a mint key")),
        };
        let (one, other) = (key(first)?, key(second)?);
        if first.index >= second.index || one.0 != other.0 && one.1 != other.1 {
            return Err(fails("the leaves are of two mint keys with two numbers"));
        }
        Ok(format!(
            "Leaves {} and {} of the log give one mint key two leaves, or two mint keys one number, so counts of keys \
             mean nothing.",
            first.index, second.index
        ))
    }
}

impl KeyNumber {
    fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let leaf = tree.leaf(&self.leaf)?;
        let key_no = key_no(&leaf).ok_or_else(|| fails("the leaf names no mint key"))?;
        let BatchLeaf { keys_root, .. } = tree.batch_of(self.leaf.index, &self.batch)?;
        let count = self.keys.verify(&keys_root)?.len() as u64;
        if u64::from(key_no.get()) <= count {
            return Err(fails("the log had a mint key with this number"));
        }
        Ok(format!(
            "Leaf {} of the log names mint key {}, but the log had only {count} mint keys at the end of that batch.",
            self.leaf.index,
            key_no.get()
        ))
    }
}

const fn key_no(leaf: &Leaf) -> Option<KeyNo> {
    match leaf {
        Leaf::MintKey { key_no, .. }
        | Leaf::KeyClosed { key_no, .. }
        | Leaf::Issued { key_no, .. }
        | Leaf::Spent { key_no, .. }
        | Leaf::CoinRecouped { key_no, .. }
        | Leaf::BlindRecouped { key_no, .. } => Some(*key_no),
        Leaf::Currency(_)
        | Leaf::KeyIntroduced(_)
        | Leaf::KeyCredited(_)
        | Leaf::KeyPaid(_)
        | Leaf::Batch(_) => None,
    }
}
