//! An audit that goes on: one full pass, then short ones that read what is new.

use crate::pass::{Found, Pass, Sample, Settled};
use crate::{AuditFacts, AuditReport, AuditSource, check};
use opencoin_ledger::{LedgerError, TransactionNo};

/// How much was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// Accounts, mint keys, what is new in the journal, and the coins of one mint key.
    New,
}

/// What a pass has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// How much was read.
    pub extent: Extent,
    /// The figures.
    pub facts: AuditFacts,
    /// The judgement.
    pub report: AuditReport,
    /// Records of the journal that were read.
    pub rows_read: u64,
    /// The number of the journal's last record.
    pub position: TransactionNo,
    /// Up to which number the journal need not be read again.
    pub settled: TransactionNo,
    /// The acceptances that were drawn, by number.
    pub drawn: Vec<TransactionNo>,
}

/// Audits one store again and again. It keeps sums and digests, as large as accounts and mint keys are many.
#[derive(Debug, Default)]
pub struct Auditor {
    settled: Option<Settled>,
    turn: usize,
    /// What did not hold when everything was read last.
    broken: Vec<&'static str>,
}

impl Auditor {
    /// An auditor that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that goes on with what was kept of the same books.
    #[must_use]
    pub fn resume(settled: Settled) -> Self {
        Self {
            settled: Some(settled),
            ..Self::default()
        }
    }

    /// What to keep.
    #[must_use]
    pub const fn settled(&self) -> Option<&Settled> {
        self.settled.as_ref()
    }

    /// Reads everything, and compares the journal with what was read of it earlier.
    ///
    /// # Errors
    /// The store cannot be read. Then nothing is forgotten.
    pub async fn full(
        &mut self,
        source: &dyn AuditSource,
        sample: Option<Sample>,
    ) -> Result<Audited, LedgerError> {
        let audited = self
            .pass(source, Extent::Full, Pass::full(self.settled.as_ref(), sample))
            .await?;
        self.broken = broken(&audited);
        Ok(audited)
    }

    /// Reads what is new. Where something does not hold that held before, everything is read, and that
    /// counts: a row that came later than any should is no alarm.
    ///
    /// # Errors
    /// As [`Self::full`].
    pub async fn turn(&mut self, source: &dyn AuditSource) -> Result<Audited, LedgerError> {
        let Some(settled) = self.settled.clone() else {
            return self.full(source, None).await;
        };
        self.turn = self.turn.wrapping_add(1);
        let audited = self
            .pass(source, Extent::New, Pass::since(&settled, self.turn))
            .await?;
        if broken(&audited).iter().all(|name| self.broken.contains(name)) {
            return Ok(audited);
        }
        self.settled = Some(settled); // with which everything is to be compared
        self.full(source, None).await
    }

    async fn pass(
        &mut self,
        source: &dyn AuditSource,
        extent: Extent,
        mut pass: Pass,
    ) -> Result<Audited, LedgerError> {
        source.read(&mut pass).await?;
        let Found {
            facts,
            settled,
            past,
            rows_read,
            last,
            drawn,
        } = pass.finish();
        let mut report = check(&facts);
        report.checks.extend(past);
        let (position, settled_to) = (TransactionNo::new(last), settled.position());
        self.settled = Some(settled);
        Ok(Audited {
            extent,
            facts,
            report,
            rows_read,
            position,
            settled: settled_to,
            drawn,
        })
    }
}

fn broken(audited: &Audited) -> Vec<&'static str> {
    audited
        .report
        .checks
        .iter()
        .filter(|check| !check.holds)
        .map(|check| check.name)
        .collect()
}
