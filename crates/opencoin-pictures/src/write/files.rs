//! Codes as PNG and GIF. Both are written with one bit a pixel.

use super::{FRAME_DURATION_MS, MODULE_PIXELS};
use crate::code::Code;

/// White and black.
const PALETTE: [u8; 6] = [255, 255, 255, 0, 0, 0];

/// The unit of times in a GIF, in milliseconds.
const GIF_UNIT_MS: u64 = 10;

/// The pixels of a side.
fn side_pixels(code: &Code) -> u16 {
    u16::try_from(code.side() * MODULE_PIXELS).expect("the largest code has 185 modules a side")
}

/// The pixels of a code, row by row: whether each is dark.
fn pixels(code: &Code) -> impl Iterator<Item = bool> {
    let side = code.side();
    let row = move |row| {
        let module = move |column| std::iter::repeat_n(code.is_dark(column, row), MODULE_PIXELS);
        (0..side).flat_map(module)
    };
    (0..side)
        .flat_map(move |number| std::iter::repeat_n(number, MODULE_PIXELS))
        .flat_map(row)
}

/// Draws a code as a PNG file.
#[must_use]
pub fn png(code: &Code) -> Vec<u8> {
    let side = side_pixels(code);
    let pixels: Vec<bool> = pixels(code).collect();
    let byte = |bits: &[bool]| {
        let bit = |(at, is_dark): (usize, &bool)| if *is_dark { 0 } else { 0x80 >> at };
        bits.iter()
            .enumerate()
            .map(bit)
            .fold(0_u8, |byte, bit| byte | bit)
    };
    let rows = pixels.chunks(side.into()).flat_map(|row| row.chunks(8).map(byte));
    let rows: Vec<u8> = rows.collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side.into(), side.into());
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&rows));
    written.expect("writing to a vector cannot fail");
    file
}

/// Draws a code as a GIF file.
#[must_use]
pub fn gif(code: &Code) -> Vec<u8> {
    animated_gif(std::slice::from_ref(code))
}

/// Draws codes of the same size as an animation without end.
#[must_use]
pub fn animated_gif(codes: &[Code]) -> Vec<u8> {
    write_gif(codes).expect("writing to a vector cannot fail")
}

fn write_gif(codes: &[Code]) -> Result<Vec<u8>, gif::EncodingError> {
    let side = codes.iter().map(side_pixels).max().unwrap_or_default();
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, side, side, &PALETTE)?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    for code in codes {
        let pixels: Vec<u8> = pixels(code).map(u8::from).collect();
        let mut frame = gif::Frame::from_indexed_pixels(side_pixels(code), side_pixels(code), pixels, None);
        frame.delay =
            u16::try_from(FRAME_DURATION_MS / GIF_UNIT_MS).expect("a frame is shown for less than a second");
        encoder.write_frame(&frame)?;
    }
    drop(encoder);
    Ok(file)
}
