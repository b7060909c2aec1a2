//! The text of a policy.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{
    GROUPS_MAX, Group, LOGS_MAX, Member, POLICY_BYTES_MAX, Policy, PolicyLog, PolicyWitness, Threshold,
    WITNESSES_MAX,
};
use crate::encoding::from_decimal;
use crate::key::{KeyType, VerifierKey};

/// The quorum that needs no witness. Neither witnesses nor groups can have this name.
const NONE: &str = "none";

/// The text is not a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line} of the policy: {reason}")]
pub struct PolicyParseError {
    /// The line, counted from 1; after the last one when something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Policy {
    type Err = PolicyParseError;

    fn from_str(text: &str) -> Result<Self, PolicyParseError> {
        if text.len() > POLICY_BYTES_MAX {
            let reason = "the policy is too long";
            return Err(PolicyParseError { line: 1, reason });
        }
        let mut parser = Parser::default();
        let mut lines = 0;
        for line in text.split('\n') {
            lines += 1;
            parser
                .line(line)
                .map_err(|reason| PolicyParseError { line: lines, reason })?;
        }
        parser.finish().ok_or(PolicyParseError {
            line: lines + 1,
            reason: "there is no quorum",
        })
    }
}

/// What was read so far.
#[derive(Default)]
struct Parser {
    policy: Policy,
    has_quorum: bool,
    /// Those that are in a group.
    grouped: Vec<Member>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.contains(|character: char| character.is_ascii_control() && character != '\t') {
            return Err("a control character");
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            ["log" | "witness" | "group" | "quorum", ..] => Err("too few or too many words"),
            _ => Err("an unknown keyword"),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), &'static str> {
        if self.policy.logs.len() == LOGS_MAX {
            return Err("too many logs");
        }
        let key = self.new_key(key, &[KeyType::Ed25519Note, KeyType::MlDsa44Cosignature])?;
        let url = parse_url(url)?;
        self.policy.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), &'static str> {
        if self.policy.witnesses.len() == WITNESSES_MAX {
            return Err("too many witnesses");
        }
        let name = self.new_name(name)?;
        let key = self.new_key(key, &[KeyType::Ed25519Cosignature, KeyType::MlDsa44Cosignature])?;
        let url = parse_url(url)?;
        self.policy.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), &'static str> {
        if self.policy.groups.len() == GROUPS_MAX {
            return Err("too many groups");
        }
        let name = self.new_name(name)?;
        let members: Vec<Member> = members
            .iter()
            .map(|member| self.grouped_member(member))
            .collect::<Result<_, _>>()?;
        if members.is_empty() {
            return Err("a group without members");
        }
        let threshold = match threshold {
            "all" => Threshold::All,
            "any" => Threshold::Any,
            number => {
                let needed = from_decimal(number).and_then(|number| usize::try_from(number).ok());
                let is_possible = |needed: &usize| (1..=members.len()).contains(needed);
                let needed = needed.filter(is_possible);
                Threshold::AtLeast(needed.ok_or("the number is not 1 to the number of members")?)
            }
        };
        self.policy.groups.push(Group {
            name,
            threshold,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), &'static str> {
        if self.has_quorum {
            return Err("a second quorum");
        }
        self.has_quorum = true;
        if name != NONE {
            let member = self.policy.member(name);
            self.policy.quorum = Some(member.ok_or("a name that is not defined before")?);
        }
        Ok(())
    }

    /// A member of a group, which is in no other group: a witness must count only once.
    fn grouped_member(&mut self, name: &str) -> Result<Member, &'static str> {
        let member = self
            .policy
            .member(name)
            .ok_or("a member that is not defined before")?;
        if self.grouped.contains(&member) {
            return Err("a member that is in a group already");
        }
        self.grouped.push(member);
        Ok(member)
    }

    fn new_name(&self, name: &str) -> Result<String, &'static str> {
        if name == NONE || self.policy.member(name).is_some() {
            return Err("a name that is taken");
        }
        Ok(name.to_owned())
    }

    /// A key of one of these types that is not in the policy yet, under whatever name and type.
    fn new_key(&self, text: &str, types: &[KeyType]) -> Result<VerifierKey, &'static str> {
        let key: VerifierKey = text.parse().map_err(|_| "not a key")?;
        if !types.contains(&key.key_type()) {
            return Err("a key of the wrong type");
        }
        let witnesses = self.policy.witnesses.iter().map(|witness| &witness.key);
        let mut known = self.policy.logs.iter().map(|log| &log.key).chain(witnesses);
        if known.any(|known| known.public_key() == key.public_key()) {
            return Err("a key that is there already");
        }
        Ok(key)
    }

    fn finish(self) -> Option<Policy> {
        self.has_quorum.then_some(self.policy)
    }
}

fn parse_url(url: Option<&str>) -> Result<Option<String>, &'static str> {
    let is_http = |url: &str| {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty())
    };
    match url {
        Some(url) if !is_http(url) => Err("not a URL with http or https"),
        _ => Ok(url.map(str::to_owned)),
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map_or_else(String::new, |url| format!(" {url}"));
        for log in &self.logs {
            writeln!(formatter, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            let PolicyWitness { name, key, .. } = witness;
            writeln!(formatter, "witness {name} {key}{}", url(&witness.url))?;
        }
        for group in &self.groups {
            write!(formatter, "group {} ", group.name)?;
            match group.threshold {
                Threshold::All => formatter.write_str("all")?,
                Threshold::Any => formatter.write_str("any")?,
                Threshold::AtLeast(needed) => write!(formatter, "{needed}")?,
            }
            for member in &group.members {
                write!(formatter, " {}", self.name_of(*member))?;
            }
            writeln!(formatter)?;
        }
        let quorum = self.quorum.map_or(NONE, |member| self.name_of(member));
        writeln!(formatter, "quorum {quorum}")
    }
}

impl Policy {
    pub(super) fn name_of(&self, member: Member) -> &str {
        match member {
            Member::Witness(index) => &self.witnesses[index].name,
            Member::Group(index) => &self.groups[index].name,
        }
    }
}
