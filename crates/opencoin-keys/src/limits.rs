//! Limits for names, divisors and denominations of currencies.

use std::collections::BTreeSet;

use opencoin_ledger::Amount;
use opencoin_text::{is_invisible, is_misleading};

/// The most denominations. Each needs a mint key.
const DENOMINATIONS_MAX: usize = 64;
/// The longest name of a currency, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The largest divisor: 12 decimals.
pub(crate) const DIVISOR_MAX: u64 = 1_000_000_000_000;

/// Checks the name of a currency. Every wallet shows it, so it must not mislead the reader.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let chars = name.chars().count();
    if name.trim() != name || chars == 0 || chars > NAME_CHARS_MAX {
        return Err(format!(
            "must have 1 to {NAME_CHARS_MAX} characters, without spaces around them"
        ));
    }
    if name
        .chars()
        .any(|character| is_misleading(character) || is_invisible(character))
    {
        return Err(
            "must not contain control characters, invisible characters or changes of direction".to_owned(),
        );
    }
    Ok(())
}

/// Checks the denominations of a currency.
pub(crate) fn check_denominations(denominations: &[u64]) -> Result<(), String> {
    if denominations.is_empty() || denominations.len() > DENOMINATIONS_MAX {
        return Err(format!(
            "must be 1 to {DENOMINATIONS_MAX} values, for example 1,2,5,10"
        ));
    }
    let distinct: BTreeSet<&u64> = denominations.iter().collect();
    let fit = denominations
        .iter()
        .all(|value| *value > 0 && Amount::new(*value).is_ok());
    if distinct.len() != denominations.len() || !fit {
        return Err("must be different values of at least one smallest unit".to_owned());
    }
    Ok(())
}
