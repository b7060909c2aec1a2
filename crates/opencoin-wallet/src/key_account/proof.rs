//! Payments by key, proven by a `.tlog-proof` file: who paid whom how much, without any connection.
//!
//! The additional data of the file are the payment's leaf. What they say is believed because the leaf is in the log of
//! a currency whose description the caller trusts, because the payer has signed it, and because the auditors that the
//! description names have replayed the log up to there.

use chrono::{DateTime, Utc};
use opencoin_crypto::VerifiedCddc;
use opencoin_log::hash::leaf_hash;
use opencoin_log::key_account::{AccountKey, AccountKeyError, Payee, Payment, PaymentFault};
use opencoin_log::leaf::Leaf;
use opencoin_log::log_block::LogBlock;
use opencoin_log::proof_file::{ProofFile, ProofFileError, ProofFileVerifyError};
use opencoin_log_reader::checkpoint::quorum_time;
use thiserror::Error;

use crate::clock::CLOCK_DIFFERENCE_MAX;

/// Checks proofs under the descriptions of currencies that are trusted.
#[derive(Debug, Clone, Default)]
pub struct PaymentVerifier {
    descriptions: Vec<(VerifiedCddc, LogBlock)>,
}

/// A payment that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPayment {
    /// The payment.
    pub payment: Payment,
    /// The currency's name.
    pub currency: String,
    /// How many of the smallest unit are one unit.
    pub divisor: u64,
    /// The id of the master key that vouches for everything else.
    pub master_key: String,
    /// The name of the log.
    pub log: String,
    /// The index of the payment's leaf in the log.
    pub index: u64,
    /// When the quorum had seen it, by its latest signatures; `None` for a currency without witnesses.
    pub seen_at: Option<DateTime<Utc>>,
    /// The witnesses and auditors that have cosigned, by their names in the description.
    pub cosigned_by: Vec<String>,
    /// The group that makes the joint signature; `None` if the currency names none.
    pub joint: Option<String>,
    /// Whether that group has signed.
    pub has_joint_signature: bool,
    /// Whether the description that names witnesses and auditors is the newest one of the currency. An earlier one may
    /// have named none, or some that the currency trusts no longer.
    pub is_description_current: bool,
}

/// A file proves no payment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PaymentProofError {
    /// The file has another format.
    #[error("this is not a proof of a payment: {0}")]
    Format(#[from] ProofFileError),
    /// The additional data are not a payment.
    #[error("the proof is not about a payment by key")]
    NoPayment,
    /// No trusted description names the log.
    #[error("the payment is in the log {0}, which no known currency has")]
    UnknownLog(String),
    /// The signatures or the inclusion are wrong.
    #[error("the payment is not proven to be in the public log: {0}")]
    NotInLog(#[from] ProofFileVerifyError),
    /// The payer's key is none.
    #[error("the payer's key is not one: {0}")]
    Key(#[from] AccountKeyError),
    /// The payment breaks a rule.
    #[error("the log has the payment, but nobody can order it: {0}")]
    Order(#[from] PaymentFault),
    /// The payment is for another log.
    #[error("the log has the payment, but it was ordered for another log: {0}")]
    OtherLog(String),
    /// The signature is wrong.
    #[error("the log has the payment, but the payer did not sign it")]
    NotSigned,
}

impl CheckedPayment {
    /// Whether the payment is final: the joint signature that the newest description asks for is there, or it asks for
    /// none.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.is_description_current && (self.joint.is_none() || self.has_joint_signature)
    }
}

impl PaymentVerifier {
    /// Trusts the logs that these descriptions name. Those without a log are left out.
    #[must_use]
    pub fn new(descriptions: impl IntoIterator<Item = VerifiedCddc>) -> Self {
        let with_log = |cddc: VerifiedCddc| {
            let block = LogBlock::find(&cddc.cdd().additional_info).ok()??;
            Some((cddc, block))
        };
        Self {
            descriptions: descriptions.into_iter().filter_map(with_log).collect(),
        }
    }

    /// Whether no description names a log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.descriptions.is_empty()
    }

    /// Checks a file. Signatures that are later than `now` by more than some minutes do not count.
    ///
    /// # Errors
    /// The file proves no payment.
    pub fn check(&self, file: &str, now: DateTime<Utc>) -> Result<CheckedPayment, PaymentProofError> {
        let proof: ProofFile = file.parse()?;
        let Ok(Leaf::KeyPaid(payment)) = Leaf::decode(&proof.extra) else {
            return Err(PaymentProofError::NoPayment);
        };
        let origin = proof.checkpoint.checkpoint().origin();
        // A currency may have had several descriptions, with other witnesses each. Only the newest one says what is final.
        let mut failed = PaymentProofError::UnknownLog(origin.to_owned());
        let of_log = |(_, block): &&(VerifiedCddc, LogBlock)| block.origin().as_str() == origin;
        let mut published: Option<CheckedPayment> = None;
        for (cddc, block) in self.descriptions.iter().filter(of_log) {
            match check(&proof, &payment, (cddc, self.is_current(cddc, block)), block, now) {
                Ok(checked) if checked.is_final() => return Ok(checked),
                Ok(checked) => published = published.or(Some(checked)),
                Err(error) => failed = error,
            }
        }
        published.ok_or(failed)
    }

    /// Whether no later description of the same currency and log is known.
    fn is_current(&self, cddc: &VerifiedCddc, block: &LogBlock) -> bool {
        let is_later = |(other, other_block): &(VerifiedCddc, LogBlock)| {
            other_block.origin() == block.origin()
                && other.master_key().id() == cddc.master_key().id()
                && other.cdd().cdd_serial > cddc.cdd().cdd_serial
        };
        !self.descriptions.iter().any(is_later)
    }
}

fn check(
    proof: &ProofFile,
    payment: &Payment,
    (cddc, is_description_current): (&VerifiedCddc, bool),
    block: &LogBlock,
    now: DateTime<Utc>,
) -> Result<CheckedPayment, PaymentProofError> {
    let latest = u64::try_from((now + CLOCK_DIFFERENCE_MAX).timestamp()).ok();
    let verified = proof.verify(block.policy(), &leaf_hash(&proof.extra), latest)?;
    let order = &payment.order;
    order.check()?;
    AccountKey::new(*order.from.as_bytes())?;
    if let Payee::Key(payee) = order.to {
        AccountKey::new(*payee.as_bytes())?;
    }
    if order.domain != block.origin().as_str() {
        return Err(PaymentProofError::OtherLog(order.domain.clone()));
    }
    if !payment.is_signed() {
        return Err(PaymentProofError::NotSigned);
    }
    let seen_at = quorum_time(block.policy(), &verified);
    let seen_at = seen_at.and_then(|time| DateTime::from_timestamp(i64::try_from(time).ok()?, 0));
    let joint = block.joint().map(str::to_owned);
    let has_joint_signature = joint.as_ref().is_some_and(|name| {
        let cosigned = verified.witnesses_after(0);
        block.policy().is_met(name, &cosigned) == Some(true)
    });
    let cdd = cddc.cdd();
    Ok(CheckedPayment {
        payment: payment.clone(),
        currency: cdd.currency_name.clone(),
        divisor: cdd.currency_divisor,
        master_key: cddc.master_key().id().to_string(),
        log: order.domain.clone(),
        index: proof.index,
        seen_at,
        cosigned_by: verified.cosigned_by.into_iter().map(|by| by.witness).collect(),
        joint,
        has_joint_signature,
        is_description_current,
    })
}
