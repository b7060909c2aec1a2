//! `DateTime` fields: a date and time whose text form is kept when it is written again.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::decode::parse_text;

/// The text is exact to the microsecond.
const NANOSECONDS_PER_MICROSECOND: u32 = 1_000;
/// The length of `2022-07-22T15:45:53`, the part before fraction and offset.
const SECONDS_FORM_BYTES: usize = 19;
/// A seventh digit of the fraction would be lost when the value is written again.
const FRACTION_DIGITS_MAX: usize = 6;

/// A moment with microseconds, as documents carry it: `2022-07-22T15:45:53.164685`.
///
/// A text without an offset means UTC. An offset is kept as it was read, because signatures cover the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    local: NaiveDateTime,
    offset: Option<FixedOffset>,
}

/// A text that is not a date and time in the specification's form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a date and time like 2022-07-22T15:45:53.164685: {0:?}")]
pub struct TimestampError(String);

impl Timestamp {
    /// The moment, without an offset in its text, rounded down to microseconds.
    #[must_use]
    pub fn from_utc(moment: DateTime<Utc>) -> Self {
        let local = moment.naive_utc();
        let nanosecond = local.nanosecond() / NANOSECONDS_PER_MICROSECOND * NANOSECONDS_PER_MICROSECOND;
        Self {
            local: local.with_nanosecond(nanosecond).unwrap_or(local),
            offset: None,
        }
    }

    /// The moment in UTC.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        let offset = self.offset.unwrap_or_else(|| Utc.fix());
        // Parsing checked that the moment exists in UTC.
        offset
            .from_local_datetime(&self.local)
            .single()
            .map_or_else(|| self.local.and_utc(), |moment| moment.to_utc())
    }

    /// Microseconds since 1970-01-01T00:00:00 UTC.
    #[must_use]
    pub fn unix_us(self) -> i64 {
        self.to_utc().timestamp_micros()
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or_else(|| TimestampError(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let seconds = text.get(..SECONDS_FORM_BYTES)?;
    let is_form = seconds.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !is_form || &seconds[17..] == "60" {
        return None;
    }
    let mut local = NaiveDateTime::parse_from_str(seconds, "%Y-%m-%dT%H:%M:%S").ok()?;
    let mut rest = &text[SECONDS_FORM_BYTES..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > FRACTION_DIGITS_MAX {
            return None;
        }
        let scale = 10_u32.pow((FRACTION_DIGITS_MAX - digits) as u32);
        let microseconds = fraction[..digits].parse::<u32>().ok()? * scale;
        local = local.with_nanosecond(microseconds * NANOSECONDS_PER_MICROSECOND)?;
        rest = &fraction[digits..];
    }
    let offset = match rest {
        "" => None,
        "Z" => Some(Utc.fix()),
        _ => Some(parse_offset(rest)?),
    };
    // The moment must exist in UTC too, so that `to_utc` cannot fail.
    offset
        .unwrap_or_else(|| Utc.fix())
        .from_local_datetime(&local)
        .single()?;
    Some(Timestamp { local, offset })
}

/// Reads `+02:00` or `-05:30`.
fn parse_offset(text: &str) -> Option<FixedOffset> {
    let bytes = text.as_bytes();
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = bytes else {
        return None;
    };
    let digit = |byte: &u8| (*byte as char).to_digit(10);
    let hours = digit(h1)? * 10 + digit(h2)?;
    let minutes = digit(m1)? * 10 + digit(m2)?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 3600 + minutes * 60).cast_signed();
    FixedOffset::east_opt(if *sign == b'-' { -seconds } else { seconds })
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.local.format("%Y-%m-%dT%H:%M:%S"))?;
        let microseconds = self.local.nanosecond() / NANOSECONDS_PER_MICROSECOND;
        if microseconds != 0 {
            write!(formatter, ".{microseconds:06}")?;
        }
        self.offset.map_or(Ok(()), |offset| write!(formatter, "{offset}"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer, "a date and time in a string")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_and_microseconds_are_written_as_they_were_read() {
        for (text, written) in [
            ("2022-07-22T15:45:53.164685", "2022-07-22T15:45:53.164685"),
            ("2022-07-22T15:45:53", "2022-07-22T15:45:53"),
            ("2022-07-22T15:45:53.000000", "2022-07-22T15:45:53"),
            ("2022-07-22T15:45:53.1", "2022-07-22T15:45:53.100000"),
            ("2022-07-22T15:45:53Z", "2022-07-22T15:45:53+00:00"),
            ("2022-07-22T15:45:53.5-05:30", "2022-07-22T15:45:53.500000-05:30"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn the_offset_is_part_of_the_moment() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap().unix_us();
        assert_eq!(moment("1970-01-01T02:00:00.000001+02:00"), 1);
        assert_eq!(moment("1970-01-01T00:00:00"), moment("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "now",
            "2022-07-22",
            "2022-07-22 15:45:53",
            "2022-13-22T15:45:53",
            "2022-02-30T15:45:53",
            "2022-07-22T24:00:00",
            "2022-07-22T15:45:60",
            "2022-07-22T15:45:53.",
            "2022-07-22T15:45:53.1234567",
            "2022-07-22T15:45:53+2:00",
            "2022-07-22T15:45:53+24:00",
            "2022-07-22T15:45:53z",
            "+022-07-22T15:45:53",
            "2022-07-22T15:45:5é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_is_the_same_after_writing_and_reading(unix_us in 0_i64..253_402_300_799_000_000) {
            let moment = DateTime::from_timestamp_micros(unix_us).unwrap();
            let timestamp = Timestamp::from_utc(moment);
            prop_assert_eq!(timestamp.unix_us(), unix_us);
            prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
        }
    }
}
