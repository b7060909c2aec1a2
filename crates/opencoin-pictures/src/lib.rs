//! Messages as pictures: QR codes, drawn on a terminal and into SVG, PNG and GIF files, and read from PNG, GIF and JPEG
//! files.
//!
//! A short text is one code ([`Code::of_text`]). Bytes with a type are a Uniform Resource ([`draw`]): one code if they
//! fit, otherwise a sequence, of which a reader may miss some. [`Reader`] takes pictures in any order until the message is
//! complete. Nothing here knows what the message means. docs/TRANSFER.md specifies the bytes and the limits.

mod code;
mod limits;
mod parts;
mod picture;
mod reader;
mod scan;
mod sequence;
mod write;

pub use code::{Code, QUIET_ZONE_MODULES, TooLong, VERSION_MAX, side_of_version};
pub use limits::{
    ANIMATION_PIXELS_MAX, FILE_BYTES_MAX, FRAGMENTS_MAX, MESSAGE_BYTES_MAX, PICTURES_MAX, PIXELS_MAX,
    SCAN_DURATION_MAX,
};
pub use parts::{Message, PartError, Parts, find_parts};
pub use picture::{PictureError, is_picture};
pub use reader::{Content, ReadError, Reader};
pub use sequence::{DrawError, Drawing, FRAME_VERSION_MAX, Frame, Sequence, draw, single_text};
pub use write::{Colors, FRAME_DURATION_MS, animated_gif, animated_svg, gif, png, svg, terminal};
