//! The list of currencies, which operators change while the server runs.

use opencoin_log::hash::Hash;
use opencoin_schema::{Cddc, from_json, text};
use sha2::{Digest, Sha256};

use super::AuditorStore;
use super::error::StoreError;
use super::row::{column, corrupt, hash, number};

/// A currency that the auditor follows, or has followed.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditedCurrency {
    /// The number of its row.
    pub(crate) no: i64,
    /// The URL of its issuer.
    pub url: String,
    /// The origin of its log.
    pub origin: String,
    /// The SHA-256 of the origin.
    pub origin_hash: Hash,
    /// The fingerprint of its master key.
    pub master_key: String,
    /// Its newest description.
    pub cddc: Cddc,
    /// Whether it is followed.
    pub is_followed: bool,
    /// When it was added, in seconds since 1970.
    pub added_at: u64,
}

/// A currency to follow, whose description was verified.
#[derive(Debug, Clone)]
pub struct NewCurrency<'a> {
    /// The URL of its issuer.
    pub url: &'a str,
    /// The origin of its log.
    pub origin: &'a str,
    /// The fingerprint of its master key.
    pub master_key: &'a str,
    /// Its description.
    pub cddc: &'a Cddc,
}

type Row = (i64, String, String, Vec<u8>, String, String, bool, i64);

impl TryFrom<Row> for AuditedCurrency {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let (no, url, origin, origin_hash, master_key, cddc, is_followed, added_at) = row;
        Ok(Self {
            no,
            url,
            origin,
            origin_hash: hash(origin_hash)?,
            master_key,
            cddc: from_json(cddc.as_bytes()).map_err(corrupt)?,
            is_followed,
            added_at: number(added_at)?,
        })
    }
}

impl AuditorStore {
    /// All currencies, also removed ones, in the order in which they were added.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn currencies(&self) -> Result<Vec<AuditedCurrency>, StoreError> {
        let select = "SELECT no, url, origin, origin_hash, master_key, cddc, is_followed, added_at
            FROM currencies ORDER BY no";
        let rows: Vec<Row> = sqlx::query_as(select).fetch_all(&self.readers).await?;
        rows.into_iter().map(AuditedCurrency::try_from).collect()
    }

    /// Follows a currency. If it was followed before, the URL is replaced. Returns whether it is new.
    ///
    /// # Errors
    /// The currency has another master key than before, or the database cannot be written.
    pub async fn add_currency(&self, new: &NewCurrency<'_>, now_s: u64) -> Result<bool, StoreError> {
        let insert =
            "INSERT INTO currencies (url, origin, origin_hash, master_key, cddc, is_followed, added_at)
            VALUES (?, ?, ?, ?, ?, 1, ?)
            ON CONFLICT (origin) DO UPDATE SET url = excluded.url, is_followed = 1";
        let mut writing = self.write().await?;
        let select = "SELECT is_followed, master_key FROM currencies WHERE origin = ?";
        let before: Option<(bool, String)> = sqlx::query_as(select)
            .bind(new.origin)
            .fetch_optional(&mut *writing.0)
            .await?;
        if let Some((_, master_key)) = before.as_ref().filter(|(_, before)| before != new.master_key) {
            return Err(StoreError::OtherMasterKey {
                origin: new.origin.to_owned(),
                known: master_key.clone(),
                found: new.master_key.to_owned(),
            });
        }
        sqlx::query(insert)
            .bind(new.url)
            .bind(new.origin)
            .bind(&Sha256::digest(new.origin)[..])
            .bind(new.master_key)
            .bind(text::compact(new.cddc))
            .bind(column(now_s)?)
            .execute(&mut *writing.0)
            .await?;
        let begin = "INSERT INTO progress (currency, size, root, snapshot_size)
            SELECT no, 0, ?, 0 FROM currencies WHERE origin = ? ON CONFLICT DO NOTHING";
        sqlx::query(begin)
            .bind(&Hash::EMPTY_TREE.as_bytes()[..])
            .bind(new.origin)
            .execute(&mut *writing.0)
            .await?;
        writing.commit().await?;
        Ok(!before.is_some_and(|(is_followed, _)| is_followed))
    }

    /// Follows a currency no longer, which is named by its URL or the origin of its log. Returns whether it was followed.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn remove_currency(&self, name: &str) -> Result<bool, StoreError> {
        let update =
            "UPDATE currencies SET is_followed = 0 WHERE (url = ?1 OR origin = ?1) AND is_followed = 1";
        let updated = sqlx::query(update).bind(name).execute(&self.writer).await?;
        Ok(updated.rows_affected() > 0)
    }

    /// Replaces the description of a currency by a newer one.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) async fn put_description(&self, no: i64, cddc: &Cddc) -> Result<(), StoreError> {
        sqlx::query("UPDATE currencies SET cddc = ? WHERE no = ?")
            .bind(text::compact(cddc))
            .bind(no)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
