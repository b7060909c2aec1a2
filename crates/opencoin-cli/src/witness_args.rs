//! The witnesses of a public log on the command line.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_keys::Witness;

#[derive(Debug, Clone, Args)]
pub(crate) struct WitnessArgs {
    /// A witness of the public log: its key, as `opencoin witness init` or its operator shows it, and its URL, in quotes
    /// and with a space between them. Once for each witness.
    #[arg(long = "witness", value_name = "\"KEY URL\"")]
    witnesses: Vec<String>,
    /// How many of the witnesses must have cosigned a checkpoint. Default: more than half of them.
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
}

impl WitnessArgs {
    /// The witnesses and the quorum.
    pub(crate) fn read(&self) -> Result<(Vec<Witness>, usize)> {
        let witnesses = self.witnesses.iter().map(|text| witness(text));
        let witnesses = witnesses.collect::<Result<Vec<_>>>()?;
        let majority = if witnesses.is_empty() {
            0
        } else {
            witnesses.len() / 2 + 1
        };
        Ok((witnesses, self.quorum.unwrap_or(majority)))
    }

    /// Whether a witness or a quorum was named.
    pub(crate) fn are_given(&self) -> bool {
        !self.witnesses.is_empty() || self.quorum.is_some()
    }
}

fn witness(text: &str) -> Result<Witness> {
    let mut words = text.split_whitespace();
    let (Some(key), Some(url), None) = (words.next(), words.next(), words.next()) else {
        anyhow::bail!("--witness takes a key and a URL with a space between them, in quotes: {text:?}");
    };
    let key = key
        .parse()
        .with_context(|| format!("{key:?} is not the key of a witness"))?;
    Ok(Witness {
        key,
        url: url.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_a_key_and_a_url() {
        let key = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
        let read = witness(&format!("{key} https://w1.example")).unwrap();
        assert_eq!(
            (read.key.to_string(), &*read.url),
            (key.to_owned(), "https://w1.example")
        );
        for wrong in [
            key.to_owned(),
            format!("{key} a b"),
            "x https://w1.example".to_owned(),
        ] {
            assert!(witness(&wrong).is_err(), "{wrong}");
        }
    }
}
