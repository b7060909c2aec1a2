//! `cargo xtask lanes`: the comparison of lanes with AWS-LC of `crates/opencoin-crypto/tests/lanes`, optimised and with
//! as many pairs as the user says. `cargo xtask timing`: the measurement of `crates/opencoin-lanes/examples/timing`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::steps::Steps;
use crate::test::cargo;

/// What the tests read; see there.
const PAIRS_VARIABLE: &str = "OPENCOIN_LANES_PAIRS";
const SEED_VARIABLE: &str = "OPENCOIN_LANES_SEED";

const PAIRS_DEFAULT: u64 = 10_000;
const SEED_DEFAULT: u64 = 1;

#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    pairs: u64,
    seed: u64,
}

impl Comparison {
    fn parse(options: &[&str]) -> Result<Self> {
        let mut comparison = Self {
            pairs: PAIRS_DEFAULT,
            seed: SEED_DEFAULT,
        };
        let (options, []) = options.as_chunks::<2>() else {
            bail!("each of --pairs and --seed needs a number");
        };
        for [name, value] in options {
            let number = value
                .parse()
                .with_context(|| format!("{name} needs a number, not {value:?}"))?;
            match *name {
                "--pairs" => comparison.pairs = number,
                "--seed" => comparison.seed = number,
                _ => bail!("no such option: {name}; there are --pairs and --seed"),
            }
        }
        Ok(comparison)
    }
}

/// Compares lanes with AWS-LC.
pub(crate) async fn compare(workspace: &Path, options: &[&str]) -> Result<()> {
    let Comparison { pairs, seed } = Comparison::parse(options)?;
    let package = [
        "test",
        "--release",
        "--locked",
        "-p",
        "opencoin-crypto",
        "--test",
        "lanes",
    ];
    let mut tests = cargo(workspace, &package);
    // Each test uses all processors, so one runs after the other.
    tests
        .args(["--", "--nocapture", "--test-threads=1"])
        .env(PAIRS_VARIABLE, pairs.to_string())
        .env(SEED_VARIABLE, seed.to_string());
    Steps::new()?.run("lanes", &mut tests).await
}

/// Measures times, with the options of the example.
pub(crate) async fn time(workspace: &Path, options: &[&str]) -> Result<()> {
    let package = [
        "run",
        "--release",
        "--locked",
        "-p",
        "opencoin-lanes",
        "--example",
        "timing",
        "--",
    ];
    let mut example = cargo(workspace, &package);
    Steps::new()?.run("timing", example.args(options)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_seed_are_read() {
        let of = |pairs, seed| Comparison { pairs, seed };
        assert_eq!(Comparison::parse(&[]).unwrap(), of(PAIRS_DEFAULT, SEED_DEFAULT));
        assert_eq!(
            Comparison::parse(&["--pairs", "1000000", "--seed", "7"]).unwrap(),
            of(1_000_000, 7)
        );
        for wrong in [&["--pairs"][..], &["--pairs", "many"], &["--keys", "3"], &["3"]] {
            assert!(Comparison::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
