//! The supply over time.

use super::error::StoreError;
use super::row::{column, number};
use super::{AuditorStore, Writing};

/// The value of outstanding coins of a denomination at the end of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SupplyPoint {
    /// The hour: seconds since 1970 divided by 3600.
    pub hour: u64,
    /// The denomination, in the smallest unit.
    pub denomination: u64,
    /// The value, in the smallest unit.
    pub outstanding: u64,
}

impl AuditorStore {
    /// The supply of a currency, in the order of time.
    pub(crate) async fn supply(&self, currency: i64) -> Result<Vec<SupplyPoint>, StoreError> {
        let select = "SELECT hour, denomination, outstanding FROM supply WHERE currency = ?
            ORDER BY hour, denomination";
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(select)
            .bind(currency)
            .fetch_all(&self.readers)
            .await?;
        let point = |(hour, denomination, outstanding)| {
            Ok(SupplyPoint {
                hour: number(hour)?,
                denomination: number(denomination)?,
                outstanding: number(outstanding)?,
            })
        };
        rows.into_iter().map(point).collect()
    }
}

impl Writing {
    /// Adds points, which replace those of the same hour.
    pub(crate) async fn put_supply(
        &mut self,
        currency: i64,
        points: &[SupplyPoint],
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO supply (currency, hour, denomination, outstanding) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET outstanding = excluded.outstanding";
        for point in points {
            sqlx::query(insert)
                .bind(currency)
                .bind(column(point.hour)?)
                .bind(column(point.denomination)?)
                .bind(column(point.outstanding)?)
                .execute(&mut *self.0)
                .await?;
        }
        Ok(())
    }
}
