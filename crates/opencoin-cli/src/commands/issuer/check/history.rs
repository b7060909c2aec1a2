//! Checks that the books are those that were served before, and not older.

use opencoin_issuer::{Examined, HighWaterMark, OpenedBooks, examine};

use super::{Report, Subject};
use crate::commands::issuer::restored_state;

/// Compares the books with their high-water mark, as a server does before it serves them.
pub(super) async fn guard(subject: &Subject<'_>, opened: Option<&OpenedBooks>, report: &mut Report) {
    let Some(opened) = opened else { return };
    let mark = HighWaterMark::of_currency(
        subject.directory.root(),
        subject.config.high_water_mark.as_deref(),
    );
    match examine(opened.history.as_ref(), &mark).await {
        Ok(Examined::Ahead(_)) => report.ok("history", "the books are not older than the high-water mark"),
        Ok(Examined::FirstTime(_)) => report.ok("history", "these books were never served from here"),
        Ok(Examined::Accepted(_)) => {
            report.ok(
                "history",
                "an operator has accepted an older state; the next start of a server serves it",
            );
        }
        Err(error) => report.failed(
            "history",
            format!("{:#}", restored_state::explain(error, subject.directory)),
        ),
    }
}
