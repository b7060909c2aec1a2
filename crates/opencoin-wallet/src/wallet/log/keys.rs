//! Mint keys in the log: looked for before their first use.
//!
//! An issuer that gives one wallet its own mint key recognises that wallet's coins when they come back. In the log all
//! wallets see the same keys, so a key that is not there is not used.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::LogTree;
use opencoin_schema::BigInt;
use serde::Deserialize;

use super::Wallet;
use crate::client::urls;
use crate::error::WalletError;
use crate::public_log::LogError;
use crate::public_log::memory::{LogEvent, LoggedKey};

/// The longest time for mint keys before a request.
const DURATION_MAX: Duration = Duration::from_secs(20);

/// A new key may be known already while a cache, or another server of the issuer, still shows the checkpoint before it:
/// how often the newest checkpoint is read until the key counts as missing.
const ATTEMPTS_MAX: usize = 5;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(700);

/// Where the issuer says that the leaves of mint keys are.
#[derive(Deserialize)]
struct KeyHints {
    keys: Vec<KeyHint>,
}

#[derive(Deserialize)]
struct KeyHint {
    id: BigInt,
    index: u64,
}

impl Wallet {
    /// Checks that the leaves of these mint keys are in the log, unless it was checked before.
    ///
    /// # Errors
    /// A key is not in the log, or the log cannot be read. Nothing was sent to the issuer yet.
    pub(in super::super) async fn require_logged_keys(
        &mut self,
        id: &BigInt,
        keys: BTreeSet<BigInt>,
    ) -> Result<(), WalletError> {
        let unchecked = self.unchecked_keys(id, keys);
        if unchecked.is_empty() {
            return Ok(());
        }
        if !self.is_log_checked {
            // A block that cannot be read counts as a log.
            return match self.log_block(id) {
                Ok(None) => Ok(()),
                Ok(Some(_)) | Err(_) => self.record_log(id, LogEvent::Unchecked {}),
            };
        }
        let Some(block) = self.log_block(id)? else {
            return Ok(());
        };
        let checked = tokio::time::timeout(DURATION_MAX, self.check_keys_now(id, &block, unchecked)).await;
        checked.unwrap_or_else(|_| Err(LogError::TooSlow(DURATION_MAX.as_secs()).into()))
    }

    /// Returns the keys whose leaves were not verified yet.
    pub(super) fn unchecked_keys(&self, id: &BigInt, mut keys: BTreeSet<BigInt>) -> BTreeSet<BigInt> {
        let block = self.log_block(id).ok().flatten();
        let origin = block.as_ref().map(|block| block.origin().as_str());
        // A new log has other numbers for the keys.
        if let Some(memory) = self.log_memory(id).filter(|memory| memory.origin() == origin) {
            keys.retain(|key| !memory.keys.contains_key(key));
        }
        keys
    }

    async fn check_keys_now(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        keys: BTreeSet<BigInt>,
    ) -> Result<(), WalletError> {
        let mut attempts = 1;
        loop {
            let mut newest = self.newest_log(id, block, None).await?;
            let unchecked = self.unchecked_keys(id, keys.clone());
            match self.check_keys(id, &mut newest.tree, unchecked).await {
                Err(WalletError::Log(LogError::KeyNotInLog(_))) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    tokio::time::sleep(ATTEMPT_PAUSE).await;
                }
                checked => return checked,
            }
        }
    }

    /// Looks for the leaves of mint keys in a tree, and remembers those that are there.
    pub(super) async fn check_keys(
        &mut self,
        id: &BigInt,
        tree: &mut LogTree,
        keys: BTreeSet<BigInt>,
    ) -> Result<(), WalletError> {
        let hints = self.key_hints(id, tree).await?;
        let (mut found, mut failed) = (Vec::new(), None);
        for key in keys {
            match self.find_key(id, tree, &key, hints.get(&key)).await {
                Ok((key_no, index)) => found.push(LoggedKey {
                    id: key,
                    key_no,
                    index,
                }),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if !found.is_empty() {
            self.record_log(id, LogEvent::Keys { keys: found })?;
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Asks the issuer where the leaves of mint keys are. The answer is only a hint.
    pub(super) async fn key_hints(
        &self,
        id: &BigInt,
        tree: &mut LogTree,
    ) -> Result<BTreeMap<BigInt, u64>, WalletError> {
        let services = self.currency(id)?.info_services();
        let mut failed = None;
        for url in urls(&services, "/v1/log/keys") {
            match tree.reader().hint::<KeyHints>(&url).await {
                Ok(Some(hints)) => {
                    return Ok(hints.keys.into_iter().map(|hint| (hint.id, hint.index)).collect());
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or_else(|| Ok(BTreeMap::new()), |error| Err(error.into()))
    }

    /// Checks the leaf at the place where the issuer says that the key is.
    async fn find_key(
        &self,
        id: &BigInt,
        tree: &mut LogTree,
        key: &BigInt,
        index: Option<&u64>,
    ) -> Result<(KeyNo, u64), LogError> {
        let missing = || LogError::KeyNotInLog(key.to_string());
        let index = *index.filter(|index| **index < tree.size()).ok_or_else(missing)?;
        let used = self
            .state
            .currencies
            .get(id)
            .and_then(|currency| currency.mint_keys.get(key));
        let used = used.ok_or_else(missing)?.mkc();
        match Leaf::decode(tree.leaf(index).await?) {
            Ok(Leaf::MintKey { key_no, certificate }) if *certificate == *used => Ok((key_no, index)),
            Ok(_) | Err(_) => Err(LogError::OtherKey(key.to_string())),
        }
    }
}
