//! The block in a currency's description that names its log.
//!
//! It stands at the end of the free text `additional_info`, so the master key vouches for the log's keys and witnesses,
//! and wallets need no other source:
//!
//! ```text
//! opencoin log v1
//! promise <key> within <seconds> batches <number>
//! joint <name of a group or witness>
//! log <key> <url>
//! ...
//! ```
//!
//! The line `joint` may be left out. What follows it is a [`Policy`]. The block has no `[` and no `]`: in the pretty
//! text of a document, which is signed, those may change the white space around them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::encoding::{from_decimal, split_line};
use crate::key::{KeyName, KeyType, VerifierKey};
use crate::policy::{Policy, PolicyError, PolicyParseError, VerifiedCheckpoint};
use crate::signed_checkpoint::SignedCheckpoint;

/// The first line of the block.
const FIRST_LINE: &str = "opencoin log v1";

/// The end of the promise key's name, after the origin.
const PROMISE_NAME_END: &str = "/promise";

/// The log of a currency: its keys, its witnesses and what the issuer promises. The fields agree with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBlock {
    promise_key: VerifierKey,
    within_s: u32,
    batches: u32,
    joint: Option<String>,
    policy: Policy,
}

/// The block is malformed, or its parts do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LogBlockError {
    /// The first line is another one.
    #[error("the block does not begin with `{FIRST_LINE}`")]
    FirstLine,
    /// The block has a bracket.
    #[error("the block contains `[` or `]`")]
    Bracket,
    /// The line is malformed, a number is 0 or too large, or the key is none for promises.
    #[error("not `promise <key> within <seconds> batches <number>`")]
    Promise,
    /// The name is not that of a group or witness.
    #[error("`joint` does not name a group or witness of the policy")]
    Joint,
    /// The policy is malformed.
    #[error(transparent)]
    Policy(#[from] PolicyParseError),
    /// There is no log, logs have different names, or none has an Ed25519 key.
    #[error("the policy does not name one log with an Ed25519 key")]
    Log,
    /// The promise key does not have the name of the log followed by `/promise`.
    #[error("the promise key does not have the name of the log")]
    PromiseName,
}

/// A checkpoint lacks the quorum or the joint signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JointError {
    /// It does not fulfil the policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Too few of the joint group have cosigned it.
    #[error("the joint signature of the auditors is missing")]
    Joint,
}

impl LogBlock {
    /// A block.
    ///
    /// The issuer promises that a leaf is in one of `batches` + 1 batches, and that these are published within
    /// `within_s` seconds.
    ///
    /// # Errors
    /// A number is 0, the key is not one for promises, the parts do not agree, or the policy has a bracket.
    pub fn new(
        promise_key: VerifierKey,
        within_s: u32,
        batches: u32,
        joint: Option<String>,
        policy: Policy,
    ) -> Result<Self, LogBlockError> {
        if promise_key.key_type() != KeyType::Ed25519Promise || within_s == 0 || batches == 0 {
            return Err(LogBlockError::Promise);
        }
        let is_known = |name: &String| policy.is_met(name, &BTreeSet::new()).is_some();
        if joint.as_ref().is_some_and(|name| !is_known(name)) {
            return Err(LogBlockError::Joint);
        }
        let keys = || policy.logs().iter().map(|log| &log.key);
        let origin = keys().next().ok_or(LogBlockError::Log)?.name();
        let has_ed25519 = keys().any(|key| key.key_type() == KeyType::Ed25519Note);
        if !has_ed25519 || keys().any(|key| key.name() != origin) {
            return Err(LogBlockError::Log);
        }
        let promise_name = promise_key.name().as_str().strip_suffix(PROMISE_NAME_END);
        if promise_name != Some(origin.as_str()) {
            return Err(LogBlockError::PromiseName);
        }
        let block = Self {
            promise_key,
            within_s,
            batches,
            joint,
            policy,
        };
        if block.to_string().contains(is_bracket) {
            return Err(LogBlockError::Bracket);
        }
        Ok(block)
    }

    /// Finds the block in the `additional_info` of a currency's description; `None` when there is none, so the currency
    /// has no log.
    ///
    /// # Errors
    /// The line that begins a block is there, but what follows is malformed.
    pub fn find(additional_info: &str) -> Result<Option<Self>, LogBlockError> {
        let mut rest = additional_info;
        loop {
            let line = split_line(rest);
            if line.map_or(rest, |(line, _)| line) == FIRST_LINE {
                return rest.parse().map(Some);
            }
            match line {
                Some((_, after)) => rest = after,
                None => return Ok(None),
            }
        }
    }

    /// The key that signs promises.
    #[must_use]
    pub const fn promise_key(&self) -> &VerifierKey {
        &self.promise_key
    }

    /// In how many seconds after a promise its last batch is published.
    #[must_use]
    pub const fn within_s(&self) -> u32 {
        self.within_s
    }

    /// How many batches after the first one of a promise may have its leaves.
    #[must_use]
    pub const fn batches(&self) -> u32 {
        self.batches
    }

    /// The group or witness whose cosignature means that every rule holds.
    #[must_use]
    pub fn joint(&self) -> Option<&str> {
        self.joint.as_deref()
    }

    /// The members of the joint group, by their names in the policy.
    #[must_use]
    pub fn auditors(&self) -> BTreeSet<&str> {
        self.joint
            .as_deref()
            .map_or_else(BTreeSet::new, |name| self.policy.names_in(name))
    }

    /// Checks that a checkpoint has what makes a payment final: the quorum, and the joint signature if the block names a
    /// group for it.
    ///
    /// Cosignatures later than `latest`, in seconds since 1970, do not count; `None` lets all count.
    ///
    /// # Errors
    /// Either is missing, or a signature is wrong.
    pub fn verify_joint(
        &self,
        signed: &SignedCheckpoint,
        latest: Option<u64>,
    ) -> Result<VerifiedCheckpoint, JointError> {
        let verified = self.policy.verify_checkpoint(signed, latest)?;
        let is_met = |name: &String| self.policy.is_met(name, &verified.witnesses_after(0)) == Some(true);
        if self.joint.as_ref().is_none_or(is_met) {
            Ok(verified)
        } else {
            Err(JointError::Joint)
        }
    }

    /// The log's keys, the witnesses and the quorum.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The origin of the log.
    #[must_use]
    pub fn origin(&self) -> &KeyName {
        self.policy.logs()[0].key.name()
    }
}

fn is_bracket(character: char) -> bool {
    matches!(character, '[' | ']')
}

impl FromStr for LogBlock {
    type Err = LogBlockError;

    fn from_str(text: &str) -> Result<Self, LogBlockError> {
        let (first, rest) = split_line(text).unwrap_or((text, ""));
        if first != FIRST_LINE {
            return Err(LogBlockError::FirstLine);
        }
        // In comments of the policy too.
        if text.contains(is_bracket) {
            return Err(LogBlockError::Bracket);
        }
        let (promise, mut rest) = split_line(rest).ok_or(LogBlockError::Promise)?;
        let words: Vec<&str> = promise.split(' ').collect();
        let ["promise", key, "within", within_s, "batches", batches] = words.as_slice() else {
            return Err(LogBlockError::Promise);
        };
        let key = key.parse().map_err(|_| LogBlockError::Promise)?;
        let number = |text: &str| from_decimal(text).and_then(|number| u32::try_from(number).ok());
        let within_s = number(within_s).ok_or(LogBlockError::Promise)?;
        let batches = number(batches).ok_or(LogBlockError::Promise)?;
        let mut joint = None;
        if let Some(line) = rest.strip_prefix("joint ") {
            let (name, after) = split_line(line).ok_or(LogBlockError::Joint)?;
            joint = Some(name.to_owned());
            rest = after;
        }
        Self::new(key, within_s, batches, joint, rest.parse()?)
    }
}

impl fmt::Display for LogBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{FIRST_LINE}")?;
        let (key, within_s, batches) = (&self.promise_key, self.within_s, self.batches);
        writeln!(formatter, "promise {key} within {within_s} batches {batches}")?;
        if let Some(name) = &self.joint {
            writeln!(formatter, "joint {name}")?;
        }
        self.policy.fmt(formatter)
    }
}
