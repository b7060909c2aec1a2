//! The supply over time as a drawing: the value of outstanding coins, one layer for each denomination.
//!
//! The drawing is SVG within the page. Lines and letters have the colour of the page's text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chrono::DateTime;

use crate::store::SupplyPoint;

const SECONDS_PER_HOUR: u64 = 3600;
/// The size of the drawing, and of the plot within it.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 240;
const LEFT: u64 = 10;
const TOP: u64 = 28;
const BOTTOM: u64 = 28;
/// A rim in the colour of the page keeps letters readable above a layer.
const HALO: &str = "stroke=\"Canvas\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\"";
/// The distance of letters from the line below them.
const ABOVE_LINE: u64 = 4;
/// The most moments that are drawn. Of more, every second, third or later one is.
const MOMENTS_MAX: usize = 360;
/// The most layers. The denominations with the least value are drawn as one.
const LAYERS_MAX: usize = 8;
/// The colours of the layers, which differ for people who see few colours too.
const COLOURS: [&str; LAYERS_MAX] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999",
];

/// A layer of the drawing.
pub(super) struct Layer {
    /// The denominations in it; several in the last one of many.
    pub(super) denominations: Vec<u64>,
    pub(super) colour: &'static str,
    /// The value now.
    pub(super) now: u64,
}

/// A drawing, and what its layers are.
pub(super) struct Plot {
    pub(super) svg: String,
    pub(super) layers: Vec<Layer>,
}

impl Plot {
    /// Draws the supply; `None` if nothing is known of it. `amount` writes an amount.
    pub(super) fn of(points: &[SupplyPoint], amount: impl Fn(u64) -> String) -> Option<Self> {
        let hours: Vec<u64> = points
            .iter()
            .map(|point| point.hour)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let (first, last) = (*hours.first()?, *hours.last()?);
        let step = hours.len().div_ceil(MOMENTS_MAX);
        let mut chosen: Vec<u64> = hours.iter().copied().step_by(step).collect();
        if chosen.last() != Some(&last) {
            chosen.push(last);
        }
        let layers = layers(points, last);
        let sums = sums(points, &chosen, &layers);
        let highest = sums
            .iter()
            .filter_map(|sums| sums.last())
            .max()
            .copied()
            .unwrap_or(0);
        let x = |hour: u64| {
            let span = (last - first).max(1);
            LEFT + scaled(hour - first, span, WIDTH - 2 * LEFT)
        };
        let y = |value: u64| HEIGHT - BOTTOM - scaled(value, highest.max(1), HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" class=\"plot\" role=\"img\" aria-label=\"coins in circulation over time\" \
             font-size=\"13\" fill=\"currentColor\" stroke-width=\"1\">\n"
        );
        for (place, layer) in layers.iter().enumerate() {
            let below = |sums: &Vec<u64>| place.checked_sub(1).map_or(0, |below| sums[below]);
            let points = outline(&chosen, &sums, &x, &y, place, below);
            line(
                &mut svg,
                format_args!("<polygon points=\"{points}\" fill=\"{}\"/>\n", layer.colour),
            );
        }
        for value in levels(highest) {
            let (height, right) = (y(value), WIDTH - LEFT);
            let label = match value {
                0 => String::new(),
                _ => opencoin_connections::escape_html(&amount(value)),
            };
            line(
                &mut svg,
                format_args!(
                    "<line x1=\"{LEFT}\" y1=\"{height}\" x2=\"{right}\" y2=\"{height}\" stroke=\"currentColor\" \
                     stroke-opacity=\"0.5\"/>\n<text x=\"{LEFT}\" y=\"{}\" {HALO}>{label}</text>\n",
                    height - ABOVE_LINE
                ),
            );
        }
        let (from, to) = (date(first), date(last));
        let mut moment = |x: u64, anchor: &str, text: &str| {
            let y = HEIGHT - ABOVE_LINE;
            line(
                &mut svg,
                format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n"),
            );
        };
        moment(LEFT, "start", &from);
        if from != to {
            moment(WIDTH - LEFT, "end", &to);
        }
        svg.push_str("</svg>\n");
        Some(Self { svg, layers })
    }
}

/// The values at which there are lines: nothing, half of the highest value, and that.
fn levels(highest: u64) -> impl Iterator<Item = u64> {
    let levels = BTreeSet::from([0, highest / 2, highest]);
    levels.into_iter()
}

/// The denominations with the greatest value now have a layer each; the others share the last one.
fn layers(points: &[SupplyPoint], last: u64) -> Vec<Layer> {
    let now: BTreeMap<u64, u64> = points
        .iter()
        .filter(|point| point.hour == last)
        .map(|point| (point.denomination, point.outstanding))
        .collect();
    let all: BTreeSet<u64> = points.iter().map(|point| point.denomination).collect();
    let value = |denomination: &u64| now.get(denomination).copied().unwrap_or(0);
    let mut by_value: Vec<u64> = all.into_iter().collect();
    by_value.sort_by_key(|denomination| std::cmp::Reverse(value(denomination)));
    let shared = if by_value.len() > LAYERS_MAX {
        by_value.split_off(LAYERS_MAX - 1)
    } else {
        Vec::new()
    };
    by_value.sort_unstable();
    let mut groups: Vec<Vec<u64>> = by_value
        .into_iter()
        .map(|denomination| vec![denomination])
        .collect();
    groups.extend((!shared.is_empty()).then_some(shared));
    let layer = |(denominations, colour): (Vec<u64>, &&'static str)| Layer {
        now: denominations.iter().map(value).fold(0, u64::saturating_add),
        denominations,
        colour,
    };
    groups.into_iter().zip(&COLOURS).map(layer).collect()
}

/// For each moment the value of each layer with those below it. A denomination without a point has its last value.
fn sums(points: &[SupplyPoint], moments: &[u64], layers: &[Layer]) -> Vec<Vec<u64>> {
    let mut values: BTreeMap<u64, u64> = BTreeMap::new();
    let mut points = points.iter().peekable();
    let mut all = Vec::with_capacity(moments.len());
    for moment in moments {
        while let Some(point) = points.next_if(|point| point.hour <= *moment) {
            values.insert(point.denomination, point.outstanding);
        }
        let mut sum = 0_u64;
        let up_to = layers.iter().map(|layer| {
            for denomination in &layer.denominations {
                sum = sum.saturating_add(values.get(denomination).copied().unwrap_or(0));
            }
            sum
        });
        all.push(up_to.collect());
    }
    all
}

/// The corners of a layer: along its upper edge, and back along the lower one. Values stay until the next moment.
fn outline(
    moments: &[u64],
    sums: &[Vec<u64>],
    x: &impl Fn(u64) -> u64,
    y: &impl Fn(u64) -> u64,
    place: usize,
    below: impl Fn(&Vec<u64>) -> u64,
) -> String {
    let mut corners: Vec<(u64, u64)> = Vec::new();
    let mut edge = |value: &dyn Fn(&Vec<u64>) -> u64, is_back: bool| {
        let mut steps: Vec<(u64, u64)> = Vec::new();
        let mut before = None;
        for (moment, sums) in moments.iter().zip(sums) {
            let (at, height) = (x(*moment), y(value(sums)));
            steps.extend(before.filter(|last| *last != height).map(|last| (at, last)));
            steps.push((at, height));
            before = Some(height);
        }
        // A single moment would be a line that nobody sees.
        if let [(_, height)] = steps[..] {
            steps.push((WIDTH - LEFT, height));
        }
        if is_back {
            steps.reverse();
        }
        corners.extend(steps);
    };
    edge(&|sums| sums[place], false);
    edge(&|sums| below(sums), true);
    let mut text = String::new();
    for (at, height) in corners {
        line(&mut text, format_args!("{at},{height} "));
    }
    text
}

fn scaled(value: u64, of: u64, to: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(to) / u128::from(of);
    u64::try_from(scaled).unwrap_or(to).min(to)
}

fn line(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a string does not fail");
}

fn date(hour: u64) -> String {
    let time = hour
        .checked_mul(SECONDS_PER_HOUR)
        .and_then(|seconds| i64::try_from(seconds).ok());
    let time = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(
        || hour.to_string(),
        |time| time.format("%Y-%m-%d %H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(hour: u64, denomination: u64, outstanding: u64) -> SupplyPoint {
        SupplyPoint {
            hour,
            denomination,
            outstanding,
        }
    }

    #[test]
    fn a_drawing_has_a_layer_for_each_denomination() {
        let points = [
            point(500_000, 1, 10),
            point(500_000, 5, 0),
            point(500_010, 1, 30),
            point(500_010, 5, 50),
        ];
        let plot = Plot::of(&points, |units| format!("{units} <units>")).unwrap();
        assert_eq!(plot.svg.matches("<polygon").count(), 2);
        assert!(plot.svg.contains(">80 &lt;units&gt;<"), "{}", plot.svg);
        assert!(plot.svg.contains("2027-01-15 08:00") && plot.svg.contains("2027-01-15 18:00"));
        let now: Vec<u64> = plot.layers.iter().map(|layer| layer.now).collect();
        assert_eq!(now, [30, 50]);
        assert!(Plot::of(&[], |units| units.to_string()).is_none());
    }

    #[test]
    fn many_denominations_and_moments_do_not_make_a_drawing_large() {
        let mut points = Vec::new();
        for hour in 0..5000 {
            points.extend((0..20).map(|denomination| point(hour, denomination, u64::MAX / 2)));
        }
        let plot = Plot::of(&points, |units| units.to_string()).unwrap();
        assert_eq!(plot.layers.len(), LAYERS_MAX);
        assert_eq!(plot.layers.last().unwrap().denominations.len(), 13);
        assert!(plot.svg.len() < 200_000, "{}", plot.svg.len());
    }
}
