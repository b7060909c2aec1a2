//! The time line of the keys of a value of coins: a bar for each key, drawn as SVG in the page. The table below it says the
//! same in words.

use askama::Template;
use chrono::{DateTime, Utc};
use opencoin_issuer::{KeyState, MintKeyOverview, MintKeysOverview};

use crate::format::Moment;
use crate::language::Language;
use crate::messages::Messages;

/// The width of the picture in its own units.
const WIDTH: f64 = 600.0;
/// The height of a bar, and that of a bar with the space below it.
const BAR_HEIGHT: usize = 8;
const ROW_HEIGHT: usize = 12;

/// What all time lines of a page have in common, so that they can be compared.
pub(super) struct Scale {
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Scale {
    /// From the first begin of a key to the last end of its coins; `None` if no coins are valid or will be.
    pub(super) fn of(keys: &MintKeysOverview) -> Option<Self> {
        let current = || keys.keys().filter(|key| key.state != KeyState::Expired);
        let begins = current().map(|key| key.signs_from).min()?.min(keys.at);
        let ends = current().map(|key| key.coins_expire).max()?.max(keys.at);
        (begins < ends).then_some(Self {
            begins,
            ends,
            now: keys.at,
        })
    }

    /// How far from the left this moment is.
    fn place(&self, at: DateTime<Utc>) -> f64 {
        let whole = (self.ends - self.begins).num_seconds() as f64;
        let part = (at - self.begins).num_seconds() as f64;
        (WIDTH * part / whole).clamp(0.0, WIDTH)
    }
}

#[derive(Template)]
#[template(path = "console/timeline.html")]
pub(super) struct TimeLine {
    t: Messages,
    bars: Vec<Bar>,
    height: usize,
    now: String,
    begins: Moment,
    ends: Moment,
}

/// A key: while it signs, and while its coins are valid after that.
struct Bar {
    top: usize,
    from: String,
    signs: String,
    until: String,
    coins: String,
    is_stopped: bool,
}

impl TimeLine {
    /// That of these keys, in their order.
    pub(super) fn of(scale: &Scale, keys: &[&MintKeyOverview], t: Messages, language: Language) -> Self {
        let bars = keys.iter().enumerate().map(|(row, key)| {
            let [from, until, coins] =
                [key.signs_from, key.signs_until, key.coins_expire].map(|at| scale.place(at));
            Bar {
                top: row * ROW_HEIGHT,
                from: number(from),
                signs: number(until - from),
                until: number(until),
                coins: number(coins - until),
                is_stopped: matches!(key.state, KeyState::Revoked | KeyState::Late),
            }
        });
        Self {
            t,
            bars: bars.collect(),
            height: keys.len() * ROW_HEIGHT,
            now: number(scale.place(scale.now)),
            begins: Moment::day(language, scale.begins),
            ends: Moment::day(language, scale.ends),
        }
    }
}

/// A number as SVG has it.
fn number(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> DateTime<Utc> {
        format!("2026-01-{day:02}T00:00:00Z").parse().expect("a day")
    }

    #[test]
    fn moments_have_places_on_the_scale() {
        let scale = Scale {
            begins: day(1),
            ends: day(13),
            now: day(4),
        };
        assert_eq!(number(scale.place(scale.now)), "150.0");
        let places = [day(1), day(13), day(31)].map(|at| scale.place(at));
        assert_eq!(places, [0.0, WIDTH, WIDTH]);
    }
}
