//! The description of a currency's public log in its CDD: keys, URL and witnesses. It is a [`LogBlock`] at the end of
//! `additional_info`, so the master key vouches for it.

use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_log::log_block::{LogBlock, LogBlockError};
use opencoin_log::policy::{Policy, PolicyParseError};
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
/// The line with which a block begins.
const FIRST_LINE: &str = "opencoin log v1";

/// A witness of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its key.
    pub key: VerifierKey,
    /// The URL to which checkpoints are sent.
    pub url: String,
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
    /// A witness is named twice, or its key or URL cannot be used.
    #[error("the witnesses cannot be used: {0}")]
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

/// Describes a log with these keys at the issuer's URL. A checkpoint counts if `quorum` of the witnesses have cosigned
/// it.
///
/// # Errors
/// When the quorum or a witness cannot be used.
pub fn describe_log(
    keys: &LogKeys,
    url: &str,
    witnesses: &[Witness],
    quorum: usize,
) -> Result<LogBlock, LogDescriptionError> {
    let log = format!("log {} {}", keys.log.verifier(), log_url(url));
    let policy = policy(&log, witnesses, quorum)?;
    let promise = keys.promise.verifier().clone();
    Ok(LogBlock::new(
        promise,
        PROMISE_WITHIN_S,
        PROMISE_BATCHES,
        None,
        policy,
    )?)
}

/// The same log with other witnesses.
///
/// # Errors
/// As [`describe_log`].
pub fn change_witnesses(
    block: &LogBlock,
    witnesses: &[Witness],
    quorum: usize,
) -> Result<LogBlock, LogDescriptionError> {
    with_policy(block, policy(&log_lines(block), witnesses, quorum)?)
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
    with_policy(block, moved.collect::<String>().parse()?)
}

fn with_policy(block: &LogBlock, policy: Policy) -> Result<LogBlock, LogDescriptionError> {
    Ok(LogBlock::new(
        block.promise_key().clone(),
        block.within_s(),
        block.batches(),
        block.joint().map(str::to_owned),
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

fn policy(log: &str, witnesses: &[Witness], quorum: usize) -> Result<Policy, LogDescriptionError> {
    let is_possible = if witnesses.is_empty() {
        quorum == 0
    } else {
        (witnesses.len() / 2 + 1..=witnesses.len()).contains(&quorum)
    };
    if !is_possible {
        return Err(LogDescriptionError::Quorum(witnesses.len()));
    }
    let mut text = format!("{log}\n");
    let mut names = Vec::new();
    for (index, witness) in witnesses.iter().enumerate() {
        let name = format!("w{}", index + 1);
        text.push_str(&format!("witness {name} {} {}\n", witness.key, witness.url));
        names.push(name);
    }
    if names.is_empty() {
        text.push_str("quorum none\n");
    } else {
        let members = names.join(" ");
        text.push_str(&format!(
            "group {WITNESSES_GROUP} {quorum} {members}\nquorum {WITNESSES_GROUP}\n"
        ));
    }
    Ok(text.parse()?)
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
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use zeroize::Zeroizing;

    use super::*;
    use crate::Passphrase;

    const W1: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

    #[test]
    fn a_description_follows_free_text_and_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new(Zeroizing::new("p".to_owned())).unwrap();
        let origin = log_origin("https://issuer.example/").unwrap();
        assert_eq!(origin.as_str(), "issuer.example/log");
        let mut rng = StdRng::seed_from_u64(1);
        let keys = LogKeys::create(&folder.path().join("log"), &origin, &passphrase, &mut rng).unwrap();
        let alone = describe_log(&keys, "https://issuer.example/", &[], 0).unwrap();
        let info = with_log("free text\nof two lines", Some(&alone));
        assert_eq!(free_text(&info), "free text\nof two lines");
        assert_eq!(LogBlock::find(&info).unwrap().as_ref(), Some(&alone));
        assert_eq!(free_text(&with_log("", Some(&alone))), "");

        let witness = Witness {
            key: W1.parse().unwrap(),
            url: "https://w1.example".to_owned(),
        };
        let witnessed = change_witnesses(&alone, std::slice::from_ref(&witness), 1).unwrap();
        assert_eq!(witnessed.policy().witnesses().len(), 1);
        assert!(change_witnesses(&alone, &[witness], 2).is_err());
        let moved = move_log(&witnessed, "https://other.example").unwrap();
        assert_eq!(moved.origin(), witnessed.origin());
        assert!(moved.to_string().contains("https://other.example/log"));
        assert!(moved.to_string().contains("https://w1.example"));
    }
}
