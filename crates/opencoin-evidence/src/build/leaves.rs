//! Faults of single leaves, of pairs of leaves, and of mint keys.

use opencoin_log::digest::KeyFingerprint;
use opencoin_schema::Mkc;

use super::{BuildError, EvidenceBuilder};
use crate::claim::{Claim, FalseJointSignature};
use crate::evidence::Evidence;
use crate::kinds::{
    AfterClosing, Disorder, KeyNumber, KeyUnknown, Neighbours, OneLeaf, OrderRule, OutsideDates,
    OutsideWindow, OverRedemption, SecretKey, SpentTwice, TwoLeaves, WindowRule,
};

impl EvidenceBuilder<'_> {
    /// A batch leaf or the closing of a key says that more coins of a key came back than were signed.
    ///
    /// # Errors
    /// As [`BuildError`] says; so for all functions of the builder.
    pub async fn over_redemption(&mut self, leaf: u64) -> Result<Evidence, BuildError> {
        let leaf = self.included(leaf).await?;
        let claim = OverRedemption::new(&self.checkpoint, leaf);
        self.evidence(Claim::OverRedemption(claim))
    }

    /// Two leaves are of the same coin, or of the same recouped blind.
    ///
    /// # Errors
    /// As above.
    pub async fn spent_twice(&mut self, one: u64, other: u64) -> Result<Evidence, BuildError> {
        let first = self.included(one.min(other)).await?;
        let second = self.included(one.max(other)).await?;
        let claim = SpentTwice::new(&self.checkpoint, first, second);
        self.evidence(Claim::SpentTwice(claim))
    }

    /// The batch of a leaf about a coin was sealed too early or too late for its mint key. `batch` is the batch leaf of that
    /// batch, and `key` the leaf of the mint key.
    ///
    /// # Errors
    /// As above.
    pub async fn outside_dates(&mut self, leaf: u64, batch: u64, key: u64) -> Result<Evidence, BuildError> {
        let (key, batch) = (self.included(key).await?, self.included(batch).await?);
        self.outside(leaf, WindowRule::Dates(OutsideDates { key, batch }))
            .await
    }

    /// The leaf of the mint key comes after a leaf about its coins, or, for a signature, in the same batch. `batch` is the
    /// batch leaf of the coin's batch.
    ///
    /// # Errors
    /// As above.
    pub async fn key_unknown(&mut self, leaf: u64, batch: u64, key: u64) -> Result<Evidence, BuildError> {
        let batch = match key < leaf {
            true => Some(self.included(batch).await?),
            false => None,
        };
        let key = self.included(key).await?;
        self.outside(leaf, WindowRule::KeyUnknown(KeyUnknown { key, batch }))
            .await
    }

    /// The mint key was closed in an earlier batch. `closing` is the leaf that closed it, and `between` a batch leaf after
    /// it and before the coin's leaf.
    ///
    /// # Errors
    /// As above.
    pub async fn after_closing(
        &mut self,
        leaf: u64,
        closing: u64,
        between: u64,
    ) -> Result<Evidence, BuildError> {
        let (closing, batch) = (self.included(closing).await?, self.included(between).await?);
        self.outside(leaf, WindowRule::KeyClosed(AfterClosing { closing, batch }))
            .await
    }

    async fn outside(&mut self, leaf: u64, rule: WindowRule) -> Result<Evidence, BuildError> {
        let leaf = self.included(leaf).await?;
        let claim = OutsideWindow::new(&self.checkpoint, leaf, rule);
        self.evidence(Claim::OutsideWindow(Box::new(claim)))
    }

    /// A certified mint key is not in the log. `keys` are the fingerprints of all that are.
    ///
    /// # Errors
    /// As above.
    pub async fn secret_key(
        &mut self,
        certificate: Mkc,
        keys: Vec<KeyFingerprint>,
    ) -> Result<Evidence, BuildError> {
        let batch = self.included(self.tree.size().saturating_sub(1)).await?;
        let claim = SecretKey::new(&self.checkpoint, batch, keys, certificate);
        self.evidence(Claim::SecretKey(Box::new(claim)))
    }

    /// A leaf is not after the one before it.
    ///
    /// # Errors
    /// As above.
    pub async fn disorder(&mut self, next: u64) -> Result<Evidence, BuildError> {
        let before = next.checked_sub(1).ok_or(BuildError::OtherLeaf(next))?;
        let (leaf, next) = (self.included(before).await?, self.included(next).await?);
        self.wrong_leaf(OrderRule::Order(Neighbours { leaf, next }))
    }

    /// A leaf cannot be read.
    ///
    /// # Errors
    /// As above.
    pub async fn malformed(&mut self, leaf: u64) -> Result<Evidence, BuildError> {
        let leaf = self.included(leaf).await?;
        self.wrong_leaf(OrderRule::Form(OneLeaf { leaf }))
    }

    /// The tree does not end with a batch leaf.
    ///
    /// # Errors
    /// As above.
    pub async fn unfinished(&mut self) -> Result<Evidence, BuildError> {
        let leaf = self.included(self.tree.size().saturating_sub(1)).await?;
        self.wrong_leaf(OrderRule::End(OneLeaf { leaf }))
    }

    /// The master key did not sign the certificate in a leaf.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_certificate(&mut self, leaf: u64) -> Result<Evidence, BuildError> {
        let leaf = self.included(leaf).await?;
        self.wrong_leaf(OrderRule::Certificate(OneLeaf { leaf }))
    }

    /// A description that the master key has signed cannot be in this log.
    ///
    /// # Errors
    /// As above.
    pub async fn wrong_description(&mut self, leaf: u64) -> Result<Evidence, BuildError> {
        let leaf = self.included(leaf).await?;
        self.wrong_leaf(OrderRule::Description(OneLeaf { leaf }))
    }

    /// Two descriptions have the same number.
    ///
    /// # Errors
    /// As above.
    pub async fn description_twice(&mut self, one: u64, other: u64) -> Result<Evidence, BuildError> {
        let first = self.included(one.min(other)).await?;
        let second = self.included(one.max(other)).await?;
        self.wrong_leaf(OrderRule::DescriptionTwice(TwoLeaves { first, second }))
    }

    /// Two leaves have the same mint key, or two mint keys the same number.
    ///
    /// # Errors
    /// As above.
    pub async fn key_twice(&mut self, one: u64, other: u64) -> Result<Evidence, BuildError> {
        let first = self.included(one.min(other)).await?;
        let second = self.included(one.max(other)).await?;
        self.wrong_leaf(OrderRule::KeyTwice(TwoLeaves { first, second }))
    }

    /// A leaf names a mint key by a number that no key has. `batch` is the batch leaf of its batch, and `keys` are the
    /// fingerprints of all mint keys of the log at its end.
    ///
    /// # Errors
    /// As above.
    pub async fn key_number(
        &mut self,
        leaf: u64,
        batch: u64,
        keys: Vec<KeyFingerprint>,
    ) -> Result<Evidence, BuildError> {
        let (leaf, batch) = (self.included(leaf).await?, self.included(batch).await?);
        self.wrong_leaf(OrderRule::KeyNumber(KeyNumber::new(leaf, batch, keys)))
    }

    fn wrong_leaf(&self, rule: OrderRule) -> Result<Evidence, BuildError> {
        let claim = Disorder::new(&self.checkpoint, rule);
        self.evidence(Claim::Disorder(Box::new(claim)))
    }

    /// The auditor with this name has cosigned the checkpoint of the evidence, which must be that of the builder.
    /// `description` is the leaf with the builder's description.
    ///
    /// # Errors
    /// As above.
    pub async fn false_joint_signature(
        &mut self,
        cosigner: &str,
        fault: &Evidence,
        description: u64,
    ) -> Result<Evidence, BuildError> {
        let description = self.included(description).await?;
        let fault = fault.claim().clone();
        let claim = FalseJointSignature::new(cosigner.to_owned(), fault, Some(description));
        self.evidence(Claim::FalseJointSignature(Box::new(claim)))
    }
}
