//! The key accounts of the log, which pay each other in turn.

use anyhow::{Context, Result};
use opencoin_log::hash::Hash;
use opencoin_log::key::{KeyType, SEED_BYTES, SigningKey};
use opencoin_log::key_account::{AccountKey, Challenge, Credit, CreditSource, Payee, Payment, PaymentOrder};
use opencoin_log::key_ledger::{BatchOfStatements, KeyLedger, Signatures};
use opencoin_log::leaf::Leaf;
use rand::RngCore;
use zeroize::Zeroizing;

/// For each account the number where the search for its proof of work begins: that of the proof, since all keys come
/// from a fixed seed. Otherwise it would be found after a million hashes.
const NONCES: [u64; 2] = [363_038, 1_601_219];
/// What each has at first: more than it pays.
const BALANCE: u64 = 1 << 40;
/// A payment ends so many seconds after its batch.
const EXPIRES_AFTER_S: u64 = 3600;
/// More than a proof of work needs.
const ATTEMPTS_MAX: u64 = 1 << 32;

/// All accounts.
pub(super) struct Accounts {
    keys: Vec<(SigningKey, AccountKey)>,
    ledger: KeyLedger,
    /// The number of payments so far.
    paid: u64,
}

/// What a batch leaf says about key accounts.
pub(super) struct AccountTotals {
    pub(super) total: u64,
    pub(super) root: Hash,
}

impl Accounts {
    pub(super) fn new(rng: &mut impl RngCore) -> Result<Self> {
        let mut keys = Vec::with_capacity(NONCES.len());
        for number in 1..=NONCES.len() {
            let mut seed = Zeroizing::new([0; SEED_BYTES]);
            rng.fill_bytes(seed.as_mut());
            let name = format!("bench.example/account{number}").parse()?;
            let key = SigningKey::from_seed(name, KeyType::Ed25519Note, &seed)?;
            let public = AccountKey::new(key.verifier().public_key().try_into()?)?;
            keys.push((key, public));
        }
        Ok(Self {
            keys,
            ledger: KeyLedger::default(),
            paid: 0,
        })
    }

    /// The statements that introduce the accounts and put money on them, which is paid in.
    pub(super) fn begin(&self, batch: BatchOfStatements<'_>) -> Result<Vec<Leaf>> {
        let mut leaves = Vec::with_capacity(2 * NONCES.len());
        for ((_, key), nonce) in self.keys.iter().zip(NONCES) {
            let challenge = Challenge {
                expiry_s: batch.time_s,
                code: [0; 16],
            };
            let introduction = challenge.work(batch.origin, *key, nonce, ATTEMPTS_MAX);
            let introduction = introduction.context("no proof of work was found")?;
            leaves.push(Leaf::KeyIntroduced(Box::new(introduction)));
            leaves.push(Leaf::KeyCredited(Box::new(Credit {
                amount: BALANCE,
                from: CreditSource::Deposit,
                key: *key,
                number: 1,
            })));
        }
        Ok(leaves)
    }

    /// Each account in turn pays 1 to the next one.
    pub(super) fn pay(&mut self, payments: u64, batch: BatchOfStatements<'_>) -> Result<Vec<Leaf>> {
        let mut leaves = Vec::with_capacity(usize::try_from(payments)?);
        for number in self.paid..self.paid + payments {
            let accounts = self.keys.len() as u64;
            let of = |number: u64| &self.keys[(number % accounts) as usize];
            let ((key, from), (_, to)) = (of(number), of(number + 1));
            let order = PaymentOrder {
                amount: 1,
                domain: batch.origin.to_owned(),
                expires: batch.time_s + EXPIRES_AFTER_S,
                from: *from,
                memo: String::new(),
                seq: number / accounts + 1,
                to: Payee::Key(*to),
            };
            let sig = key.sign(&order.message())?;
            let sig = sig.try_into().ok().context("a signature has 64 bytes")?;
            leaves.push(Leaf::KeyPaid(Box::new(Payment { order, sig })));
        }
        self.paid += payments;
        Ok(leaves)
    }

    /// What the accounts have after these statements.
    pub(super) fn apply(&mut self, leaves: &[Leaf], batch: BatchOfStatements<'_>) -> Result<AccountTotals> {
        self.ledger.apply(leaves, batch, Signatures::AreVerified)?;
        Ok(AccountTotals {
            total: self.ledger.total(),
            root: self.ledger.root(),
        })
    }
}
