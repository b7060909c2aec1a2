//! The header `OpenCoin-Coins`: the coins of a request that caused its refusal.
//!
//! A refused renew, redeem or recoup carries it if the refusal is about some of the coins. The value is the list of
//! their indices in the request, from 0, ascending, separated by commas. Runs are written as `FIRST-LAST`: `0-2,7`.
//! It is a header because the specification's messages have no field for it. Runs keep it short: the longest value,
//! for every second of 1,000 coins, has less than 2 KB.

use std::fmt::Write;

/// The name of the header.
pub const COINS_HEADER: &str = "opencoin-coins";

/// Writes ascending indices as the value of [`COINS_HEADER`].
#[must_use]
pub fn write_coin_indices(indices: &[usize]) -> String {
    let mut text = String::new();
    for run in indices.chunk_by(|before, after| before + 1 == *after) {
        let comma = if text.is_empty() { "" } else { "," };
        let written = match run {
            [single] => write!(text, "{comma}{single}"),
            [first, .., last] => write!(text, "{comma}{first}-{last}"),
            [] => Ok(()),
        };
        written.expect("writing to a string cannot fail");
    }
    text
}

/// Reads the value of [`COINS_HEADER`] in the answer to a request with `coins` coins. Returns the ascending indices, or
/// `None` if the text is not a list of indices of that request.
#[must_use]
pub fn read_coin_indices(text: &str, coins: usize) -> Option<Vec<usize>> {
    let mut indices = Vec::new();
    for run in text.split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let follows = indices.last().is_none_or(|before| *before < first);
        if !follows || first > last || last >= coins {
            return None;
        }
        indices.extend(first..=last);
    }
    Some(indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_indices_are_read_back() {
        for (indices, text) in [
            (vec![0], "0"),
            (vec![0, 1, 2, 7], "0-2,7"),
            (vec![3, 5, 6, 999], "3,5-6,999"),
        ] {
            assert_eq!(write_coin_indices(&indices), text);
            assert_eq!(read_coin_indices(text, 1000), Some(indices));
        }
        let worst: Vec<usize> = (0..1000).step_by(2).collect();
        let text = write_coin_indices(&worst);
        assert!(text.len() < 2048, "{}", text.len());
        assert_eq!(read_coin_indices(&text, 1000), Some(worst));
    }

    #[test]
    fn a_wrong_list_of_indices_is_refused() {
        let too_great = "0-18446744073709551615";
        for text in [
            "", "x", "1,", "-1", "2-1", "1,1", "3,2", "0-3", too_great, "1.5", "0--1",
        ] {
            assert_eq!(read_coin_indices(text, 3), None, "{text:?}");
        }
    }
}
