//! Finds the QR codes of a picture.
//!
//! The search tries all pairs of corners that a picture shows, with a copy of the picture for each: a picture that somebody
//! has filled with corners takes hours. So it runs in a thread with a time limit. If the limit passes, that thread is
//! left to itself, and the reading ends. A panic of the search, too, costs only the picture.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rqrr::PreparedImage;

use crate::limits::SCAN_PIXELS_MAX;
use crate::picture::Picture;

/// Smaller pictures are not made smaller again: a code would lose its modules.
const SHRINK_SIDE_MIN: usize = 800;

/// What was found in a picture.
pub(crate) enum Found {
    /// The texts of the codes that could be read.
    Texts(Vec<String>),
    /// There is something like a code, and none could be read.
    Unreadable,
    Nothing,
    /// The search has not ended within its time.
    TooSlow,
}

/// Searches a picture for at most this long.
pub(crate) fn scan_within(picture: Picture, duration_max: Duration) -> Found {
    let (sender, receiver) = mpsc::sync_channel(1);
    let search = move || {
        // Nobody waits any more if the time has passed.
        let _ = sender.send(scan(picture));
    };
    let builder = thread::Builder::new().name("scan".to_owned());
    if builder.spawn(search).is_err() {
        return Found::TooSlow;
    }
    match receiver.recv_timeout(duration_max) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => Found::TooSlow,
        Err(RecvTimeoutError::Disconnected) => Found::Unreadable,
    }
}

/// Searches a picture as it is, in half of its size, where the noise of a camera is less, and with black for white, as
/// terminals with a dark background show codes.
fn scan(picture: Picture) -> Found {
    let factor = (1_usize..)
        .find(|factor| picture.grey.len() / (factor * factor) <= SCAN_PIXELS_MAX)
        .expect("some factor is large enough");
    let picture = shrink(picture, factor);
    let mut seen = false;
    let mut attempt = |picture: &Picture| match search(picture) {
        Found::Texts(texts) => Some(texts),
        Found::Unreadable => {
            seen = true;
            None
        }
        Found::Nothing | Found::TooSlow => None,
    };
    if let Some(texts) = attempt(&picture) {
        return Found::Texts(texts);
    }
    let is_large = picture.width.min(picture.height) >= SHRINK_SIDE_MIN;
    let mut half = is_large.then(|| shrink(picture.clone(), 2));
    if let Some(texts) = half.as_ref().and_then(&mut attempt) {
        return Found::Texts(texts);
    }
    let mut inverted = picture;
    for picture in [Some(&mut inverted), half.as_mut()].into_iter().flatten() {
        picture.grey.iter_mut().for_each(|grey| *grey = 255 - *grey);
        if let Some(texts) = attempt(picture) {
            return Found::Texts(texts);
        }
    }
    if seen { Found::Unreadable } else { Found::Nothing }
}

fn search(picture: &Picture) -> Found {
    let mut prepared = PreparedImage::prepare_from_greyscale(picture.width, picture.height, |x, y| {
        picture.grey[y * picture.width + x]
    });
    let grids = prepared.detect_grids();
    if grids.is_empty() {
        return Found::Nothing;
    }
    let texts: Vec<String> = grids
        .iter()
        .filter_map(|grid| Some(grid.decode().ok()?.1))
        .collect();
    if texts.is_empty() {
        Found::Unreadable
    } else {
        Found::Texts(texts)
    }
}

/// Replaces each square of `factor` pixels a side by its average.
fn shrink(picture: Picture, factor: usize) -> Picture {
    if factor == 1 {
        return picture;
    }
    let (width, height) = (picture.width / factor, picture.height / factor);
    let mut grey = Vec::with_capacity(width * height);
    for row in 0..height {
        let mut sums = vec![0_u32; width];
        for line in picture.grey.chunks(picture.width).skip(row * factor).take(factor) {
            for (sum, pixels) in sums.iter_mut().zip(line.chunks(factor)) {
                *sum += pixels.iter().copied().map(u32::from).sum::<u32>();
            }
        }
        grey.extend(sums.into_iter().map(|sum| (sum / (factor * factor) as u32) as u8));
    }
    Picture { width, height, grey }
}
