//! Amounts and times, as people of a language write them.

use std::fmt;

use askama::filters::HtmlSafe;
use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use opencoin_http::Server;
use opencoin_ledger::LedgerTime;
use opencoin_text::{AmountDisplay, AmountError, AmountText};

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

/// How amounts of the currency of this server are written.
pub(crate) fn money(server: &Server, language: Language) -> Money {
    let currency = server.issuer().currency();
    let cdd = currency.current().cdd();
    Money::new(language, cdd.currency_divisor, &cdd.currency_name)
}

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

    /// The number as somebody types it: [`Self::read`] takes it.
    pub(crate) fn typed(&self, units: u64) -> String {
        let (decimal_mark, _) = self.language.marks();
        let plain = AmountDisplay::new(units, self.divisor, "").number();
        plain.replace('.', &decimal_mark.to_string())
    }

    /// An amount as an example of how to type one, with decimals if the currency has them.
    pub(crate) fn example(&self) -> String {
        self.typed(12 * self.divisor + self.divisor / 2)
    }

    fn grouped(&self, digits: &str) -> String {
        digits
            .parse()
            .map_or_else(|_| digits.to_owned(), |number| self.language.number(number))
    }

    /// The number with its sign, as in `+1.20` or `−1.20`.
    pub(crate) fn signed(&self, units: i64) -> String {
        let sign = if units < 0 { '\u{2212}' } else { '+' };
        format!("{sign}{}", self.number(units.unsigned_abs()))
    }

    /// Reads an amount that somebody has typed, with a point or a comma before the decimals.
    ///
    /// # Errors
    /// It is none, or one that cannot be paid. A mark before three digits may be meant to group them, so the amount is
    /// refused, unless the currency has so many decimals.
    pub(crate) fn read(&self, text: &str) -> Result<u64, AmountFault> {
        let text = text.trim().strip_suffix(&self.name).unwrap_or(text).trim();
        let point = text.replace(',', ".");
        let is_grouped = point
            .split_once('.')
            .is_some_and(|(_, decimals)| decimals.len() == 3 && self.divisor < 1_000);
        if is_grouped {
            return Err(AmountFault::Grouped);
        }
        let amount: AmountText = point.parse().map_err(|_| AmountFault::Form)?;
        match amount.units(self.divisor, &self.name) {
            Ok(units) => Ok(units),
            Err(AmountError::TooFine { .. }) => Err(AmountFault::TooFine),
            Err(_) => Err(AmountFault::Form),
        }
    }

    /// The number as programs read it: a point before the decimals and no groups.
    pub(crate) fn plain(&self, units: i64) -> String {
        let sign = if units < 0 { "-" } else { "" };
        let number = AmountDisplay::new(units.unsigned_abs(), self.divisor, "").number();
        format!("{sign}{number}")
    }

    /// The amount with the name of the currency for large letters, which may stand in two lines.
    pub(crate) fn large(&self, units: u64) -> String {
        format!("{} {}", self.number(units), self.name())
    }

    /// The amount with the name of the currency, as in `1,240.00 OpenCent`.
    pub(crate) fn amount(&self, units: u64) -> String {
        format!("{}\u{a0}{}", self.number(units), self.name())
    }
}

/// Why a typed text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmountFault {
    /// It has another form, or is zero or too large.
    Form,
    /// It has digits in groups.
    Grouped,
    /// It has more decimals than the currency.
    TooFine,
}

/// A moment of the books.
pub(crate) fn utc(time: LedgerTime) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.unix_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC)
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
    Clock,
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

    /// The minute alone, beside its day.
    pub(crate) fn clock(language: Language, at: DateTime<Utc>) -> Self {
        Self {
            at,
            language,
            precision: Precision::Clock,
        }
    }

    /// When it is.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The text without markup.
    pub(crate) fn plain(&self) -> String {
        let (day, year) = (self.at.day(), self.at.year());
        let month = self.at.month0() as usize;
        let day = match self.language {
            Language::En => format!("{day} {} {year}", MONTHS_EN[month]),
            Language::De => format!("{day}. {} {year}", MONTHS_DE[month]),
        };
        let clock = format!("{:02}:{:02} UTC", self.at.hour(), self.at.minute());
        match self.precision {
            Precision::Day => day,
            Precision::Minute => format!("{day}, {clock}"),
            Precision::Clock => clock,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let style = match self.precision {
            Precision::Day => "day",
            Precision::Minute => "minute",
            Precision::Clock => "clock",
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
        for language in Language::ALL {
            for units in [5, 120, 100_000, 123_456_789] {
                assert_eq!(cents(language).read(&cents(language).typed(units)), Ok(units));
            }
        }
        assert_eq!(cents(Language::De).typed(124_005), "1240,05");
        let whole = Money::new(Language::De, 1, "Taler");
        assert_eq!(whole.read(&whole.typed(1_000)), Ok(1_000));
        assert_eq!(whole.number(1_000), "1.000");
        let thirds = Money::new(Language::En, 3, "Third\u{202e}");
        assert_eq!(thirds.amount(4000), "4000/3\u{a0}Third\\u{202e}");
    }

    #[test]
    fn the_example_of_an_amount_is_one_that_is_taken() {
        for (divisor, example, units) in [
            (1, "12", 12),
            (3, "37/3", 37),
            (10, "12,5", 125),
            (100, "12,50", 1_250),
            (1_000, "12,500", 12_500),
        ] {
            let money = Money::new(Language::De, divisor, "Taler");
            assert_eq!(money.example(), example);
            assert_eq!(money.read(&money.example()), Ok(units), "{divisor}");
        }
    }

    #[test]
    fn typed_amounts_are_read_in_both_ways_and_never_guessed() {
        let cents = Money::new(Language::De, 100, "OpenCent");
        for (text, units) in [
            ("1.20", Ok(120)),
            (" 1,2 ", Ok(120)),
            ("1240", Ok(124_000)),
            ("1,20 OpenCent", Ok(120)),
            ("1.240", Err(AmountFault::Grouped)),
            ("1,240", Err(AmountFault::Grouped)),
            ("1.240,00", Err(AmountFault::Form)),
            ("1.2345", Err(AmountFault::TooFine)),
            ("0", Err(AmountFault::Form)),
            ("-1", Err(AmountFault::Form)),
            ("", Err(AmountFault::Form)),
            ("1e3", Err(AmountFault::Form)),
        ] {
            assert_eq!(cents.read(text), units, "{text:?}");
        }
        assert_eq!(
            (cents.plain(-120), cents.signed(-124_000)),
            ("-1.20".to_owned(), "\u{2212}1.240,00".to_owned())
        );
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
