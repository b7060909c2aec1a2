//! Files of payouts, in the in-memory ledger.

use std::collections::BTreeMap;

use super::{State, number};
use crate::bank::{ExportEnd, ExportNo, ExportOutcome, ExportState, NewExport, PayoutExport};
use crate::{Action, ActionDetail, IdempotencyKey, PayoutNo, Settlement};

/// Files of payouts.
#[derive(Debug, Default)]
pub(super) struct MemoryFiles {
    /// In the order of their numbers from 1.
    files: Vec<Exported>,
    /// The file of each payout that is in one that was not withdrawn.
    in_file: BTreeMap<PayoutNo, ExportNo>,
}

#[derive(Debug)]
struct Exported {
    key: IdempotencyKey,
    export: PayoutExport,
    payouts: Vec<PayoutNo>,
    file: Vec<u8>,
}

impl MemoryFiles {
    /// All files, ascending.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &PayoutExport> {
        self.files.iter().map(|stored| &stored.export)
    }

    /// All files, ascending, each with its payouts.
    pub(super) fn with_payouts(&self) -> impl Iterator<Item = (&PayoutExport, &[PayoutNo])> {
        let files = self.files.iter();
        files.map(|stored| (&stored.export, stored.payouts.as_slice()))
    }

    pub(super) fn of_key(&self, key: &IdempotencyKey) -> Option<PayoutExport> {
        let found = self.files.iter().find(|stored| stored.key == *key);
        found.map(|stored| stored.export.clone())
    }

    pub(super) fn file(&self, no: ExportNo) -> Option<(PayoutExport, Vec<u8>)> {
        let stored = self.stored(no)?;
        Some((stored.export.clone(), stored.file.clone()))
    }

    /// Its payouts, ascending, also if it was withdrawn.
    pub(super) fn payouts_of(&self, no: ExportNo) -> &[PayoutNo] {
        self.stored(no).map_or(&[], |stored| &stored.payouts)
    }

    /// The file that was not withdrawn and that has this payout.
    pub(super) fn file_of(&self, payout: PayoutNo) -> Option<ExportNo> {
        self.in_file.get(&payout).copied()
    }

    fn index(no: ExportNo) -> Option<usize> {
        usize::try_from(no.get()).ok()?.checked_sub(1)
    }

    fn stored(&self, no: ExportNo) -> Option<&Exported> {
        self.files.get(Self::index(no)?)
    }

    fn stored_mut(&mut self, no: ExportNo) -> Option<&mut Exported> {
        self.files.get_mut(Self::index(no)?)
    }
}

impl State {
    /// How a payout was settled; `None` if it was not, or does not exist.
    pub(super) fn settlement(&self, no: PayoutNo) -> Option<&Settlement> {
        let settled = self.view.payout(no)?.settled.as_ref();
        settled.map(|(settlement, _)| settlement)
    }

    /// Whether the payout exists and waits.
    fn is_open(&self, no: PayoutNo) -> bool {
        self.view
            .payout(no)
            .is_some_and(|payout| payout.settled.is_none())
    }

    /// Stores a file, and records the action.
    pub(super) fn add_export(&mut self, new: NewExport, action: Action) -> ExportOutcome {
        assert!(
            new.payouts.is_sorted_by(|one, next| one < next),
            "each payout once, ascending"
        );
        if let Some(same) = self.bank.files.of_key(&new.key) {
            return ExportOutcome::Repeated(same);
        }
        for no in &new.payouts {
            if !self.is_open(*no) {
                return ExportOutcome::NotOpen(*no);
            }
            if let Some(export) = self.bank.files.file_of(*no) {
                return ExportOutcome::Exported(*no, export);
            }
        }
        let files = &mut self.bank.files;
        let no = ExportNo::new(number(files.files.len()));
        let export = PayoutExport {
            no,
            request: new.request,
            format: new.format,
            message_id: new.message_id,
            payouts: u32::try_from(new.payouts.len()).expect("a file has few payouts"),
            amount: new.amount,
            operator: action.operator.clone(),
            at: action.at,
            state: ExportState::Made,
            ended_at: None,
        };
        let in_file = new.payouts.iter().map(|payout| (*payout, no));
        files.in_file.extend(in_file);
        files.files.push(Exported {
            key: new.key,
            export: export.clone(),
            payouts: new.payouts,
            file: new.file,
        });
        self.actions.push(action);
        ExportOutcome::Added(export)
    }

    /// Withdraws a file or records it as paid, and records the action.
    pub(super) fn end_export(&mut self, no: ExportNo, end: ExportState, action: Action) -> ExportEnd {
        let is_paid = |no: &&PayoutNo| matches!(self.settlement(**no), Some(Settlement::Paid(_)));
        let paid = self.bank.files.payouts_of(no).iter().find(is_paid).copied();
        let Some(stored) = self.bank.files.stored_mut(no) else {
            return ExportEnd::Unknown;
        };
        match stored.export.state {
            ExportState::Made => {}
            state if state.has_come_to(end) => return ExportEnd::Repeated(stored.export.clone()),
            other => return ExportEnd::Other(other),
        }
        if let (Some(payout), ExportState::Withdrawn) = (paid, end) {
            return ExportEnd::PayoutPaid(payout);
        }
        (stored.export.state, stored.export.ended_at) = (end, Some(action.at));
        let export = stored.export.clone();
        if end == ExportState::Withdrawn {
            self.bank.files.in_file.retain(|_, export| *export != no);
        }
        self.actions.push(Action {
            amount: Some(export.amount),
            detail: Some(ActionDetail::new(&export.message_id)),
            ..action
        });
        ExportEnd::Ended(export)
    }

    /// Records that the payouts of a file are settled.
    pub(super) fn finish_export(&mut self, no: ExportNo) -> ExportEnd {
        let payouts = self.bank.files.payouts_of(no).iter();
        let open = payouts.copied().find(|payout| self.is_open(*payout));
        let Some(stored) = self.bank.files.stored_mut(no) else {
            return ExportEnd::Unknown;
        };
        match (stored.export.state, open) {
            (ExportState::Settling, None) => {}
            (ExportState::Settling, Some(payout)) => return ExportEnd::PayoutOpen(payout),
            (ExportState::Paid, _) => return ExportEnd::Repeated(stored.export.clone()),
            (other, _) => return ExportEnd::Other(other),
        }
        stored.export.state = ExportState::Paid;
        ExportEnd::Ended(stored.export.clone())
    }
}
