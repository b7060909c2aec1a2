//! QR codes in pages: an `<svg>` without styles, which the policy of `headers.rs` allows.

use std::fmt::Write;

use opencoin_pictures::{Code, VERSION_MAX};

/// A text as a QR code; `None` if it does not fit one.
pub(crate) fn code(text: &str) -> Option<String> {
    let code = Code::of_text(text, VERSION_MAX).ok()?;
    let side = code.side();
    let mut svg = format!(
        "<svg class=\"code\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    );
    for row in 0..side {
        let mut column = 0;
        while column < side {
            let width = (column..side).take_while(|at| code.is_dark(*at, row)).count();
            if width > 0 {
                let _ = write!(svg, "M{column} {row}h{width}v1h-{width}z");
            }
            column += width + 1;
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}
