//! Charts of the last hour or day: requests, refusals, the time to sign, the value of outstanding coins. Each has its number
//! in words, and all of them a table.
//!
//! The lines are drawn here, as SVG in the page, so they need no script; `fresh.js` asks for the page again while somebody
//! looks at it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, SAMPLE_INTERVAL_S, Sample};
use serde::Deserialize;

use super::desk::{Bar, Desk, Place};
use crate::address::Query;
use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page};

/// The width and the height of a chart in its own units.
const CHART_WIDTH: f64 = 600.0;
const CHART_HEIGHT: f64 = 120.0;
/// The space above the highest point.
const CHART_MARGIN: f64 = 4.0;
const SECONDS_PER_MINUTE: f64 = 60.0;
/// More steps than this without a sample interrupt the line.
const STEPS_MISSING_MAX: i64 = 3;

#[derive(Template)]
#[template(path = "console/figures.html")]
struct FiguresPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    period: Period,
    /// When the newest figures were taken.
    as_of: Option<Moment>,
    charts: Vec<Chart>,
    rows: Vec<Row>,
}

/// A chart with its number.
struct Chart {
    id: &'static str,
    title: &'static str,
    number: Message,
    /// The points of each unbroken line, as SVG has them.
    lines: Vec<String>,
}

/// A line of the table.
struct Row {
    until: Moment,
    requests: String,
    refusals: String,
    signing: String,
    outstanding: String,
}

/// The time that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Hour,
    Day,
}

impl Period {
    const ALL: [Self; 2] = [Self::Hour, Self::Day];

    fn all(self) -> [Self; 2] {
        Self::ALL
    }

    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn title(self, t: Messages) -> &'static str {
        match self {
            Self::Hour => t.figures_hour(),
            Self::Day => t.figures_day(),
        }
    }

    fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The seconds of a point of a line.
    fn step_s(self) -> u32 {
        match self {
            Self::Hour => 60,
            Self::Day => 300,
        }
    }

    /// The seconds of a line of the table.
    fn row_s(self) -> u32 {
        match self {
            Self::Hour => 300,
            Self::Day => 3_600,
        }
    }

    /// The seconds after which the page is asked for again.
    fn fresh_s(self) -> u32 {
        match self {
            Self::Hour => SAMPLE_INTERVAL_S,
            Self::Day => 60,
        }
    }

    /// `page` for the link to this period, as in `aria-current`.
    fn current(self, other: Self) -> &'static str {
        if self == other { "page" } else { "false" }
    }
}

/// Which period is asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    period: String,
}

/// `GET /console/figures`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
) -> PageResult {
    desk.needs(&server, AdminRight::Look)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let period = Period::ALL
        .into_iter()
        .find(|period| period.word() == asked.period);
    let period = period.unwrap_or(Period::Hour);
    let (issuer, money) = (server.issuer(), desk.money(&server));
    let points = issuer.samples(period.length(), period.step_s());
    let rows = issuer.samples(period.length(), period.row_s());
    let figures = FiguresPage {
        frame: desk.visit.frame(t.figures_title()),
        t,
        bar: desk.bar(&server, Some(Place::Figures)),
        period,
        as_of: points.last().map(|newest| Moment::minute(language, newest.at)),
        charts: points.last().map_or_else(Vec::new, |newest| {
            let plot = Plot {
                begin: newest.at - period.length(),
                period,
                points: &points,
            };
            charts(&plot, &money, t)
        }),
        rows: rows
            .iter()
            .rev()
            .map(|sample| row(sample, &money, t, language))
            .collect(),
    };
    Ok(page(StatusCode::OK, language, &figures))
}

/// The samples of a period.
struct Plot<'a> {
    begin: DateTime<Utc>,
    period: Period,
    points: &'a [Sample],
}

impl Plot<'_> {
    /// The lines through these values, and the greatest one. A sample without a value interrupts the line.
    fn lines(&self, value: impl Fn(&Sample) -> Option<f64>) -> (Vec<String>, f64) {
        let values: Vec<Option<f64>> = self.points.iter().map(value).collect();
        let most = values.iter().flatten().copied().fold(0.0, f64::max);
        let scale = if most > 0.0 { most } else { 1.0 };
        let gap = TimeDelta::seconds(i64::from(self.period.step_s()) * STEPS_MISSING_MAX);
        let mut lines: Vec<Vec<String>> = Vec::new();
        let mut last: Option<DateTime<Utc>> = None;
        for (sample, value) in self.points.iter().zip(values) {
            let Some(value) = value else {
                last = None;
                continue;
            };
            if last.is_none_or(|last| sample.at - last > gap) {
                lines.push(Vec::new());
            }
            last = Some(sample.at);
            let part = (sample.at - self.begin).as_seconds_f64() / self.period.length().as_seconds_f64();
            let y = CHART_HEIGHT - value / scale * (CHART_HEIGHT - CHART_MARGIN);
            if let Some(line) = lines.last_mut() {
                line.push(format!("{:.1},{y:.1}", part * CHART_WIDTH));
            }
        }
        let drawn = lines.into_iter().map(|points| match &points[..] {
            // A line from a point to itself is seen as a dot.
            [only] => format!("{only} {only}"),
            _ => points.join(" "),
        });
        (drawn.collect(), most)
    }

    fn sum(&self, count: impl Fn(&Sample) -> u64) -> u64 {
        self.points.iter().map(count).fold(0, u64::saturating_add)
    }

    /// A chart of how often something has happened.
    fn counted(
        &self,
        id: &'static str,
        title: &'static str,
        count: impl Fn(&Sample) -> u64,
        t: Messages,
    ) -> Chart {
        let a_minute = |sample: &Sample| {
            let minutes = sample.covered.as_secs_f64() / SECONDS_PER_MINUTE;
            (minutes > 0.0).then(|| count(sample) as f64 / minutes)
        };
        let (lines, most) = self.lines(a_minute);
        let (language, sum) = (t.language, self.sum(count));
        Chart {
            id,
            title,
            number: t.figures_count(language.number(sum), language.number(most.ceil() as u64)),
            lines,
        }
    }
}

fn charts(plot: &Plot<'_>, money: &Money, t: Messages) -> Vec<Chart> {
    vec![
        plot.counted("requests", t.figures_requests(), |sample| sample.requests, t),
        plot.counted("refusals", t.figures_refusals(), |sample| sample.refusals, t),
        signing(plot, t),
        outstanding(plot, money, t),
    ]
}

fn signing(plot: &Plot<'_>, t: Messages) -> Chart {
    let (lines, most) = plot.lines(|sample| sample.mean_signing().map(|mean| mean.as_secs_f64()));
    let total = plot
        .points
        .iter()
        .fold(Duration::ZERO, |sum, sample| sum + sample.signing);
    let count = plot.sum(|sample| sample.signings);
    let mean = total.checked_div(u32::try_from(count).unwrap_or(u32::MAX));
    Chart {
        id: "signing",
        title: t.figures_signing(),
        number: match mean {
            Some(mean) => t.figures_durations(
                milliseconds(mean, t).plain(),
                milliseconds(Duration::from_secs_f64(most), t).plain(),
            ),
            None => t.figures_nothing_signed().into(),
        },
        lines,
    }
}

fn outstanding(plot: &Plot<'_>, money: &Money, t: Messages) -> Chart {
    let (lines, _) = plot.lines(|sample| sample.outstanding.map(|units| units as f64));
    let known = || plot.points.iter().filter_map(|sample| sample.outstanding);
    let now = plot.points.last().and_then(|sample| sample.outstanding);
    Chart {
        id: "outstanding",
        title: t.figures_outstanding(),
        number: match (now, known().max()) {
            (Some(now), Some(most)) => t.figures_amounts(money.amount(now), money.amount(most)),
            _ => t.figures_unknown().into(),
        },
        lines,
    }
}

fn row(sample: &Sample, money: &Money, t: Messages, language: Language) -> Row {
    let unknown = || t.figures_unknown().to_owned();
    let nothing = || "\u{2013}".to_owned();
    Row {
        until: Moment::minute(language, sample.at),
        requests: language.number(sample.requests),
        refusals: language.number(sample.refusals),
        signing: sample
            .mean_signing()
            .map_or_else(nothing, |mean| milliseconds(mean, t).plain()),
        outstanding: sample
            .outstanding
            .map_or_else(unknown, |units| money.amount(units)),
    }
}

/// A duration with a tenth of a millisecond.
fn milliseconds(duration: Duration, t: Messages) -> Message {
    let tenths = u64::try_from(duration.as_micros() / 100).unwrap_or(u64::MAX);
    let (mark, _) = t.language.marks();
    t.figures_milliseconds(format!("{}{mark}{}", t.language.number(tenths / 10), tenths % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, requests: u64, outstanding: Option<u64>) -> Sample {
        Sample {
            at: DateTime::from_timestamp(second, 0).expect("a moment"),
            covered: Duration::from_secs(20),
            requests,
            refusals: 0,
            signings: 0,
            signing: Duration::ZERO,
            outstanding,
        }
    }

    #[test]
    fn a_line_spans_the_period_and_stops_where_nothing_is_known() {
        let points = [
            sample(20, 5, Some(10)),
            sample(40, 10, None),
            sample(60, 0, Some(20)),
            sample(3600, 10, Some(20)),
        ];
        let plot = Plot {
            begin: DateTime::UNIX_EPOCH,
            period: Period::Hour,
            points: &points,
        };
        let (lines, most) = plot.lines(|sample| Some(sample.requests as f64));
        assert_eq!(lines, ["3.3,62.0 6.7,4.0 10.0,120.0", "600.0,4.0 600.0,4.0"]);
        assert!((most - 10.0).abs() < f64::EPSILON);
        let (lines, _) = plot.lines(|sample| sample.outstanding.map(|units| units as f64));
        assert_eq!(
            lines,
            ["3.3,62.0 3.3,62.0", "10.0,4.0 10.0,4.0", "600.0,4.0 600.0,4.0"]
        );
        // A period without anything is a line at the bottom.
        let (lines, _) = plot.lines(|_| Some(0.0));
        assert!(lines.join(" ").split(' ').all(|point| point.ends_with(",120.0")));
    }

    #[test]
    fn durations_have_a_tenth_of_a_millisecond() {
        let t = Messages::new(Language::De);
        assert_eq!(milliseconds(Duration::from_micros(4_260), t).plain(), "4,2 ms");
    }
}
