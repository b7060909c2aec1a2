//! Files of evidence that are kept and served.

use opencoin_log::hash::Hash;

use super::AuditorStore;
use super::error::StoreError;
use super::row::{column, hash, number};

/// The most files that are kept of one currency, of its own and as many of others. A single one is proof enough; more only
/// show how bad it is.
pub const EVIDENCE_MAX: u32 = 256;

/// A file of evidence, which was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvidence {
    /// The SHA-256 of the text.
    pub id: Hash,
    /// The kind, as in the file.
    pub kind: String,
    /// What it proves, for people.
    pub statement: String,
    /// What follows from it, in one word: `fault`, `incident`, `complaint` or `challenge`.
    pub verdict: String,
    /// When it was kept, in seconds since 1970.
    pub kept_at: u64,
    /// Whether another node has sent it.
    pub is_received: bool,
}

/// What has become of a file that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvidenceKept {
    /// It is kept.
    New,
    /// It was kept before.
    Known,
    /// There are [`EVIDENCE_MAX`] others.
    NoRoom,
}

type Row = (Vec<u8>, String, String, String, i64, bool);

impl TryFrom<Row> for KeptEvidence {
    type Error = StoreError;

    fn try_from((id, kind, statement, verdict, kept_at, is_received): Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: hash(id)?,
            kind,
            statement,
            verdict,
            kept_at: number(kept_at)?,
            is_received,
        })
    }
}

impl AuditorStore {
    /// The evidence against a currency, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) async fn evidence_of(&self, currency: i64) -> Result<Vec<KeptEvidence>, StoreError> {
        let select = "SELECT id, kind, statement, verdict, kept_at, is_received FROM evidence
            WHERE currency = ? ORDER BY kept_at, id";
        let rows: Vec<Row> = sqlx::query_as(select)
            .bind(currency)
            .fetch_all(&self.readers)
            .await?;
        rows.into_iter().map(KeptEvidence::try_from).collect()
    }

    /// The text of a file.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn evidence_text(&self, id: &Hash) -> Result<Option<String>, StoreError> {
        let text = sqlx::query_scalar("SELECT text FROM evidence WHERE id = ?")
            .bind(&id.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        Ok(text)
    }

    /// Keeps a file if there is room for it.
    pub(crate) async fn put_evidence(
        &self,
        currency: i64,
        evidence: &KeptEvidence,
        text: &str,
    ) -> Result<EvidenceKept, StoreError> {
        let insert =
            "INSERT INTO evidence (id, currency, kind, statement, verdict, text, kept_at, is_received)
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
            WHERE (SELECT count(*) FROM evidence WHERE currency = ?2 AND is_received = ?8) < ?9
            ON CONFLICT DO NOTHING";
        let inserted = sqlx::query(insert)
            .bind(&evidence.id.as_bytes()[..])
            .bind(currency)
            .bind(&evidence.kind)
            .bind(&evidence.statement)
            .bind(&evidence.verdict)
            .bind(text)
            .bind(column(evidence.kept_at)?)
            .bind(evidence.is_received)
            .bind(EVIDENCE_MAX)
            .execute(&self.writer)
            .await?;
        if inserted.rows_affected() == 1 {
            return Ok(EvidenceKept::New);
        }
        let is_known = self.evidence_text(&evidence.id).await?.is_some();
        Ok(if is_known {
            EvidenceKept::Known
        } else {
            EvidenceKept::NoRoom
        })
    }
}
