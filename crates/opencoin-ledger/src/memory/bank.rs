//! Statements of the bank, in the in-memory ledger.

use std::collections::BTreeMap;

use async_trait::async_trait;
use opencoin_bank::BankLineId;

use super::exports::MemoryFiles;
use super::{MemoryLedger, State, number};
use crate::bank::{
    BankLineNo, BankLineState, BankLineStateKind, BankStatement, BankStore, BookedStatement, ClaimOutcome,
    ClaimedLine, ExportEnd, ExportNo, ExportOutcome, ExportState, IncomingLine, KeptLine, LineAccount,
    LineCount, LineMeaning, LineOutcome, NewExport, NewStatement, PayoutExport, Preview, PreviewDigest,
    PreviewLine, StatementClaim, StatementDigest, StatementLine, StatementNo, TableColumns, VerdictOn,
    is_other_content, verdicts,
};
use crate::{
    AccountStatus, Action, Amount, Consent, IdempotencyKey, LedgerError, LedgerTime, OperatorName, PayoutNo,
    Proposal, ProposalNo, ProposalVerdict, Reference, Settlement, line_consent,
};

/// Statements and kept lines.
#[derive(Debug, Default)]
pub(super) struct MemoryBank {
    statements: Vec<Uploaded>,
    /// In the order of their numbers from 1.
    lines: Vec<KeptLine>,
    by_id: BTreeMap<BankLineId, usize>,
    pub(super) files: MemoryFiles,
}

#[derive(Debug)]
struct Uploaded {
    digest: StatementDigest,
    reading: [u8; 32],
    columns: Option<TableColumns>,
    statement: BankStatement,
    lines: Vec<StatementLine>,
}

impl MemoryBank {
    fn line(&self, id: BankLineId) -> Option<&KeptLine> {
        self.by_id.get(&id).map(|index| &self.lines[*index])
    }

    fn line_mut(&mut self, id: BankLineId) -> Option<&mut KeptLine> {
        self.by_id.get(&id).map(|index| &mut self.lines[*index])
    }

    fn uploaded(&self, no: StatementNo) -> Option<&Uploaded> {
        let index = usize::try_from(no.get()).ok()?.checked_sub(1)?;
        self.statements.get(index)
    }

    /// Brings a line into a state, and keeps it if it is new.
    fn put(&mut self, line: &StatementLine, state: BankLineState, by: (StatementNo, &Action)) {
        let Some(id) = line.id() else { return };
        let (statement, action) = by;
        if let Some(kept) = self.line_mut(id) {
            kept.change(state, &action.operator, action.at);
            return;
        }
        let index = self.lines.len();
        self.lines.push(KeptLine {
            no: BankLineNo::new(number(index)),
            statement,
            line: line.clone(),
            state,
            operator: action.operator.clone(),
            at: action.at,
        });
        self.by_id.insert(id, index);
    }
}

impl KeptLine {
    fn change(&mut self, state: BankLineState, operator: &OperatorName, at: LedgerTime) {
        (self.state, self.operator, self.at) = (state, operator.clone(), at);
    }
}

impl State {
    fn preview(&self, no: StatementNo) -> Option<Preview> {
        let uploaded = self.bank.uploaded(no)?;
        let lines = uploaded.lines.iter();
        let lines = lines.map(|line| (line.clone(), self.verdict_on(line, uploaded)));
        Some(Preview {
            lines: verdicts(lines.collect()),
            statement: uploaded.statement.clone(),
        })
    }

    fn verdict_on(&self, line: &StatementLine, uploaded: &Uploaded) -> VerdictOn {
        let kept = line.id().and_then(|id| self.bank.line(id));
        let is_same_reading = |kept: &KeptLine| {
            let statement = self.bank.uploaded(kept.statement);
            statement.is_some_and(|statement| statement.reading == uploaded.reading)
        };
        let is_other = |kept: &KeptLine| {
            let LineMeaning::Incoming(incoming) = &kept.line.meaning else {
                return false;
            };
            let codes = incoming.codes.join(" ");
            is_other_content(line, (&codes, &kept.line.content.text), is_same_reading(kept))
        };
        let content = &line.content;
        let may_be = |kept: &KeptLine| {
            kept.line.content.account == content.account
                && kept.line.content.day == content.day
                && kept.amount() == line.amount()
                && !is_same_reading(kept)
                && !uploaded.lines.iter().any(|other| other.id() == kept.line.id())
        };
        VerdictOn {
            is_other_content: kept.is_some_and(is_other),
            shares_reference: false,
            may_be_booked: self.bank.lines.iter().any(may_be),
            kept: kept.map(|kept| kept.state.clone()),
            payee: self.payee(line),
        }
    }

    fn payee(&self, line: &StatementLine) -> Option<(LineAccount, AccountStatus)> {
        let LineMeaning::Incoming(incoming) = &line.meaning else {
            return None;
        };
        let [code] = &incoming.codes[..] else { return None };
        let account = self.view.account_by_name(&code.parse().ok()?)?;
        let payee = LineAccount {
            id: account.id,
            name: account.name.clone(),
        };
        Some((payee, account.status))
    }

    /// Proposes to claim a line.
    fn propose_line(&mut self, id: BankLineId, account: LineAccount, action: Action) -> LineOutcome {
        let Some(kept) = self.bank.line(id) else {
            return LineOutcome::Unknown;
        };
        if kept.state != BankLineState::Unmatched {
            return decided(kept, &BankLineState::Claimed(account));
        }
        let LineMeaning::Incoming(IncomingLine { amount, .. }) = kept.line.meaning else {
            unreachable!("only incoming money is kept");
        };
        let proposal = Proposal::of_line(self.view.next_proposal(), (id, account, amount), &action);
        if let Some(waiting) = self.view.waiting_proposal(&proposal.proposed.reference()) {
            return proposal.beside(waiting);
        }
        let no = proposal.no;
        self.view.propose(proposal);
        self.view.note_action(action);
        self.append();
        LineOutcome::Proposed(no)
    }

    /// Carries out the proposal of another operator to claim a line.
    fn claim_proposed(
        &mut self,
        id: BankLineId,
        account: LineAccount,
        action: Action,
        no: ProposalNo,
    ) -> LineOutcome {
        let proposal = self.view.proposal(no).cloned();
        let consent = line_consent(proposal.as_ref(), (id, account.id), &action);
        let is_decided = match consent {
            Ok(is_decided) => is_decided,
            Err(refusal) => return LineOutcome::Refused(refusal),
        };
        let verdict = ProposalVerdict::carried_out(&action);
        let outcome = if is_decided {
            LineOutcome::Repeated
        } else {
            self.decide_line(id, BankLineState::Claimed(account), action)
        };
        if !is_decided && matches!(outcome, LineOutcome::Changed | LineOutcome::Repeated) {
            self.view.decide_proposal(no, verdict);
            self.append();
        }
        outcome
    }

    /// Changes an unmatched line and records the action.
    fn decide_line(&mut self, id: BankLineId, state: BankLineState, action: Action) -> LineOutcome {
        let Some(kept) = self.bank.line_mut(id) else {
            return LineOutcome::Unknown;
        };
        if kept.state != BankLineState::Unmatched {
            return decided(kept, &state);
        }
        kept.change(state, &action.operator, action.at);
        self.actions.push(action);
        LineOutcome::Changed
    }
}

/// What becomes of a change of a line that was decided before.
fn decided(kept: &KeptLine, state: &BankLineState) -> LineOutcome {
    if kept.state.is_same_decision(state) {
        LineOutcome::Repeated
    } else {
        LineOutcome::Decided(kept.state.clone())
    }
}

#[async_trait]
impl BankStore for MemoryLedger {
    async fn add_statement(
        &self,
        statement: NewStatement,
        action: Action,
    ) -> Result<(BankStatement, bool), LedgerError> {
        let mut state = self.state();
        let mut same = state.bank.statements.iter();
        if let Some(found) = same.find(|uploaded| uploaded.digest == statement.digest) {
            return Ok((found.statement.clone(), false));
        }
        let no = StatementNo::new(number(state.bank.statements.len()));
        let uploaded = BankStatement {
            no,
            name: statement.name,
            at: action.at,
            operator: action.operator.clone(),
            lines: u32::try_from(statement.lines.len()).expect("a statement has few lines"),
            booked: None,
        };
        state.bank.statements.push(Uploaded {
            digest: statement.digest,
            reading: statement.reading,
            columns: statement.columns,
            statement: uploaded.clone(),
            lines: statement.lines,
        });
        state.actions.push(action);
        Ok((uploaded, true))
    }

    async fn statements(
        &self,
        before: Option<StatementNo>,
        limit: u32,
    ) -> Result<Vec<BankStatement>, LedgerError> {
        let state = self.state();
        let all = state.bank.statements.iter().rev();
        Ok(all
            .map(|uploaded| uploaded.statement.clone())
            .filter(|statement| before.is_none_or(|before| statement.no < before))
            .take(limit as usize)
            .collect())
    }

    async fn statement(&self, no: StatementNo) -> Result<Option<BankStatement>, LedgerError> {
        let state = self.state();
        Ok(state.bank.uploaded(no).map(|uploaded| uploaded.statement.clone()))
    }

    async fn typed_columns(&self) -> Result<Option<String>, LedgerError> {
        let state = self.state();
        let booked = state.bank.statements.iter().rev();
        let mut booked = booked.filter(|uploaded| uploaded.statement.booked.is_some());
        let newest = booked.find_map(|uploaded| uploaded.columns.as_ref());
        Ok(match newest {
            Some(TableColumns::Typed(columns)) => Some(columns.clone()),
            Some(TableColumns::OfSettings) | None => None,
        })
    }

    async fn preview(&self, no: StatementNo) -> Result<Option<Preview>, LedgerError> {
        Ok(self.state().preview(no))
    }

    async fn preview_lines(
        &self,
        no: StatementNo,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<PreviewLine>, LedgerError> {
        let mut found = self
            .state()
            .preview(no)
            .map_or_else(Vec::new, |preview| preview.lines);
        found.retain(|found| found.line.id().is_some_and(|id| lines.contains(&id)));
        Ok(found)
    }

    async fn claim_statement(
        &self,
        no: StatementNo,
        digest: PreviewDigest,
        action: Action,
        above: Option<Amount>,
    ) -> Result<StatementClaim, LedgerError> {
        let mut state = self.state();
        let Some(preview) = state.preview(no) else {
            return Ok(StatementClaim::Unknown);
        };
        let booked = preview.statement.booked.as_ref();
        let is_repeated = booked.is_some_and(|booked| booked.preview == digest);
        if preview.digest() != digest {
            return Ok(if is_repeated {
                StatementClaim::Repeated(preview.statement)
            } else {
                StatementClaim::Changed
            });
        }
        if preview.is_booked_already() {
            return Ok(StatementClaim::Repeated(preview.statement));
        }
        if let Some(lines) = preview.needs_another(&action.operator, above) {
            return Ok(StatementClaim::NeedsAnother(lines));
        }
        for (line, account) in preview.new_lines() {
            let claimed = BankLineState::Claimed(account.clone());
            state.bank.put(line, claimed, (no, &action));
        }
        for line in preview.lines_to_keep() {
            state.bank.put(line, BankLineState::Unmatched, (no, &action));
        }
        let amount = preview.new_amount();
        let index = usize::try_from(no.get() - 1).expect("the statement was found");
        let statement = &mut state.bank.statements[index].statement;
        statement.booked = Some(BookedStatement {
            preview: digest,
            lines: u32::try_from(preview.new_lines().count()).expect("a statement has few lines"),
            amount,
            at: action.at,
        });
        let statement = statement.clone();
        let amount = Some(amount);
        state.actions.push(Action { amount, ..action });
        Ok(StatementClaim::Claimed(statement))
    }

    async fn lines(
        &self,
        state: Option<BankLineStateKind>,
        after: BankLineNo,
        limit: u32,
    ) -> Result<Vec<KeptLine>, LedgerError> {
        let is_wanted =
            |line: &&KeptLine| line.no > after && state.is_none_or(|kind| line.state.kind() == kind);
        let books = self.state();
        let lines = books.bank.lines.iter().filter(is_wanted);
        Ok(lines.take(limit as usize).cloned().collect())
    }

    async fn count_lines(&self, state: BankLineStateKind) -> Result<LineCount, LedgerError> {
        let books = self.state();
        let lines = books.bank.lines.iter();
        let lines = lines.filter(|line| line.state.kind() == state);
        Ok(LineCount {
            oldest: lines.clone().map(|line| line.at).min(),
            count: lines.count() as u64,
        })
    }

    async fn line_numbers(
        &self,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<(BankLineId, BankLineNo)>, LedgerError> {
        let books = self.state();
        let number = |id: BankLineId| Some((id, books.bank.line(id)?.no));
        Ok(lines.into_iter().filter_map(number).collect())
    }

    async fn line(&self, id: BankLineId) -> Result<Option<KeptLine>, LedgerError> {
        Ok(self.state().bank.line(id).cloned())
    }

    async fn claim_line(
        &self,
        id: BankLineId,
        account: LineAccount,
        action: Action,
        consent: Consent,
    ) -> Result<LineOutcome, LedgerError> {
        let mut state = self.state();
        Ok(match consent {
            Consent::NotNeeded => state.decide_line(id, BankLineState::Claimed(account), action),
            Consent::Needed => state.propose_line(id, account, action),
            Consent::Given(no) => state.claim_proposed(id, account, action, no),
        })
    }

    async fn set_aside(
        &self,
        id: BankLineId,
        reason: Reference,
        action: Action,
    ) -> Result<LineOutcome, LedgerError> {
        let set_aside = BankLineState::SetAside(reason);
        Ok(self.state().decide_line(id, set_aside, action))
    }

    async fn claimed(&self, after: BankLineNo, limit: u32) -> Result<Vec<ClaimedLine>, LedgerError> {
        let state = self.state();
        let claimed = state.bank.lines.iter().filter_map(KeptLine::claimed);
        Ok(claimed
            .filter(|line| line.no > after)
            .take(limit as usize)
            .collect())
    }

    async fn end_claims(
        &self,
        claims: Vec<(ClaimedLine, ClaimOutcome)>,
        at: LedgerTime,
    ) -> Result<(), LedgerError> {
        let mut state = self.state();
        for (claim, outcome) in claims {
            let Some(kept) = state.bank.line_mut(claim.id) else {
                continue;
            };
            if kept.state == BankLineState::Claimed(claim.account.clone()) {
                kept.at = at;
                kept.state = match outcome {
                    ClaimOutcome::Credited => BankLineState::Booked(claim.account),
                    ClaimOutcome::Refused => BankLineState::Unmatched,
                };
            }
        }
        Ok(())
    }

    async fn add_export(&self, new: NewExport, action: Action) -> Result<ExportOutcome, LedgerError> {
        Ok(self.state().add_export(new, action))
    }

    async fn export_of(&self, key: &IdempotencyKey) -> Result<Option<PayoutExport>, LedgerError> {
        Ok(self.state().bank.files.of_key(key))
    }

    async fn exports(&self, before: Option<ExportNo>, limit: u32) -> Result<Vec<PayoutExport>, LedgerError> {
        let state = self.state();
        let all = state.bank.files.all().rev();
        Ok(all
            .filter(|export| before.is_none_or(|before| export.no < before))
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn export_file(&self, no: ExportNo) -> Result<Option<(PayoutExport, Vec<u8>)>, LedgerError> {
        Ok(self.state().bank.files.file(no))
    }

    async fn payouts_of_export(&self, no: ExportNo) -> Result<Vec<PayoutNo>, LedgerError> {
        Ok(self.state().bank.files.payouts_of(no).to_vec())
    }

    async fn withdraw_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError> {
        Ok(self.state().end_export(no, ExportState::Withdrawn, action))
    }

    async fn pay_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError> {
        Ok(self.state().end_export(no, ExportState::Settling, action))
    }

    async fn finish_export(&self, no: ExportNo) -> Result<ExportEnd, LedgerError> {
        Ok(self.state().finish_export(no))
    }

    async fn settling_exports(&self, limit: u32) -> Result<Vec<PayoutExport>, LedgerError> {
        let state = self.state();
        let all = state.bank.files.all();
        let settling = all.filter(|export| export.state == ExportState::Settling);
        Ok(settling.take(limit as usize).cloned().collect())
    }

    async fn failed_of_export(&self, no: ExportNo) -> Result<Option<PayoutNo>, LedgerError> {
        let state = self.state();
        let has_failed = |no: &&PayoutNo| matches!(state.settlement(**no), Some(Settlement::Failed(_)));
        Ok(state.bank.files.payouts_of(no).iter().find(has_failed).copied())
    }

    async fn exported(&self, payouts: Vec<PayoutNo>) -> Result<Vec<(PayoutNo, ExportNo)>, LedgerError> {
        let state = self.state();
        let mut payouts = payouts;
        payouts.sort_unstable();
        payouts.dedup();
        let file_of = |no: PayoutNo| Some((no, state.bank.files.file_of(no)?));
        Ok(payouts.into_iter().filter_map(file_of).collect())
    }
}
