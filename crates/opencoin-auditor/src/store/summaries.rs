//! What is known of each currency, in short.

use super::AuditorStore;
use super::cosigned::LastCosignature;
use super::currencies::AuditedCurrency;
use super::error::StoreError;

/// What is known of a currency, in short.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrencySummary {
    /// The currency.
    pub currency: AuditedCurrency,
    /// The number of entries on the disk.
    pub size: u64,
    /// What was cosigned last.
    pub cosigned: Option<LastCosignature>,
    /// The number of findings, remarks included.
    pub findings: usize,
    /// The number of broken rules.
    pub broken: usize,
    /// The number of files of evidence.
    pub evidence: usize,
}

impl AuditorStore {
    /// What is known of each currency, also of removed ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn summaries(&self) -> Result<Vec<CurrencySummary>, StoreError> {
        let mut summaries = Vec::new();
        for currency in self.currencies().await? {
            let findings = self.findings(currency.no).await?;
            summaries.push(CurrencySummary {
                size: self.copied_size(currency.no).await?,
                cosigned: self.cosigned(currency.no).await?,
                findings: findings.len(),
                broken: findings.iter().filter(|finding| finding.is_broken).count(),
                evidence: self.evidence_of(currency.no).await?.len(),
                currency,
            });
        }
        Ok(summaries)
    }
}
