//! Amounts and times, as people of a language write them.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use opencoin_text::AmountDisplay;

use crate::language::Language;

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// How amounts of the currency are written.
#[derive(Debug, Clone)]
pub(crate) struct Money {
    language: Language,
    divisor: u64,
    name: String,
}

impl Money {
    /// Amounts of a currency of whose smallest units `divisor` make one.
    pub(crate) fn new(language: Language, divisor: u64, name: &str) -> Self {
        Self {
            language,
            divisor,
            name: name.to_owned(),
        }
    }

    /// The name of the currency, with misleading characters as escapes.
    pub(crate) fn name(&self) -> String {
        opencoin_text::printable(&self.name)
    }

    /// The number alone, as in `1,240.00`.
    pub(crate) fn number(&self, units: u64) -> String {
        let plain = AmountDisplay::new(units, self.divisor, "").number();
        let (decimal_mark, _) = self.language.marks();
        match plain.split_once('.') {
            Some((whole, decimals)) => format!("{}{decimal_mark}{decimals}", self.grouped(whole)),
            // Units of a currency whose amounts have no decimals stay a fraction.
            None if plain.contains('/') => plain,
            None => self.grouped(&plain),
        }
    }

    fn grouped(&self, digits: &str) -> String {
        digits
            .parse()
            .map_or_else(|_| digits.to_owned(), |number| self.language.number(number))
    }

    /// The amount with the name of the currency, as in `1,240.00 OpenCent`.
    pub(crate) fn amount(&self, units: u64) -> String {
        format!("{}\u{a0}{}", self.number(units), self.name())
    }
}

/// A moment as an element that a script changes to the visitor's time zone. Without scripts it is in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: DateTime<Utc>,
    language: Language,
    precision: Precision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Day,
    Minute,
}

impl Moment {
    /// The day and the minute.
    pub(crate) fn minute(language: Language, at: DateTime<Utc>) -> Self {
        Self {
            at,
            language,
            precision: Precision::Minute,
        }
    }

    /// The day alone.
    pub(crate) fn day(language: Language, at: DateTime<Utc>) -> Self {
        Self {
            at,
            language,
            precision: Precision::Day,
        }
    }

    /// The text without markup.
    pub(crate) fn plain(&self) -> String {
        let (day, year) = (self.at.day(), self.at.year());
        let month = self.at.month0() as usize;
        let day = match self.language {
            Language::En => format!("{day} {} {year}", MONTHS_EN[month]),
            Language::De => format!("{day}. {} {year}", MONTHS_DE[month]),
        };
        match self.precision {
            Precision::Day => day,
            Precision::Minute => format!("{day}, {:02}:{:02} UTC", self.at.hour(), self.at.minute()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let style = match self.precision {
            Precision::Day => "day",
            Precision::Minute => "minute",
        };
        let text = self.plain();
        write!(
            formatter,
            "<time datetime=\"{stamp}\" data-time=\"{style}\">{text}</time>"
        )
    }
}

// The text is of digits and names of months.
impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_marks_of_the_language() {
        let cents = |language| Money::new(language, 100, "OpenCent");
        assert_eq!(cents(Language::En).number(124_000), "1,240.00");
        assert_eq!(cents(Language::De).amount(124_005), "1.240,05\u{a0}OpenCent");
        let whole = Money::new(Language::De, 1, "Taler");
        assert_eq!(whole.number(1_000), "1.000");
        let thirds = Money::new(Language::En, 3, "Third\u{202e}");
        assert_eq!(thirds.amount(4000), "4000/3\u{a0}Third\\u{202e}");
    }

    #[test]
    fn times_are_written_in_words() {
        let at: DateTime<Utc> = "2026-03-05T08:05:59.9Z".parse().unwrap();
        assert_eq!(
            Moment::minute(Language::De, at).plain(),
            "5. März 2026, 08:05 UTC"
        );
        assert_eq!(
            Moment::day(Language::En, at).to_string(),
            "<time datetime=\"2026-03-05T08:05:59Z\" data-time=\"day\">5 March 2026</time>"
        );
    }
}
