//! Makes one run of two.

use std::path::Path;

use super::Digest;
use super::run::{Run, RunReader, RunWriter};
use crate::disk_error::DiskError;

/// What is left of a run that is read.
struct Rest<'run> {
    reader: RunReader<'run>,
    block: Vec<Digest>,
    at: usize,
}

impl<'run> Rest<'run> {
    fn new(run: &'run Run) -> Result<Self, DiskError> {
        let mut rest = Self {
            reader: run.reader(),
            block: Vec::new(),
            at: 0,
        };
        rest.fill()?;
        Ok(rest)
    }

    fn fill(&mut self) -> Result<(), DiskError> {
        self.at = 0;
        self.block.clear();
        if let Some(block) = self.reader.block()? {
            self.block.extend_from_slice(block);
        }
        Ok(())
    }

    fn first(&self) -> Option<&Digest> {
        self.block.get(self.at)
    }

    fn advance(&mut self) -> Result<(), DiskError> {
        self.at += 1;
        if self.at == self.block.len() {
            self.fill()?;
        }
        Ok(())
    }
}

/// Writes the digests of both runs, which have none in common, into a new one.
pub(super) fn merge(folder: &Path, number: u64, one: &Run, other: &Run) -> Result<Run, DiskError> {
    let (mut one, mut other) = (Rest::new(one)?, Rest::new(other)?);
    let mut writer = RunWriter::new(folder, number)?;
    loop {
        let next = match (one.first(), other.first()) {
            (Some(left), Some(right)) if left < right => &mut one,
            (_, Some(_)) => &mut other,
            (Some(_), None) => &mut one,
            (None, None) => return writer.finish(),
        };
        writer.append(&next.block[next.at])?;
        next.advance()?;
    }
}
