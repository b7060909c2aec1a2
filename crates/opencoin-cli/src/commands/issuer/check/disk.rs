//! Checks the free space on the disk.

use std::path::Path;

use opencoin_issuer::books_file;
use rustix::fs::statvfs;

use super::{Report, Subject};

/// Room for the write-ahead log and a copy of small books. With less, a server may stop before an operator reacts.
const FREE_BYTES_MIN: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Checks the disk of the books; if they are in a database server, the disk of the currency's folder.
pub(super) fn room(subject: &Subject<'_>, report: &mut Report) {
    let root = subject.directory.root();
    // The check of the books reports a wrong address.
    let file = books_file(&subject.config.database, root).unwrap_or_default();
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(root);
    match statvfs(folder) {
        Ok(disk) => report_room(folder, disk.f_bavail.saturating_mul(disk.f_frsize), report),
        Err(error) => report.warn(
            "disk",
            format!("the free space in {} is unknown: {error}", folder.display()),
        ),
    }
}

fn report_room(folder: &Path, free_bytes: u64, report: &mut Report) {
    let (folder, free) = (folder.display(), free_bytes / MIB);
    if free_bytes < FREE_BYTES_MIN {
        let wanted = FREE_BYTES_MIN / MIB;
        let advice = "free some space, or the books cannot be written some day";
        report.warn(
            "disk",
            format!("{free} MiB are free in {folder}, less than {wanted}: {advice}"),
        );
    } else {
        report.ok("disk", format!("{free} MiB are free in {folder}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn little_free_space_causes_a_warning() {
        let mut report = Report::default();
        report_room(Path::new("/books"), FREE_BYTES_MIN - 1, &mut report);
        report_room(Path::new("/books"), FREE_BYTES_MIN, &mut report);
        assert_eq!(
            [report.0[0].result, report.0[1].result],
            [Outcome::Warn, Outcome::Ok]
        );
        assert!(
            report.0[0].detail.starts_with("1023 MiB are free in /books"),
            "{:?}",
            report.0
        );
    }
}
