//! The operator's account at a bank, and how the bank writes tables.

use opencoin_bank::pain::Payer;
use opencoin_bank::statement::{ColumnMap, StatementReading};
use opencoin_bank::{BankCurrency, Bic, CurrencyCode, Iban};
use serde::{Deserialize, Serialize};

/// `[bank]`: the operator's account at a bank, from which statements come and payouts are paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BankConfig {
    /// The name of the account's owner, as the bank knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account. Without it no statement is read and no payout is exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iban: Option<String>,
    /// The bank, if it wants to be named in payment files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bic: Option<String>,
    /// The currency of the account (ISO 4217). One of it is one of the issuer's currency.
    pub currency: String,
}

/// `[bank_csv]`: the columns of the bank's tables. Tables are read if `day`, `amount` and `text` are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BankCsvConfig {
    /// The character between two cells.
    pub delimiter: String,
    /// `utf-8` or `windows-1252`.
    pub encoding: String,
    /// The character before the decimals: `,` or `.`.
    pub decimal: String,
    /// How days are written: `DD.MM.YYYY`.
    pub date_format: String,
    /// The column with the day of the booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The column with the amount, negative if money went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// The columns with the text of the transfer, in this order.
    pub text: Vec<String>,
    /// The column with the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The column that says whether money came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The column with the name of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The column with the account of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party_account: Option<String>,
    /// The column with the operator's own account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The column with the bank's own reference of a movement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_reference: Option<String>,
}

impl Default for BankConfig {
    fn default() -> Self {
        Self {
            name: None,
            iban: None,
            bic: None,
            currency: "EUR".to_owned(),
        }
    }
}

impl Default for BankCsvConfig {
    fn default() -> Self {
        Self {
            delimiter: ";".to_owned(),
            encoding: "utf-8".to_owned(),
            decimal: ",".to_owned(),
            date_format: "DD.MM.YYYY".to_owned(),
            day: None,
            amount: None,
            text: Vec::new(),
            currency: None,
            direction: None,
            party: None,
            party_account: None,
            account: None,
            bank_reference: None,
        }
    }
}

/// A wrong setting of the bank: its key, and the reason.
pub type BankSettingError = (&'static str, String);

impl BankConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// The first wrong key, and the reason.
    pub fn check(&self) -> Result<(), BankSettingError> {
        self.account()?;
        self.bank()?;
        self.currency(1)?;
        Ok(())
    }

    /// The account; `None` if it is not set.
    ///
    /// # Errors
    /// The IBAN is wrong.
    pub fn account(&self) -> Result<Option<Iban>, BankSettingError> {
        let account = self.iban.as_deref().map(str::parse).transpose();
        account.map_err(|error: opencoin_bank::IbanError| ("iban", error.to_string()))
    }

    fn bank(&self) -> Result<Option<Bic>, BankSettingError> {
        let bank = self.bic.as_deref().map(str::parse).transpose();
        bank.map_err(|error: opencoin_bank::BicError| ("bic", error.to_string()))
    }

    /// The currency of the account beside the issuer's, of which `divisor` smallest units make one.
    ///
    /// # Errors
    /// It is not the code of a currency.
    pub fn currency(&self, divisor: u64) -> Result<BankCurrency, BankSettingError> {
        let code: Result<CurrencyCode, _> = self.currency.parse();
        let code = code.map_err(|error| ("currency", error.to_string()))?;
        Ok(BankCurrency { code, divisor })
    }

    /// How statements are read; `None` if the account is not set.
    ///
    /// # Errors
    /// A setting of `[bank]` or `[bank_csv]` is wrong.
    pub fn reading(
        &self,
        columns: &BankCsvConfig,
        divisor: u64,
    ) -> Result<Option<StatementReading>, BankSettingError> {
        let Some(account) = self.account()? else {
            return Ok(None);
        };
        Ok(Some(StatementReading {
            account,
            currency: self.currency(divisor)?,
            columns: columns.map()?,
        }))
    }

    /// Who pays payouts; `None` if the account or its owner is not set.
    ///
    /// # Errors
    /// A setting is wrong.
    pub fn payer(&self) -> Result<Option<Payer>, BankSettingError> {
        let bic = self.bank()?;
        Ok(match (self.name.clone(), self.account()?) {
            (Some(name), Some(iban)) => Some(Payer { name, iban, bic }),
            (None, _) | (_, None) => None,
        })
    }
}

impl BankCsvConfig {
    /// Says what a key of `[bank_csv]` is; an empty name means that there is no such column. Names of several columns are
    /// separated by commas. Returns whether there is this key.
    #[must_use]
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        let name = || Some(value.to_owned()).filter(|name| !name.is_empty());
        match key {
            "delimiter" => value.clone_into(&mut self.delimiter),
            "encoding" => value.clone_into(&mut self.encoding),
            "decimal" => value.clone_into(&mut self.decimal),
            "date_format" => value.clone_into(&mut self.date_format),
            "day" => self.day = name(),
            "amount" => self.amount = name(),
            "text" => {
                let names = value.split(',').map(str::trim);
                self.text = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
            }
            "currency" => self.currency = name(),
            "direction" => self.direction = name(),
            "party" => self.party = name(),
            "party_account" => self.party_account = name(),
            "account" => self.account = name(),
            "bank_reference" => self.bank_reference = name(),
            _ => return false,
        }
        true
    }

    /// The columns; `None` if tables are not read.
    ///
    /// # Errors
    /// The first wrong key, and the reason.
    pub fn map(&self) -> Result<Option<ColumnMap>, BankSettingError> {
        let delimiter = match self.delimiter.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => *byte,
            _ if self.delimiter == "\\t" => b'\t',
            _ => return Err(("delimiter", "it is one character, or \\t".to_owned())),
        };
        let decimal = match self.decimal.as_str() {
            "," => ',',
            "." => '.',
            _ => return Err(("decimal", "it is , or .".to_owned())),
        };
        let encoding = self.encoding.parse();
        let encoding = encoding
            .map_err(|error: opencoin_bank::statement::ColumnMapError| ("encoding", error.to_string()))?;
        let date_format = self.date_format.parse();
        let date_format = date_format
            .map_err(|error: opencoin_bank::statement::ColumnMapError| ("date_format", error.to_string()))?;
        let (Some(day), Some(amount), false) = (self.day.clone(), self.amount.clone(), self.text.is_empty())
        else {
            return Ok(None);
        };
        Ok(Some(ColumnMap {
            delimiter,
            encoding,
            decimal,
            date_format,
            day,
            amount,
            texts: self.text.clone(),
            currency: self.currency.clone(),
            direction: self.direction.clone(),
            party: self.party.clone(),
            party_account: self.party_account.clone(),
            account: self.account.clone(),
            bank_reference: self.bank_reference.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        let mut bank = BankConfig::default();
        assert_eq!(bank.check(), Ok(()));
        assert_eq!(bank.reading(&BankCsvConfig::default(), 100), Ok(None));
        bank.iban = Some("DE88 3704 0044 0532 0130 00".to_owned());
        assert_eq!(bank.check().unwrap_err().0, "iban");
        bank.iban = Some("DE89 3704 0044 0532 0130 00".to_owned());
        bank.bic = Some("x".to_owned());
        assert_eq!(bank.check().unwrap_err().0, "bic");
        bank.bic = None;
        bank.currency = "euro".to_owned();
        assert_eq!(bank.check().unwrap_err().0, "currency");
        for (key, csv) in [
            (
                "delimiter",
                BankCsvConfig {
                    delimiter: ";;".to_owned(),
                    ..BankCsvConfig::default()
                },
            ),
            (
                "decimal",
                BankCsvConfig {
                    decimal: "x".to_owned(),
                    ..BankCsvConfig::default()
                },
            ),
            (
                "encoding",
                BankCsvConfig {
                    encoding: "ebcdic".to_owned(),
                    ..BankCsvConfig::default()
                },
            ),
            (
                "date_format",
                BankCsvConfig {
                    date_format: "%d".to_owned(),
                    ..BankCsvConfig::default()
                },
            ),
        ] {
            assert_eq!(csv.map().unwrap_err().0, key);
        }
    }

    #[test]
    fn tables_are_read_once_their_columns_are_named() {
        let mut csv = BankCsvConfig::default();
        assert_eq!(csv.map(), Ok(None));
        (csv.day, csv.amount) = (Some("day".to_owned()), Some("amount".to_owned()));
        assert_eq!(csv.map(), Ok(None));
        csv.text = vec!["text".to_owned()];
        assert_eq!(csv.map().unwrap().unwrap().delimiter, b';');
    }

    #[test]
    fn what_is_said_for_one_file_is_set_by_the_keys_of_the_settings() {
        let keys = crate::SETTINGS
            .iter()
            .filter_map(|setting| setting.path.strip_prefix("bank_csv."));
        let (mut said, mut count) = (BankCsvConfig::default(), 0);
        for key in keys {
            let before = said.clone();
            assert!(said.set(key, &format!("{key}, x")), "{key}");
            assert_ne!(said, before, "{key}");
            count += 1;
        }
        assert!(count > 0 && !said.set("other", "x"));
        assert_eq!(said.text, ["text", "x"]);
        assert_eq!(said.day.as_deref(), Some("day, x"));
        assert!(said.set("day", "") && said.day.is_none());
    }

    #[test]
    fn payouts_are_paid_by_an_account_with_an_owner() {
        let mut bank = BankConfig {
            iban: Some("DE89370400440532013000".to_owned()),
            ..BankConfig::default()
        };
        assert_eq!(bank.payer(), Ok(None));
        bank.name = Some("The Mint".to_owned());
        assert_eq!(
            bank.payer().unwrap().unwrap().iban.as_str(),
            "DE89370400440532013000"
        );
    }
}
