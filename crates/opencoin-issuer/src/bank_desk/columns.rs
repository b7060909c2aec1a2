//! The columns with which tables of the bank are read: those of the settings, or those that an operator typed and that the
//! books remember.
//!
//! Typed columns are stored with the statement that was read with them, and count from its booking on: that names of
//! columns are in a file does not show that they are the right ones, but whoever books has seen every line. The newest
//! booked table counts, so booking one that was read with the columns of the settings forgets the others.

use opencoin_config::BankCsvConfig;
use opencoin_ledger::LedgerError;
use opencoin_ledger::bank::TableColumns;

use super::{BankDesk, BankDeskError};

/// Where the columns of a table come from, before others are said for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnsOf {
    /// The settings.
    #[default]
    Settings,
    /// The books, or the settings if the books remember none.
    Remembered,
    /// Nowhere: each column is said for the file.
    Nothing,
}

impl BankDesk {
    /// The columns that were typed for the newest booked table; `None` if they are those of the settings.
    ///
    /// # Errors
    /// When the ledger fails, or what it has is not understood.
    pub async fn remembered_columns(&self) -> Result<Option<BankCsvConfig>, BankDeskError> {
        let Some(typed) = self.store().typed_columns().await? else {
            return Ok(None);
        };
        let columns: BankCsvConfig = serde_json::from_str(&typed)
            .map_err(|error| LedgerError::corrupt("the columns of the newest booked table", error))?;
        Ok((columns != self.settings.columns).then_some(columns))
    }

    /// The columns from there.
    ///
    /// # Errors
    /// When the ledger fails, or what it has is not understood.
    pub async fn columns(&self, of: ColumnsOf) -> Result<BankCsvConfig, BankDeskError> {
        let of_settings = || self.settings.columns.clone();
        Ok(match of {
            ColumnsOf::Settings => of_settings(),
            ColumnsOf::Remembered => self.remembered_columns().await?.unwrap_or_else(of_settings),
            ColumnsOf::Nothing => BankCsvConfig::default(),
        })
    }

    /// The columns of a table, as they are stored with it.
    pub(super) fn stored_columns(&self, columns: &BankCsvConfig) -> TableColumns {
        if *columns == self.settings.columns {
            return TableColumns::OfSettings;
        }
        let json = serde_json::to_string(columns).expect("names are written as JSON");
        TableColumns::Typed(json)
    }
}
