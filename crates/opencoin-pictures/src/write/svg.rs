//! Codes as SVG. An animation is one file as well, which every browser plays: a folder of pictures would need a program
//! that shows them at the right time.
//!
//! Each code is a path, with its text as description, so that who has the file can also read it without a camera.

use std::fmt::Write;

use super::{FRAME_DURATION_MS, MODULE_PIXELS};
use crate::code::Code;
use crate::sequence::Frame;

/// Draws one code.
#[must_use]
pub fn svg(frame: &Frame) -> String {
    let mut text = head(&frame.code);
    path(&mut text, frame, "");
    text.push_str("</svg>\n");
    text
}

/// Draws codes of the same size, one after the other and again and again. What shows no animations shows the first.
#[must_use]
pub fn animated_svg(frames: &[Frame]) -> String {
    let Some(first) = frames.first() else {
        return String::new();
    };
    let duration_ms = FRAME_DURATION_MS * frames.len() as u64;
    let mut text = head(&first.code);
    let _ = writeln!(
        text,
        "<style>@keyframes k{{0%{{visibility:visible}}{:.4}%{{visibility:hidden}}}}\
         path{{visibility:hidden;animation:k {duration_ms}ms step-end infinite}}\
         path:first-of-type{{visibility:visible}}</style>",
        100.0 / frames.len() as f64
    );
    for (number, frame) in frames.iter().enumerate() {
        let style = format!(
            " style=\"animation-delay:{}ms\"",
            FRAME_DURATION_MS * number as u64
        );
        path(&mut text, frame, &style);
    }
    text.push_str("</svg>\n");
    text
}

fn head(code: &Code) -> String {
    let side = code.side();
    let pixels = side * MODULE_PIXELS;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\">\n<rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\n"
    )
}

/// The dark modules, those beside each other as one rectangle.
fn path(text: &mut String, frame: &Frame, style: &str) {
    let code = &frame.code;
    let _ = write!(text, "<path{style} d=\"");
    for row in 0..code.side() {
        let mut column = 0;
        while column < code.side() {
            let width = (column..code.side())
                .take_while(|column| code.is_dark(*column, row))
                .count();
            if width > 0 {
                let _ = write!(text, "M{column} {row}h{width}v1h-{width}z");
            }
            column += width + 1;
        }
    }
    let _ = writeln!(text, "\"><desc>{}</desc></path>", escaped(&frame.text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
