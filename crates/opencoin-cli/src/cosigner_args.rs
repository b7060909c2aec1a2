//! The witnesses and auditors of a public log on the command line.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_keys::{Cosigners, Witness};

#[derive(Debug, Clone, Args)]
pub(crate) struct CosignerArgs {
    /// A witness of the public log: its key, as `opencoin witness init` or its operator shows it, and its URL, in quotes
    /// and with a space between them. Once for each witness.
    #[arg(long = "witness", value_name = "\"KEY URL\"")]
    witnesses: Vec<String>,
    /// How many of the witnesses must have cosigned a checkpoint. Default: more than half of them.
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
    /// An auditor of the public log: its key and its URL, as its operator shows them, in quotes and with a space between
    /// them. Once for each auditor. Auditors replay the log; together they sign what obeys every rule.
    #[arg(long = "auditor", value_name = "\"KEY URL\"")]
    auditors: Vec<String>,
    /// How many of the auditors must have signed a checkpoint, so that payments by key in it are final. Default: more than
    /// half of them.
    #[arg(long, value_name = "N")]
    joint_quorum: Option<usize>,
}

impl CosignerArgs {
    /// Those that are named.
    pub(crate) fn read(&self) -> Result<Cosigners> {
        self.read_over(&Cosigners::default())
    }

    /// Those that are named; witnesses stay if none are named, and so do auditors.
    pub(crate) fn read_over(&self, before: &Cosigners) -> Result<Cosigners> {
        let (witnesses, quorum) = named(
            "--witness",
            (&self.witnesses, self.quorum),
            (&before.witnesses, before.quorum),
        )?;
        let (auditors, joint_quorum) = named(
            "--auditor",
            (&self.auditors, self.joint_quorum),
            (&before.auditors, before.joint_quorum),
        )?;
        Ok(Cosigners {
            witnesses,
            quorum,
            auditors,
            joint_quorum,
        })
    }

    /// Whether anything was named.
    pub(crate) fn are_given(&self) -> bool {
        let members = [&self.witnesses, &self.auditors];
        let quorums = [self.quorum, self.joint_quorum];
        members.iter().any(|members| !members.is_empty()) || quorums.iter().any(Option::is_some)
    }
}

/// Members and their quorum, as they are named or as they were.
fn named(
    flag: &str,
    (texts, quorum): (&[String], Option<usize>),
    (before, quorum_before): (&[Witness], usize),
) -> Result<(Vec<Witness>, usize)> {
    if texts.is_empty() {
        return Ok((before.to_vec(), quorum.unwrap_or(quorum_before)));
    }
    let members = texts.iter().map(|text| member(flag, text));
    let members = members.collect::<Result<Vec<_>>>()?;
    let majority = Cosigners::majority(members.len());
    Ok((members, quorum.unwrap_or(majority)))
}

fn member(flag: &str, text: &str) -> Result<Witness> {
    let mut words = text.split_whitespace();
    let (Some(key), Some(url), None) = (words.next(), words.next(), words.next()) else {
        anyhow::bail!("{flag} takes a key and a URL with a space between them, in quotes: {text:?}");
    };
    let key = key
        .parse()
        .with_context(|| format!("{key:?} is not a key that cosigns"))?;
    Ok(Witness {
        key,
        url: url.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

    #[test]
    fn a_witness_is_a_key_and_a_url() {
        let read = member("--witness", &format!("{KEY} https://w1.example")).unwrap();
        assert_eq!(
            (read.key.to_string(), &*read.url),
            (KEY.to_owned(), "https://w1.example")
        );
        for wrong in [
            KEY.to_owned(),
            format!("{KEY} a b"),
            "x https://w1.example".to_owned(),
        ] {
            assert!(member("--witness", &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let witness = member("--witness", &format!("{KEY} https://w1.example")).unwrap();
        let before = Cosigners {
            witnesses: vec![witness],
            quorum: 1,
            ..Cosigners::default()
        };
        let nothing = CosignerArgs {
            witnesses: Vec::new(),
            quorum: None,
            auditors: Vec::new(),
            joint_quorum: None,
        };
        assert!(!nothing.are_given());
        assert_eq!(nothing.read_over(&before).unwrap(), before);
        let auditors = CosignerArgs {
            auditors: vec![
                format!("{KEY} https://a1.example"),
                format!("{KEY} https://a2.example"),
            ],
            ..nothing
        };
        assert!(auditors.are_given());
        let read = auditors.read_over(&before).unwrap();
        assert_eq!((&read.witnesses, read.quorum), (&before.witnesses, 1));
        assert_eq!((read.auditors.len(), read.joint_quorum), (2, 2));
        let one = CosignerArgs {
            auditors: Vec::new(),
            joint_quorum: Some(1),
            ..auditors
        };
        assert_eq!(one.read_over(&read).unwrap().joint_quorum, 1);
    }
}
