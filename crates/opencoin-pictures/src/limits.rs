//! The limits of what is drawn and read. A picture comes from a stranger: each limit is checked before memory is taken.

use std::time::Duration;

/// The longest message of a sequence. Some 470 coins of 2048 bits; more is for a file.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// The most fragments that a message is cut into. The time to put them together again grows with its square.
pub const FRAGMENTS_MAX: usize = 2048;
/// The largest file with a picture: a photograph of any telephone, or some thousand frames.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The largest picture: photographs have up to 50 million pixels.
pub const PIXELS_MAX: usize = 50_000_000;
/// The pixels of all frames of an animation together.
pub const ANIMATION_PIXELS_MAX: usize = 1_000_000_000;
/// The most pictures of a reading: the frames of an animation, or the files of a folder.
pub const PICTURES_MAX: usize = 4096;
/// What is searched for codes: larger pictures are made smaller first. Ten pixels for each module of the largest code
/// remain if it fills a third of the picture.
pub(crate) const SCAN_PIXELS_MAX: usize = 4_000_000;
/// How long a picture is searched for codes. A photograph takes less than a second.
pub const SCAN_DURATION_MAX: Duration = Duration::from_secs(20);
