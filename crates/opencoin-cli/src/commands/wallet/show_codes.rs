//! QR codes on a terminal: one as it is, several in place, one after the other.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Result;
use opencoin_pictures::{
    Colors, Drawing, FRAME_DURATION_MS, Frame, Sequence, VERSION_MAX, side_of_version, terminal,
};
use opencoin_terminal::output;

use crate::failure;

/// The smallest codes that a window must have room for, so that a common stack does not take thousands of them: they fit
/// a terminal of 80 columns and 24 lines.
const WINDOW_VERSION_MIN: u8 = 5;
/// How many codes are shown in place until the command ends by itself: ten minutes.
const SHOWN_FRAMES_MAX: usize = 3000;
/// The lines below a code.
const STATUS_LINES: usize = 1;

/// Hides the cursor and uses a screen of its own, so that the coins do not stay in the terminal's history.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const TO_TOP: &str = "\u{1b}[H";
const CLEAR_REST_OF_LINE: &str = "\u{1b}[K";

/// A terminal on stdout that has room for codes.
pub(super) struct Window {
    version_max: u8,
}

/// The window on stdout, or `None` if stdout is no terminal.
pub(super) fn window() -> Result<Option<Window>> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Ok(None);
    }
    let (columns, lines) = match rustix::termios::tcgetwinsize(&stdout) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        // Unknown: as large as needed.
        _ => (usize::MAX, usize::MAX),
    };
    let fits = |version: &u8| {
        let side = side_of_version(*version);
        side <= columns && side.div_ceil(2) + STATUS_LINES <= lines
    };
    match (WINDOW_VERSION_MIN..=VERSION_MAX).rev().find(fits) {
        Some(version_max) => Ok(Some(Window { version_max })),
        None => {
            let side = side_of_version(WINDOW_VERSION_MIN);
            Err(failure::refused(format!(
                "the window is too small for QR codes, which need {side} columns and {} lines or more; no coins were \
                 taken. Make it larger, or use --out FILE.gif",
                side.div_ceil(2) + STATUS_LINES
            )))
        }
    }
}

impl Window {
    /// The largest code that fits.
    pub(super) fn version_max(&self) -> u8 {
        self.version_max
    }

    /// Shows a code, or codes in place until Ctrl-C.
    pub(super) async fn show(&self, drawing: Drawing<'_>) -> Result<()> {
        match drawing {
            Drawing::Single(frame) => output::once(output::exact(&terminal(&frame.code, Colors::Fixed))),
            Drawing::Sequence(sequence) => {
                output::once(output::exact(ENTER))?;
                let shown = animate(sequence).await;
                output::once(output::exact(LEAVE))?;
                output::once(shown)
            }
        }
    }
}

async fn animate(sequence: Sequence<'_>) -> Result<()> {
    let needed = sequence.fragments();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut clock = tokio::time::interval(Duration::from_millis(FRAME_DURATION_MS));
    for (number, frame) in sequence.take(SHOWN_FRAMES_MAX).enumerate() {
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            _ = clock.tick() => {}
        }
        let code = terminal(&frame.code, Colors::Fixed);
        output::exact(&format!(
            "{TO_TOP}{code}QR code {}; a camera needs {needed} or a few more. Ctrl-C ends.{CLEAR_REST_OF_LINE}",
            number + 1
        ))?;
    }
    Ok(())
}

/// Writes codes for a terminal, one below the other.
pub(super) fn print(frames: &[Frame]) -> Result<()> {
    let codes: Vec<String> = frames
        .iter()
        .map(|frame| terminal(&frame.code, Colors::Terminal))
        .collect();
    output::exact(&codes.join("\n"))
}
