//! The keys against which evidence is verified, and the checkpoints that they have signed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use opencoin_crypto::{VerifiedCddc, verify_cddc};
use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::{verify_log_signature, verify_quorum};
use opencoin_schema::Cddc;
use opencoin_text::printable;

use crate::error::{EvidenceError, fails};

/// A currency's description, and the block in it that names the log.
pub(crate) struct LogKeys {
    pub(crate) cddc: VerifiedCddc,
    pub(crate) block: LogBlock,
    /// The checkpoints whose signatures are verified. A file has one or two, and several of its fields rest on each.
    signed: RefCell<BTreeMap<String, SignedCheckpoint>>,
}

impl LogKeys {
    pub(crate) fn of(cddc: &Cddc) -> Result<Self, EvidenceError> {
        let cddc = verify_cddc(cddc).map_err(|error| fails(error.to_string()))?;
        let block = LogBlock::find(&cddc.cdd().additional_info).map_err(|error| fails(error.to_string()))?;
        let block = block.ok_or_else(|| fails("the currency's description names no log"))?;
        let signed = RefCell::default();
        Ok(Self { cddc, block, signed })
    }

    /// Reads a checkpoint that the log has signed. Every other signature of it must be good and of a known witness, so
    /// that a file of evidence has one form.
    pub(crate) fn signed(&self, note: &str) -> Result<SignedCheckpoint, EvidenceError> {
        if let Some(signed) = self.signed.borrow().get(note) {
            return Ok(signed.clone());
        }
        let signed = self.verify_signatures(note)?;
        self.signed.borrow_mut().insert(note.to_owned(), signed.clone());
        Ok(signed)
    }

    fn verify_signatures(&self, note: &str) -> Result<SignedCheckpoint, EvidenceError> {
        let signed: SignedCheckpoint = note.parse().map_err(|_| fails("a checkpoint cannot be read"))?;
        verify_log_signature(&self.block, &signed).map_err(|error| fails(error.to_string()))?;
        let verified = signed.note().verify(&self.all());
        let verified = verified.map_err(|error| fails(error.to_string()))?;
        if verified.len() == signed.note().signatures().len() {
            Ok(signed)
        } else {
            Err(fails("a checkpoint has a signature by somebody unknown"))
        }
    }

    /// Reads a checkpoint that the log and a quorum of witnesses have signed.
    pub(crate) fn cosigned(&self, note: &str) -> Result<VerifiedCheckpoint, EvidenceError> {
        let signed = self.signed(note)?;
        verify_quorum(&self.block, &signed, None).map_err(|error| fails(error.to_string()))
    }

    /// The key of the member of the joint group that the description calls so.
    pub(crate) fn joint_key(&self, label: &str) -> Result<&VerifierKey, EvidenceError> {
        let policy = self.block.policy();
        let joint = self.block.joint();
        let joint = joint.ok_or_else(|| fails("the currency's description names no auditors"))?;
        let mut witnesses = policy.witnesses().iter();
        let witness = witnesses.find(|witness| witness.name == label);
        witness
            .filter(|_| policy.names_in(joint).contains(label))
            .map(|witness| &witness.key)
            .ok_or_else(|| {
                fails(format!(
                    "{:?} is none of the currency's auditors",
                    printable(label)
                ))
            })
    }

    /// Checks that the holder of this key has cosigned the checkpoint.
    pub(crate) fn require_cosigned(&self, note: &str, key: &VerifierKey) -> Result<(), EvidenceError> {
        let signed = self.signed(note)?;
        let verified = signed.note().verify(std::slice::from_ref(key));
        verified
            .map(drop)
            .map_err(|_| fails("the auditor did not cosign the checkpoint"))
    }

    /// The checkpoint without the signatures that [`signed`](Self::signed) would refuse. One that cannot be read stays as
    /// it is.
    pub(crate) fn tidy(&self, note: &str) -> String {
        self.try_tidy(note).unwrap_or_else(|| note.to_owned())
    }

    fn try_tidy(&self, note: &str) -> Option<String> {
        if self.signed(note).is_ok() {
            return None;
        }
        let signed: SignedCheckpoint = note.parse().ok()?;
        let bare = SignedCheckpoint::new(signed.checkpoint().clone()).ok()?;
        let (all, mut tidy) = (self.all(), bare.clone());
        for line in signed.note().signatures() {
            let mut alone = bare.clone();
            alone.add(line.clone()).ok()?;
            if alone.note().verify(&all).is_ok() {
                tidy.add(line.clone()).ok()?;
            }
        }
        Some(tidy.to_string())
    }

    /// The keys of the log and of all witnesses.
    fn all(&self) -> Vec<VerifierKey> {
        let policy = self.block.policy();
        let logs = policy.logs().iter().map(|log| &log.key);
        let witnesses = policy.witnesses().iter().map(|witness| &witness.key);
        logs.chain(witnesses).cloned().collect()
    }

    /// Whether this block leaves the log the same time as the description does. It never changes in the life of a log, since
    /// a file of evidence may have any description.
    pub(crate) fn has_terms_of(&self, block: &LogBlock) -> bool {
        (block.within_s(), block.batches()) == (self.block.within_s(), self.block.batches())
    }

    /// The grace of the log in seconds: how long after it was accepted something may be sealed.
    pub(crate) fn within_s(&self) -> u64 {
        self.block.within_s().into()
    }
}
