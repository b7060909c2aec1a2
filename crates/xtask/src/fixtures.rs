//! `cargo xtask fixtures`: the runs of the protocol in `fixtures/run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use opencoin_crypto::CipherSuite;
use opencoin_testkit::run;

/// What to do with files that differ from what would be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write them, and remove surplus files.
    Write,
    /// List them and fail.
    Check,
}

pub(crate) fn run(workspace: &Path, mode: Mode) -> Result<()> {
    let mut differences = Vec::new();
    for suite in CipherSuite::ALL {
        let folder = workspace.join("fixtures/run").join(run::folder(suite));
        println!("{}: {suite}", folder.display());
        let files = run::files(suite);
        differences.extend(compare(&files, &folder)?);
        if mode == Mode::Write {
            write(&files, &folder)?;
        }
    }
    for difference in &differences {
        println!("  {difference}");
    }
    match mode {
        Mode::Write => println!("{} files changed", differences.len()),
        Mode::Check => ensure!(
            differences.is_empty(),
            "{} files of fixtures/run are out of date; `cargo xtask fixtures` regenerates them",
            differences.len()
        ),
    }
    Ok(())
}

/// Lists missing, different and surplus files.
fn compare(files: &BTreeMap<String, String>, folder: &Path) -> Result<Vec<String>> {
    let found = names(folder)?;
    let mut differences = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        if !found.contains(name) {
            differences.push(format!("missing: {}", path.display()));
        } else if fs::read(&path).with_context(|| path.display().to_string())? != text.as_bytes() {
            differences.push(format!("different: {}", path.display()));
        }
    }
    let surplus = found.iter().filter(|name| !files.contains_key(*name));
    differences.extend(surplus.map(|name| format!("not part of the run: {}", folder.join(name).display())));
    Ok(differences)
}

fn write(files: &BTreeMap<String, String>, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for name in names(folder)?.iter().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(name)).with_context(|| folder.join(name).display().to_string())?;
    }
    for (name, text) in files {
        fs::write(folder.join(name), text).with_context(|| folder.join(name).display().to_string())?;
    }
    Ok(())
}

/// The names of the files in the folder, which need not exist.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_differences_are_listed_and_writing_removes_them() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b", "c"].map(|name| (format!("{name}.json"), format!("text {name}")));
        let files = BTreeMap::from(files);
        let folder = folder.path().join("run");
        assert_eq!(
            compare(&files, &folder).unwrap().len(),
            3,
            "there is no folder yet"
        );

        write(&files, &folder).unwrap();
        assert_eq!(compare(&files, &folder).unwrap(), Vec::<String>::new());

        fs::remove_file(folder.join("a.json")).unwrap();
        fs::write(folder.join("b.json"), "text b\n").unwrap();
        fs::write(folder.join("d.json"), "text d").unwrap();
        let differences = compare(&files, &folder).unwrap();
        let expected = [("missing", "a"), ("different", "b"), ("not part of the run", "d")];
        let expected =
            expected.map(|(what, name)| format!("{what}: {}", folder.join(format!("{name}.json")).display()));
        assert_eq!(differences, expected);

        write(&files, &folder).unwrap();
        assert_eq!(compare(&files, &folder).unwrap(), Vec::<String>::new());
    }
}
