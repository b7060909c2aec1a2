//! Amounts on the command line: whole numbers of the smallest unit.

use anyhow::{Result, bail};

/// Reads a positive amount, for clap.
pub(crate) fn parse(text: &str) -> Result<u64> {
    match text.parse::<u64>() {
        Ok(amount) if amount > 0 && i64::try_from(amount).is_ok() => Ok(amount),
        Ok(_) => bail!("an amount is at least 1 and at most {}", i64::MAX),
        Err(_) => bail!("an amount is a whole number of the smallest unit, for example 137"),
    }
}
