//! The description of a currency's public log in its CDD: keys, URL and witnesses. It is a [`LogBlock`] at the end of
//! `additional_info`, so the master key vouches for it.

use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_log::log_block::{LogBlock, LogBlockError};
use opencoin_log::policy::{Policy, PolicyParseError, PolicyWitness};
use thiserror::Error;

use crate::log_keys::LogKeys;

/// How long after a promise the last batch that can have its leaves is published, in seconds.
pub const PROMISE_WITHIN_S: u32 = 3600;
/// How many batches after the open one can have the leaves of a promise.
pub const PROMISE_BATCHES: u32 = 2;
/// The path of the log below the URL of the issuer.
pub const LOG_PATH: &str = "/log";
/// The name of the group of all witnesses.
const WITNESSES_GROUP: &str = "witnesses";
/// The name of the group of all auditors.
const AUDITORS_GROUP: &str = "auditors";
/// The line with which a block begins.
const FIRST_LINE: &str = "opencoin log v1";

/// A witness or an auditor of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its key.
    pub key: VerifierKey,
    /// The URL to which checkpoints are sent, or below which an auditor shows those that it has signed.
    pub url: String,
}

/// Who cosigns a log, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cosigners {
    /// They attest that the log only grows.
    pub witnesses: Vec<Witness>,
    /// How many of the witnesses must have cosigned a checkpoint.
    pub quorum: usize,
    /// They attest that everything in the log obeys the rules. None for a log without a joint signature.
    pub auditors: Vec<Witness>,
    /// How many of the auditors sign jointly.
    pub joint_quorum: usize,
}

/// A log cannot be described so.
#[derive(Debug, Error)]
pub enum LogDescriptionError {
    /// The URL of the issuer cannot be part of the name of a key.
    #[error("the URL {0} cannot name a log: it has a space or a plus sign")]
    Origin(String),
    /// The quorum is not more than half of the witnesses, or is larger than their number.
    ///
    /// Two quorums must have a witness in common. Otherwise somebody could show an old checkpoint to late witnesses, so
    /// that the log seems to lack what it has.
    #[error("the quorum must be more than half of the {0} witnesses, and not more than all of them")]
    Quorum(usize),
    /// The joint signature needs no auditor, or more than there are.
    #[error("1 to {0} of the {0} auditors can be needed for the joint signature")]
    JointQuorum(usize),
    /// The joint signature needs some auditors, but none are named.
    #[error("a joint signature needs auditors")]
    NoAuditors,
    /// The description has groups that this program does not write.
    #[error(
        "the description has other groups of witnesses than this program writes: name all witnesses and auditors"
    )]
    OtherGroups,
    /// A witness is named twice, or its key or URL cannot be used.
    #[error("the witnesses or auditors cannot be used: {0}")]
    Witnesses(#[from] PolicyParseError),
    /// The parts do not fit together.
    #[error("the log cannot be described: {0}")]
    Block(#[from] LogBlockError),
}

/// The origin of the log of the issuer at this URL: the URL without its scheme, and the path of the log.
///
/// # Errors
/// When the URL cannot be part of the name of a key.
pub fn log_origin(url: &str) -> Result<KeyName, LogDescriptionError> {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let origin = format!("{}{LOG_PATH}", place.trim_end_matches('/'));
    origin
        .parse()
        .map_err(|_| LogDescriptionError::Origin(url.to_owned()))
}

/// Describes a log with these keys at the issuer's URL.
///
/// # Errors
/// When a quorum, a witness or an auditor cannot be used.
pub fn describe_log(
    keys: &LogKeys,
    url: &str,
    cosigners: &Cosigners,
) -> Result<LogBlock, LogDescriptionError> {
    let log = format!("log {} {}", keys.log.verifier(), log_url(url));
    let policy = policy(&log, cosigners)?;
    let promise = keys.promise.verifier().clone();
    Ok(LogBlock::new(
        promise,
        PROMISE_WITHIN_S,
        PROMISE_BATCHES,
        cosigners.joint(),
        policy,
    )?)
}

/// The same log with other witnesses and auditors.
///
/// # Errors
/// As [`describe_log`].
pub fn change_cosigners(block: &LogBlock, cosigners: &Cosigners) -> Result<LogBlock, LogDescriptionError> {
    let policy = policy(&log_lines(block), cosigners)?;
    with_policy(block, cosigners.joint(), policy)
}

impl Cosigners {
    /// Those that a description names.
    ///
    /// # Errors
    /// When the description has other groups than [`describe_log`] writes.
    pub fn of(block: &LogBlock) -> Result<Self, LogDescriptionError> {
        let (quorum, witnesses) = members(block, block.policy().quorum())?;
        let (joint_quorum, auditors) = members(block, block.joint())?;
        Ok(Self {
            witnesses,
            quorum,
            auditors,
            joint_quorum,
        })
    }

    /// More than half of so many, or of none none.
    #[must_use]
    pub const fn majority(count: usize) -> usize {
        if count == 0 { 0 } else { count / 2 + 1 }
    }

    fn joint(&self) -> Option<String> {
        (!self.auditors.is_empty()).then(|| AUDITORS_GROUP.to_owned())
    }

    fn check(&self) -> Result<(), LogDescriptionError> {
        let (witnesses, auditors) = (self.witnesses.len(), self.auditors.len());
        if !(Self::majority(witnesses)..=witnesses).contains(&self.quorum) {
            return Err(LogDescriptionError::Quorum(witnesses));
        }
        match (auditors, self.joint_quorum) {
            (0, 0) => Ok(()),
            (0, _) => Err(LogDescriptionError::NoAuditors),
            (_, joint) if (1..=auditors).contains(&joint) => Ok(()),
            _ => Err(LogDescriptionError::JointQuorum(auditors)),
        }
    }
}

/// The members of a group that [`describe_log`] has written, and how many of them are needed.
fn members(block: &LogBlock, group: Option<&str>) -> Result<(usize, Vec<Witness>), LogDescriptionError> {
    let Some(group) = group else {
        return Ok((0, Vec::new()));
    };
    let found = block.policy().group_of_witnesses(group);
    let (needed, members) = found.ok_or(LogDescriptionError::OtherGroups)?;
    let witness = |member: &&PolicyWitness| {
        let (key, url) = (member.key.clone(), member.url.clone()?);
        Some(Witness { key, url })
    };
    let members: Option<Vec<Witness>> = members.iter().map(witness).collect();
    Ok((needed, members.ok_or(LogDescriptionError::OtherGroups)?))
}

/// The same log at another URL. Its origin, which names it, does not change.
///
/// # Errors
/// When the URL cannot be used.
pub fn move_log(block: &LogBlock, url: &str) -> Result<LogBlock, LogDescriptionError> {
    let text = block.policy().to_string();
    let moved = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["log", key, ..] => format!("log {key} {}\n", log_url(url)),
            _ => format!("{line}\n"),
        }
    });
    with_policy(
        block,
        block.joint().map(str::to_owned),
        moved.collect::<String>().parse()?,
    )
}

fn with_policy(
    block: &LogBlock,
    joint: Option<String>,
    policy: Policy,
) -> Result<LogBlock, LogDescriptionError> {
    Ok(LogBlock::new(
        block.promise_key().clone(),
        block.within_s(),
        block.batches(),
        joint,
        policy,
    )?)
}

fn log_url(url: &str) -> String {
    format!("{}{LOG_PATH}", url.trim_end_matches('/'))
}

fn log_lines(block: &LogBlock) -> String {
    let text = block.policy().to_string();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("log ")).collect();
    lines.join("\n")
}

fn policy(log: &str, cosigners: &Cosigners) -> Result<Policy, LogDescriptionError> {
    cosigners.check()?;
    let Cosigners {
        witnesses,
        quorum,
        auditors,
        joint_quorum,
    } = cosigners;
    let mut text = format!("{log}\n");
    let mut groups = String::new();
    for (letter, members, group, needed) in [
        ('w', witnesses, WITNESSES_GROUP, quorum),
        ('a', auditors, AUDITORS_GROUP, joint_quorum),
    ] {
        if members.is_empty() {
            continue;
        }
        groups.push_str(&format!("group {group} {needed}"));
        for (no, member) in (1..).zip(members) {
            text.push_str(&format!("witness {letter}{no} {} {}\n", member.key, member.url));
            groups.push_str(&format!(" {letter}{no}"));
        }
        groups.push('\n');
    }
    let quorum = if witnesses.is_empty() {
        "none"
    } else {
        WITNESSES_GROUP
    };
    Ok(format!("{text}{groups}quorum {quorum}\n").parse()?)
}

/// The part of `additional_info` before the description of the log.
#[must_use]
pub fn free_text(additional_info: &str) -> &str {
    let mut start = 0;
    for line in additional_info.split_inclusive('\n') {
        if line.trim_end_matches('\n') == FIRST_LINE {
            return additional_info[..start].trim_end_matches('\n');
        }
        start += line.len();
    }
    additional_info
}

/// `additional_info` of this text and the description of a log, if there is one.
#[must_use]
pub fn with_log(text: &str, block: Option<&LogBlock>) -> String {
    match block {
        None => text.to_owned(),
        Some(block) if text.is_empty() => block.to_string(),
        Some(block) => format!("{text}\n{block}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opencoin_log::key::{KeyType, SigningKey};
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use zeroize::Zeroizing;

    use super::*;
    use crate::Passphrase;

    const W1: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

    fn keys() -> LogKeys {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(Zeroizing::new("p".to_owned())).unwrap();
        let origin = log_origin("https://issuer.example/").unwrap();
        assert_eq!(origin.as_str(), "issuer.example/log");
        let mut rng = StdRng::seed_from_u64(1);
        LogKeys::create(&folder.path().join("log"), &origin, &passphrase, &mut rng).unwrap()
    }

    fn auditor(no: u8) -> Witness {
        let name = format!("auditor.example/{no}").parse().unwrap();
        let seed = Zeroizing::new([no; 32]);
        let key = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &seed).unwrap();
        Witness {
            key: key.verifier().clone(),
            url: format!("https://auditor.example/{no}"),
        }
    }

    #[test]
    fn a_description_follows_free_text_and_can_be_changed() {
        let alone = describe_log(&keys(), "https://issuer.example/", &Cosigners::default()).unwrap();
        let info = with_log("free text\nof two lines", Some(&alone));
        assert_eq!(free_text(&info), "free text\nof two lines");
        assert_eq!(LogBlock::find(&info).unwrap().as_ref(), Some(&alone));
        assert_eq!(free_text(&with_log("", Some(&alone))), "");

        let witness = Witness {
            key: W1.parse().unwrap(),
            url: "https://w1.example".to_owned(),
        };
        let one = Cosigners {
            witnesses: vec![witness],
            quorum: 1,
            ..Cosigners::default()
        };
        let witnessed = change_cosigners(&alone, &one).unwrap();
        assert_eq!(witnessed.policy().witnesses().len(), 1);
        assert_eq!(Cosigners::of(&witnessed).unwrap(), one);
        let too_many = Cosigners { quorum: 2, ..one };
        assert!(matches!(
            change_cosigners(&alone, &too_many),
            Err(LogDescriptionError::Quorum(1))
        ));
        let moved = move_log(&witnessed, "https://other.example").unwrap();
        assert_eq!(moved.origin(), witnessed.origin());
        assert!(moved.to_string().contains("https://other.example/log"));
        assert!(moved.to_string().contains("https://w1.example"));
    }

    #[test]
    fn auditors_are_a_group_of_their_own_and_do_not_count_for_the_quorum() {
        let alone = describe_log(&keys(), "https://issuer.example", &Cosigners::default()).unwrap();
        let named = Cosigners {
            witnesses: vec![auditor(9)],
            quorum: 1,
            auditors: [1, 2, 3].map(auditor).to_vec(),
            joint_quorum: 2,
        };
        let block = change_cosigners(&alone, &named).unwrap();
        assert_eq!(block.auditors(), BTreeSet::from(["a1", "a2", "a3"]));
        assert_eq!(block.policy().names_in_quorum(), BTreeSet::from(["w1"]));
        assert_eq!(Cosigners::of(&block).unwrap(), named);
        let moved = move_log(&block, "https://other.example").unwrap();
        assert_eq!(moved.joint(), Some("auditors"));
        let without_witnesses = Cosigners {
            witnesses: Vec::new(),
            quorum: 0,
            ..named.clone()
        };
        let audited = change_cosigners(&block, &without_witnesses).unwrap();
        assert_eq!(audited.policy().quorum(), None);
        assert_eq!(Cosigners::of(&audited).unwrap(), without_witnesses);
        assert_eq!(change_cosigners(&audited, &Cosigners::default()).unwrap(), alone);
        for (auditors, joint_quorum) in [(3, 0), (3, 4), (0, 1)] {
            let wrong = Cosigners {
                auditors: named.auditors[..auditors].to_vec(),
                joint_quorum,
                ..Cosigners::default()
            };
            assert!(
                change_cosigners(&alone, &wrong).is_err(),
                "{joint_quorum} of {auditors}"
            );
        }
        let twice = Cosigners {
            auditors: vec![auditor(9)],
            joint_quorum: 1,
            ..named
        };
        assert!(
            change_cosigners(&alone, &twice).is_err(),
            "a key is a witness or an auditor"
        );
    }

    #[test]
    fn groups_that_others_wrote_are_not_changed_in_part() {
        let alone = describe_log(&keys(), "https://issuer.example", &Cosigners::default()).unwrap();
        let text = alone.policy().to_string().replace(
            "quorum none",
            &format!("witness x {W1} https://w1.example\nquorum x"),
        );
        let block = with_policy(&alone, None, text.parse().unwrap()).unwrap();
        assert!(matches!(
            Cosigners::of(&block),
            Err(LogDescriptionError::OtherGroups)
        ));
    }
}
