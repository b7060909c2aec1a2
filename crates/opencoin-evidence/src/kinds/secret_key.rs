//! The master key has certified a mint key that is not in the log when it signs.

use opencoin_crypto::verify_mint_key_of_issuer;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::is_later_than;
use opencoin_schema::Mkc;
use serde::{Deserialize, Serialize};

use super::key_list::KeyList;
use super::time::unix_s;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};
use crate::words::date;

/// A certificate, and all keys of a log that a quorum has cosigned when the key could sign already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretKey {
    pub(crate) checkpoint: String,
    /// The batch leaf at the end of the tree.
    batch: Included,
    /// All mint keys of the log.
    keys: KeyList,
    certificate: Box<Mkc>,
}

impl SecretKey {
    /// `batch` is the batch leaf at the end of the checkpoint's tree, and `keys` are all mint keys of the log.
    #[must_use]
    pub fn new(
        checkpoint: &SignedCheckpoint,
        batch: Included,
        keys: Vec<KeyFingerprint>,
        certificate: Mkc,
    ) -> Self {
        Self {
            checkpoint: checkpoint.to_string(),
            batch,
            keys: KeyList::new(keys),
            certificate: Box::new(certificate),
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let verified = verify_mint_key_of_issuer(&self.certificate, &keys.cddc);
        verified.map_err(|error| fails(format!("the certificate of the mint key: {error}")))?;
        let checkpoint = keys.cosigned(&self.checkpoint)?;
        let begin = unix_s(self.certificate.mint_key.sign_coins_not_before);
        let due = begin.saturating_add(keys.within_s());
        if !is_later_than(keys.block.policy(), &checkpoint, due) {
            return Err(fails("the key did not sign yet when the checkpoint was cosigned"));
        }
        let tree = SignedTree::verified(checkpoint.checkpoint);
        let batch = tree.batch(&self.batch)?;
        if self.batch.index.checked_add(1) != Some(tree.size()) {
            return Err(fails("the batch leaf is not at the end of the log"));
        }
        let fingerprint = KeyFingerprint::of(&self.certificate.mint_key.public_mint_key);
        if self.keys.verify(&batch.keys_root)?.contains(&fingerprint) {
            return Err(fails("the mint key is in the log"));
        }
        Ok(format!(
            "The issuer has certified the mint key {} for coins of {}, to sign from {} on. It is not in the log, which a \
             quorum of witnesses cosigned after {}. Whoever is given coins of such a key can be recognised by them, and \
             nobody can count them.",
            self.certificate.mint_key.id,
            self.certificate.mint_key.denomination,
            date(begin),
            date(due)
        ))
    }
}
