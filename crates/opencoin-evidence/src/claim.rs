//! What a file says.

use std::fmt;

use opencoin_log::key::VerifierKey;
use opencoin_log::leaf::Leaf;
use opencoin_text::printable;
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::kinds::{
    BadPayment, Disorder, FalseRefusal, OmittedLeaf, OutsideWindow, OverRedemption, Rollback, SecretKey,
    SpentTwice, SplitView, StalledLog, WithheldSignature, WrongTotals,
};
use crate::tree::{Included, SignedTree};

/// What a file says. The field `kind` names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Claim {
    /// The log has signed two histories.
    #[serde(rename = "split view")]
    SplitView(SplitView),
    /// A leaf that was promised is not in the log.
    #[serde(rename = "omitted leaf")]
    OmittedLeaf(Box<OmittedLeaf>),
    /// More coins of a key came back than were signed.
    #[serde(rename = "over-redemption")]
    OverRedemption(OverRedemption),
    /// Totals contradict each other, or the leaves that they count.
    #[serde(rename = "wrong totals")]
    WrongTotals(Box<WrongTotals>),
    /// A coin came back twice.
    #[serde(rename = "spent twice")]
    SpentTwice(SpentTwice),
    /// A coin was signed or taken outside the time of its key.
    #[serde(rename = "outside its window")]
    OutsideWindow(Box<OutsideWindow>),
    /// A certified mint key is not in the log.
    #[serde(rename = "secret key")]
    SecretKey(Box<SecretKey>),
    /// A leaf cannot be in a log, or not in this place.
    #[serde(rename = "disorder")]
    Disorder(Box<Disorder>),
    /// Statements about key accounts break a rule.
    #[serde(rename = "bad payment")]
    BadPayment(Box<BadPayment>),
    /// An auditor has cosigned what breaks a rule.
    #[serde(rename = "false joint signature")]
    FalseJointSignature(Box<FalseJointSignature>),
    /// The log was larger before. An incident.
    #[serde(rename = "rollback")]
    Rollback(Rollback),
    /// A promise is due, and no later checkpoint is there. A complaint: a newer checkpoint answers it.
    #[serde(rename = "stalled log")]
    StalledLog(Box<StalledLog>),
    /// A signature is not given out. A challenge: the signature answers it.
    #[serde(rename = "withheld signature")]
    WithheldSignature(Box<WithheldSignature>),
    /// A coin is refused as spent. A challenge: its leaf answers it.
    #[serde(rename = "false refusal")]
    FalseRefusal(Box<FalseRefusal>),
}

/// A fault, and the cosignature of an auditor below it, which says that it has replayed the log and found none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalseJointSignature {
    /// The name of the auditor in the description, a member of the group that `joint` names.
    cosigner: String,
    /// The leaf with the description of this file, before the fault: the auditor has seen it. Not for a split view, which
    /// depends on nothing that the description says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Included>,
    /// The fault, with the fields of its kind.
    fault: Claim,
}

/// What follows from a file that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Somebody has broken the rules. Nobody could have made the file otherwise.
    Fault,
    /// Something went wrong, and the file does not say whose fault it is.
    Incident,
    /// Somebody says that something is missing. The accused can show it.
    Complaint,
    /// Somebody demands an answer that the accused can give.
    Challenge,
}

/// Whom a file is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Accused {
    /// The holder of the master key, or of the keys that it names for the log.
    Issuer,
    /// Whoever holds a key that has cosigned.
    Cosigner(AccusedCosigner),
}

/// A cosigner that a file is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccusedCosigner {
    /// The key with which it has signed. Only this key is accused. The name in it was chosen by whoever made the key, and
    /// the id in it has only 32 bits, so that another key can have both: readers compare the whole key.
    pub key: VerifierKey,
    /// What the issuer calls the key in the currency's description. It may be anybody's name.
    pub label: String,
}

impl fmt::Display for Accused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer => formatter.write_str("the issuer"),
            Self::Cosigner(cosigner) => write!(formatter, "the cosigner {cosigner}"),
        }
    }
}

/// For people: the text is safe on a terminal.
impl fmt::Display for AccusedCosigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = printable(&self.key.to_string());
        let label = printable(&format!("{:?}", self.label));
        write!(formatter, "with key {key} (the issuer's label for it is {label})")
    }
}

impl Verdict {
    /// The word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Incident => "incident",
            Self::Complaint => "complaint",
            Self::Challenge => "challenge",
        }
    }
}

impl Claim {
    /// The field `kind` of its file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SplitView(_) => "split view",
            Self::OmittedLeaf(_) => "omitted leaf",
            Self::OverRedemption(_) => "over-redemption",
            Self::WrongTotals(_) => "wrong totals",
            Self::SpentTwice(_) => "spent twice",
            Self::OutsideWindow(_) => "outside its window",
            Self::SecretKey(_) => "secret key",
            Self::Disorder(_) => "disorder",
            Self::BadPayment(_) => "bad payment",
            Self::FalseJointSignature(_) => "false joint signature",
            Self::Rollback(_) => "rollback",
            Self::StalledLog(_) => "stalled log",
            Self::WithheldSignature(_) => "withheld signature",
            Self::FalseRefusal(_) => "false refusal",
        }
    }

    /// What follows if it holds.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::SplitView(_)
            | Self::OmittedLeaf(_)
            | Self::OverRedemption(_)
            | Self::WrongTotals(_)
            | Self::SpentTwice(_)
            | Self::OutsideWindow(_)
            | Self::SecretKey(_)
            | Self::Disorder(_)
            | Self::BadPayment(_)
            | Self::FalseJointSignature(_) => Verdict::Fault,
            Self::Rollback(_) => Verdict::Incident,
            Self::StalledLog(_) => Verdict::Complaint,
            Self::WithheldSignature(_) | Self::FalseRefusal(_) => Verdict::Challenge,
        }
    }

    /// Whom it accuses, if it holds.
    pub(crate) fn accused(&self, keys: &LogKeys) -> Result<Accused, EvidenceError> {
        match self {
            Self::FalseJointSignature(claim) => Ok(Accused::Cosigner(claim.accused(keys)?)),
            _ => Ok(Accused::Issuer),
        }
    }

    /// Removes signatures of strangers from the checkpoints.
    pub(crate) fn tidy(&mut self, keys: &LogKeys) {
        for checkpoint in self.checkpoints_mut() {
            *checkpoint = keys.tidy(checkpoint);
        }
    }

    fn checkpoints_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::SplitView(claim) => vec![&mut claim.first, &mut claim.second],
            Self::OmittedLeaf(claim) => vec![&mut claim.checkpoint],
            Self::OverRedemption(claim) => vec![&mut claim.checkpoint],
            Self::WrongTotals(claim) => vec![&mut claim.checkpoint],
            Self::SpentTwice(claim) => vec![&mut claim.checkpoint],
            Self::OutsideWindow(claim) => vec![&mut claim.checkpoint],
            Self::SecretKey(claim) => vec![&mut claim.checkpoint],
            Self::Disorder(claim) => vec![&mut claim.checkpoint],
            Self::BadPayment(claim) => vec![&mut claim.checkpoint],
            Self::FalseJointSignature(claim) => claim.fault.checkpoints_mut(),
            Self::Rollback(claim) => vec![&mut claim.before, &mut claim.after],
            Self::StalledLog(claim) => vec![&mut claim.checkpoint],
            Self::WithheldSignature(claim) => vec![&mut claim.checkpoint],
            Self::FalseRefusal(claim) => {
                let answer = claim.answer.as_mut().map(|answer| &mut answer.checkpoint);
                [Some(&mut claim.checkpoint), answer]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    }

    /// For a fault that everybody sees who replays the log: the checkpoint below which it is, and the index of the last leaf
    /// that shows it.
    fn place_in_log(&self) -> Option<(&str, u64)> {
        match self {
            Self::OverRedemption(claim) => Some((&claim.checkpoint, claim.leaf.index)),
            Self::WrongTotals(claim) => Some((&claim.checkpoint, claim.index())),
            Self::SpentTwice(claim) => Some((&claim.checkpoint, claim.second.index)),
            Self::OutsideWindow(claim) => Some((&claim.checkpoint, claim.index())),
            Self::Disorder(claim) if claim.is_in_replay() => Some((&claim.checkpoint, claim.index())),
            Self::BadPayment(claim) => Some((&claim.checkpoint, claim.index())),
            Self::SplitView(_)
            | Self::OmittedLeaf(_)
            | Self::SecretKey(_)
            | Self::Disorder(_)
            | Self::FalseJointSignature(_)
            | Self::Rollback(_)
            | Self::StalledLog(_)
            | Self::WithheldSignature(_)
            | Self::FalseRefusal(_) => None,
        }
    }

    /// Verifies the claim, and says in words what it proves.
    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        match self {
            Self::SplitView(claim) => claim.check(keys),
            Self::OmittedLeaf(claim) => claim.check(keys),
            Self::OverRedemption(claim) => claim.check(keys),
            Self::WrongTotals(claim) => claim.check(keys),
            Self::SpentTwice(claim) => claim.check(keys),
            Self::OutsideWindow(claim) => claim.check(keys),
            Self::SecretKey(claim) => claim.check(keys),
            Self::Disorder(claim) => claim.check(keys),
            Self::BadPayment(claim) => claim.check(keys),
            Self::FalseJointSignature(claim) => claim.check(keys),
            Self::Rollback(claim) => claim.check(keys),
            Self::StalledLog(claim) => claim.check(keys),
            Self::WithheldSignature(claim) => claim.check(keys),
            Self::FalseRefusal(claim) => claim.check(keys),
        }
    }
}

impl FalseJointSignature {
    /// The cosigner with this name has cosigned the checkpoint of the fault; for a split view both of them. `description` is
    /// the leaf with the description of the evidence, before the fault; none for a split view.
    #[must_use]
    pub const fn new(cosigner: String, fault: Claim, description: Option<Included>) -> Self {
        Self {
            cosigner,
            description,
            fault,
        }
    }

    fn accused(&self, keys: &LogKeys) -> Result<AccusedCosigner, EvidenceError> {
        Ok(AccusedCosigner {
            key: keys.joint_key(&self.cosigner)?.clone(),
            label: self.cosigner.clone(),
        })
    }

    fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let accused = self.accused(keys)?;
        let notes = match (&self.fault, self.fault.place_in_log(), &self.description) {
            (Claim::SplitView(views), None, None) => vec![views.first.as_str(), &views.second],
            (_, Some((checkpoint, index)), Some(description)) => {
                let tree = SignedTree::of(keys, checkpoint)?;
                check_description(&tree, description, index, keys)?;
                vec![checkpoint]
            }
            _ => {
                return Err(fails(
                    "an auditor does not see this fault when it replays the log",
                ));
            }
        };
        for note in notes {
            keys.require_cosigned(note, &accused.key)?;
        }
        let fault = self.fault.check(keys)?;
        Ok(format!(
            "The auditor {accused} has cosigned the log as one in which every rule holds, but: {fault}"
        ))
    }
}

/// The auditor knew this description when it came to the fault, so a description that nobody has seen accuses nobody.
fn check_description(
    tree: &SignedTree,
    description: &Included,
    fault_at: u64,
    keys: &LogKeys,
) -> Result<(), EvidenceError> {
    match tree.leaf(description)? {
        Leaf::Currency(cddc) if cddc.cdd == *keys.cddc.cdd() && description.index < fault_at => Ok(()),
        _ => Err(fails("the description is not in the log before the fault")),
    }
}
