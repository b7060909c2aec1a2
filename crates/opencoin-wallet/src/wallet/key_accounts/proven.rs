//! Balances of key accounts, as the public log proves them.
//!
//! The batch leaf has the root of the tree over all accounts. So the wallet asks for the list of all accounts and
//! computes the root: the issuer does not learn which account it is about, and an account that is missing is known to be
//! missing. Only if there are too many accounts for a list, it asks for one, with the proof that leads to the root.

use std::time::Duration;

use chrono::{DateTime, Utc};
use opencoin_api::KeyAccounts;
use opencoin_log::batch::BatchLeaf;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{AccountProof, KeyAccount, KeyLedger};
use opencoin_log::leaf::Leaf;
use opencoin_log::proof_file::ProofFile;
use opencoin_log_reader::{Batch, LogReadError};
use opencoin_schema::BigInt;
use serde::de::DeserializeOwned;

use super::super::log::NewestLog;
use super::{Wallet, batch_time};
use crate::client::urls;
use crate::error::WalletError;
use crate::key_account::KeyPaymentState;
use crate::key_account::records::{AccountAt, KeyEvent, OwnKey};
use crate::public_log::LogError;

const OK: u16 = 200;
const NOT_FOUND: u16 = 404;
const TOO_LARGE: u16 = 413;
/// The longest list of accounts: 100,000 of them, with some 110 bytes each.
const ACCOUNTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest time for a balance.
const DURATION_MAX: Duration = Duration::from_secs(60);
/// A batch may be published between two answers: how often both are asked for again.
const ATTEMPTS_MAX: usize = 5;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(700);

/// What a key account holds, as the public log proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBalance {
    /// Whether the log has the account at all.
    pub exists: bool,
    /// In the smallest unit.
    pub balance: u64,
    /// The number of its payments.
    pub seq: u64,
    /// The number of the batch at whose end this holds.
    pub batch: u64,
    /// When that batch was sealed.
    pub time: DateTime<Utc>,
    /// Own payments that are accepted and were not in the log then.
    pub pending: PendingPayments,
}

/// Payments that a balance does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingPayments {
    /// Their number.
    pub count: usize,
    /// Their sum, in the smallest unit.
    pub amount: u64,
}

impl Wallet {
    /// Looks in the log what a key account holds. `from` is the URL of a copy to read instead of the log itself.
    ///
    /// # Errors
    /// The wallet has no such key, the log or the issuer does not answer, or what they say does not agree.
    pub async fn prove_balance(
        &mut self,
        key: &AccountKey,
        from: Option<&str>,
    ) -> Result<KeyBalance, WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        self.refresh_if_old(&id).await?;
        let proven = tokio::time::timeout(DURATION_MAX, self.prove(&id, &[*key], from)).await;
        let proven = proven.unwrap_or_else(|_| Err(LogError::TooSlow(DURATION_MAX.as_secs()).into()))?;
        let at = proven.into_iter().next().ok_or(LogError::WrongAccounts(
            "an answer about one account is about none",
        ))?;
        self.record_key(KeyEvent::Proven { no, at })?;
        let own = &self.state.keys[&no];
        Ok(self.key_balance(own, at))
    }

    pub(super) fn key_balance(&self, own: &OwnKey, at: AccountAt) -> KeyBalance {
        let is_pending = |state: KeyPaymentState| state != KeyPaymentState::Refused;
        let payments = self.state.key_payments.values();
        let payments = payments.filter(|payment| payment.account == own.no && is_pending(payment.state));
        let later = payments.filter(|payment| payment.payment.order.seq > at.seq);
        let mut pending = PendingPayments::default();
        for payment in later {
            pending.count += 1;
            pending.amount = pending.amount.saturating_add(payment.payment.order.amount);
        }
        KeyBalance {
            exists: at.exists,
            balance: at.balance,
            seq: at.seq,
            batch: at.batch,
            time: batch_time(at),
            pending,
        }
    }

    /// Looks in the log what accounts hold at the end of its last batch.
    pub(super) async fn prove(
        &mut self,
        id: &BigInt,
        keys: &[AccountKey],
        from: Option<&str>,
    ) -> Result<Vec<AccountAt>, WalletError> {
        let block = self.require_log(id)?;
        let mut attempts = 1;
        loop {
            let mut newest = self.newest_log(id, &block, from).await?;
            match self.prove_under(id, keys, &mut newest).await {
                Err(WalletError::Log(LogError::OtherMoment)) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    tokio::time::sleep(ATTEMPT_PAUSE).await;
                }
                proven => return proven,
            }
        }
    }

    async fn prove_under(
        &self,
        id: &BigInt,
        keys: &[AccountKey],
        newest: &mut NewestLog,
    ) -> Result<Vec<AccountAt>, WalletError> {
        let Some(last) = Batch::last(&mut newest.tree).await.map_err(LogError::from)? else {
            return Err(LogError::OtherMoment.into());
        };
        let all = self.accounts_file::<KeyAccounts>(id, "/v1/key-accounts", TOO_LARGE);
        let Some(all) = all.await? else {
            let mut proven = Vec::new();
            for key in keys {
                proven.push(self.prove_one(id, key, newest, &last).await?);
            }
            return Ok(proven);
        };
        let leaf = batch_leaf(&all.proof, newest, &last).await?;
        let accounts = all.accounts.into_iter().map(|(key, balance, seq)| {
            let credits = 0;
            let account = KeyAccount {
                balance,
                seq,
                credits,
            };
            // The root tells whether they are keys; to check each would take a second for ten thousand.
            let key = const_hex::decode_to_array(key).ok().map(AccountKey::of_stored)?;
            Some((key, account))
        });
        let accounts: Option<Vec<(AccountKey, KeyAccount)>> = accounts.collect();
        let accounts = accounts.ok_or(LogError::WrongAccounts("a key in the list is not one"))?;
        let ledger = KeyLedger::new(accounts);
        if ledger.root() != leaf.ledger_root {
            return Err(LogError::WrongAccounts("the list of all accounts is another one").into());
        }
        Ok(keys
            .iter()
            .map(|key| at(&leaf, &last, ledger.account(key)))
            .collect())
    }

    /// Asks for one account. The issuer learns which one.
    async fn prove_one(
        &self,
        id: &BigInt,
        key: &AccountKey,
        newest: &mut NewestLog,
        last: &Batch,
    ) -> Result<AccountAt, WalletError> {
        let path = format!("/v1/key-accounts/{key}");
        let answer = self.accounts_file::<opencoin_api::KeyAccount>(id, &path, NOT_FOUND);
        let Some(logged) = answer.await?.and_then(|answer| answer.logged) else {
            // Nothing proves that an account is not there.
            let leaf = leaf_of(newest, last).await?;
            return Ok(at(&leaf, last, None));
        };
        let leaf = batch_leaf(&logged.proof, newest, last).await?;
        let wrong = LogError::WrongAccounts("the balance does not belong to the newest batch");
        let path = logged.path.iter().map(|hash| Hash::from_base64(hash).ok());
        let proof = AccountProof {
            index: logged.index,
            count: logged.count,
            path: path.collect::<Option<_>>().ok_or(wrong.clone())?,
        };
        let account = KeyAccount {
            balance: logged.balance,
            seq: logged.seq,
            credits: 0,
        };
        proof
            .verify(key, &account, &leaf.ledger_root)
            .map_err(|_| wrong)?;
        Ok(at(&leaf, last, Some(account)))
    }

    /// Downloads what anybody may know of accounts; `None` if the issuer answers with the status `none`.
    async fn accounts_file<D: DeserializeOwned>(
        &self,
        id: &BigInt,
        path: &str,
        none: u16,
    ) -> Result<Option<D>, WalletError> {
        let services = self.currency(id)?.info_services();
        let mut failed = LogError::NoUrl;
        for url in urls(&services, path) {
            let reason = match self.transport.inner().download(&url, ACCOUNTS_BYTES_MAX).await {
                Ok(answer) if answer.status == OK => match serde_json::from_slice(&answer.body) {
                    Ok(read) => return Ok(Some(read)),
                    Err(_) => "the answer is not of the expected form".to_owned(),
                },
                Ok(answer) if answer.status == none => return Ok(None),
                Ok(answer) => format!("HTTP status {}", answer.status),
                Err(error) => error.reason,
            };
            failed = LogReadError::Unreachable { url, reason }.into();
        }
        Err(failed.into())
    }
}

/// Returns the batch leaf at the place that the issuer's proof names. It must be the last one of the checkpoint. The log
/// itself is asked for the leaf, so nothing else of the proof is used.
async fn batch_leaf(proof: &str, newest: &mut NewestLog, last: &Batch) -> Result<BatchLeaf, LogError> {
    let proof: ProofFile = proof
        .parse()
        .map_err(|_| LogError::WrongAccounts("the place of the batch cannot be read"))?;
    if proof.index != last.end {
        return Err(LogError::OtherMoment);
    }
    leaf_of(newest, last).await
}

async fn leaf_of(newest: &mut NewestLog, batch: &Batch) -> Result<BatchLeaf, LogError> {
    match Leaf::decode(newest.tree.leaf(batch.end).await?) {
        Ok(Leaf::Batch(leaf)) => Ok(*leaf),
        Ok(_) | Err(_) => Err(LogReadError::Disorder("a batch does not end with a batch leaf").into()),
    }
}

fn at(leaf: &BatchLeaf, batch: &Batch, account: Option<KeyAccount>) -> AccountAt {
    let exists = account.is_some();
    let account = account.unwrap_or_default();
    AccountAt {
        batch: leaf.batch,
        time_s: leaf.time,
        exists,
        balance: account.balance,
        seq: account.seq,
        size: batch.end + 1,
    }
}
