//! Entry bundles: up to 256 entries, each after its length in two bytes.
//!
//! A bundle only grows, so the log keeps the last one and serves its beginning as the partial bundle of an older
//! checkpoint. Source: C2SP tlog-tiles, "Log entries".

use thiserror::Error;

use crate::tile::TileWidth;

/// The longest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// The bytes of an entry's length.
const LENGTH_BYTES: usize = 2;

/// A bundle cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BundleError {
    /// An entry has this many bytes.
    #[error("an entry of {0} bytes, more than {ENTRY_BYTES_MAX}")]
    EntryTooLong(usize),
    /// The bundle ends before its last entry does.
    #[error("a bundle with too few entries")]
    TooShort,
    /// Bytes follow the last entry.
    #[error("a bundle with too many bytes")]
    TooLong,
}

/// Appends an entry to the bytes of a bundle. The caller counts the entries.
///
/// # Errors
/// The entry is too long; the bundle is unchanged.
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle that was checked.
#[derive(Debug, Clone)]
pub struct Entries<'bundle> {
    bundle: &'bundle [u8],
    left: u16,
}

/// Reads a bundle of exactly `width` entries.
///
/// # Errors
/// It has fewer entries, or bytes after them.
pub fn decode(bundle: &[u8], width: TileWidth) -> Result<Entries<'_>, BundleError> {
    if prefix(bundle, width)?.len() < bundle.len() {
        return Err(BundleError::TooLong);
    }
    Ok(Entries {
        bundle,
        left: width.get(),
    })
}

/// The partial bundle of the first `width` entries.
///
/// # Errors
/// The bundle has fewer entries.
pub fn prefix(bundle: &[u8], width: TileWidth) -> Result<&[u8], BundleError> {
    let mut rest = bundle;
    for _ in 0..width.get() {
        rest = split_entry(rest).ok_or(BundleError::TooShort)?.1;
    }
    Ok(&bundle[..bundle.len() - rest.len()])
}

fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

impl<'bundle> Iterator for Entries<'bundle> {
    type Item = &'bundle [u8];

    fn next(&mut self) -> Option<&'bundle [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (entry, rest) = split_entry(self.bundle).expect("the bundle was checked");
        self.bundle = rest;
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.left);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Entries<'_> {}
