//! `--signatures`: checks stored acceptances one by one.

use std::str::FromStr;

use anyhow::Result;
use opencoin_audit::{ACCEPTANCES_PER_PAGE_MAX, AuditSource, Sample, StoredAcceptance, Wanted};
use opencoin_issuer::check_acceptance;
use opencoin_keys::Currency;
use opencoin_ledger::TransactionNo;

use super::report::SignaturesReport;

/// The most wrong acceptances that are described. All are counted.
const WRONG_DESCRIBED_MAX: usize = 5;
/// The largest sample.
const SAMPLE_MAX: usize = 1_000_000;

/// The acceptances to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signatures {
    All,
    /// A random sample of this size.
    Sample(usize),
}

impl FromStr for Signatures {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let size = text.strip_prefix("sample=").and_then(|size| size.parse().ok());
        let size = size.filter(|size| (1..=SAMPLE_MAX).contains(size));
        size.map(Self::Sample)
            .ok_or_else(|| format!("write all, or sample=N with N from 1 to {SAMPLE_MAX}"))
    }
}

impl Signatures {
    /// The sample to draw while the journal is read.
    pub(super) fn sample(self, seed: u64) -> Option<Sample> {
        match self {
            Self::All => None,
            Self::Sample(size) => Some(Sample { size, seed }),
        }
    }

    /// Checks the drawn acceptances, or all. They are read after the books, which is right because acceptances do not
    /// change, except that signatures replace blinds.
    pub(super) async fn check(
        self,
        currency: &Currency,
        source: &dyn AuditSource,
        drawn: &[TransactionNo],
        seed: u64,
    ) -> Result<SignaturesReport> {
        let mut report = SignaturesReport::default();
        match self {
            Self::Sample(_) => {
                report.seed = Some(seed);
                for numbers in drawn.chunks(ACCEPTANCES_PER_PAGE_MAX) {
                    let found = source.acceptances(Wanted::Numbers(numbers)).await?;
                    found
                        .iter()
                        .for_each(|acceptance| count(&mut report, currency, acceptance));
                }
            }
            Self::All => {
                let mut after = TransactionNo::BEFORE_ALL;
                loop {
                    let found = source.acceptances(Wanted::After(after)).await?;
                    let Some(last) = found.last() else { break };
                    after = last.no;
                    found
                        .iter()
                        .for_each(|acceptance| count(&mut report, currency, acceptance));
                }
            }
        }
        Ok(report)
    }
}

fn count(report: &mut SignaturesReport, currency: &Currency, acceptance: &StoredAcceptance) {
    report.acceptances += 1;
    match check_acceptance(currency, acceptance) {
        Ok(proof) => {
            report.blinds += proof.blinds;
            report.signatures += proof.signatures;
            report.proven_by_digest += u64::from(proof.content);
        }
        Err(reason) => {
            report.wrong_count += 1;
            if report.wrong.len() < WRONG_DESCRIBED_MAX {
                report
                    .wrong
                    .push(format!("transaction {}: {reason}", acceptance.no.get()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_all_or_a_sample() {
        assert_eq!("all".parse(), Ok(Signatures::All));
        assert_eq!("sample=20".parse(), Ok(Signatures::Sample(20)));
        for text in [
            "",
            "sample",
            "sample=",
            "sample=0",
            "sample=-1",
            "sample=1000001",
            "ALL",
            "20",
        ] {
            assert!(text.parse::<Signatures>().is_err(), "{text}");
        }
    }
}
