//! Amounts as people read them.

use std::fmt;

/// Shows an amount of the smallest unit and what it is in the currency: `137 (1.37 OpenCent)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountDisplay {
    amount: u64,
    divisor: u64,
    currency_name: String,
}

impl AmountDisplay {
    /// An amount of a currency of which `divisor` smallest units make one.
    #[must_use]
    pub fn new(amount: u64, divisor: u64, currency_name: &str) -> Self {
        Self {
            amount,
            divisor: divisor.max(1),
            currency_name: currency_name.to_owned(),
        }
    }
}

impl fmt::Display for AmountDisplay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            amount,
            divisor,
            currency_name,
        } = self;
        let (whole, rest) = (amount / divisor, amount % divisor);
        write!(formatter, "{amount} (")?;
        match divisor.checked_ilog10() {
            Some(0) if *divisor == 1 => write!(formatter, "{whole}")?,
            Some(digits) if 10_u64.checked_pow(digits) == Some(*divisor) => {
                write!(formatter, "{whole}.{rest:0width$}", width = digits as usize)?;
            }
            _ if rest == 0 => write!(formatter, "{whole}")?,
            _ => write!(formatter, "{whole} {rest}/{divisor}")?,
        }
        write!(formatter, " {currency_name})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_in_both_units() {
        let shown = |amount, divisor| AmountDisplay::new(amount, divisor, "OpenCent").to_string();
        assert_eq!(shown(137, 100), "137 (1.37 OpenCent)");
        assert_eq!(shown(5, 100), "5 (0.05 OpenCent)");
        assert_eq!(shown(137, 1), "137 (137 OpenCent)");
        assert_eq!(shown(137, 1000), "137 (0.137 OpenCent)");
        assert_eq!(shown(30, 12), "30 (2 6/12 OpenCent)");
        assert_eq!(shown(24, 12), "24 (2 OpenCent)");
        assert_eq!(shown(0, 100), "0 (0.00 OpenCent)");
    }
}
