//! A sorted file of digests, each 32 bytes, all different.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use opencoin_log::digest::DIGEST_BYTES;

use super::Digest;
use crate::disk_error::DiskError;

/// The digests that are read at once to look for one: a page of the disk's cache.
const PAGE_DIGESTS: u64 = 128;
const PAGE_BYTES: usize = PAGE_DIGESTS as usize * DIGEST_BYTES;
/// The digests that are read at once to read all.
const BLOCK_DIGESTS: u64 = 8192;
/// How often the place of a digest is guessed from its value before the search halves what is left. Digests of an honest
/// log are spread evenly.
const GUESSES_MAX: u32 = 4;

/// A run. It is complete, and its file never changes.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    number: u64,
    file: File,
    digests: u64,
}

/// The number of the run in this file.
pub(super) fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number: u64 = name.parse().ok()?;
    (name == name_of(number)).then_some(number)
}

fn name_of(number: u64) -> String {
    format!("{number:010}")
}

impl Run {
    pub(super) fn open(folder: &Path, number: u64, digests: u64) -> Result<Self, DiskError> {
        let path = folder.join(name_of(number));
        let file = File::open(&path).map_err(DiskError::of(&path))?;
        let length = file.metadata().map_err(DiskError::of(&path))?.len();
        if Some(length) != digests.checked_mul(DIGEST_BYTES as u64) {
            return Err(DiskError::damaged(
                &path,
                "it has another length than when it was written",
            ));
        }
        Ok(Self {
            path,
            number,
            file,
            digests,
        })
    }

    /// Writes sorted digests.
    pub(super) fn write(folder: &Path, number: u64, digests: &[Digest]) -> Result<Self, DiskError> {
        let mut writer = RunWriter::new(folder, number)?;
        writer.append(digests.as_flattened())?;
        writer.finish()
    }

    pub(super) const fn file(&self) -> u64 {
        self.number
    }

    pub(super) const fn digests(&self) -> u64 {
        self.digests
    }

    pub(super) fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(DiskError::of(&self.path))
    }

    pub(super) fn delete(self) -> Result<(), DiskError> {
        fs::remove_file(&self.path).map_err(DiskError::of(&self.path))
    }

    /// Hands all digests over, in their order, some at a time.
    pub(super) fn read_all(&self, mut take: impl FnMut(&[Digest])) -> Result<(), DiskError> {
        let mut reader = self.reader();
        while let Some(digests) = reader.block()? {
            take(digests);
        }
        Ok(())
    }

    pub(super) fn reader(&self) -> RunReader<'_> {
        RunReader {
            run: self,
            next: 0,
            block: Vec::new(),
        }
    }

    /// Whether the run has a digest.
    pub(super) fn has(&self, digest: &Digest) -> Result<bool, DiskError> {
        // The digest can only be in the pages low..high, and its value is between the bounds.
        let (mut low, mut high) = (0, self.digests.div_ceil(PAGE_DIGESTS));
        let (mut above, mut below) = (0, u64::MAX);
        let mut page = [0; PAGE_BYTES];
        let mut guesses = 0;
        while low < high {
            let at = if guesses < GUESSES_MAX {
                guess(prefix(digest), (above, below), (low, high))
            } else {
                low + (high - low) / 2
            };
            guesses += 1;
            let digests = self.page(at, &mut page)?;
            let (Some(first), Some(last)) = (digests.first(), digests.last()) else {
                return Ok(false);
            };
            if digest < first {
                (high, below) = (at, prefix(first));
            } else if digest > last {
                (low, above) = (at + 1, prefix(last));
            } else {
                return Ok(digests.binary_search(digest).is_ok());
            }
        }
        Ok(false)
    }

    fn page<'page>(
        &self,
        page: u64,
        bytes: &'page mut [u8; PAGE_BYTES],
    ) -> Result<&'page [Digest], DiskError> {
        let first = page * PAGE_DIGESTS;
        let count = PAGE_DIGESTS.min(self.digests - first) as usize;
        let bytes = &mut bytes[..count * DIGEST_BYTES];
        self.read(first, bytes)?;
        Ok(bytes.as_chunks().0)
    }

    fn read(&self, first: u64, bytes: &mut [u8]) -> Result<(), DiskError> {
        let at = first * DIGEST_BYTES as u64;
        let read = self.file.read_exact_at(bytes, at);
        read.map_err(DiskError::of(&self.path))
    }
}

/// The first bytes of a digest as a number.
fn prefix(digest: &Digest) -> u64 {
    let (prefix, _) = digest.split_first_chunk().expect("a digest has more bytes");
    u64::from_be_bytes(*prefix)
}

/// The page of `low..high` where a value should be if values between the bounds are spread evenly.
fn guess(value: u64, (above, below): (u64, u64), (low, high): (u64, u64)) -> u64 {
    let width = u128::from(below.saturating_sub(above)).max(1);
    let offset = u128::from(value.saturating_sub(above)).min(width);
    let pages = high - low;
    let place = (offset * u128::from(pages) / width) as u64; // at most `pages`
    low + place.min(pages - 1)
}

/// Reads a run from its beginning.
pub(super) struct RunReader<'run> {
    run: &'run Run,
    next: u64,
    block: Vec<u8>,
}

impl RunReader<'_> {
    /// The next digests; `None` after the last one.
    pub(super) fn block(&mut self) -> Result<Option<&[Digest]>, DiskError> {
        let count = BLOCK_DIGESTS.min(self.run.digests - self.next);
        if count == 0 {
            return Ok(None);
        }
        self.block.resize(count as usize * DIGEST_BYTES, 0);
        self.run.read(self.next, &mut self.block)?;
        self.next += count;
        Ok(Some(self.block.as_chunks().0))
    }
}

/// Writes a run.
pub(super) struct RunWriter {
    path: PathBuf,
    number: u64,
    file: BufWriter<File>,
    bytes: u64,
}

impl RunWriter {
    pub(super) fn new(folder: &Path, number: u64) -> Result<Self, DiskError> {
        let path = folder.join(name_of(number));
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).map_err(DiskError::of(&path))?;
        Ok(Self {
            path,
            number,
            file: BufWriter::with_capacity(BLOCK_DIGESTS as usize * DIGEST_BYTES, file),
            bytes: 0,
        })
    }

    /// Appends digests that are larger than those before.
    pub(super) fn append(&mut self, digests: &[u8]) -> Result<(), DiskError> {
        self.bytes += digests.len() as u64;
        self.file.write_all(digests).map_err(DiskError::of(&self.path))
    }

    pub(super) fn finish(self) -> Result<Run, DiskError> {
        let file = self.file.into_inner().map_err(|error| error.into_error());
        Ok(Run {
            file: file.map_err(DiskError::of(&self.path))?,
            path: self.path,
            number: self.number,
            digests: self.bytes / DIGEST_BYTES as u64,
        })
    }
}
