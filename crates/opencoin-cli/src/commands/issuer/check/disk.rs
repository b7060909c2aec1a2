//! Room on the disk.

use std::path::Path;

use opencoin_issuer::books_file;
use rustix::fs::statvfs;

use super::{Report, Subject};

/// With less room than this a server may stop before anybody has cleaned up: the write-ahead log, a copy of
/// small books.
const FREE_BYTES_MIN: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Whether there is room where the books are. Of books on a server the folder of the currency is looked at.
pub(super) fn room(subject: &Subject<'_>, report: &mut Report) {
    let root = subject.directory.root();
    // What is wrong with the address is said by the check of the books.
    let file = books_file(&subject.config.database, root).unwrap_or_default();
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(root);
    match statvfs(folder) {
        Ok(disk) => tell(folder, disk.f_bavail.saturating_mul(disk.f_frsize), report),
        Err(error) => report.warn(
            "disk",
            format!("the room in {} is not known: {error}", folder.display()),
        ),
    }
}

fn tell(folder: &Path, free_bytes: u64, report: &mut Report) {
    let (folder, free) = (folder.display(), free_bytes / MIB);
    if free_bytes < FREE_BYTES_MIN {
        let wanted = FREE_BYTES_MIN / MIB;
        let advice = "make room, or the books cannot be written one day";
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
    fn little_room_is_worth_a_warning() {
        let mut report = Report::default();
        tell(Path::new("/books"), FREE_BYTES_MIN - 1, &mut report);
        tell(Path::new("/books"), FREE_BYTES_MIN, &mut report);
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
