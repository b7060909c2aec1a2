//! The published checkpoints: the newest one, the newest ones that auditors may still sign, and the newest one that they
//! have signed jointly.

use opencoin_ledger::{LedgerTime, PUBLISHED_KEPT_MAX, PublishedCheckpoint};

use super::{column, number};
use crate::{Executor, Row, SqlError, Value};

pub(super) async fn published(sql: &mut dyn Executor) -> Result<Option<PublishedCheckpoint>, SqlError> {
    let query = "SELECT size, note, at FROM log_checkpoint WHERE id = 1";
    sql.optional(query, &[], checkpoint).await
}

pub(super) async fn publish(
    sql: &mut dyn Executor,
    checkpoint: &PublishedCheckpoint,
) -> Result<bool, SqlError> {
    let query = "INSERT INTO log_checkpoint (id, size, note, at) VALUES (1, $1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note, at = excluded.at
        WHERE log_checkpoint.size <= excluded.size";
    if sql.execute(query, &values(checkpoint)?).await? == 0 {
        return Ok(false);
    }
    keep(sql, checkpoint).await?;
    Ok(true)
}

/// Keeps a checkpoint for the auditors, and forgets the oldest ones.
async fn keep(sql: &mut dyn Executor, checkpoint: &PublishedCheckpoint) -> Result<(), SqlError> {
    let query = "INSERT INTO log_published (size, note, at) VALUES ($1, $2, $3)
        ON CONFLICT (size) DO UPDATE SET note = excluded.note, at = excluded.at";
    sql.execute(query, &values(checkpoint)?).await?;
    let query = "DELETE FROM log_published WHERE size < (
            SELECT min(size) FROM (SELECT size FROM log_published ORDER BY size DESC LIMIT $1) AS newest
        )";
    sql.execute(query, &[(PUBLISHED_KEPT_MAX as i64).into()]).await?;
    Ok(())
}

pub(super) async fn of_size(
    sql: &mut dyn Executor,
    size: u64,
) -> Result<Option<PublishedCheckpoint>, SqlError> {
    let query = "SELECT size, note, at FROM log_published WHERE size = $1";
    sql.optional(query, &[column(size)?.into()], checkpoint).await
}

pub(super) async fn joint(sql: &mut dyn Executor) -> Result<Option<PublishedCheckpoint>, SqlError> {
    let query = "SELECT size, note, at FROM log_joint WHERE id = 1";
    sql.optional(query, &[], checkpoint).await
}

pub(super) async fn publish_joint(
    sql: &mut dyn Executor,
    checkpoint: &PublishedCheckpoint,
) -> Result<bool, SqlError> {
    let query = "INSERT INTO log_joint (id, size, note, at) VALUES (1, $1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note, at = excluded.at
        WHERE log_joint.size <= excluded.size";
    Ok(sql.execute(query, &values(checkpoint)?).await? == 1)
}

fn checkpoint(row: &mut Row) -> Result<PublishedCheckpoint, SqlError> {
    Ok(PublishedCheckpoint {
        size: number(row)?,
        note: row.take()?,
        at: LedgerTime::from_unix_micros(row.take()?),
    })
}

fn values(checkpoint: &PublishedCheckpoint) -> Result<[Value<'_>; 3], SqlError> {
    Ok([
        column(checkpoint.size)?.into(),
        checkpoint.note[..].into(),
        checkpoint.at.unix_micros().into(),
    ])
}
