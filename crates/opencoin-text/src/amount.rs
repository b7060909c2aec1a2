//! Amounts as people write and read them: `12.50`.
//!
//! People write an amount in the currency, as programs show it: with a divisor of 100, `12.50` and `12.5` are 1250
//! smallest units, and `12` is 1200. An amount that is not a whole number of smallest units is refused, never
//! rounded. A program that counts in the smallest unit writes `1250/100`: the number after the slash must be the
//! currency's divisor, so that the two forms cannot be confused. If the divisor has prime factors other than 2 and 5,
//! some amounts have no finite decimal form and are shown with a slash.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::printable;

/// The largest amount, because databases store amounts as signed 64-bit numbers.
pub const AMOUNT_MAX: u64 = i64::MAX as u64;
/// The most decimals of an amount: a divisor contains at most 2^63, and each factor of two needs one decimal.
const DECIMALS_MAX: usize = 63;
/// A fraction has fewer digits than this, not counting trailing zeros, so that it and its scale fit 64 bits.
const DIGITS_MAX: usize = 19;

/// An amount as a person wrote it. Its value depends on the currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountText {
    text: String,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `12.50`: the integer part, the digits of the fraction, and 10 to the number of these digits.
    Decimal { whole: u64, fraction: u64, scale: u64 },
    /// `1250/100`.
    Units { units: u64, divisor: u64 },
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmountError {
    /// The text has another form.
    #[error("an amount is written as the currency shows it: 12.50, or 12 for 12.00")]
    Form,
    /// The amount is zero, which cannot be paid.
    #[error("an amount is more than zero")]
    Zero,
    /// The amount exceeds [`AMOUNT_MAX`].
    #[error("the amount is too large")]
    TooLarge,
    /// The amount is not a whole number of smallest units.
    #[error("{text} is not a multiple of the smallest unit, 1/{divisor} of {name}")]
    TooFine {
        /// The text as written.
        text: String,
        /// The currency's divisor.
        divisor: u64,
        /// The currency's name.
        name: String,
    },
    /// The number after the slash is not the currency's divisor.
    #[error("{text} counts in 1/{written}, but the smallest unit of {name} is 1/{divisor}")]
    OtherDivisor {
        /// The text as written.
        text: String,
        /// The number after the slash.
        written: u64,
        /// The currency's divisor.
        divisor: u64,
        /// The currency's name.
        name: String,
    },
}

impl FromStr for AmountText {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let number = |digits: &str| {
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(AmountError::Form);
            }
            digits.parse::<u64>().map_err(|_| AmountError::TooLarge)
        };
        let form = if let Some((units, divisor)) = text.split_once('/') {
            Form::Units {
                units: number(units)?,
                divisor: number(divisor)?,
            }
        } else if let Some((whole, fraction)) = text.split_once('.') {
            let significant = fraction.trim_end_matches('0');
            number(fraction.get(..1).ok_or(AmountError::Form)?)?;
            if significant.len() >= DIGITS_MAX || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(AmountError::Form);
            }
            Form::Decimal {
                whole: number(whole)?,
                fraction: if significant.is_empty() {
                    0
                } else {
                    number(significant)?
                },
                scale: 10_u64.pow(significant.len() as u32),
            }
        } else {
            Form::Decimal {
                whole: number(text)?,
                fraction: 0,
                scale: 1,
            }
        };
        let is_zero = matches!(
            form,
            Form::Decimal {
                whole: 0,
                fraction: 0,
                ..
            } | Form::Units { units: 0, .. }
        );
        if is_zero {
            return Err(AmountError::Zero);
        }
        Ok(Self {
            text: text.to_owned(),
            form,
        })
    }
}

impl fmt::Display for AmountText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl AmountText {
    /// Converts the amount to smallest units of the currency `name`, of which `divisor` make one.
    ///
    /// # Errors
    /// The amount is not a whole number of smallest units, or too large.
    pub fn units(&self, divisor: u64, name: &str) -> Result<u64, AmountError> {
        let divisor = divisor.max(1);
        let units = match self.form {
            Form::Units {
                units,
                divisor: written,
            } if written == divisor => u128::from(units),
            Form::Units { divisor: written, .. } => {
                return Err(AmountError::OtherDivisor {
                    text: self.text.clone(),
                    written,
                    divisor,
                    name: printable(name),
                });
            }
            Form::Decimal {
                whole,
                fraction,
                scale,
            } => {
                let (part, scale) = (u128::from(fraction) * u128::from(divisor), u128::from(scale));
                if part % scale != 0 {
                    return Err(AmountError::TooFine {
                        text: self.text.clone(),
                        divisor,
                        name: printable(name),
                    });
                }
                u128::from(whole) * u128::from(divisor) + part / scale
            }
        };
        u64::try_from(units)
            .ok()
            .filter(|units| *units <= AMOUNT_MAX)
            .ok_or(AmountError::TooLarge)
    }
}

/// Shows an amount in its currency: `1.37 OpenCent`. [`AmountText`] reads the number as the same amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountDisplay {
    units: u64,
    divisor: u64,
    currency_name: String,
}

impl AmountDisplay {
    /// `units` smallest units of a currency, of which `divisor` make one.
    #[must_use]
    pub fn new(units: u64, divisor: u64, currency_name: &str) -> Self {
        Self {
            units,
            divisor: divisor.max(1),
            currency_name: printable(currency_name),
        }
    }

    /// The amount in the smallest unit.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }

    /// The number without the currency's name: `1.37`.
    #[must_use]
    pub fn number(&self) -> String {
        let (whole, rest) = (self.units / self.divisor, self.units % self.divisor);
        match decimals(self.divisor) {
            Some(0) => whole.to_string(),
            Some(decimals) => {
                let mut number = format!("{whole}.");
                let mut rest = u128::from(rest);
                for _ in 0..decimals {
                    rest *= 10;
                    number.push_str(&(rest / u128::from(self.divisor)).to_string());
                    rest %= u128::from(self.divisor);
                }
                number
            }
            None if rest == 0 => whole.to_string(),
            None => format!("{}/{}", self.units, self.divisor),
        }
    }
}

impl fmt::Display for AmountDisplay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.number(), self.currency_name)
    }
}

/// The number of decimals that every multiple of `1/divisor` can be written with; `None` if there is none.
fn decimals(divisor: u64) -> Option<usize> {
    let mut power = 1_u128 % u128::from(divisor);
    for decimals in 0..=DECIMALS_MAX {
        if power == 0 {
            return Some(decimals);
        }
        power = power * 10 % u128::from(divisor);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str, divisor: u64) -> Result<u64, String> {
        let amount = text.parse::<AmountText>().map_err(|error| error.to_string())?;
        amount
            .units(divisor, "OpenCent")
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_amount_is_written_as_the_currency_shows_it() {
        for (text, divisor, expected) in [
            ("12.50", 100, 1250),
            ("12.5", 100, 1250),
            ("12.5000000000000000000000000", 100, 1250),
            ("12", 100, 1200),
            ("0.01", 100, 1),
            ("137", 1, 137),
            ("1.0", 1, 1),
            ("2.5", 12, 30),
            ("0.125", 8, 1),
            ("1250/100", 100, 1250),
            ("30/12", 12, 30),
            ("9223372036854775807", 1, AMOUNT_MAX),
            ("92233720368547758.07", 100, AMOUNT_MAX),
        ] {
            assert_eq!(units(text, divisor), Ok(expected), "{text} with {divisor}");
        }
    }

    #[test]
    fn other_forms_and_amounts_are_refused() {
        let form = "an amount is written as";
        for (text, divisor, reason) in [
            ("12,50", 100, form),
            ("1_000", 100, form),
            ("", 100, form),
            (".5", 100, form),
            ("5.", 100, form),
            ("+5", 100, form),
            ("-5", 100, form),
            ("1e3", 100, form),
            ("1.2.3", 100, form),
            ("5é.0", 100, form),
            ("5.é", 100, form),
            (" 5", 100, form),
            ("0", 100, "more than zero"),
            ("0.00", 100, "more than zero"),
            ("0/100", 100, "more than zero"),
            (
                "1.005",
                100,
                "not a multiple of the smallest unit, 1/100 of OpenCent",
            ),
            ("0.1", 12, "not a multiple"),
            ("1250/1000", 100, "counts in 1/1000"),
            ("1250/0", 100, "counts in 1/0"),
            ("92233720368547758.08", 100, "too large"),
            ("99999999999999999999999", 1, "too large"),
        ] {
            let refused = units(text, divisor).unwrap_err();
            assert!(refused.contains(reason), "{text:?}: {refused}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_currency() {
        for (units, divisor, shown) in [
            (137, 100, "1.37"),
            (5, 100, "0.05"),
            (137, 1, "137"),
            (137, 1000, "0.137"),
            (3, 20, "0.15"),
            (30, 12, "30/12"),
            (24, 12, "2"),
            (0, 100, "0.00"),
        ] {
            assert_eq!(
                AmountDisplay::new(units, divisor, "x").to_string(),
                format!("{shown} x")
            );
        }
        assert_eq!(AmountDisplay::new(1, 1, "a\u{1b}b").to_string(), r"1 a\u{1b}b");
    }

    proptest! {
        #[test]
        fn a_shown_amount_is_read_as_the_same_amount(
            amount in 1_u64..=AMOUNT_MAX,
            divisor in prop_oneof![Just(1), Just(100), Just(1000), Just(1 << 62), 1_u64..10_000],
        ) {
            let shown = AmountDisplay::new(amount, divisor, "x").number();
            // A divisor with more decimals than `DIGITS_MAX` has amounts that cannot be read back.
            prop_assume!(shown.split_once('.').is_none_or(|(_, decimals)| decimals.trim_end_matches('0').len() < DIGITS_MAX));
            prop_assert_eq!(units(&shown, divisor), Ok(amount));
        }
    }
}
