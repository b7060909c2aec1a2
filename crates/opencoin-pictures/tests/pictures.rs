//! Codes in files: what is written can be read, photographs too, and hostile files are refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use opencoin_pictures::{
    Code, Colors, Content, Drawing, Frame, Message, PIXELS_MAX, PictureError, ReadError, Reader, VERSION_MAX,
    animated_gif, animated_svg, draw, find_parts, gif, is_picture, png, svg, terminal,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TYPE: &str = "opencoin-stack";
const LINK: &str = "https://issuer.example/#3jW8";

fn message(bytes: usize) -> Vec<u8> {
    let mut message = vec![0; bytes];
    ChaCha8Rng::seed_from_u64(7).fill_bytes(&mut message);
    message
}

fn frames(message: &[u8]) -> Vec<Frame> {
    match draw(TYPE, message, VERSION_MAX).unwrap() {
        Drawing::Single(frame) => vec![frame],
        Drawing::Sequence(sequence) => {
            let written = sequence.written();
            sequence.take(written).collect()
        }
    }
}

fn read<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, ReadError> {
    let mut reader = Reader::default();
    for file in files {
        reader.read(file)?;
    }
    match reader.finish()? {
        Content::Message(Message { ur_type, bytes }) => {
            assert_eq!(ur_type, TYPE);
            Ok(bytes)
        }
        Content::Text(text) => Ok(text.into_bytes()),
    }
}

#[test]
fn a_single_code_comes_back_from_each_format() {
    for bytes in [1, 300, 965] {
        let message = message(bytes);
        let frame = &frames(&message)[0];
        assert_eq!(read([&png(&frame.code)[..]]), Ok(message.clone()));
        assert_eq!(read([&gif(&frame.code)[..]]), Ok(message));
        assert_eq!(find_parts(&svg(frame)).collect::<Vec<_>>(), [&frame.text]);
    }
    let link = Code::of_text(LINK, VERSION_MAX).unwrap();
    assert_eq!(read([&png(&link)[..]]), Ok(LINK.into()));
    assert!(Code::of_text(&"x".repeat(1368), VERSION_MAX).is_err());
}

#[test]
fn a_sequence_comes_back_from_some_of_its_frames_in_any_order() {
    // As long as 125 coins.
    let message = message(35_000);
    let frames = frames(&message);
    let kept = |number: &usize| number % 3 != 1;
    let files: Vec<Vec<u8>> = frames.iter().map(|frame| png(&frame.code)).collect();
    let some = || {
        (0..files.len())
            .rev()
            .filter(kept)
            .map(|number| &files[number][..])
    };
    assert_eq!(read(some()), Ok(message.clone()));

    let codes: Vec<Code> = frames.iter().map(|frame| frame.code.clone()).collect();
    assert_eq!(read([&animated_gif(&codes)[..]]), Ok(message.clone()));
    let lost: Vec<Code> = (0..codes.len())
        .filter(kept)
        .map(|number| codes[number].clone())
        .collect();
    assert_eq!(read([&animated_gif(&lost)[..]]), Ok(message.clone()));

    let mut reader = Reader::default();
    let svg = animated_svg(&frames);
    find_parts(&svg).for_each(|part| reader.read_text(part).unwrap());
    assert!(
        reader.finish().unwrap()
            == Content::Message(Message {
                ur_type: TYPE.into(),
                bytes: message
            })
    );
}

#[test]
fn an_incomplete_sequence_says_how_many_pictures_are_missing() {
    let frames = frames(&message(6000));
    let files: Vec<Vec<u8>> = frames.iter().map(|frame| png(&frame.code)).collect();
    let blank = png_of(64, 64, |_, _| 255);
    let mut few: Vec<&[u8]> = files.iter().map(Vec::as_slice).take(4).collect();
    few.extend([&blank[..], &files[0]]);
    let error = read(few).unwrap_err();
    assert_eq!(
        error,
        ReadError::Missing {
            received: 4,
            needed: 11,
            unread: 1
        }
    );
    assert_eq!(
        error.to_string(),
        "4 of 11 pictures were read, and one more shows no readable code; 7 more pictures are needed: any others of \
         the same sequence"
    );
    let other = frames[0].code.clone();
    let mixed = [&png(&other)[..], &png(&self::frames(&message(5000))[0].code)];
    assert!(matches!(read(mixed), Err(ReadError::Part(_))));
}

#[test]
fn a_damaged_code_is_called_damaged() {
    let code = frames(&message(500)).remove(0).code;
    let (side, scale) = (code.side(), 4);
    let drawn = |spoiled: bool| {
        png_of(side * scale, side * scale, |x, y| {
            let (column, row) = (x / scale, y / scale);
            let is_spoiled = spoiled && (20..44).contains(&column) && (20..44).contains(&row);
            if is_spoiled || code.is_dark(column, row) {
                0
            } else {
                255
            }
        })
    };
    assert_eq!(read([&drawn(false)[..]]), Ok(message(500)));
    assert_eq!(read([&drawn(true)[..]]), Err(ReadError::Unreadable));
    assert_eq!(
        read([&png_of(300, 200, |_, _| 200)[..]]),
        Err(ReadError::NoCode(1))
    );
}

/// A picture as a camera takes it: turned, out of focus, in bad light, with noise.
fn photographed(code: &Code) -> Vec<u8> {
    let (width, height) = (1400, 1100);
    let mut noise = ChaCha8Rng::seed_from_u64(11);
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f64 - 700.0, y as f64 - 550.0);
            let depth = 1.0 + dx * 1e-4 + dy * 5e-5;
            let (u, v) = (
                (dx * 0.98 + dy * 0.17) / 8.0 / depth,
                (dy * 0.98 - dx * 0.17) / 8.0 / depth,
            );
            let (column, row) = (u + code.side() as f64 / 2.0, v + code.side() as f64 / 2.0);
            let is_paper =
                column >= 0.0 && row >= 0.0 && column < code.side() as f64 && row < code.side() as f64;
            let ink = match is_paper {
                true if code.is_dark(column as usize, row as usize) => 45.0,
                true => 190.0,
                false => 110.0,
            };
            let light = 0.75 + 0.25 * x as f64 / width as f64;
            pixels.push(ink * light + f64::from(noise.next_u32() % 24));
        }
    }
    let blurred = |x: usize, y: usize| {
        let around = (y.saturating_sub(1)..=(y + 1).min(height - 1))
            .flat_map(|y| (x.saturating_sub(1)..=(x + 1).min(width - 1)).map(move |x| (x, y)));
        let values: Vec<f64> = around.map(|(x, y)| pixels[y * width + x]).collect();
        (values.iter().sum::<f64>() / values.len() as f64) as u8
    };
    png_of(width, height, blurred)
}

#[test]
fn a_photograph_and_light_codes_on_dark_ground_are_read() {
    let link = Code::of_text(LINK, VERSION_MAX).unwrap();
    let message = message(300);
    let coins = frames(&message).remove(0).code;
    assert_eq!(read([&photographed(&link)[..]]), Ok(LINK.into()));
    assert_eq!(read([&photographed(&coins)[..]]), Ok(message.clone()));
    let side = coins.side();
    let inverted = png_of(side * 5, side * 5, |x, y| {
        if coins.is_dark(x / 5, y / 5) { 230 } else { 20 }
    });
    assert_eq!(read([&inverted[..]]), Ok(message));
}

#[test]
fn a_jpeg_is_read() {
    let file = include_bytes!("../../../fixtures/transfer/photograph.jpg");
    assert!(is_picture(file));
    assert_eq!(read([&file[..]]), Ok(LINK.into()));
    assert!(matches!(
        read([&file[..200]]),
        Err(ReadError::Picture(PictureError::Damaged(_)))
    ));
}

#[test]
fn a_terminal_shows_two_modules_a_character() {
    let code = Code::of_text(LINK, VERSION_MAX).unwrap();
    let text = terminal(&code, Colors::Terminal);
    let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    assert_eq!(lines.len(), code.side().div_ceil(2));
    for (number, line) in lines.iter().enumerate() {
        for (column, char) in line.iter().enumerate() {
            let (above, below) = (
                !code.is_dark(column, 2 * number),
                !code.is_dark(column, 2 * number + 1),
            );
            assert_eq!(above, ['█', '▀'].contains(char));
            assert!(2 * number + 1 == code.side() || below == ['█', '▄'].contains(char));
        }
    }
    assert!(
        terminal(&code, Colors::Fixed)
            .lines()
            .all(|line| line.starts_with('\u{1b}') && line.ends_with('m'))
    );
}

/// A grey PNG.
fn png_of(width: usize, height: usize, grey: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(::png::ColorType::Grayscale);
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels: Vec<u8> = rows.map(|(x, y)| grey(x, y)).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

/// Replaces the size in the header of a PNG, and its checksum.
fn with_size(mut file: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.to_be_bytes());
    file
}

#[test]
fn hostile_files_are_refused() {
    let good = png_of(64, 64, |_, _| 255);
    let refused = |file: &[u8]| match read([file]) {
        Err(ReadError::Picture(error)) => error,
        other => panic!("it was read: {other:?}"),
    };
    assert_eq!(refused(b"%PDF-1.7"), PictureError::Format);
    assert_eq!(refused(b""), PictureError::Format);
    let side = PIXELS_MAX.isqrt() as u32;
    assert!(matches!(
        refused(&with_size(good.clone(), side + 1, side + 1)),
        PictureError::TooLarge(_)
    ));
    assert!(matches!(
        refused(&with_size(good.clone(), i32::MAX as u32, i32::MAX as u32)),
        PictureError::TooLarge(_)
    ));
    // Within the limit, but the pixels are not there.
    assert!(matches!(
        refused(&with_size(good.clone(), side, side)),
        PictureError::Damaged(_)
    ));
    assert!(matches!(
        refused(&with_size(good.clone(), 0, 64)),
        PictureError::Damaged(_)
    ));
    for end in [8, 20, 40, good.len() - 20] {
        assert!(matches!(refused(&good[..end]), PictureError::Damaged(_)), "{end}");
    }
    let code = Code::of_text(LINK, VERSION_MAX).unwrap();
    let mut wide = gif(&code);
    wide[6..10].copy_from_slice(&[0xff; 4]);
    assert!(matches!(refused(&wide), PictureError::TooLarge(_)));
    let mut huge = b"GIF89a".to_vec();
    huge.resize(opencoin_pictures::FILE_BYTES_MAX + 1, 0);
    assert!(matches!(refused(&huge), PictureError::TooLarge(_)));
}

#[test]
fn damaged_files_never_panic() {
    let code = frames(&message(200)).remove(0).code;
    let jpeg = include_bytes!("../../../fixtures/transfer/photograph.jpg").to_vec();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for file in [png(&code), animated_gif(&[code.clone(), code.clone()]), jpeg] {
        for _ in 0..8 {
            let mut damaged = file.clone();
            for _ in 0..=random.next_u32() % 4 {
                let at = random.next_u32() as usize % damaged.len();
                damaged[at] = random.next_u32() as u8;
            }
            let _ = read([&damaged[..]]);
        }
    }
}

/// Corners of codes as far as the eye reaches: each pair of them might be a code, and the search would take hours.
#[test]
fn a_picture_full_of_corners_is_refused() {
    let is_dark = |x: usize, y: usize| {
        let ring = x.abs_diff(4).max(y.abs_diff(4));
        ring == 3 || ring < 2
    };
    let file = png_of(1800, 1800, |x, y| if is_dark(x % 9, y % 9) { 0 } else { 255 });
    let mut reader = Reader::with_scan_duration_max(Duration::from_secs(1));
    assert_eq!(reader.read(&file), Err(ReadError::TooSlow));
}
