//! The operator's work with statements of the bank: upload one, see what booking it would do, book it, and decide the
//! lines that match no account.
//!
//! What is booked is decided in one transaction ([`BankStore::claim_statement`]), which compares the preview with the one
//! that the operator has seen. The credits follow in batches, each under a reference that only its line has, and then the
//! lines are marked. Whatever dies or is sent twice in between: a server, or the next booking of any statement, makes the
//! missing credits, and the ledger recognises those that were made.

mod columns;
mod crediting;
mod error;
#[cfg(test)]
mod tests;

pub use columns::ColumnsOf;
pub use error::{BankDeskError, StatementBookingError, StatementUploadError};

use std::sync::Arc;

use opencoin_bank::BankLineId;
use opencoin_bank::statement::{self, StatementFormat, StatementReading};
use opencoin_config::{BankConfig, BankCsvConfig};
use opencoin_keys::{Clock, ledger_time};
use opencoin_ledger::bank::{
    BankLineNo, BankLineState, BankLineStateKind, BankStatement, BankStore, BookedStatement, ClaimedLine,
    KeptLine, LineAccount, LineCount, LineOutcome, NewStatement, Preview, PreviewDigest, PreviewLine,
    StatementClaim, StatementDigest, StatementLine, StatementNo,
};
use opencoin_ledger::{
    AccountName, AccountStatus, Action, ActionDetail, ActionKind, ActionSubject, Consent, LedgerTime,
    OperatorName, Proposal, ProposalNo, Reference, Refusal,
};
use sha2::{Digest, Sha256};

use crate::second_person::{Asked, SecondPersonLimit, proposing};
use crate::store::Books;

/// The operator's account at a bank, and how statements are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BankSettings {
    /// The account.
    pub account: BankConfig,
    /// The columns of tables.
    pub columns: BankCsvConfig,
    /// Lines above it need a second operator.
    pub second_person: SecondPersonLimit,
}

/// Reads statements and lines for operators. [`BankDesk::acting`] changes them.
pub struct BankDesk {
    books: Books,
    clock: Arc<dyn Clock>,
    settings: BankSettings,
    divisor: u64,
}

/// Uploads and books statements for an operator. Each change is recorded with who made it.
pub struct ActingBankDesk<'a> {
    desk: &'a BankDesk,
    operator: &'a OperatorName,
}

/// A file that is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFile {
    /// The name of the file, for people.
    pub name: Reference,
    /// Its content.
    pub content: Vec<u8>,
    /// Its form; `None` if the content shows it.
    pub format: Option<StatementFormat>,
    /// The columns, if it is a table.
    pub columns: BankCsvConfig,
}

/// A statement that was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The statement.
    pub statement: BankStatement,
    /// What was claimed for accounts.
    pub booked: BookedStatement,
    /// Whether it was booked before, with the same preview.
    pub repeated: bool,
    /// Lines of any statement whose accounts refused their credits for good since they were claimed. They are unmatched
    /// again.
    pub refused: Vec<ClaimedLine>,
}

impl BankDesk {
    /// The desk of a currency, of which `divisor` smallest units make one.
    pub fn new(books: impl Into<Books>, clock: Arc<dyn Clock>, settings: BankSettings, divisor: u64) -> Self {
        Self {
            books: books.into(),
            clock,
            settings,
            divisor,
        }
    }

    /// Changes statements and lines for the operator with this name.
    #[must_use]
    pub fn acting<'a>(&'a self, operator: &'a OperatorName) -> ActingBankDesk<'a> {
        ActingBankDesk { desk: self, operator }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &BankSettings {
        &self.settings
    }

    /// Up to `limit` statements with numbers below `before`, or all, the newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn statements(
        &self,
        before: Option<StatementNo>,
        limit: u32,
    ) -> Result<Vec<BankStatement>, BankDeskError> {
        Ok(self.store().statements(before, limit).await?)
    }

    /// The statement with this number.
    ///
    /// # Errors
    /// When there is no such statement, or the ledger fails.
    pub async fn statement(&self, no: StatementNo) -> Result<BankStatement, BankDeskError> {
        let statement = self.store().statement(no).await?;
        statement.ok_or(BankDeskError::UnknownStatement(no))
    }

    /// What booking a statement would do now. [`Preview::digest`] names it.
    ///
    /// # Errors
    /// When there is no such statement, or the ledger fails.
    pub async fn preview(&self, no: StatementNo) -> Result<Preview, BankDeskError> {
        let preview = self.store().preview(no).await?;
        preview.ok_or(BankDeskError::UnknownStatement(no))
    }

    /// What booking a statement would do now with these lines of it.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn preview_lines(
        &self,
        no: StatementNo,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<PreviewLine>, BankDeskError> {
        Ok(self.store().preview_lines(no, lines).await?)
    }

    /// How many kept lines are in this state.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn count_lines(&self, state: BankLineStateKind) -> Result<LineCount, BankDeskError> {
        Ok(self.store().count_lines(state).await?)
    }

    /// The numbers of the kept lines among these.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn line_numbers(
        &self,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<(BankLineId, BankLineNo)>, BankDeskError> {
        Ok(self.store().line_numbers(lines).await?)
    }

    /// How many of the new lines are above the limit for one operator. If there are any, another operator than the one who
    /// has uploaded the statement must book it.
    #[must_use]
    pub fn lines_above_limit(&self, preview: &Preview) -> u32 {
        let limit = self.settings.second_person.amount();
        limit.map_or(0, |limit| preview.lines_above(limit))
    }

    /// Up to `limit` kept lines with numbers above `after`, ascending; all of them or those in one state.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn lines(
        &self,
        state: Option<BankLineStateKind>,
        after: BankLineNo,
        limit: u32,
    ) -> Result<Vec<KeptLine>, BankDeskError> {
        Ok(self.store().lines(state, after, limit).await?)
    }

    /// The kept line with this identity.
    ///
    /// # Errors
    /// When there is no such line, or the ledger fails.
    pub async fn line(&self, id: BankLineId) -> Result<KeptLine, BankDeskError> {
        let line = self.store().line(id).await?;
        line.ok_or(BankDeskError::UnknownLine(id))
    }

    /// Credits what a booking that died has left. A booking that goes on meanwhile is not disturbed: each credit counts once.
    pub async fn finish_interrupted(&self) {
        if let Err(error) = self.finish().await {
            tracing::warn!(%error, "an interrupted booking of a bank statement is not finished yet");
        }
    }

    fn store(&self) -> &dyn BankStore {
        self.books.bank.as_ref()
    }

    fn now(&self) -> LedgerTime {
        ledger_time(self.clock.now())
    }

    fn reading(&self, columns: &BankCsvConfig) -> Result<StatementReading, StatementUploadError> {
        let reading = self.settings.account.reading(columns, self.divisor);
        reading
            .map_err(|(key, reason)| StatementUploadError::Setting { key, reason })?
            .ok_or(StatementUploadError::NoAccount)
    }

    /// Carries out the proposal of another operator to assign a line. Returns whether this was repeated.
    pub(crate) async fn assign_proposed(
        &self,
        proposal: &Proposal,
        action: Action,
    ) -> Result<bool, BankDeskError> {
        let id = proposal
            .proposed
            .line()
            .expect("the caller has looked at the kind");
        let payee = self.payee(&proposal.account.name).await?;
        let consent = Consent::Given(proposal.no);
        let outcome = self
            .store()
            .claim_line(id, payee.clone(), action, consent)
            .await?;
        let repeated = is_repeated(id, outcome)?;
        self.booked_line(id, payee).await?;
        Ok(repeated)
    }

    /// The account with this name, if it is not closed.
    async fn payee(&self, name: &AccountName) -> Result<LineAccount, BankDeskError> {
        let profile = self.books.accounts.profile(name).await?;
        let unknown = || BankDeskError::UnknownAccount(name.clone());
        let account = profile.ok_or_else(unknown)?.account;
        if account.status == AccountStatus::Closed {
            return Err(BankDeskError::ClosedAccount(name.clone()));
        }
        Ok(LineAccount {
            id: account.id,
            name: account.name,
        })
    }

    /// Credits what is claimed, and returns this line if it was credited to this account, now or before.
    async fn booked_line(&self, id: BankLineId, payee: LineAccount) -> Result<KeptLine, BankDeskError> {
        self.finish().await?;
        let line = self.line(id).await?;
        match &line.state {
            BankLineState::Booked(booked) if *booked == payee => Ok(line),
            BankLineState::Claimed(claimed) if *claimed == payee => Err(BankDeskError::NotYet(payee.name)),
            BankLineState::Unmatched => Err(BankDeskError::Refused(payee.name)),
            decided => Err(BankDeskError::Decided(decided.clone())),
        }
    }

    async fn proposal(&self, no: ProposalNo) -> Result<Proposal, BankDeskError> {
        let proposal = self.books.operators.proposal(no).await?;
        proposal.ok_or(BankDeskError::Consent(Refusal::UnknownProposal))
    }
}

impl ActingBankDesk<'_> {
    /// Reads and stores a statement. Nothing is booked. Returns the statement, and whether it is new: the same file is
    /// stored once.
    ///
    /// # Errors
    /// When the file is not read, the settings lack the operator's account, or the ledger fails.
    pub async fn upload(&self, file: StatementFile) -> Result<(BankStatement, bool), StatementUploadError> {
        let reading = self.desk.reading(&file.columns)?;
        let name = file.name.clone();
        let format = file
            .format
            .unwrap_or_else(|| StatementFormat::detect(&file.content));
        let columns = match format {
            StatementFormat::Camt053 => None,
            StatementFormat::Csv => Some(self.desk.stored_columns(&file.columns)),
        };
        let read = tokio::task::spawn_blocking(move || read(&file.content, format, &reading));
        let (digest, reading, lines) = read.await.expect("reading a statement does not panic")?;
        let new = NewStatement {
            digest,
            reading,
            columns,
            name: name.clone(),
            lines,
        };
        let action = self.action(ActionKind::UploadStatement, name.as_str());
        Ok(self.desk.store().add_statement(new, action).await?)
    }

    /// Books a statement exactly as this preview shows it, and credits what an interrupted booking has left. Idempotent.
    ///
    /// # Errors
    /// When booking would do something else now, there is no such statement, lines of it cannot be credited yet, or the
    /// ledger fails. After a failure of the ledger the statement may be booked in part; the same call books the rest.
    pub async fn book(
        &self,
        no: StatementNo,
        preview: PreviewDigest,
    ) -> Result<Booking, StatementBookingError> {
        let action = self.action(ActionKind::BookStatement, &no.get().to_string());
        let above = self.desk.settings.second_person.amount();
        let claim = self.desk.store().claim_statement(no, preview, action, above);
        let claim = claim.await?;
        let (statement, repeated) = match claim {
            StatementClaim::Claimed(statement) => (statement, false),
            StatementClaim::Repeated(statement) => (statement, true),
            StatementClaim::Changed => return Err(StatementBookingError::PreviewChanged),
            StatementClaim::NeedsAnother(lines) => return Err(StatementBookingError::NeedsAnother(lines)),
            StatementClaim::Unknown => return Err(StatementBookingError::UnknownStatement(no)),
        };
        let refused = self.desk.finish().await?;
        let waiting = self.desk.waiting(no).await?;
        if !waiting.is_empty() {
            return Err(StatementBookingError::Waiting(waiting));
        }
        let booked = statement.booked.clone();
        Ok(Booking {
            booked: booked.expect("a claimed statement says what was claimed"),
            statement,
            repeated,
            refused,
        })
    }

    /// Credits an unmatched line to an account, or proposes it if it is above the limit. Idempotent. Returns the line, and
    /// whether this was repeated.
    ///
    /// # Errors
    /// When there is no such line or account, the account is closed, the line was decided before in another way, something
    /// else is proposed for it, or the ledger fails.
    pub async fn assign(
        &self,
        id: BankLineId,
        name: &AccountName,
    ) -> Result<Asked<(KeptLine, bool)>, BankDeskError> {
        let payee = self.desk.payee(name).await?;
        let amount = self.desk.line(id).await?.amount();
        let action = Action {
            amount,
            detail: Some(ActionDetail::new(&format!("to {name}"))),
            ..self.action(ActionKind::AssignBankLine, &id.to_string())
        };
        let limit = self.desk.settings.second_person;
        let consent = amount.map_or(Consent::NotNeeded, |amount| limit.consent(amount));
        let action = match consent {
            Consent::Needed => proposing(action),
            Consent::NotNeeded | Consent::Given(_) => action,
        };
        let outcome = self.desk.store().claim_line(id, payee.clone(), action, consent);
        let repeated = match outcome.await? {
            LineOutcome::Proposed(no) => return Ok(Asked::Waits(Box::new(self.desk.proposal(no).await?))),
            outcome => is_repeated(id, outcome)?,
        };
        let line = self.desk.booked_line(id, payee).await?;
        Ok(Asked::Done((line, repeated)))
    }

    /// Sets an unmatched line aside for good: it is not the money of an account. Idempotent. Returns the line, and whether
    /// this was repeated.
    ///
    /// # Errors
    /// When there is no such line, it was decided before in another way, or the ledger fails.
    pub async fn set_aside(
        &self,
        id: BankLineId,
        reason: Reference,
    ) -> Result<(KeptLine, bool), BankDeskError> {
        let amount = self.desk.line(id).await?.amount();
        let action = Action {
            amount,
            detail: Some(ActionDetail::new(reason.as_str())),
            ..self.action(ActionKind::SetBankLineAside, &id.to_string())
        };
        let outcome = self.desk.store().set_aside(id, reason, action).await?;
        let repeated = is_repeated(id, outcome)?;
        Ok((self.desk.line(id).await?, repeated))
    }

    fn action(&self, kind: ActionKind, subject: &str) -> Action {
        Action {
            operator: self.operator.clone(),
            kind,
            subject: ActionSubject::new(subject),
            amount: None,
            detail: None,
            at: self.desk.now(),
        }
    }
}

fn is_repeated(id: BankLineId, outcome: LineOutcome) -> Result<bool, BankDeskError> {
    match outcome {
        LineOutcome::Changed => Ok(false),
        LineOutcome::Repeated => Ok(true),
        LineOutcome::Decided(state) => Err(BankDeskError::Decided(state)),
        LineOutcome::Unknown => Err(BankDeskError::UnknownLine(id)),
        LineOutcome::Refused(refusal) => Err(BankDeskError::Consent(refusal)),
        LineOutcome::Proposed(_) => unreachable!("only an assignment is proposed, and its caller looks"),
    }
}

fn read(
    content: &[u8],
    format: StatementFormat,
    reading: &StatementReading,
) -> Result<(StatementDigest, [u8; 32], Vec<StatementLine>), StatementUploadError> {
    let lines = statement::read(content, format, reading)?;
    let mut hash = Sha256::new();
    hash.update(b"opencoin bank statement");
    // A table that was read with other columns is another statement. A CAMT.053 file is the same whatever they are.
    let how = match format {
        StatementFormat::Camt053 => format!("{:?} {:?}", reading.account, reading.currency),
        StatementFormat::Csv => format!("{reading:?}"),
    };
    hash.update((how.len() as u64).to_be_bytes());
    hash.update(how);
    hash.update(content);
    let digest = StatementDigest::new(hash.finalize().into());
    let columns = match format {
        StatementFormat::Camt053 => String::new(),
        StatementFormat::Csv => format!("{:?}", reading.columns),
    };
    let reading = Sha256::new()
        .chain_update(b"opencoin bank statement reading")
        .chain_update(columns)
        .finalize();
    Ok((
        digest,
        reading.into(),
        lines.into_iter().map(Into::into).collect(),
    ))
}
