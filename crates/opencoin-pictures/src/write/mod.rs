//! Writes codes for terminals and into files.

mod files;
mod svg;
mod terminal;

pub use files::{animated_gif, gif, png};
pub use svg::{animated_svg, svg};
pub use terminal::{Colors, terminal};

/// How long each code of a sequence is shown: five a second, which the camera of a telephone follows. In milliseconds.
pub const FRAME_DURATION_MS: u64 = 200;

/// The pixels of a module's side in files.
const MODULE_PIXELS: usize = 6;
