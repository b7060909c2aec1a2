//! The paths under which tiles and bundles are served.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{TILE_HASHES, TileId, TileWidth};
use crate::encoding::from_decimal;

/// The highest level that a path can name.
const PATH_LEVEL_MAX: u8 = 63;

/// Digits of an index stand in groups of so many.
const GROUP_DIGITS: usize = 3;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A tile of hashes.
    Tile(TileId),
    /// The bundle of entries with this index. Its entries belong to the hashes of the tile of level 0 with the same
    /// index.
    Entries(u64),
}

/// The path of a tile or bundle below the prefix of the log: `tile/0/x001/067.p/12`, `tile/entries/000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// The tile or bundle.
    pub resource: Resource,
    /// Its width. A full one has a path of its own.
    pub width: TileWidth,
}

/// The text is not the path of a tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the path of a tile")]
pub struct TilePathError;

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(text: &str) -> Result<Self, TilePathError> {
        parse(text).ok_or(TilePathError)
    }
}

fn parse(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, TileWidth::new(u16::try_from(from_decimal(width)?).ok()?)?),
        None => (rest, TileWidth::FULL),
    };
    if width.is_full() && index.len() < rest.len() {
        return None;
    }
    let index = parse_index(index)?;
    let resource = if kind == "entries" {
        Resource::Entries(index)
    } else {
        let level = u8::try_from(from_decimal(kind)?).ok()?;
        if level > PATH_LEVEL_MAX {
            return None;
        }
        Resource::Tile(TileId { level, index })
    };
    Some(TilePath { resource, width })
}

/// Reads `x001/x234/067`.
fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut groups = text.split('/').peekable();
    let mut is_first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() {
            group.strip_prefix('x')?
        } else {
            group
        };
        if digits.len() != GROUP_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // A first group of zeros is left out, unless it is the only one.
        if is_first && digits == "000" && groups.peek().is_some() {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        is_first = false;
    }
    Some(index)
}

impl fmt::Display for TilePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = match self.resource {
            Resource::Tile(TileId { level, index }) => {
                write!(formatter, "tile/{level}/")?;
                index
            }
            Resource::Entries(index) => {
                formatter.write_str("tile/entries/")?;
                index
            }
        };
        let digits = index.to_string();
        let digits = format!("{:0>1$}", digits, digits.len().next_multiple_of(GROUP_DIGITS));
        for (at, digit) in digits.char_indices() {
            if at > 0 && at % GROUP_DIGITS == 0 {
                formatter.write_str("/")?;
            }
            if at % GROUP_DIGITS == 0 && at + GROUP_DIGITS < digits.len() {
                formatter.write_str("x")?;
            }
            write!(formatter, "{digit}")?;
        }
        match self.width.get() {
            TILE_HASHES => Ok(()),
            width => write!(formatter, ".p/{width}"),
        }
    }
}
