//! Challenges: what a holder says that the issuer owes, and the answer that settles it.
//!
//! Nobody has signed that the issuer does not answer, so these are no proofs. A file with a right answer does not hold.

use opencoin_crypto::PublicKey;
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{Leaf, coin_recouped_leaf, issued_leaf, spent_leaf};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_schema::{BigInt, PayloadHash, RsaPublicKey};
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};
use crate::words::date;

/// A blind was accepted, and its signature is not given out. The answer is the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithheldSignature {
    pub(crate) checkpoint: String,
    /// The leaf of the blind.
    leaf: Included,
    /// The leaf of the mint key.
    key: Included,
    /// The blinded number B, in the width of the key's modulus.
    blinded: Base64Bytes,
    /// The signature S, in the same width, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Base64Bytes>,
}

/// A coin was refused because it is spent. The answer is its leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalseRefusal {
    pub(crate) checkpoint: String,
    /// The leaf of the mint key.
    key: Included,
    /// The hash of the coin's payload.
    payload_hash: Base64Bytes,
    /// When it was refused, in seconds since 1970. Nobody signed this.
    refused_at: u64,
    /// The leaf that says that the coin came back, if it was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<SpentAnswer>,
}

/// The leaf of a coin that came back, in a tree that may be larger than that of the challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpentAnswer {
    pub(crate) checkpoint: String,
    leaf: Included,
}

impl WithheldSignature {
    /// `leaf` is that of the blind, and `key` that of the mint key.
    #[must_use]
    pub fn new(
        checkpoint: &SignedCheckpoint,
        leaf: Included,
        key: Included,
        blinded: &BigInt,
        modulus_bytes: usize,
    ) -> Self {
        Self {
            checkpoint: checkpoint.to_string(),
            leaf,
            key,
            blinded: Base64Bytes(blinded.to_padded_be_bytes(modulus_bytes).unwrap_or_default()),
            answer: None,
        }
    }

    /// The challenge with the signature that answers it.
    #[must_use]
    pub fn answered(self, signature: &BigInt) -> Self {
        let width = self.blinded.0.len();
        let answer = signature.to_padded_be_bytes(width).map(Base64Bytes);
        Self { answer, ..self }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        let (key_no, document) = mint_key(&tree, &self.key)?;
        let key = PublicKey::parse(&document).map_err(|error| fails(error.to_string()))?;
        if self.blinded.0.len() != key.modulus_bytes() {
            return Err(fails("the blinded number has another width than the key"));
        }
        let blinded = BigInt::from_be_bytes(&self.blinded.0);
        let digest = IssuedDigest::of(&KeyFingerprint::of(&document), key.modulus_bytes(), &blinded);
        let digest = digest.map_err(|error| fails(error.to_string()))?;
        tree.include(&self.leaf)?;
        if self.leaf.leaf() != issued_leaf(key_no, &digest) {
            return Err(fails("the leaf is not that of the blinded number"));
        }
        if let Some(answer) = &self.answer {
            let is_signature = key
                .raw_public(&answer.0)
                .is_ok_and(|power| power == self.blinded.0);
            return Err(fails(if is_signature {
                "the challenge is answered: the signature is there"
            } else {
                "the answer is not the signature"
            }));
        }
        Ok(format!(
            "Leaf {} of the log says that a blinded coin was accepted for signing with mint key {}. A holder says that the \
             issuer does not give out the signature. Only the issuer can make it, and showing it helps nobody but the \
             holder: whoever has S with S^e = B puts it into this file as `answer`.",
            self.leaf.index,
            key_no.get()
        ))
    }
}

impl FalseRefusal {
    /// `key` is the leaf of the mint key. The issuer said at `refused_at`, in seconds since 1970, that the coin with this
    /// payload hash was spent.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, key: Included, payload_hash: &[u8], refused_at: u64) -> Self {
        Self {
            checkpoint: checkpoint.to_string(),
            key,
            payload_hash: Base64Bytes(payload_hash.to_vec()),
            refused_at,
            answer: None,
        }
    }

    /// The challenge with the leaf that answers it, in the tree of this checkpoint.
    #[must_use]
    pub fn answered(self, checkpoint: &SignedCheckpoint, leaf: Included) -> Self {
        let checkpoint = checkpoint.to_string();
        let answer = Some(SpentAnswer { checkpoint, leaf });
        Self { answer, ..self }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        let (key_no, document) = mint_key(&tree, &self.key)?;
        let payload_hash = PayloadHash::new(&self.payload_hash.0);
        let payload_hash = payload_hash.map_err(|error| fails(error.to_string()))?;
        let digest = SpentDigest::of(&KeyFingerprint::of(&document), &payload_hash);
        if let Some(answer) = &self.answer {
            SignedTree::of(keys, &answer.checkpoint)?.include(&answer.leaf)?;
            let leaves = [spent_leaf(key_no, &digest), coin_recouped_leaf(key_no, &digest)];
            let is_spent = leaves.iter().any(|leaf| answer.leaf.leaf() == leaf);
            return Err(fails(if is_spent {
                format!(
                    "the challenge is answered: leaf {} says that the coin came back",
                    answer.leaf.index
                )
            } else {
                "the answer is not the leaf of the coin".to_owned()
            }));
        }
        Ok(format!(
            "A holder says that the issuer refused a coin of mint key {} on {}, because it had come back before. If it had, \
             its leaf is in the log: whoever knows the index puts the leaf into this file as `answer`.",
            key_no.get(),
            date(self.refused_at)
        ))
    }
}

fn mint_key(tree: &SignedTree, included: &Included) -> Result<(KeyNo, RsaPublicKey), EvidenceError> {
    match tree.leaf(included)? {
        Leaf::MintKey { key_no, certificate } => Ok((key_no, certificate.mint_key.public_mint_key)),
        _ => Err(fails("the leaf is not that of a mint key")),
    }
}
