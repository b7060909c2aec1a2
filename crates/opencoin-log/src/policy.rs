//! Policies: which logs are accepted, and which witnesses must have cosigned a checkpoint.
//!
//! A quorum of independent witnesses keeps a log from showing different histories to different people. Source: C2SP
//! tlog-policy.

mod text;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::key::VerifierKey;
use crate::note::NoteVerifyError;
use crate::signed_checkpoint::SignedCheckpoint;

pub use text::PolicyParseError;

/// The longest policy in bytes.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;
/// The most logs in a policy.
pub const LOGS_MAX: usize = 32;
/// The most witnesses in a policy.
pub const WITNESSES_MAX: usize = 32;
/// The most groups in a policy.
pub const GROUPS_MAX: usize = 32;

/// Which checkpoints to believe. `FromStr` reads the text of a policy, `Display` writes it without its comments.
///
/// The default is the policy of no log and no witness, which accepts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    /// `None` for `quorum none`.
    quorum: Option<Member>,
}

/// A log whose checkpoints are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key; the name is the log's origin.
    pub key: VerifierKey,
    /// Where it is.
    pub url: Option<String>,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name in this policy. Signatures carry the name of the key instead.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// The prefix to submit checkpoints to.
    pub url: Option<String>,
}

/// Witnesses and other groups of which some must have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: Threshold,
    members: Vec<Member>,
}

/// How many members of a group must have cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threshold {
    All,
    Any,
    AtLeast(usize),
}

/// The index of a witness or of a group. Groups have only earlier groups as members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// A checkpoint that fulfils a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The witnesses of the policy that cosigned it, in the policy's order.
    pub cosigned_by: Vec<CosignedBy>,
}

/// A witness's statement about a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedBy {
    /// The witness's name in the policy.
    pub witness: String,
    /// When it cosigned, in seconds since 1970; the latest time if it did so more than once.
    pub time: u64,
}

/// A checkpoint does not fulfil a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A signature by a known key is wrong, or there is none.
    #[error(transparent)]
    Note(#[from] NoteVerifyError),
    /// No key of the policy with the name of the origin signed it.
    #[error("not signed by a log of the policy")]
    NotByLog,
    /// Too few witnesses cosigned it.
    #[error("the quorum of witnesses is not reached")]
    Quorum,
}

impl Policy {
    /// The logs, in their order.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in their order.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether the quorum is reached when the witnesses with these names cosigned. Other names are ignored.
    #[must_use]
    pub fn is_satisfied(&self, cosigned: &BTreeSet<&str>) -> bool {
        self.quorum
            .is_none_or(|member| self.has_cosigned(member, cosigned))
    }

    /// Whether the group or witness `name` counts as having cosigned; `None` when the policy does not have it.
    #[must_use]
    pub fn is_met(&self, name: &str, cosigned: &BTreeSet<&str>) -> Option<bool> {
        let member = self.member(name)?;
        Some(self.has_cosigned(member, cosigned))
    }

    /// The witnesses that can count for the group or witness `name`, by name; none when the policy does not have it.
    #[must_use]
    pub fn names_in(&self, name: &str) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        if let Some(member) = self.member(name) {
            self.collect_names(member, &mut names);
        }
        names
    }

    /// The witnesses that can count for the quorum, by name.
    #[must_use]
    pub fn names_in_quorum(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        if let Some(member) = self.quorum {
            self.collect_names(member, &mut names);
        }
        names
    }

    /// The name of the quorum; `None` when no witness is needed.
    #[must_use]
    pub fn quorum(&self) -> Option<&str> {
        self.quorum.map(|member| self.name_of(member))
    }

    /// A group that has no other groups: how many of its members must have cosigned, and the members.
    #[must_use]
    pub fn group_of_witnesses(&self, name: &str) -> Option<(usize, Vec<&PolicyWitness>)> {
        let group = self.groups.iter().find(|group| group.name == name)?;
        let witness = |member: &Member| match member {
            Member::Witness(index) => Some(&self.witnesses[*index]),
            Member::Group(_) => None,
        };
        let members = group.members.iter().map(witness).collect::<Option<_>>()?;
        Some((group.needed(), members))
    }

    fn collect_names<'policy>(&'policy self, member: Member, names: &mut BTreeSet<&'policy str>) {
        match member {
            Member::Witness(index) => {
                names.insert(&self.witnesses[index].name);
            }
            Member::Group(index) => {
                for member in &self.groups[index].members {
                    self.collect_names(*member, names);
                }
            }
        }
    }

    fn member(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name);
        let group = || self.groups.iter().position(|group| group.name == name);
        witness
            .map(Member::Witness)
            .or_else(|| group().map(Member::Group))
    }

    fn has_cosigned(&self, member: Member, cosigned: &BTreeSet<&str>) -> bool {
        match member {
            Member::Witness(index) => cosigned.contains(self.witnesses[index].name.as_str()),
            Member::Group(index) => {
                let group = &self.groups[index];
                let members = group.members.iter();
                let count = members
                    .filter(|member| self.has_cosigned(**member, cosigned))
                    .count();
                count >= group.needed()
            }
        }
    }

    /// Checks the signatures of a checkpoint: a log with its origin, and the quorum of witnesses.
    ///
    /// Cosignatures later than `latest`, in seconds since 1970, do not count; `None` lets all count. Those of time 0
    /// never do, because they do not say that this is the largest tree that the witness has seen.
    ///
    /// # Errors
    /// A signature by a known key is wrong, no log signed, or the quorum is not reached.
    pub fn verify_checkpoint(
        &self,
        signed: &SignedCheckpoint,
        latest: Option<u64>,
    ) -> Result<VerifiedCheckpoint, PolicyError> {
        let origin = signed.checkpoint().origin();
        let logs = self.logs.iter().map(|log| &log.key);
        let mut keys: Vec<VerifierKey> = logs
            .filter(|key| key.name().as_str() == origin)
            .cloned()
            .collect();
        let logs = keys.len();
        keys.extend(self.witnesses.iter().map(|witness| witness.key.clone()));
        let verified = signed.note().verify(&keys)?;
        if !verified.iter().any(|verified| verified.key < logs) {
            return Err(PolicyError::NotByLog);
        }
        let time_of = |index: usize| {
            let times = verified.iter().filter(|verified| verified.key == logs + index);
            let counts = |time: &u64| *time > 0 && latest.is_none_or(|latest| *time <= latest);
            times.filter_map(|verified| verified.time).filter(counts).max()
        };
        let cosigned_by = self.witnesses.iter().enumerate().filter_map(|(index, witness)| {
            let time = time_of(index)?;
            let witness = witness.name.clone();
            Some(CosignedBy { witness, time })
        });
        let verified = VerifiedCheckpoint {
            checkpoint: signed.checkpoint().clone(),
            cosigned_by: cosigned_by.collect(),
        };
        if self.is_satisfied(&verified.witnesses_after(0)) {
            Ok(verified)
        } else {
            Err(PolicyError::Quorum)
        }
    }
}

impl VerifiedCheckpoint {
    /// The names of the witnesses that cosigned later than `time`, in seconds since 1970. At that time none of them had
    /// seen a larger tree of the log.
    #[must_use]
    pub fn witnesses_after(&self, time: u64) -> BTreeSet<&str> {
        let later = self.cosigned_by.iter().filter(|by| by.time > time);
        later.map(|by| by.witness.as_str()).collect()
    }
}

impl Group {
    /// How many members must have cosigned.
    fn needed(&self) -> usize {
        match self.threshold {
            Threshold::All => self.members.len(),
            Threshold::Any => 1,
            Threshold::AtLeast(needed) => needed,
        }
    }
}
