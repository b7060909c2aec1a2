//! Files of payouts for the bank: turns their rows into facts, and the rules that they must satisfy.

use opencoin_ledger::PayoutNo;
use opencoin_ledger::bank::{ExportNo, ExportState};

use crate::rule::for_all;
use crate::{AuditFacts, Check, FileFacts};

/// A row of `payout_exports`.
#[derive(Debug, Clone, Copy)]
pub struct FileRow {
    /// The number of the file.
    pub no: i64,
    /// The number of its payouts.
    pub payouts: i64,
    /// Their sum, in the smallest unit.
    pub amount: i64,
    /// The stored number of its [`ExportState`].
    pub state: i16,
}

/// A row of `exported_payouts`.
#[derive(Debug, Clone, Copy)]
pub struct FilePayoutRow {
    /// The number of the file.
    pub file: i64,
    /// The number of the payout.
    pub payout: i64,
    /// Whether it is marked as a payout of a file that was withdrawn.
    pub is_withdrawn: bool,
}

impl AuditFacts {
    /// Takes a file. `Err` says what is wrong with its row.
    pub(crate) fn take_file(&mut self, row: FileRow) -> Result<(), String> {
        let FileRow { no, .. } = row;
        let state = ExportState::from_code(row.state);
        let before = self.files.last().map_or(0, |file| file.no.get());
        self.files.push(FileFacts {
            no: ExportNo::new(no),
            state,
            payouts: row.payouts.into(),
            amount: row.amount.into(),
            held: 0,
            held_amount: 0,
            open: 0,
        });
        if no.checked_sub(1) != Some(before) {
            return Err(format!("file {no} of payouts: the one before it is missing"));
        }
        if state.is_none() {
            return Err(format!("file {no} of payouts: its state makes no sense"));
        }
        Ok(())
    }

    /// Takes a payout of a file. All files and payouts must have been taken before. `Err` says what is wrong with the row.
    pub(crate) fn take_file_payout(&mut self, row: FilePayoutRow) -> Result<(), String> {
        let FilePayoutRow { file: no, payout, .. } = row;
        let found = self
            .files
            .binary_search_by_key(&ExportNo::new(no), |file| file.no);
        let Ok(index) = found else {
            return Err(format!("payout {payout} is in file {no}, which does not exist"));
        };
        let file = &mut self.files[index];
        file.held += 1;
        let found = self
            .payouts
            .binary_search_by_key(&PayoutNo::new(payout), |payout| payout.no);
        let Ok(index) = found else {
            return Err(format!("file {no} has payout {payout}, which does not exist"));
        };
        let facts = &mut self.payouts[index];
        file.held_amount += facts.amount;
        file.open += i128::from(facts.paid.is_none());
        let was_withdrawn = file.state == Some(ExportState::Withdrawn);
        if !was_withdrawn {
            facts.files += 1;
        }
        if row.is_withdrawn != was_withdrawn {
            return Err(format!(
                "payout {payout} of file {no}: whether the file was withdrawn is not marked as in the file's row"
            ));
        }
        Ok(())
    }
}

/// The rules of files of payouts.
pub(crate) fn rules(facts: &AuditFacts) -> [Check; 3] {
    [
        for_all(
            "every payout is in at most one file that was not withdrawn",
            &facts.payouts,
            |payout| {
                (payout.files > 1).then(|| format!("payout {}: {} files", payout.no.get(), payout.files))
            },
        ),
        for_all(
            "every payout of a file that the bank has paid is settled",
            &facts.files,
            |file| {
                let is_broken = file.state == Some(ExportState::Paid) && file.open != 0;
                is_broken.then(|| format!("file {}: {} payouts wait", file.no.get(), file.open))
            },
        ),
        for_all(
            "every file has as many payouts and as much money as it says",
            &facts.files,
            |file| {
                let (said, held) = ((file.payouts, file.amount), (file.held, file.held_amount));
                (said != held).then(|| {
                    format!(
                        "file {}: {} payouts and {}, and has {} and {}",
                        file.no.get(),
                        said.0,
                        said.1,
                        held.0,
                        held.1
                    )
                })
            },
        ),
    ]
}
