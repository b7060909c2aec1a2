//! The index of spent coins, on the disk and in memory that does not grow with the log.
//!
//! Digests that were added last are in memory. When there are many, or when the state is stored, those of each series
//! become a sorted file, a *run*, which never changes. Runs of similar size are merged, so that a series has few of them.
//! A filter in memory says of nearly every new digest that no run has it; only for the others are runs read.
//!
//! [`SpentFiles::store`] makes everything durable and returns the list of runs. The caller stores it together with the state
//! of the replay and then calls [`SpentFiles::stored`]. Until then the files of the last list stay, so that a crash at any
//! point goes back to the state that was stored last.

mod filter;
mod merge;
mod run;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use opencoin_log::digest::DIGEST_BYTES;
use opencoin_replay::{Series, SpentIndex};
use serde::{Deserialize, Serialize};

use crate::disk_error::DiskError;
use filter::Filter;
use run::Run;

/// A digest in the index.
type Digest = [u8; DIGEST_BYTES];

/// The most digests in memory: some 50 MB.
const RECENT_MAX: usize = 1 << 20;
/// The most bytes of all filters together: enough for 130 million digests. With more, runs are read more often.
const FILTER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Two runs are merged unless the older one has so many times the digests of the newer one.
const RUN_RATIO: u64 = 4;

/// The runs of an index, in the order of series and age.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentRuns {
    runs: Vec<StoredRun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct StoredRun {
    series: Series,
    /// The number of its file.
    file: u64,
    /// The number of its digests.
    digests: u64,
}

/// The index in a folder.
#[derive(Debug)]
pub struct SpentFiles {
    folder: PathBuf,
    series: BTreeMap<Series, SeriesIndex>,
    /// How many digests are in memory.
    recent: usize,
    recent_max: usize,
    next_file: u64,
    /// The files of the list that was stored last, which a crash may go back to.
    kept: HashSet<u64>,
    filter_bytes: usize,
}

#[derive(Debug, Default)]
struct SeriesIndex {
    recent: HashSet<Digest>,
    /// The oldest and largest first.
    runs: Vec<Run>,
    /// Has all digests of the runs.
    filter: Filter,
}

impl SpentFiles {
    /// Opens the index with these runs. Other files in the folder are deleted.
    ///
    /// # Errors
    /// A run is missing or damaged, or the folder cannot be written.
    pub fn open(folder: &Path, stored: &SpentRuns) -> Result<Self, DiskError> {
        Self::open_with(folder, stored, RECENT_MAX)
    }

    fn open_with(folder: &Path, stored: &SpentRuns, recent_max: usize) -> Result<Self, DiskError> {
        fs::create_dir_all(folder).map_err(DiskError::of(folder))?;
        let mut index = Self {
            folder: folder.to_owned(),
            series: BTreeMap::new(),
            recent: 0,
            recent_max,
            next_file: stored.runs.iter().map(|run| run.file + 1).max().unwrap_or(0),
            kept: stored.runs.iter().map(|run| run.file).collect(),
            filter_bytes: 0,
        };
        index.delete_others()?;
        for run in &stored.runs {
            let opened = Run::open(folder, run.file, run.digests)?;
            index.series.entry(run.series).or_default().runs.push(opened);
        }
        let series: Vec<Series> = index.series.keys().copied().collect();
        for series in series {
            index.fill_filter(series)?;
        }
        Ok(index)
    }

    /// Deletes files that belong to no stored state.
    fn delete_others(&self) -> Result<(), DiskError> {
        for entry in fs::read_dir(&self.folder).map_err(DiskError::of(&self.folder))? {
            let path = entry.map_err(DiskError::of(&self.folder))?.path();
            let number = run::number(&path);
            if number.is_none_or(|number| !self.kept.contains(&number)) {
                fs::remove_file(&path).map_err(DiskError::of(&path))?;
            }
        }
        Ok(())
    }

    /// Makes everything durable, and returns the list of runs to store.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn store(&mut self) -> Result<SpentRuns, DiskError> {
        self.flush()?;
        let mut runs = Vec::new();
        for (series, index) in &self.series {
            for run in &index.runs {
                if !self.kept.contains(&run.file()) {
                    run.sync()?;
                }
                let (file, digests) = (run.file(), run.digests());
                runs.push(StoredRun {
                    series: *series,
                    file,
                    digests,
                });
            }
        }
        opencoin_private_files::sync_folder(&self.folder)?;
        Ok(SpentRuns { runs })
    }

    /// The list that [`Self::store`] has returned is stored: older files are no longer needed.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub fn stored(&mut self, stored: &SpentRuns) -> Result<(), DiskError> {
        self.kept = stored.runs.iter().map(|run| run.file).collect();
        self.delete_others()
    }

    /// Moves what is in memory into runs.
    fn flush(&mut self) -> Result<(), DiskError> {
        let series: Vec<Series> = self.series.keys().copied().collect();
        for series in series {
            self.flush_series(series)?;
        }
        self.recent = 0;
        Ok(())
    }

    fn flush_series(&mut self, series: Series) -> Result<(), DiskError> {
        let Some(index) = self.series.get_mut(&series) else {
            return Ok(());
        };
        if index.recent.is_empty() {
            return Ok(());
        }
        let mut digests: Vec<Digest> = std::mem::take(&mut index.recent).into_iter().collect();
        digests.sort_unstable();
        let file = self.next_file;
        self.next_file += 1;
        index.runs.push(Run::write(&self.folder, file, &digests)?);
        while let [.., older, newer] = index.runs.as_slice()
            && older.digests() < RUN_RATIO * newer.digests()
        {
            let file = self.next_file;
            self.next_file += 1;
            let run = merge::merge(&self.folder, file, older, newer)?;
            for old in index.runs.drain(index.runs.len() - 2..) {
                // One that no state needs would only take room until the state is stored.
                if !self.kept.contains(&old.file()) {
                    old.delete()?;
                }
            }
            index.runs.push(run);
        }
        if index.filter.has_room_for(index.digests()) {
            index.filter.extend(&digests);
            return Ok(());
        }
        self.fill_filter(series)
    }

    /// Makes the filter of a series large enough, within the limit of all filters, and fills it from the runs.
    fn fill_filter(&mut self, series: Series) -> Result<(), DiskError> {
        let Some(index) = self.series.get_mut(&series) else {
            return Ok(());
        };
        let others = self.filter_bytes - index.filter.bytes();
        let filter = Filter::for_digests(index.digests(), FILTER_BYTES_MAX.saturating_sub(others));
        index.filter = filter;
        for run in &index.runs {
            let filter = &mut index.filter;
            run.read_all(|digests| filter.extend(digests))?;
        }
        self.filter_bytes = others + index.filter.bytes();
        Ok(())
    }
}

impl SeriesIndex {
    /// How many digests are in runs.
    fn digests(&self) -> u64 {
        self.runs.iter().map(Run::digests).sum()
    }

    /// Adds a digest. Returns whether it was there before.
    fn insert(&mut self, digest: &Digest) -> Result<bool, DiskError> {
        if !self.recent.insert(*digest) {
            return Ok(true);
        }
        if !self.runs.is_empty() && self.filter.may_have(digest) {
            for run in &self.runs {
                if run.has(digest)? {
                    self.recent.remove(digest);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl SpentIndex for SpentFiles {
    type Error = DiskError;

    fn insert(
        &mut self,
        series: Series,
        digests: &[Digest],
        known: &mut Vec<usize>,
    ) -> Result<(), DiskError> {
        let index = self.series.entry(series).or_default();
        let before = index.recent.len();
        for (place, digest) in digests.iter().enumerate() {
            if index.insert(digest)? {
                known.push(place);
            }
        }
        self.recent += index.recent.len() - before;
        if self.recent >= self.recent_max {
            self.flush()?;
        }
        Ok(())
    }

    fn forget(&mut self, series: Series) -> Result<(), DiskError> {
        let Some(index) = self.series.remove(&series) else {
            return Ok(());
        };
        self.recent -= index.recent.len();
        self.filter_bytes -= index.filter.bytes();
        for run in index.runs {
            if !self.kept.contains(&run.file()) {
                run.delete()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
