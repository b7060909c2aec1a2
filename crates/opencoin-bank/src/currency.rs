//! Money at the bank: its currency (ISO 4217), and how its amounts relate to those of the issuer's currency.

use std::fmt;
use std::str::FromStr;

use opencoin_text::{AMOUNT_MAX, AmountError, AmountText};
use thiserror::Error;

/// Currencies whose amounts have no decimals.
const WITHOUT_DECIMALS: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
/// Currencies whose amounts have three decimals.
const WITH_THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// The three letters of a currency: `EUR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyCode(String);

/// The text is not the code of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the code of a currency has three capital letters, such as EUR")]
pub struct CurrencyCodeError;

impl CurrencyCode {
    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of decimals of the currency's amounts at a bank.
    #[must_use]
    pub fn decimals(&self) -> usize {
        let code = self.as_str();
        if WITHOUT_DECIMALS.contains(&code) {
            0
        } else if WITH_THREE_DECIMALS.contains(&code) {
            3
        } else {
            2
        }
    }
}

impl FromStr for CurrencyCode {
    type Err = CurrencyCodeError;

    fn from_str(text: &str) -> Result<Self, CurrencyCodeError> {
        if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CurrencyCodeError)
        }
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The bank's currency beside the issuer's. One of the one is one of the other: 12.50 at the bank is 12.50 in the
/// currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankCurrency {
    /// The currency of the account at the bank.
    pub code: CurrencyCode,
    /// How many of its smallest units make one of the issuer's currency.
    pub divisor: u64,
}

/// An amount has no counterpart on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BankAmountError {
    /// The text is not an amount.
    #[error("{0:?} is not an amount")]
    Form(String),
    /// The amount is zero.
    #[error("the amount is zero")]
    Zero,
    /// The amount is finer than the smallest unit of the other side.
    #[error("{0} has more decimals than there are on the other side")]
    TooFine(String),
    /// The amount is larger than any that the books can hold.
    #[error("the amount is too large")]
    TooLarge,
}

impl BankCurrency {
    /// The smallest units of a decimal number as banks write it: `12.50`, `+12.5`, `.5`.
    ///
    /// # Errors
    /// The text is another one, the amount is zero, too large, or no whole number of smallest units.
    pub fn units(&self, text: &str) -> Result<u64, BankAmountError> {
        let number = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
            return Err(BankAmountError::Form(text.to_owned()));
        }
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = if fraction.is_empty() { "0" } else { fraction };
        let amount = format!("{whole}.{fraction}").parse::<AmountText>();
        let units = amount.and_then(|amount| amount.units(self.divisor, self.code.as_str()));
        units.map_err(|error| match error {
            AmountError::Zero => BankAmountError::Zero,
            AmountError::TooLarge => BankAmountError::TooLarge,
            AmountError::TooFine { .. } => BankAmountError::TooFine(text.to_owned()),
            AmountError::Form | AmountError::OtherDivisor { .. } => BankAmountError::Form(text.to_owned()),
        })
    }

    /// The decimal number of an amount for the bank, with the currency's decimals: `12.50`.
    ///
    /// # Errors
    /// The amount is zero or too large, or the bank's currency has no such fraction.
    pub fn decimal(&self, units: u64) -> Result<String, BankAmountError> {
        let decimals = self.code.decimals();
        let (scale, divisor) = (10_u128.pow(decimals as u32), u128::from(self.divisor.max(1)));
        let scaled = u128::from(units) * scale;
        if units == 0 {
            return Err(BankAmountError::Zero);
        }
        if units > AMOUNT_MAX {
            return Err(BankAmountError::TooLarge);
        }
        if scaled % divisor != 0 {
            return Err(BankAmountError::TooFine(format!("{units}/{}", self.divisor)));
        }
        let minor = scaled / divisor;
        Ok(if decimals == 0 {
            minor.to_string()
        } else {
            format!("{}.{:0decimals$}", minor / scale, minor % scale)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str, divisor: u64) -> BankCurrency {
        BankCurrency {
            code: code.parse().unwrap(),
            divisor,
        }
    }

    #[test]
    fn amounts_of_the_bank_become_smallest_units() {
        let euro = currency("EUR", 100);
        for (text, units) in [
            ("12.50", 1250),
            ("12.5", 1250),
            ("12", 1200),
            ("+.5", 50),
            ("7.", 700),
            ("1.500", 150),
        ] {
            assert_eq!(euro.units(text), Ok(units), "{text}");
        }
        for text in ["", ".", "-1", "1e3", "1,50", "1.2.3", " 1", "١"] {
            assert!(
                matches!(euro.units(text), Err(BankAmountError::Form(_))),
                "{text}"
            );
        }
        assert_eq!(euro.units("0.00"), Err(BankAmountError::Zero));
        assert_eq!(euro.units("0.005"), Err(BankAmountError::TooFine("0.005".into())));
        assert_eq!(euro.units("99999999999999999999"), Err(BankAmountError::TooLarge));
        assert_eq!(
            currency("EUR", 1).units("12.50"),
            Err(BankAmountError::TooFine("12.50".into()))
        );
    }

    #[test]
    fn amounts_for_the_bank_have_its_decimals() {
        assert_eq!(currency("EUR", 100).decimal(1205), Ok("12.05".into()));
        assert_eq!(currency("EUR", 1).decimal(7), Ok("7.00".into()));
        assert_eq!(currency("EUR", 1000).decimal(1250), Ok("1.25".into()));
        assert!(currency("EUR", 1000).decimal(1255).is_err());
        assert!(currency("EUR", 3).decimal(1).is_err());
        assert_eq!(currency("JPY", 1).decimal(7), Ok("7".into()));
        assert_eq!(currency("KWD", 1000).decimal(7), Ok("0.007".into()));
        assert_eq!(currency("EUR", 100).decimal(0), Err(BankAmountError::Zero));
        assert_eq!(
            currency("EUR", 100).decimal(u64::MAX),
            Err(BankAmountError::TooLarge)
        );
    }

    #[test]
    fn codes_are_three_capitals() {
        assert_eq!("EUR".parse::<CurrencyCode>().unwrap().to_string(), "EUR");
        for text in ["", "eur", "EURO", "E1R", "ÄÖ"] {
            assert_eq!(text.parse::<CurrencyCode>(), Err(CurrencyCodeError));
        }
    }

    proptest! {
        #[test]
        fn an_amount_returns_as_itself(units in 1..=AMOUNT_MAX, divisor in 1_u64..1000) {
            let euro = currency("EUR", divisor);
            if let Ok(text) = euro.decimal(units) {
                prop_assert_eq!(euro.units(&text), Ok(units));
            }
        }
    }
}
