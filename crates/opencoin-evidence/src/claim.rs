//! What a file says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::EvidenceError;
use crate::keys::LogKeys;
use crate::kinds::{OmittedLeaf, OutsideWindow, OverRedemption, Rollback, SpentTwice, SplitView, StalledLog};

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
    /// A promise is due, and no later checkpoint is there. A complaint: a newer checkpoint answers it.
    #[serde(rename = "stalled log")]
    StalledLog(Box<StalledLog>),
    /// More coins of a key came back than were signed.
    #[serde(rename = "over-redemption")]
    OverRedemption(OverRedemption),
    /// A coin came back twice.
    #[serde(rename = "spent twice")]
    SpentTwice(SpentTwice),
    /// A coin was signed or taken outside the time of its key.
    #[serde(rename = "outside its window")]
    OutsideWindow(Box<OutsideWindow>),
    /// The log was larger before. An incident.
    #[serde(rename = "rollback")]
    Rollback(Rollback),
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
    /// The cosigner with this name in the currency's description.
    Cosigner(String),
}

impl fmt::Display for Accused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer => formatter.write_str("the issuer"),
            Self::Cosigner(name) => write!(formatter, "the cosigner {name}"),
        }
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
            Self::StalledLog(_) => "stalled log",
            Self::OverRedemption(_) => "over-redemption",
            Self::SpentTwice(_) => "spent twice",
            Self::OutsideWindow(_) => "outside its window",
            Self::Rollback(_) => "rollback",
        }
    }

    /// What follows if it holds.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::SplitView(_)
            | Self::OmittedLeaf(_)
            | Self::OverRedemption(_)
            | Self::SpentTwice(_)
            | Self::OutsideWindow(_) => Verdict::Fault,
            Self::StalledLog(_) => Verdict::Complaint,
            Self::Rollback(_) => Verdict::Incident,
        }
    }

    /// Whom it accuses.
    #[must_use]
    pub const fn accused(&self) -> Accused {
        Accused::Issuer
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
            Self::StalledLog(claim) => vec![&mut claim.checkpoint],
            Self::Rollback(claim) => vec![&mut claim.before, &mut claim.after],
            Self::OverRedemption(claim) => vec![&mut claim.checkpoint],
            Self::SpentTwice(claim) => vec![&mut claim.checkpoint],
            Self::OutsideWindow(claim) => vec![&mut claim.checkpoint],
        }
    }

    /// Verifies the claim, and says in words what it proves.
    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        match self {
            Self::SplitView(claim) => claim.check(keys),
            Self::OmittedLeaf(claim) => claim.check(keys),
            Self::StalledLog(claim) => claim.check(keys),
            Self::Rollback(claim) => claim.check(keys),
            Self::OverRedemption(claim) => claim.check(keys),
            Self::SpentTwice(claim) => claim.check(keys),
            Self::OutsideWindow(claim) => claim.check(keys),
        }
    }
}
