//! What was found.

use opencoin_log::hash::Hash;
use opencoin_replay::Finding;

use super::error::StoreError;
use super::row::{column, corrupt, hash, number};
use super::{AuditorStore, Writing};

/// A finding, and the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFinding {
    /// The number of its row.
    pub no: i64,
    /// The leaf that shows it. Every larger tree has it.
    pub leaf: u64,
    /// The broken rule of the replay; `None` for other findings, such as two histories.
    pub finding: Option<Finding>,
    /// What it is, for people.
    pub text: String,
    /// Whether a rule is broken. Otherwise it is a remark.
    pub is_broken: bool,
    /// When it was found, in seconds since 1970.
    pub found_at: u64,
    /// The id of the evidence for it.
    pub evidence: Option<Hash>,
}

type Row = (i64, i64, String, String, bool, i64, Option<Vec<u8>>);

impl TryFrom<Row> for StoredFinding {
    type Error = StoreError;

    fn try_from((no, leaf, finding, text, is_broken, found_at, evidence): Row) -> Result<Self, StoreError> {
        let finding = match finding.as_str() {
            "" => None,
            json => Some(serde_json::from_str(json).map_err(corrupt)?),
        };
        Ok(Self {
            no,
            leaf: number(leaf)?,
            finding,
            text,
            is_broken,
            found_at: number(found_at)?,
            evidence: evidence.map(hash).transpose()?,
        })
    }
}

impl AuditorStore {
    /// What was found in the log of a currency, in the order of the leaves.
    pub(crate) async fn findings(&self, currency: i64) -> Result<Vec<StoredFinding>, StoreError> {
        let select = "SELECT no, leaf, finding, text, is_broken, found_at, evidence FROM findings
            WHERE currency = ? ORDER BY leaf, no";
        let rows: Vec<Row> = sqlx::query_as(select)
            .bind(currency)
            .fetch_all(&self.readers)
            .await?;
        rows.into_iter().map(StoredFinding::try_from).collect()
    }

    /// Keeps a finding that is no broken rule of the replay. Returns whether it is new.
    pub(crate) async fn put_other_finding(
        &self,
        currency: i64,
        leaf: u64,
        text: &str,
        is_broken: bool,
        now_s: u64,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let is_new = writing.put(currency, leaf, "", text, is_broken, now_s).await?;
        writing.commit().await?;
        Ok(is_new)
    }

    /// Says which evidence proves a finding, if it is kept.
    pub(crate) async fn put_finding_evidence(
        &self,
        currency: i64,
        leaf: u64,
        text: &str,
        evidence: Option<&Hash>,
    ) -> Result<(), StoreError> {
        let Some(evidence) = evidence else {
            return Ok(());
        };
        let update = "UPDATE findings SET evidence = ? WHERE currency = ? AND leaf = ? AND text = ?";
        sqlx::query(update)
            .bind(&evidence.as_bytes()[..])
            .bind(currency)
            .bind(column(leaf)?)
            .bind(text)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

impl Writing {
    /// What breaks a rule in the tree of this size: the text of the finding with the first leaf.
    pub(crate) async fn broken_rule(
        &mut self,
        currency: i64,
        size: u64,
    ) -> Result<Option<String>, StoreError> {
        let select = "SELECT text FROM findings WHERE currency = ? AND is_broken = 1 AND leaf < ?
            ORDER BY leaf, no LIMIT 1";
        let text = sqlx::query_scalar(select)
            .bind(currency)
            .bind(column(size)?)
            .fetch_optional(&mut *self.0)
            .await?;
        Ok(text)
    }

    /// Keeps a finding of the replay. Returns whether it is new: a replay that begins again finds the same.
    pub(crate) async fn put_finding(
        &mut self,
        currency: i64,
        finding: &Finding,
        now_s: u64,
    ) -> Result<bool, StoreError> {
        let json = serde_json::to_string(finding).map_err(corrupt)?;
        let (text, is_broken) = (finding.to_string(), finding.is_broken());
        self.put(currency, finding.index, &json, &text, is_broken, now_s)
            .await
    }

    async fn put(
        &mut self,
        currency: i64,
        leaf: u64,
        json: &str,
        text: &str,
        is_broken: bool,
        now_s: u64,
    ) -> Result<bool, StoreError> {
        let insert = "INSERT INTO findings (currency, leaf, finding, text, is_broken, found_at)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(currency)
            .bind(column(leaf)?)
            .bind(json)
            .bind(text)
            .bind(is_broken)
            .bind(column(now_s)?)
            .execute(&mut *self.0)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }
}
