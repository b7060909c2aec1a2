//! Statements about key accounts that break a rule.
//!
//! A statement can be wrong by itself, or two of them together. What an account holds follows from all leaves, so an
//! overdraft is shown by the accounts before a batch, which its predecessor commits to, and all statements of the batch.

use std::collections::BTreeMap;

use opencoin_log::batch::BatchLeaf;
use opencoin_log::hash::Hash;
use opencoin_log::key::ED25519_KEY_BYTES;
use opencoin_log::key_account::{AMOUNT_MAX, AccountKey, Introduction, Payment};
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, KeyLedgerFault, Signatures};
use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, IncludedRun, SignedTree};
use crate::words::date;

/// The first bytes of the first kind of statements. No other leaves but the batch leaf sort after statements.
const STATEMENTS: [u8; 2] = [0x01, 0x20];
/// Key, balance and number of payments.
const ACCOUNT_BYTES: usize = ED25519_KEY_BYTES + 2 * size_of::<u64>();

/// Statements about key accounts, and the rule that they break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadPayment {
    pub(crate) checkpoint: String,
    pub(crate) rule: PaymentRule,
}

/// Which rule for key accounts is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "broken")]
pub enum PaymentRule {
    /// A payment or introduction that nobody could order.
    #[serde(rename = "statement")]
    Statement(OneStatement),
    /// Two statements with the same number, or two introductions of one key.
    #[serde(rename = "twice")]
    Twice(TwoStatements),
    /// The statements of a batch do not follow from the accounts before, or the batch leaf does not follow from them.
    #[serde(rename = "ledger")]
    Ledger(Box<BatchOfPayments>),
}

/// A statement that is wrong by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneStatement {
    /// The payment or introduction.
    pub leaf: Included,
    /// The batch leaf of its batch.
    pub batch: Included,
}

/// Two statements that cannot both be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoStatements {
    /// The one with the smaller index.
    pub first: Included,
    /// The other one.
    pub second: Included,
}

/// All accounts before a batch, and all its statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchOfPayments {
    pub(crate) batch: Included,
    /// The batch leaf before it; none before the first batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Included>,
    /// Key, balance and number of payments of each account at the end of the batch before.
    accounts: Base64Bytes,
    /// The leaf before all statements of the batch, unless it begins with them, all statements, and the batch leaf.
    run: IncludedRun,
}

impl BadPayment {
    /// The leaves are of the tree of this checkpoint.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, rule: PaymentRule) -> Self {
        let checkpoint = checkpoint.to_string();
        Self { checkpoint, rule }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        match &self.rule {
            PaymentRule::Statement(rule) => rule.check(&tree, keys),
            PaymentRule::Twice(rule) => rule.check(&tree),
            PaymentRule::Ledger(rule) => rule.check(&tree, keys),
        }
    }

    /// The index of the last leaf that shows the fault.
    pub(crate) const fn index(&self) -> u64 {
        match &self.rule {
            PaymentRule::Statement(rule) => rule.batch.index,
            PaymentRule::Twice(rule) => rule.second.index,
            PaymentRule::Ledger(rule) => rule.batch.index,
        }
    }
}

impl OneStatement {
    fn check(&self, tree: &SignedTree, keys: &LogKeys) -> Result<String, EvidenceError> {
        let leaf = tree.leaf(&self.leaf)?;
        let batch = tree.batch_of(self.leaf.index, &self.batch)?;
        let fault = match &leaf {
            Leaf::KeyPaid(payment) => fault_of_payment(payment, &batch, keys),
            Leaf::KeyIntroduced(introduction) => fault_of_introduction(introduction, keys),
            _ => None,
        };
        let fault = fault.ok_or_else(|| fails("the statement is not wrong by itself"))?;
        Ok(format!(
            "Leaf {} of the log should not have been accepted: {fault}.",
            self.leaf.index
        ))
    }
}

fn fault_of_payment(payment: &Payment, batch: &BatchLeaf, keys: &LogKeys) -> Option<String> {
    let order = &payment.order;
    let (key, seq) = (order.from, order.seq);
    if let Err(fault) = order.check() {
        return Some(KeyLedgerFault::Payment { key, seq, fault }.to_string());
    }
    if order.domain != keys.block.origin().as_str() {
        return Some(KeyLedgerFault::Domain { key, seq }.to_string());
    }
    if batch.time > order.expires.saturating_add(keys.within_s()) {
        return Some(format!(
            "payment {seq} of key {key} had expired on {}, and the batch was sealed on {}",
            date(order.expires),
            date(batch.time)
        ));
    }
    (!payment.is_signed()).then(|| KeyLedgerFault::Signature { key, seq }.to_string())
}

fn fault_of_introduction(introduction: &Introduction, keys: &LogKeys) -> Option<String> {
    let key = introduction.key;
    (!introduction.has_work(keys.block.origin().as_str())).then(|| KeyLedgerFault::NoWork { key }.to_string())
}

impl TwoStatements {
    fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (first, second) = (tree.leaf(&self.first)?, tree.leaf(&self.second)?);
        let what = match (&first, &second) {
            (Leaf::KeyIntroduced(one), Leaf::KeyIntroduced(other)) if one.key == other.key => {
                format!("introduce key {}", one.key)
            }
            (Leaf::KeyPaid(one), Leaf::KeyPaid(other))
                if (one.order.from, one.order.seq) == (other.order.from, other.order.seq) =>
            {
                format!("are payment {} of key {}", one.order.seq, one.order.from)
            }
            (Leaf::KeyCredited(one), Leaf::KeyCredited(other))
                if (one.key, one.number) == (other.key, other.number) =>
            {
                format!("are credit {} of key {}", one.number, one.key)
            }
            _ => return Err(fails("the statements are not two of the same")),
        };
        if self.first.index >= self.second.index {
            return Err(fails("the statements are not at two places"));
        }
        Ok(format!(
            "Leaves {} and {} of the log both {what}.",
            self.first.index, self.second.index
        ))
    }
}

impl BatchOfPayments {
    /// `before` is the batch leaf before `batch`, and `accounts` are all accounts then. `run` has the leaf before the
    /// statements, unless the batch begins with them, all statements, and the batch leaf.
    #[must_use]
    pub fn new(
        batch: Included,
        before: Option<Included>,
        accounts: impl IntoIterator<Item = (AccountKey, KeyAccount)>,
        run: IncludedRun,
    ) -> Self {
        let accounts: BTreeMap<_, _> = accounts.into_iter().collect();
        let bytes = accounts.iter().flat_map(|(key, account)| {
            let numbers = [account.balance, account.seq].map(u64::to_be_bytes);
            [key.as_bytes().as_slice(), numbers.as_flattened()].concat()
        });
        Self {
            batch,
            before,
            accounts: Base64Bytes(bytes.collect()),
            run,
        }
    }

    fn check(&self, tree: &SignedTree, keys: &LogKeys) -> Result<String, EvidenceError> {
        let batch = tree.batch(&self.batch)?;
        if batch.previous != self.before.as_ref().map(Included::index) {
            return Err(fails("the batch leaf before is another one"));
        }
        let root = match &self.before {
            Some(before) => tree.batch(before)?.ledger_root,
            None => Hash::EMPTY_TREE,
        };
        let statements = self.statements(tree, batch.first)?;
        let mut ledger = KeyLedger::new(self.accounts(&statements)?);
        if ledger.root() != root {
            return Err(fails("the accounts are not those of the batch leaf before"));
        }
        let of_batch = BatchOfStatements {
            origin: keys.block.origin().as_str(),
            time_s: batch.time,
            within_s: keys.block.within_s(),
        };
        let at = self.batch.index;
        if let Err(fault) = ledger.apply(&statements, of_batch, Signatures::Verify) {
            return Ok(format!(
                "The statements about key accounts in the batch that ends with leaf {at} of the log break a rule: {fault}."
            ));
        }
        if (ledger.total(), ledger.root()) == (batch.key_accounts, batch.ledger_root) {
            return Err(fails("the batch leaf follows from the statements"));
        }
        Ok(format!(
            "The batch leaf {at} of the log has {} on key accounts and a root over them that do not follow from the \
             accounts before and the statements of the batch, which leave {} on them.",
            batch.key_accounts,
            ledger.total()
        ))
    }

    /// Returns all statements of the batch.
    fn statements(&self, tree: &SignedTree, first: u64) -> Result<Vec<Leaf>, EvidenceError> {
        let leaves = tree.include_run(&self.run)?;
        let incomplete = || fails("not all statements of the batch are there");
        let (Some(&(begin, one)), Some(&(end, _))) = (leaves.first(), leaves.last()) else {
            return Err(incomplete());
        };
        let is_statement = |leaf: &[u8]| leaf >= STATEMENTS.as_slice();
        let is_begin = begin == first && is_statement(one) || begin >= first && !is_statement(one);
        if !is_begin || end != self.batch.index {
            return Err(incomplete());
        }
        let statements = leaves
            .iter()
            .filter(|(at, leaf)| *at != end && (*at != begin || is_statement(leaf)));
        statements
            .map(|(at, leaf)| match Leaf::decode(leaf) {
                Ok(statement @ (Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_))) => {
                    Ok(statement)
                }
                Ok(_) | Err(_) => Err(fails(format!("leaf {at} is no statement about a key account"))),
            })
            .collect()
    }

    /// Returns the accounts before the batch. The root does not cover how many credits they had, so the first credit of a
    /// batch has the right number here.
    fn accounts(&self, statements: &[Leaf]) -> Result<Vec<(AccountKey, KeyAccount)>, EvidenceError> {
        let (accounts, []) = self.accounts.0.as_chunks::<ACCOUNT_BYTES>() else {
            return Err(fails("the accounts cannot be read"));
        };
        let mut credits = BTreeMap::new();
        for leaf in statements {
            if let Leaf::KeyCredited(credit) = leaf {
                credits.entry(credit.key).or_insert(credit.number - 1);
            }
        }
        let accounts = accounts.iter().map(|account| account_of(account, &credits));
        let accounts: Vec<_> = accounts.collect();
        let balances = accounts.iter().map(|(_, account)| u128::from(account.balance));
        if balances.sum::<u128>() > AMOUNT_MAX.into() {
            return Err(fails(
                "the accounts hold more than there can be; an earlier batch shows why",
            ));
        }
        if accounts.is_sorted_by(|(one, _), (other, _)| one < other) {
            Ok(accounts)
        } else {
            Err(fails("the accounts are not in ascending order"))
        }
    }
}

fn account_of(bytes: &[u8; ACCOUNT_BYTES], credits: &BTreeMap<AccountKey, u64>) -> (AccountKey, KeyAccount) {
    let (key, numbers) = bytes
        .split_first_chunk::<ED25519_KEY_BYTES>()
        .expect("an account begins with its key");
    let (numbers, _) = numbers.as_chunks();
    let key = AccountKey::of_stored(*key);
    let account = KeyAccount {
        balance: u64::from_be_bytes(numbers[0]),
        seq: u64::from_be_bytes(numbers[1]),
        credits: credits.get(&key).copied().unwrap_or_default(),
    };
    (key, account)
}
