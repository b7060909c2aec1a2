//! The currency in which a command reads and shows amounts.

use anyhow::Result;
use opencoin_schema::Cdd;
use opencoin_text::{AmountDisplay, AmountText};

use crate::failure;

/// A currency's name and divisor: how many smallest units make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CurrencyUnit {
    pub(crate) name: String,
    pub(crate) divisor: u64,
}

impl CurrencyUnit {
    pub(crate) fn of(cdd: &Cdd) -> Self {
        Self {
            name: cdd.currency_name.clone(),
            divisor: cdd.currency_divisor,
        }
    }

    /// Converts an amount to smallest units.
    pub(crate) fn read(&self, amount: &AmountText) -> Result<u64> {
        amount
            .units(self.divisor, &self.name)
            .map_err(|error| failure::usage(error.to_string()))
    }

    /// `12.50 OpenCent`.
    pub(crate) fn show(&self, units: u64) -> String {
        AmountDisplay::new(units, self.divisor, &self.name).to_string()
    }

    /// `12.50`, for columns.
    pub(crate) fn number(&self, units: u64) -> String {
        AmountDisplay::new(units, self.divisor, &self.name).number()
    }

    /// `+12.50` or `-12.50`.
    pub(crate) fn signed(&self, units: i64) -> String {
        let sign = if units < 0 { '-' } else { '+' };
        format!("{sign}{}", self.number(units.unsigned_abs()))
    }
}
