//! Codes on a terminal: each character shows two modules, one above the other.

use crate::code::Code;

/// The colours of a code on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// White and black, whatever the colours of the terminal are.
    Fixed,
    /// Those of the terminal: what is light is its foreground. Right for light text on a dark background.
    Terminal,
}

/// White on black, of the 256 colours that every terminal shows alike.
const WHITE_ON_BLACK: &str = "\u{1b}[38;5;231;48;5;16m";
const RESET: &str = "\u{1b}[0m";

/// Draws a code with its quiet zone. The lines end with a line feed each; there are half as many as the code has rows.
#[must_use]
pub fn terminal(code: &Code, colors: Colors) -> String {
    let mut text = String::new();
    for row in (0..code.side()).step_by(2) {
        if colors == Colors::Fixed {
            text.push_str(WHITE_ON_BLACK);
        }
        text.extend((0..code.side()).map(|column| {
            // Below the last row is the background.
            let below = row + 1 == code.side() || code.is_dark(column, row + 1);
            match (code.is_dark(column, row), below) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            }
        }));
        if colors == Colors::Fixed {
            text.push_str(RESET);
        }
        text.push('\n');
    }
    text
}
