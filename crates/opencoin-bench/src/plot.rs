//! A plot of coins a second by clients, with a panel for each operation and key size and a line for each number of
//! coins per request. Both axes are logarithmic.

use std::fmt::Write;

use super::measured::Measured;
use super::measurement::Measurement;
use super::plan::Operation;

const PANEL_WIDTH: f64 = 320.0;
const PANEL_HEIGHT: f64 = 250.0;
const MARGIN_LEFT: f64 = 62.0;
const MARGIN_RIGHT: f64 = 72.0;
const MARGIN_TOP: f64 = 34.0;
const MARGIN_BOTTOM: f64 = 44.0;
const TITLE_HEIGHT: f64 = 30.0;
/// Distinguishable with red-green colour blindness.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Draws the figures as an SVG document.
pub(super) fn svg(measured: &Measured) -> String {
    let key_bits = distinct(measured.cells.iter().map(|cell| cell.cell.key_bits));
    let operations: Vec<Operation> = Operation::ALL
        .into_iter()
        .filter(|operation| {
            measured
                .cells
                .iter()
                .any(|cell| cell.cell.operation == *operation)
        })
        .collect();
    let scale = Scale::of(measured);
    let (width, height) = (
        PANEL_WIDTH * operations.len() as f64,
        TITLE_HEIGHT + PANEL_HEIGHT * key_bits.len() as f64,
    );
    let mut panels = String::new();
    for (row, bits) in key_bits.iter().enumerate() {
        for (column, operation) in operations.iter().enumerate() {
            let (x, y) = (
                PANEL_WIDTH * column as f64,
                TITLE_HEIGHT + PANEL_HEIGHT * row as f64,
            );
            let cells: Vec<_> = measured
                .cells
                .iter()
                .filter(|cell| (cell.cell.operation, cell.cell.key_bits) == (*operation, *bits))
                .collect();
            let content = panel(&format!("{operation}, {bits} bits"), &cells, &scale);
            panels += &format!("<g transform=\"translate({x:.0} {y:.0})\">\n{content}</g>\n");
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"20\" font-size=\"14\">opencoin {}: coins a second by clients, engine {}, {} cores</text>\n{panels}</svg>\n",
        measured.version, measured.engine, measured.cores
    )
}

/// Converts values to positions in a panel. All panels share one scale, so that they can be compared.
struct Scale {
    clients: Vec<usize>,
    decade_low: i32,
    decade_high: i32,
}

impl Scale {
    fn of(measured: &Measured) -> Self {
        let clients = distinct(measured.cells.iter().map(|cell| cell.cell.clients));
        let decades = || {
            measured
                .cells
                .iter()
                .map(|cell| cell.coins_per_second.max(1.0).log10())
        };
        let decade_low = decades().fold(f64::INFINITY, f64::min).floor() as i32;
        let decade_high = decades().fold(0.0, f64::max).ceil() as i32;
        Self {
            clients,
            decade_low,
            decade_high: decade_high.max(decade_low.saturating_add(1)),
        }
    }

    fn x(&self, clients: usize) -> f64 {
        let log = |clients: usize| (clients.max(1) as f64).log2();
        let (first, last) = (
            self.clients.first().map_or(0.0, |c| log(*c)),
            self.clients.last().map_or(0.0, |c| log(*c)),
        );
        let part = if last > first {
            (log(clients) - first) / (last - first)
        } else {
            0.5
        };
        MARGIN_LEFT + part * (PANEL_WIDTH - MARGIN_LEFT - MARGIN_RIGHT)
    }

    fn y(&self, coins_per_second: f64) -> f64 {
        let decades = f64::from(self.decade_high - self.decade_low);
        let part = (coins_per_second.max(1.0).log10() - f64::from(self.decade_low)) / decades;
        PANEL_HEIGHT - MARGIN_BOTTOM - part * (PANEL_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
    }
}

fn panel(title: &str, cells: &[&Measurement], scale: &Scale) -> String {
    let mut drawn = format!(
        "<text x=\"{MARGIN_LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>\n",
        MARGIN_TOP - 12.0
    );
    drawn += &axes(scale);
    for (index, coins) in distinct(cells.iter().map(|cell| cell.cell.coins))
        .into_iter()
        .enumerate()
    {
        let colour = COLOURS[index % COLOURS.len()];
        let mut points: Vec<_> = cells.iter().filter(|cell| cell.cell.coins == coins).collect();
        points.sort_by_key(|cell| cell.cell.clients);
        let points: Vec<_> = points
            .iter()
            .map(|cell| (scale.x(cell.cell.clients), scale.y(cell.coins_per_second)))
            .collect();
        let path = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect::<Vec<_>>()
            .join(" ");
        drawn +=
            &format!("<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n");
        for (x, y) in &points {
            drawn += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n");
        }
        if let Some((x, y)) = points.last() {
            let label = if coins == 1 {
                "1 coin".to_owned()
            } else {
                format!("{coins} coins")
            };
            drawn += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{label}</text>\n",
                x + 8.0,
                y + 4.0
            );
        }
    }
    drawn
}

fn axes(scale: &Scale) -> String {
    let (left, right, bottom) = (
        MARGIN_LEFT - 8.0,
        PANEL_WIDTH - MARGIN_RIGHT + 4.0,
        PANEL_HEIGHT - MARGIN_BOTTOM,
    );
    let mut drawn = String::new();
    for decade in scale.decade_low..=scale.decade_high {
        let rate = 10_f64.powi(decade);
        let y = scale.y(rate);
        let _ = writeln!(
            drawn,
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"
        );
        let _ = writeln!(
            drawn,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{rate:.0}</text>",
            left - 4.0,
            y + 4.0
        );
    }
    for clients in &scale.clients {
        let (x, y) = (scale.x(*clients), bottom + 16.0);
        let _ = writeln!(
            drawn,
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{clients}</text>"
        );
    }
    let (middle_x, middle_y) = ((left + right) / 2.0, (MARGIN_TOP + bottom) / 2.0);
    let _ = writeln!(
        drawn,
        "<text x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">clients</text>",
        bottom + 32.0
    );
    let _ = writeln!(
        drawn,
        "<text transform=\"translate(12 {middle_y}) rotate(-90)\" text-anchor=\"middle\">coins a second</text>"
    );
    drawn
}

fn distinct(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
