//! Reads PNG, GIF and JPEG files as pictures in shades of grey. The size that a file claims is checked before memory is
//! taken for it.

use std::io::Cursor;

use thiserror::Error;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::limits::{ANIMATION_PIXELS_MAX, FILE_BYTES_MAX, PICTURES_MAX, PIXELS_MAX};

/// What a decoder may take besides the pixels: colour profiles and texts.
const EXTRA_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Channels of a pixel, at most: red, green, blue and transparency.
const CHANNELS_MAX: usize = 4;
const WHITE: u8 = 255;

/// Why a file cannot be read as a picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PictureError {
    /// The file does not begin like one of the formats.
    #[error("this is not a picture in PNG, GIF or JPEG")]
    Format,
    /// The file is damaged or cut off, for this reason.
    #[error("the picture's file is damaged: {0}")]
    Damaged(String),
    /// The file, the picture or the animation exceeds this limit.
    #[error("the picture is too large: {0}")]
    TooLarge(String),
}

/// A picture in shades of grey, 0 is black.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Row by row.
    pub(crate) grey: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Gif,
    Jpeg,
}

impl Format {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// Whether a file begins like a picture in one of the formats that are read.
#[must_use]
pub fn is_picture(bytes: &[u8]) -> bool {
    Format::of(bytes).is_some()
}

/// Reads a picture, or all frames of an animation, one after the other. `each` ends the reading by `false`.
pub(crate) fn read(bytes: &[u8], each: &mut dyn FnMut(Picture) -> bool) -> Result<(), PictureError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(PictureError::TooLarge(format!(
            "its file has more than {FILE_BYTES_MAX} bytes"
        )));
    }
    let mut single = |picture| {
        each(picture);
        Ok(())
    };
    match Format::of(bytes).ok_or(PictureError::Format)? {
        Format::Png => single(read_png(bytes)?),
        Format::Jpeg => single(read_jpeg(bytes)?),
        Format::Gif => read_gif(bytes, each),
    }
}

fn damaged(error: impl ToString) -> PictureError {
    PictureError::Damaged(error.to_string())
}

/// The number of pixels, if it is allowed.
fn pixels(width: usize, height: usize) -> Result<usize, PictureError> {
    let pixels = width.checked_mul(height).filter(|pixels| *pixels <= PIXELS_MAX);
    match pixels {
        Some(0) => Err(damaged("it has no pixels")),
        Some(pixels) => Ok(pixels),
        None => Err(PictureError::TooLarge(format!(
            "it has {width} × {height} pixels, and {PIXELS_MAX} are the most"
        ))),
    }
}

fn read_png(bytes: &[u8]) -> Result<Picture, PictureError> {
    let limits = png::Limits {
        bytes: CHANNELS_MAX * PIXELS_MAX + EXTRA_BYTES_MAX,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let pixels = pixels(width, height)?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader
        .output_buffer_size()
        .filter(|size| *size <= CHANNELS_MAX * pixels);
    let mut buffer = vec![0; size.ok_or_else(|| damaged("its rows have an impossible length"))?];
    let channels = reader.output_color_type().0.samples();
    reader.next_frame(&mut buffer).map_err(damaged)?;
    let grey = match channels {
        1 => buffer,
        _ => buffer.chunks_exact(channels).map(grey_of).collect(),
    };
    Ok(Picture { width, height, grey })
}

/// The grey of a pixel of 2 to 4 channels, on white if it is transparent.
fn grey_of(pixel: &[u8]) -> u8 {
    let on_white = |grey: u8, alpha: u8| {
        let (grey, alpha) = (u32::from(grey), u32::from(alpha));
        ((grey * alpha + u32::from(WHITE) * (255 - alpha)) / 255) as u8
    };
    match *pixel {
        [grey, alpha] => on_white(grey, alpha),
        [red, green, blue] => luma(red, green, blue),
        [red, green, blue, alpha] => on_white(luma(red, green, blue), alpha),
        _ => WHITE,
    }
}

/// The brightness of a colour, with the weights of ITU-R BT.601.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000) as u8
}

fn read_jpeg(bytes: &[u8]) -> Result<Picture, PictureError> {
    let options = DecoderOptions::default()
        .set_max_width(PIXELS_MAX)
        .set_max_height(PIXELS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder
        .decode_headers()
        .map_err(|error| damaged(format!("{error:?}")))?;
    let info = decoder.info().ok_or_else(|| damaged("it has no header"))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let pixels = pixels(width, height)?;
    let grey = decoder.decode().map_err(|error| damaged(format!("{error:?}")))?;
    if grey.len() != pixels {
        return Err(damaged("its colours cannot be read"));
    }
    Ok(Picture { width, height, grey })
}

fn read_gif(bytes: &[u8], each: &mut dyn FnMut(Picture) -> bool) -> Result<(), PictureError> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let limit = u64::try_from(CHANNELS_MAX * PIXELS_MAX + EXTRA_BYTES_MAX)
        .ok()
        .and_then(|limit| limit.try_into().ok());
    options.set_memory_limit(limit.map_or(gif::MemoryLimit::Unlimited, gif::MemoryLimit::Bytes));
    options.check_frame_consistency(true);
    let mut decoder = options.read_info(bytes).map_err(damaged)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let pixels = pixels(width, height)?;
    let mut canvas = Picture {
        width,
        height,
        grey: vec![WHITE; pixels],
    };
    for number in 1_usize.. {
        // A file that is cut off still has the frames before.
        let frame = match decoder.read_next_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(_) if number > 1 => break,
            Err(error) => return Err(damaged(error)),
        };
        if number > PICTURES_MAX {
            return Err(PictureError::TooLarge(format!(
                "it has more than {PICTURES_MAX} frames"
            )));
        }
        if number.saturating_mul(pixels) > ANIMATION_PIXELS_MAX {
            return Err(PictureError::TooLarge(format!(
                "its frames have more than {ANIMATION_PIXELS_MAX} pixels together"
            )));
        }
        let before = (frame.dispose == gif::DisposalMethod::Previous).then(|| canvas.clone());
        canvas.draw(frame);
        if !each(canvas.clone()) {
            break;
        }
        match (frame.dispose, before) {
            (gif::DisposalMethod::Previous, Some(before)) => canvas = before,
            (gif::DisposalMethod::Background, _) => canvas.clear(frame),
            _ => {}
        }
    }
    Ok(())
}

impl Picture {
    /// Draws the opaque pixels of a frame.
    fn draw(&mut self, frame: &gif::Frame<'_>) {
        for (row, pixels) in self
            .rows_of(frame)
            .zip(frame.buffer.chunks(4 * usize::from(frame.width).max(1)))
        {
            for (grey, pixel) in row.iter_mut().zip(pixels.chunks_exact(4)) {
                if pixel[3] != 0 {
                    *grey = luma(pixel[0], pixel[1], pixel[2]);
                }
            }
        }
    }

    fn clear(&mut self, frame: &gif::Frame<'_>) {
        self.rows_of(frame).for_each(|row| row.fill(WHITE));
    }

    /// The part of each row that a frame covers.
    fn rows_of(&mut self, frame: &gif::Frame<'_>) -> impl Iterator<Item = &mut [u8]> {
        let (left, width) = (usize::from(frame.left), usize::from(frame.width));
        let rows = self
            .grey
            .chunks_mut(self.width)
            .skip(frame.top.into())
            .take(frame.height.into());
        rows.filter_map(move |row| row.get_mut(left..left + width))
    }
}
