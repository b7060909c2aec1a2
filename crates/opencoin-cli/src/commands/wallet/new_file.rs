//! Files for coins, evidence and proofs: complete or not there, readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A new file that appears under its name only when it is complete.
pub(crate) struct NewFile {
    path: PathBuf,
    /// The file beside `path` that is written first. It is empty until [`NewFile::finish`].
    unfinished: PathBuf,
    file: File,
}

impl NewFile {
    /// Creates the unfinished file. Fails if `path` exists.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(opencoin_private_files::FILE_MODE);
        Ok(Self {
            path: path.to_owned(),
            file: options.open(&unfinished)?,
            unfinished,
        })
    }

    /// Writes and syncs the file and gives it its name. Never replaces another file.
    pub(crate) fn finish(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        fs::hard_link(&self.unfinished, &self.path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            // The file system has no hard links.
            _ => fs::rename(&self.unfinished, &self.path),
        })?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Fails after a rename.
        let _ = fs::remove_file(&self.unfinished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gift.oc");
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        drop(NewFile::create(&path).unwrap());
        assert!(names().is_empty(), "a failed command leaves no file");
        let file = NewFile::create(&path).unwrap();
        assert!(!path.exists());
        file.finish(b"coins").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names().len()), (b"coins".to_vec(), 1));
        assert!(
            NewFile::create(&path).is_err(),
            "an existing file is not replaced"
        );
    }
}
