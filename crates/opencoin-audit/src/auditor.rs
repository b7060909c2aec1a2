//! A continuous audit: one full pass, then short passes that read only what is new.

use crate::pass::{Found, Pass, Sample, Settled};
use crate::{AuditFacts, AuditReport, AuditSource, check};
use opencoin_ledger::{LedgerError, TransactionNo};

/// How much a pass has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// All accounts, mint keys and payouts, the new records of the journal, and the coins of one mint key.
    New,
}

/// The result of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// How much was read.
    pub extent: Extent,
    /// The figures.
    pub facts: AuditFacts,
    /// The invariants, and whether each holds.
    pub report: AuditReport,
    /// The number of new records that were read.
    pub rows_read: u64,
    /// The number of the journal's last record.
    pub position: TransactionNo,
    /// The number of the last record that need not be read again.
    pub settled: TransactionNo,
    /// The numbers of the acceptances in the sample, in ascending order.
    pub drawn: Vec<TransactionNo>,
}

/// Audits one store repeatedly. It keeps sums and digests, whose size depends on the number of accounts, mint
/// keys and payouts.
#[derive(Debug, Default)]
pub struct Auditor {
    settled: Option<Settled>,
    turn: usize,
    /// The invariants that did not hold in the last full pass.
    broken: Vec<&'static str>,
}

impl Auditor {
    /// An auditor that has read nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An auditor that continues from a kept state of the same books.
    #[must_use]
    pub fn resume(settled: Settled) -> Self {
        Self {
            settled: Some(settled),
            ..Self::default()
        }
    }

    /// The state to keep for [`Self::resume`]; `None` before the first pass.
    #[must_use]
    pub const fn settled(&self) -> Option<&Settled> {
        self.settled.as_ref()
    }

    /// Reads everything, and checks that records of earlier passes are unchanged.
    ///
    /// # Errors
    /// The store cannot be read. The auditor keeps its state.
    pub async fn full(
        &mut self,
        source: &dyn AuditSource,
        sample: Option<Sample>,
    ) -> Result<Audited, LedgerError> {
        let audited = self
            .pass(source, Extent::Full, Pass::full(self.settled.as_ref(), sample))
            .await?;
        self.broken = audited.report.broken();
        Ok(audited)
    }

    /// Reads what is new. If an invariant does not hold that held in the last full pass, it reads everything
    /// and returns the result of that. So the late record of a prune, which no digest covers, raises no
    /// alarm.
    ///
    /// # Errors
    /// See [`Self::full`].
    pub async fn turn(&mut self, source: &dyn AuditSource) -> Result<Audited, LedgerError> {
        let Some(settled) = self.settled.clone() else {
            return self.full(source, None).await;
        };
        self.turn = self.turn.wrapping_add(1);
        let audited = self
            .pass(source, Extent::New, Pass::since(&settled, self.turn))
            .await?;
        if audited
            .report
            .broken()
            .iter()
            .all(|name| self.broken.contains(name))
        {
            return Ok(audited);
        }
        self.settled = Some(settled); // the full pass compares the journal with it
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
