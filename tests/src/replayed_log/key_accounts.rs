//! The accounts that belong to keys, as the statements in a log make them.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tree::{leaf_hash, root};
use super::{document, from_hex, hex};
use crate::Rows;
use crate::foreign_wallet::compact;

pub(super) const INTRODUCED: u8 = 0x20;
pub(super) const CREDITED: u8 = 0x21;
pub(super) const PAID: u8 = 0x22;

/// The number of an account from which on accounts belong to keys.
const FIRST_NO: &str = "4611686018427387904";
const KEY_BYTES: usize = 32;

/// An account in the log. Within a batch its balance may be below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    balance: i128,
    seq: u64,
    credits: u64,
}

/// All accounts, by their keys in hex digits.
#[derive(Default)]
pub(super) struct KeyAccounts {
    accounts: BTreeMap<String, Account>,
    /// Payments of the current batch, which may pay keys that are introduced in it.
    payments: Vec<Value>,
}

impl KeyAccounts {
    /// A statement in the log with this origin.
    pub(super) fn see(&mut self, kind: u8, body: &[u8], origin: &str) -> Result<(), String> {
        let (key, rest) = body.split_first_chunk::<KEY_BYTES>().ok_or("no key")?;
        let key = hex(key);
        if kind == INTRODUCED {
            let introduction = document(rest)?;
            expect(
                introduction["key"] == key.as_str(),
                "a key of another introduction",
            )?;
            expect(has_work(&introduction, origin), "no proof of work")?;
            let is_new = self.accounts.insert(key, Account::default()).is_none();
            return expect(is_new, "a key that was introduced before");
        }
        let (number, text) = rest.split_first_chunk().ok_or("no number")?;
        let (number, statement) = (u64::from_be_bytes(*number), document(text)?);
        if kind == CREDITED {
            let account = self.accounts.get_mut(&key).ok_or("a credit of an unknown key")?;
            let is_same = statement["key"] == key.as_str() && statement["number"] == number;
            expect(is_same, "a credit of another number")?;
            account.credits += 1;
            account.balance += i128::from(statement["amount"].as_u64().ok_or("no amount")?);
            return expect(account.credits == number, "a credit out of order");
        }
        let is_same = statement["from"] == key.as_str() && statement["seq"] == number;
        expect(is_same, "a payment of another number")?;
        expect(statement["domain"] == origin, "a payment in another log")?;
        expect(is_signed(&statement), "a payment that its key has not signed")?;
        self.payments.push(statement);
        Ok(())
    }

    /// Carries out the payments of a batch. Returns the sum of all balances and the hash over all accounts.
    pub(super) fn end_batch(&mut self, time_s: u64, within_s: u64) -> Result<(u64, String), String> {
        for payment in std::mem::take(&mut self.payments) {
            let amount = i128::from(payment["amount"].as_u64().ok_or("no amount")?);
            let [from, to] = ["from", "to"].map(|name| payment[name].as_str().unwrap_or_default());
            let expires = payment["expires"].as_u64().unwrap_or_default();
            expect(
                time_s <= expires.saturating_add(within_s),
                "a payment that had expired",
            )?;
            let payer = self.accounts.get_mut(from).ok_or("a payment of an unknown key")?;
            payer.seq += 1;
            payer.balance -= amount;
            expect(payment["seq"] == payer.seq, "a payment out of order")?;
            if !["mint", "account"].contains(&to) {
                self.accounts.get_mut(to).ok_or("an unknown payee")?.balance += amount;
            }
        }
        let (mut sum, mut hashes) = (0, Vec::new());
        for (key, account) in &self.accounts {
            let balance = u64::try_from(account.balance).map_err(|_| format!("{key} is below zero"))?;
            sum += balance;
            let row = [
                from_hex(key),
                balance.to_be_bytes().into(),
                account.seq.to_be_bytes().into(),
            ];
            hashes.push(leaf_hash(&row.concat()));
        }
        Ok((sum, hex(&root(&hashes))))
    }

    /// What differs from the books, in which nothing may wait to be sealed.
    pub(super) fn faults_against(&self, rows: &Rows<'_>) -> Vec<String> {
        let key = rows.hex("key");
        let logged =
            format!("SELECT {key} || ' ' || balance || ' ' || seq || ' ' || credits FROM log_key_accounts");
        let held = format!(
            "SELECT name || ' ' || balance || ' ' || seq || ' ' || credits FROM accounts WHERE id >= {FIRST_NO}"
        );
        let row = |(key, account): (&String, &Account)| {
            format!("{key} {} {} {}", account.balance, account.seq, account.credits)
        };
        let expected: Vec<String> = self.accounts.iter().map(row).collect();
        let tables = [("log_key_accounts", logged), ("accounts of keys", held)];
        let faults = tables.into_iter().filter_map(|(name, query)| {
            let mut found = rows.texts(&query);
            found.sort_unstable();
            (found != expected).then(|| format!("{name}: {found:?} instead of {expected:?}"))
        });
        faults.collect()
    }
}

fn expect(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn has_work(introduction: &Value, origin: &str) -> bool {
    let bytes = |name: &str| from_hex(introduction[name].as_str().unwrap_or_default());
    let nonce = introduction["nonce"].as_u64().unwrap_or_default();
    let hash = Sha256::new()
        .chain_update(format!("opencoin.org/pow/v1\n{origin}\n"))
        .chain_update(bytes("challenge"))
        .chain_update(bytes("key"))
        .chain_update(nonce.to_be_bytes())
        .finalize();
    hash[..2] == [0, 0] && hash[2] < 16
}

fn is_signed(payment: &Value) -> bool {
    let text = |name: &str| payment[name].as_str().unwrap_or_default();
    let (key, signature) = (from_hex(text("from")), from_hex(text("sig")));
    let mut order = payment.clone();
    if let Some(fields) = order.as_object_mut() {
        fields.remove("sig");
    }
    let message = format!("opencoin.org/key-payment/v1\n{}", compact(&order));
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(message.as_bytes(), &signature).is_ok()
}
