//! Files of payouts for the bank, each payout in one at most.
//!
//! A file is made from the payouts' rows, which never change, and stored with its bytes in the transaction that puts its
//! payouts into it. So a request that is sent again gets the same bytes, and the bank, which knows the id of the message,
//! pays once.

mod ending;
mod error;
mod file;
#[cfg(test)]
mod tests;

pub use ending::PaidExport;
pub use error::PayoutDeskError;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use opencoin_config::BankConfig;
use opencoin_keys::{Clock, ledger_time};
use opencoin_ledger::bank::{ExportFormat, ExportNo, ExportOutcome, ExportState, NewExport, PayoutExport};
use opencoin_ledger::{
    Action, ActionDetail, ActionKind, ActionSubject, Amount, IdempotencyKey, OperatorName, Payout, PayoutNo,
};
use sha2::{Digest, Sha256};

use crate::bank_desk::BankSettings;
use crate::second_person::SecondPersonLimit;
use crate::store::Books;

/// The most payouts of one file.
pub const EXPORT_PAYOUTS_MAX: usize = 1_000;
/// How many days ahead a bank may be asked to pay.
const EXECUTION_DAYS_MAX: i64 = 366;
/// The longest id of a message for a bank has 35 characters: two letters and 32 digits.
const MESSAGE_ID_BYTES: usize = 16;

/// Makes files of payouts. [`PayoutDesk::acting`] says for whom.
pub struct PayoutDesk {
    books: Books,
    clock: Arc<dyn Clock>,
    account: BankConfig,
    second_person: SecondPersonLimit,
    divisor: u64,
    currency: String,
}

/// Makes files of payouts for an operator.
pub struct ActingPayoutDesk<'a> {
    desk: &'a PayoutDesk,
    operator: &'a OperatorName,
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// The same key gets the same file.
    pub key: IdempotencyKey,
    /// The payouts, in any order.
    pub payouts: Vec<PayoutNo>,
    /// The form of the file.
    pub format: ExportFormat,
    /// The day on which the bank shall pay; `None` for the day of the request.
    pub execution: Option<NaiveDate>,
}

/// A file for the bank.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// What is known of it.
    pub export: PayoutExport,
    /// The bytes.
    pub file: Vec<u8>,
    /// Whether it was made before.
    pub repeated: bool,
}

impl PayoutDesk {
    /// The desk of a currency with this name, of which `divisor` smallest units make one.
    pub fn new(
        books: impl Into<Books>,
        clock: Arc<dyn Clock>,
        settings: BankSettings,
        (currency, divisor): (String, u64),
    ) -> Self {
        Self {
            books: books.into(),
            clock,
            account: settings.account,
            second_person: settings.second_person,
            divisor,
            currency,
        }
    }

    /// Makes files for the operator with this name.
    #[must_use]
    pub fn acting<'a>(&'a self, operator: &'a OperatorName) -> ActingPayoutDesk<'a> {
        ActingPayoutDesk { desk: self, operator }
    }

    /// Up to `limit` files with numbers below `before`, or all, the newest first.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn exports(
        &self,
        before: Option<ExportNo>,
        limit: u32,
    ) -> Result<Vec<PayoutExport>, PayoutDeskError> {
        Ok(self.books.bank.exports(before, limit).await?)
    }

    /// A file that was made before. It is not given out when one of its payouts has failed: the holder has that money back.
    ///
    /// # Errors
    /// When there is no such file, it was withdrawn, one of its payouts has failed, or the ledger fails.
    pub async fn file(&self, no: ExportNo) -> Result<ExportedFile, PayoutDeskError> {
        let found = self.books.bank.export_file(no).await?;
        // Afterwards, so that the newest state decides.
        let failed = self.books.bank.failed_of_export(no).await?;
        let (export, file) = found.ok_or(PayoutDeskError::UnknownExport(no))?;
        if export.state == ExportState::Withdrawn {
            return Err(PayoutDeskError::Withdrawn(no));
        }
        if let Some(payout) = failed {
            return Err(PayoutDeskError::Failed(payout, no));
        }
        Ok(ExportedFile {
            export,
            file,
            repeated: true,
        })
    }

    /// What is known of a file, and its payouts, ascending, also of one that was withdrawn.
    ///
    /// # Errors
    /// When there is no such file, or the ledger fails.
    pub async fn export(&self, no: ExportNo) -> Result<(PayoutExport, Vec<Payout>), PayoutDeskError> {
        let above = no.get().checked_add(1).map(ExportNo::new);
        let found = self.books.bank.exports(above, 1).await?.into_iter().next();
        let found = found.filter(|export| export.no == no);
        let export = found.ok_or(PayoutDeskError::UnknownExport(no))?;
        let numbers = self.books.bank.payouts_of_export(no).await?;
        let payouts = self.payouts(numbers).await?;
        Ok((export, payouts))
    }

    /// The payouts with these numbers, ascending. Numbers of no payout are left out.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn payouts(&self, numbers: Vec<PayoutNo>) -> Result<Vec<Payout>, PayoutDeskError> {
        Ok(self.books.accounts.payouts_with(numbers).await?)
    }

    /// The files that were not withdrawn in which these payouts are. They are in ascending order.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn exported(&self, payouts: &[Payout]) -> Result<Vec<(PayoutNo, ExportNo)>, PayoutDeskError> {
        let numbers = payouts.iter().map(|payout| payout.no).collect();
        Ok(self.books.bank.exported(numbers).await?)
    }
}

impl ActingPayoutDesk<'_> {
    /// Makes a file of open payouts that are in no other file. Idempotent by the key.
    ///
    /// # Errors
    /// When a payout is unknown, settled, in another file, or its destination is no account at a bank; when the settings
    /// lack the operator's account; when the day of execution is past or far ahead; when the key was used for another
    /// request; when the file was made before and one of its payouts has failed; when the ledger fails.
    pub async fn export(&self, mut request: ExportRequest) -> Result<ExportedFile, PayoutDeskError> {
        if request.payouts.is_empty() || request.payouts.len() > EXPORT_PAYOUTS_MAX {
            return Err(PayoutDeskError::Number);
        }
        request.payouts.sort_unstable();
        request.payouts.dedup();
        let digest = digest(&request);
        if let Some(before) = self.desk.books.bank.export_of(&request.key).await? {
            return self.repeated(before, digest).await;
        }
        let (now, no) = (self.desk.clock.now(), &request.payouts);
        let today = now.date_naive();
        let is_near = |day: &NaiveDate| (0..=EXECUTION_DAYS_MAX).contains(&(*day - today).num_days());
        if !request.execution.as_ref().is_none_or(is_near) {
            return Err(PayoutDeskError::Execution(today));
        }
        let payouts = self.payouts(no).await?;
        let amount = payouts
            .iter()
            .try_fold(Amount::ZERO, |sum, payout| sum.checked_add(payout.amount));
        let amount = amount.ok_or(PayoutDeskError::Sum)?;
        let message_id = message_id(&request, now);
        let file = self.desk.written(&request, &payouts, &message_id, now)?;
        let detail = format!("{} payouts, message {message_id}", no.len());
        let action = Action {
            operator: self.operator.clone(),
            kind: ActionKind::ExportPayouts,
            subject: ActionSubject::new(&message_id),
            amount: Some(amount),
            detail: Some(ActionDetail::new(&detail)),
            at: ledger_time(now),
        };
        let new = NewExport {
            key: request.key.clone(),
            request: digest,
            format: request.format,
            message_id,
            payouts: request.payouts,
            amount,
            file: file.clone(),
        };
        match self.desk.books.bank.add_export(new, action).await? {
            ExportOutcome::Added(export) => Ok(ExportedFile {
                export,
                file,
                repeated: false,
            }),
            ExportOutcome::Repeated(before) => self.repeated(before, digest).await,
            ExportOutcome::NotOpen(payout) => Err(PayoutDeskError::NotOpen(payout)),
            ExportOutcome::Exported(payout, export) => Err(PayoutDeskError::Exported(payout, export)),
        }
    }

    async fn repeated(
        &self,
        before: PayoutExport,
        digest: [u8; 32],
    ) -> Result<ExportedFile, PayoutDeskError> {
        if before.request != digest {
            return Err(PayoutDeskError::OtherRequest);
        }
        self.desk.file(before.no).await
    }

    async fn payouts(&self, numbers: &[PayoutNo]) -> Result<Vec<Payout>, PayoutDeskError> {
        let payouts = self.desk.payouts(numbers.to_vec()).await?;
        let is_found = |no: &PayoutNo| payouts.binary_search_by_key(no, |payout| payout.no).is_ok();
        match numbers.iter().find(|no| !is_found(no)) {
            Some(missing) => Err(PayoutDeskError::NotOpen(*missing)),
            None => Ok(payouts),
        }
    }
}

/// Identifies what a request wants. Two requests with one key must want the same.
fn digest(request: &ExportRequest) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"opencoin payout export");
    hash.update(request.format.code().to_be_bytes());
    let execution = request.execution.map(|day| day.to_string()).unwrap_or_default();
    hash.update((execution.len() as u64).to_be_bytes());
    hash.update(execution);
    for no in &request.payouts {
        hash.update(no.get().to_be_bytes());
    }
    hash.finalize().into()
}

/// An id that no other file has, also not one of another currency that the same account pays.
fn message_id(request: &ExportRequest, now: DateTime<Utc>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"opencoin message id");
    hash.update(digest(request));
    hash.update(now.timestamp_micros().to_be_bytes());
    hash.update(request.key.as_str());
    let digest = hash.finalize();
    format!("OC{}", const_hex::encode(&digest[..MESSAGE_ID_BYTES]))
}
