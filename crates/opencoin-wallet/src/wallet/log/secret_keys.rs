//! Mint keys that the issuer has certified and that are not in the log.
//!
//! An issuer that gives one wallet a key of its own shows it to nobody else. So only this wallet can prove it: with the
//! certificate, and with all keys that the log has.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_evidence::EvidenceBuilder;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::{LogReadError, LogTree};
use opencoin_schema::{BigInt, Mkc};

use super::Wallet;
use super::checkpoint::NewestLog;
use crate::error::WalletError;
use crate::public_log::LogError;

impl Wallet {
    /// Notes keys that could sign already and are not in the log, if that can be proven. An answer that cannot be read is no
    /// fault here.
    pub(super) async fn note_secret_keys(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        newest: &mut NewestLog,
    ) -> Result<(), WalletError> {
        let suspected = self.signing_keys(id, block)?;
        if suspected.is_empty() {
            return Ok(());
        }
        let Ok(hints) = self.key_hints(id, &mut newest.tree).await else {
            return Ok(());
        };
        // A hint may name another leaf. If the key is in the log after all, nothing can be made.
        for (key, certificate) in suspected {
            let Ok(keys) = logged_keys(&mut newest.tree, &hints).await else {
                return Ok(());
            };
            let cddc = self.currency(id)?.cddc.cddc().clone();
            let mut builder = EvidenceBuilder::new(&mut newest.tree, newest.note.clone(), cddc);
            if let Ok(evidence) = builder.secret_key(certificate, keys).await {
                let description = LogError::KeyNotInLog(key.to_string()).to_string();
                let claim = evidence.claim().clone();
                self.note_fault(id, None, description, Some(key.to_string()), Some(claim))?;
            }
        }
        Ok(())
    }

    /// Returns the certificates of keys that were not found in the log yet and could have been used for longer than the
    /// log may take to have them.
    fn signing_keys(&self, id: &BigInt, block: &LogBlock) -> Result<BTreeMap<BigInt, Mkc>, WalletError> {
        let known = &self.currency(id)?.mint_keys;
        let unchecked: BTreeSet<BigInt> = self.unchecked_keys(id, known.keys().cloned().collect());
        let within = chrono::TimeDelta::seconds(block.within_s().into());
        let signs = |mkc: &Mkc| {
            let key = &mkc.mint_key;
            key.sign_coins_not_before.to_utc() + within < self.now
                && self.now <= key.sign_coins_not_after.to_utc()
        };
        let certificates = unchecked
            .into_iter()
            .filter_map(|key| Some((key.clone(), known.get(&key)?.mkc().clone())));
        Ok(certificates.filter(|(_, mkc)| signs(mkc)).collect())
    }
}

/// Returns the fingerprints of all mint keys whose leaves are where the issuer says. If it leaves one out, they do not
/// give the root in the batch leaf.
async fn logged_keys(
    tree: &mut LogTree,
    hints: &BTreeMap<BigInt, u64>,
) -> Result<Vec<KeyFingerprint>, LogReadError> {
    let indices: BTreeSet<u64> = hints
        .values()
        .copied()
        .filter(|index| *index < tree.size())
        .collect();
    let mut keys = Vec::new();
    for index in indices {
        if let Ok(Leaf::MintKey { certificate, .. }) = Leaf::decode(tree.leaf(index).await?) {
            keys.push(KeyFingerprint::of(&certificate.mint_key.public_mint_key));
        }
    }
    Ok(keys)
}
