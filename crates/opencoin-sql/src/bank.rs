//! The interface [`BankStore`], for every store.

mod claims;
mod exports;
mod proposed;
mod rows;
mod statements;

use async_trait::async_trait;
use opencoin_bank::BankLineId;
use opencoin_ledger::bank::{
    BankLineNo, BankLineState, BankLineStateKind, BankStatement, BankStore, ClaimOutcome, ClaimedLine,
    ExportEnd, ExportNo, ExportOutcome, ExportState, KeptLine, LineAccount, LineCount, LineOutcome,
    NewExport, NewStatement, PayoutExport, Preview, PreviewDigest, PreviewLine, StatementClaim, StatementNo,
};
use opencoin_ledger::{
    Action, Amount, Consent, IdempotencyKey, LedgerError, LedgerTime, PayoutNo, Reference,
};

use crate::Runner;

/// The most payouts or lines that are looked up at a time.
const READ_AT_A_TIME_MAX: usize = 256;

/// Implements [`BankStore`] on the reads and transactions of a store.
#[derive(Debug, Clone)]
pub struct SqlBank<R>(pub R);

#[async_trait]
impl<R: Runner> BankStore for SqlBank<R> {
    async fn add_statement(
        &self,
        statement: NewStatement,
        action: Action,
    ) -> Result<(BankStatement, bool), LedgerError> {
        let arguments = (statement, action);
        let change = self
            .0
            .change("add a bank statement", arguments, |sql, (statement, action)| {
                Box::pin(statements::add(sql, statement, action))
            });
        change.await
    }

    async fn statements(
        &self,
        before: Option<StatementNo>,
        limit: u32,
    ) -> Result<Vec<BankStatement>, LedgerError> {
        let read = self
            .0
            .read("bank statements", (before, limit), |sql, (before, limit)| {
                Box::pin(statements::page(sql, *before, *limit))
            });
        read.await
    }

    async fn statement(&self, no: StatementNo) -> Result<Option<BankStatement>, LedgerError> {
        let read = self.0.read("bank statement", no, |sql, no| {
            Box::pin(statements::by_no(sql, *no, ""))
        });
        read.await
    }

    async fn typed_columns(&self) -> Result<Option<String>, LedgerError> {
        let read = self.0.read("columns of the bank's tables", (), |sql, ()| {
            Box::pin(statements::typed_columns(sql))
        });
        read.await
    }

    async fn preview(&self, no: StatementNo) -> Result<Option<Preview>, LedgerError> {
        let read = self.0.read("preview of a bank statement", no, |sql, no| {
            Box::pin(statements::preview(sql, *no))
        });
        read.await
    }

    async fn preview_lines(
        &self,
        no: StatementNo,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<PreviewLine>, LedgerError> {
        let read = self
            .0
            .read("preview of bank lines", (no, lines), |sql, (no, lines)| {
                Box::pin(statements::preview_lines(sql, *no, lines))
            });
        read.await
    }

    async fn claim_statement(
        &self,
        no: StatementNo,
        preview: PreviewDigest,
        action: Action,
        above: Option<Amount>,
    ) -> Result<StatementClaim, LedgerError> {
        let arguments = (no, preview, action, above);
        let change = self.0.change(
            "claim a bank statement",
            arguments,
            |sql, (no, preview, action, above)| {
                Box::pin(claims::statement(sql, *no, *preview, action, *above))
            },
        );
        change.await
    }

    async fn lines(
        &self,
        state: Option<BankLineStateKind>,
        after: BankLineNo,
        limit: u32,
    ) -> Result<Vec<KeptLine>, LedgerError> {
        let arguments = (state, after, limit);
        let read = self
            .0
            .read("bank lines", arguments, |sql, (state, after, limit)| {
                Box::pin(rows::kept_page(sql, *state, *after, *limit))
            });
        read.await
    }

    async fn count_lines(&self, state: BankLineStateKind) -> Result<LineCount, LedgerError> {
        let read = self.0.read("number of bank lines", state, |sql, state| {
            Box::pin(rows::count(sql, *state))
        });
        read.await
    }

    async fn line_numbers(
        &self,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<(BankLineId, BankLineNo)>, LedgerError> {
        let read = self.0.read("numbers of bank lines", lines, |sql, lines| {
            Box::pin(rows::numbers(sql, lines))
        });
        read.await
    }

    async fn line(&self, id: BankLineId) -> Result<Option<KeptLine>, LedgerError> {
        let read = self
            .0
            .read("bank line", id, |sql, id| Box::pin(rows::kept(sql, *id)));
        read.await
    }

    async fn claim_line(
        &self,
        id: BankLineId,
        account: LineAccount,
        action: Action,
        consent: Consent,
    ) -> Result<LineOutcome, LedgerError> {
        let arguments = (id, account, action, consent);
        let change = self.0.change(
            "claim a bank line",
            arguments,
            |sql, (id, account, action, consent)| {
                Box::pin(proposed::claim(sql, *id, account, action, *consent))
            },
        );
        change.await
    }

    async fn set_aside(
        &self,
        id: BankLineId,
        reason: Reference,
        action: Action,
    ) -> Result<LineOutcome, LedgerError> {
        let arguments = (id, BankLineState::SetAside(reason), action);
        let change = self
            .0
            .change("set a bank line aside", arguments, |sql, (id, state, action)| {
                Box::pin(claims::line(sql, *id, state, action))
            });
        change.await
    }

    async fn claimed(&self, after: BankLineNo, limit: u32) -> Result<Vec<ClaimedLine>, LedgerError> {
        let read = self
            .0
            .read("claimed bank lines", (after, limit), |sql, (after, limit)| {
                Box::pin(claims::open(sql, *after, *limit))
            });
        read.await
    }

    async fn end_claims(
        &self,
        claims: Vec<(ClaimedLine, ClaimOutcome)>,
        at: LedgerTime,
    ) -> Result<(), LedgerError> {
        let change = self
            .0
            .change("end claims of bank lines", (claims, at), |sql, (claims, at)| {
                Box::pin(claims::end(sql, claims, *at))
            });
        change.await
    }

    async fn add_export(&self, export: NewExport, action: Action) -> Result<ExportOutcome, LedgerError> {
        let arguments = (export, action);
        let change = self
            .0
            .change("add a payout export", arguments, |sql, (export, action)| {
                Box::pin(exports::add(sql, export, action))
            });
        change.await
    }

    async fn export_of(&self, key: &IdempotencyKey) -> Result<Option<PayoutExport>, LedgerError> {
        let read = self.0.read("payout export of a key", key.clone(), |sql, key| {
            Box::pin(exports::of_key(sql, key))
        });
        read.await
    }

    async fn exports(&self, before: Option<ExportNo>, limit: u32) -> Result<Vec<PayoutExport>, LedgerError> {
        let read = self
            .0
            .read("payout exports", (before, limit), |sql, (before, limit)| {
                Box::pin(exports::page(sql, *before, *limit))
            });
        read.await
    }

    async fn export_file(&self, no: ExportNo) -> Result<Option<(PayoutExport, Vec<u8>)>, LedgerError> {
        let read = self
            .0
            .read("payout export", no, |sql, no| Box::pin(exports::file(sql, *no)));
        read.await
    }

    async fn payouts_of_export(&self, no: ExportNo) -> Result<Vec<PayoutNo>, LedgerError> {
        let read = self.0.read("payouts of an export", no, |sql, no| {
            Box::pin(exports::payouts_of(sql, *no))
        });
        read.await
    }

    async fn withdraw_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError> {
        let change = self
            .0
            .change("withdraw a payout export", (no, action), |sql, (no, action)| {
                Box::pin(exports::end(sql, *no, ExportState::Withdrawn, action))
            });
        change.await
    }

    async fn pay_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError> {
        let change = self
            .0
            .change("pay a payout export", (no, action), |sql, (no, action)| {
                Box::pin(exports::end(sql, *no, ExportState::Settling, action))
            });
        change.await
    }

    async fn finish_export(&self, no: ExportNo) -> Result<ExportEnd, LedgerError> {
        let change = self.0.change("finish a payout export", no, |sql, no| {
            Box::pin(exports::finish(sql, *no))
        });
        change.await
    }

    async fn settling_exports(&self, limit: u32) -> Result<Vec<PayoutExport>, LedgerError> {
        let read = self.0.read("settling payout exports", limit, |sql, limit| {
            Box::pin(exports::settling(sql, *limit))
        });
        read.await
    }

    async fn failed_of_export(&self, no: ExportNo) -> Result<Option<PayoutNo>, LedgerError> {
        let read = self.0.read("failed payout of an export", no, |sql, no| {
            Box::pin(exports::failed(sql, *no))
        });
        read.await
    }

    async fn exported(&self, payouts: Vec<PayoutNo>) -> Result<Vec<(PayoutNo, ExportNo)>, LedgerError> {
        let read = self.0.read("exported payouts", payouts, |sql, payouts| {
            Box::pin(exports::exported(sql, payouts))
        });
        read.await
    }
}
