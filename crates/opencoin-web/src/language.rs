//! The languages of the pages, and which one a visitor reads.
//!
//! The switch at the foot of a page sets a cookie. Without it the browser's `Accept-Language` decides.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};

use crate::cookies;

/// The cookie with the chosen language. Whoever knows it learns nothing else.
pub(crate) const COOKIE_NAME: &str = "opencoin-language";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    En,
    De,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::De];

    /// The tag of the language (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// Its name in itself.
    pub(crate) fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }

    /// The language with this tag.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        let is_tag = |language: &Self| primary.eq_ignore_ascii_case(language.tag());
        Self::ALL.into_iter().find(is_tag)
    }

    /// The language of whoever sent these headers.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE);
        let chosen = cookies::find(cookies, COOKIE_NAME).and_then(Self::of_tag);
        let accepted = || {
            let accepted = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
            Self::preferred(accepted)
        };
        chosen.or_else(accepted).unwrap_or(Self::En)
    }

    /// The language with the highest weight; of several, the first one.
    fn preferred(accepted: &str) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for range in accepted.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let language = parts.next().and_then(Self::of_tag);
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.parse::<f64>().unwrap_or(0.0));
            let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
            if let Some(language) = language
                && thousandths > best.map_or(0, |(best, _)| best)
            {
                best = Some((thousandths, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The mark before decimals, and the one between groups of three digits.
    pub(crate) fn marks(self) -> (char, char) {
        match self {
            Self::En => ('.', ','),
            Self::De => (',', '.'),
        }
    }

    /// A whole number with its digits in groups.
    pub(crate) fn number(self, number: u64) -> String {
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(self.marks().1);
            }
            grouped.push(digit);
        }
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                axum::http::HeaderName::from_static(name),
                axum::http::HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_switch_comes_before_the_browsers_languages() {
        for (sent, language) in [
            (&[][..], Language::En),
            (&[("accept-language", "de-AT,de;q=0.9,en;q=0.8")], Language::De),
            (&[("accept-language", "fr, de;q=0.3, en;q=0.7")], Language::En),
            (&[("accept-language", "fr")], Language::En),
            (&[("accept-language", "de;q=0, en;q=x")], Language::En),
            (
                &[("accept-language", "de"), ("cookie", "a=b; opencoin-language=en")],
                Language::En,
            ),
            (&[("cookie", "opencoin-language=de")], Language::De),
            (
                &[("cookie", "opencoin-language=xx"), ("accept-language", "de")],
                Language::De,
            ),
        ] {
            assert_eq!(Language::of_request(&headers(sent)), language, "{sent:?}");
        }
    }

    #[test]
    fn digits_are_grouped_as_in_the_language() {
        let numbers = [0, 7, 999, 1000, 1_234_567];
        assert_eq!(
            numbers.map(|number| Language::En.number(number)),
            ["0", "7", "999", "1,000", "1,234,567"]
        );
        assert_eq!(Language::De.number(1_234_567), "1.234.567");
    }
}
