//! The interface that every store of the books implements, and its errors.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use opencoin_log::batch::BATCH_STATEMENT_BYTES_MAX;
use opencoin_log::bundle::ENTRY_BYTES_MAX;

use crate::journal::ReferenceKey;
use crate::{
    Blind, Command, KeptSignatures, LedgerTime, LogBatchNo, MintKeyId, MintKeyStatus, OperatorCommand,
    Outcome, StoredBlind, TransactionNo, TransactionReference, UnsignedPage,
};

/// The maximum number of commands in a call of [`Ledger::apply`], and of transactions in a call of
/// [`Ledger::keep_signatures`].
pub const BATCH_COMMANDS_MAX: usize = 1000;

/// The statements of a commit fit into a batch of the public log, each with its length before it.
const _: () = assert!(BATCH_COMMANDS_MAX * (size_of::<u16>() + ENTRY_BYTES_MAX) <= BATCH_STATEMENT_BYTES_MAX);

/// The maximum number of attempts at one batch while other processes change or lock its rows.
pub const APPLY_ATTEMPTS_MAX: u32 = 10;

/// The books. [`MemoryLedger`](crate::MemoryLedger) is the reference for every implementation.
///
/// Any number of ledgers, in any number of processes, may use one database.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Decides the commands in order and returns an outcome for each. A command sees the effects of those
    /// before it. Each is applied completely or not at all, and a refused command does not affect the others.
    /// When this returns, all changes are durable, and so is everything that the outcomes of repeated and
    /// refused commands depend on.
    ///
    /// If the future is dropped, the batch is applied as a whole or not at all.
    ///
    /// # Errors
    /// After [`LedgerError::Unavailable`] the batch may or may not have been applied. Send the same commands
    /// again: those that were applied are answered as repeated. After any other error nothing was applied.
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError>;

    /// As [`Self::apply`], for an operator: each command that is applied and not repeated is recorded as an action
    /// in the same transaction.
    ///
    /// # Errors
    /// As [`Self::apply`].
    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError>;

    /// Applies commands that are expected to succeed: accounts can pay, coins are unspent, references are
    /// new. A store can do that in one round trip. If a command does not meet this, nothing is applied.
    ///
    /// # Errors
    /// As [`Self::apply`].
    async fn apply_routine(&self, batch: &[Command]) -> Result<Routine, LedgerError> {
        self.apply(batch).await.map(Routine::Applied)
    }

    /// The decision on a transaction reference; `None` if there is none.
    ///
    /// This is a read. Its result may not be durable yet: call [`Ledger::make_durable`] before you tell a
    /// client.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn transaction(&self, reference: &TransactionReference)
    -> Result<Option<Transaction>, LedgerError>;

    /// The mint, renew or recoup accepted under a reference, to sign its blinds; `None` if there is none, or
    /// its coins have expired. A read like [`Ledger::transaction`].
    ///
    /// # Errors
    /// The store cannot be read.
    async fn accepted(&self, reference: &TransactionReference) -> Result<Option<Accepted>, LedgerError> {
        Ok(match self.transaction(reference).await? {
            Some(Transaction::Accepted(accepted)) => Some(accepted),
            Some(Transaction::Expired | Transaction::GivenUp) | None => None,
        })
    }

    /// Returns when everything that could be read before the call is durable, on a synchronous standby as
    /// well.
    ///
    /// Reads alone do not ensure this: a commit that waits for an unreachable standby becomes readable when
    /// the primary restarts, and is lost when the standby is promoted. Concurrent callers share one commit.
    ///
    /// # Errors
    /// It is unknown whether the data are durable.
    async fn make_durable(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Searches the journal for blinds of this key that have no stored signature. Reads at most
    /// `transactions_max` transactions of the key's signing window, with numbers above `after`, and holds
    /// them in memory.
    ///
    /// The result is complete only if the key is retired or stopped. Before that, another process may add a
    /// transaction with a number that was passed already.
    ///
    /// # Errors
    /// The store cannot be read, or blinds in the window cannot be decoded. Then it is unknown whether all
    /// were signed.
    ///
    /// # Panics
    /// `transactions_max` is 0.
    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError>;

    /// Replaces stored blinds with their signatures, durably. Returns for each transaction whether that was
    /// done. `false` means that the stored blinds have changed since they were read: another process stored
    /// signatures, or an earlier call did whose answer was lost. [`Ledger::unsigned`] finds what is left.
    ///
    /// The ledger does no cryptography: the caller has verified every signature.
    ///
    /// # Errors
    /// After [`LedgerError::Unavailable`] either all signatures were stored or none. After any other error
    /// none were. More than [`BATCH_COMMANDS_MAX`] transactions are an error.
    ///
    /// # Panics
    /// A transaction is named twice.
    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError>;

    /// Compares the stored spent and recouped coins of a mint key with its counters, in one snapshot and
    /// without a lock. A pruned key passes, because it can have fewer rows.
    ///
    /// # Errors
    /// They differ ([`LedgerError::Corrupt`]), or the store cannot be read.
    async fn check_coins(&self, id: MintKeyId) -> Result<(), LedgerError>;

    /// Deletes up to `rows_max` stored rows of a pruned mint key, in a short transaction that locks no mint
    /// key: spent coins, recouped coins, or the blinds of transactions whose coins expired with this key.
    /// Returns the number deleted: 0 if none is left or the key is not pruned.
    ///
    /// # Errors
    /// As [`Self::keep_signatures`]. Calling it again is safe.
    async fn forget_rows(&self, id: MintKeyId, rows_max: u32) -> Result<u64, LedgerError>;

    /// All mint keys ever registered, in order of registration.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError>;

    /// Whether an operator has paused signing. A signer does not need this: [`Effect::Accepted`] and
    /// [`Accepted`] say it too.
    ///
    /// [`Effect::Accepted`]: crate::Effect::Accepted
    ///
    /// # Errors
    /// The store cannot be read.
    async fn signing_paused(&self) -> Result<bool, LedgerError>;

    /// Times with which a process can compare its clock.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn moments(&self) -> Result<Moments, LedgerError> {
        Ok(Moments::default())
    }

    /// Checks that the store answers, for a health check.
    ///
    /// # Errors
    /// The store does not answer.
    async fn ready(&self) -> Result<(), LedgerError>;
}

/// The result of a batch of commands that were expected to succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routine {
    /// All commands were applied.
    Applied(Vec<Outcome>),
    /// Nothing was applied. The commands at these indices, ascending, need [`Ledger::apply`].
    Odd(Vec<usize>),
}

/// Times that a store knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// The time of the last journal record, by the clock of the process that wrote it.
    pub last_applied: Option<LedgerTime>,
    /// The current time on the database's machine; `None` if the database has no clock of its own.
    pub database_now: Option<LedgerTime>,
}

/// The decision on a transaction reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    /// A mint, renew or recoup was accepted.
    Accepted(Accepted),
    /// A mint, renew or recoup was accepted, all of its coins have expired, and its blinds were deleted.
    Expired,
    /// A waiting mint was given up and will never be applied.
    GivenUp,
}

/// An accepted mint, renew or recoup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which of the three commands it was.
    pub kind: AcceptedKind,
    /// The blinds to sign, or their stored signatures, in the order of the request.
    pub blinds: Vec<StoredBlind>,
    /// Its mint keys that are stopped now. They must not sign.
    pub stopped: BTreeSet<MintKeyId>,
    /// When it was accepted.
    pub at: LedgerTime,
    /// The batch of the log that was open then; `None` without a log.
    pub log_batch: Option<LogBatchNo>,
    /// Whether an operator has paused signing.
    pub signing_paused: bool,
}

impl Accepted {
    /// The blinds that must still be signed, in the order of the request: those without a stored signature
    /// whose keys are not stopped.
    #[must_use]
    pub fn to_sign(&self) -> Vec<Blind> {
        let open = self
            .blinds
            .iter()
            .filter(|blind| !self.stopped.contains(&blind.mint_key));
        open.filter_map(|blind| blind.clone().blinded()).collect()
    }
}

/// The command that was accepted, and so who paid for the signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedKind {
    /// Paid by an account.
    Mint,
    /// Paid with coins.
    Renew,
    /// Paid by the issuer, for honest coins of stopped mint keys.
    Recoup,
}

impl KeptSignatures {
    /// The checks of [`Ledger::keep_signatures`] that every store makes.
    ///
    /// # Errors
    /// There are more than [`BATCH_COMMANDS_MAX`] transactions.
    ///
    /// # Panics
    /// A transaction is named twice.
    pub fn check_batch(kept: &[Self]) -> Result<(), LedgerError> {
        if kept.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(kept.len()));
        }
        let distinct: HashSet<&ReferenceKey> = kept.iter().map(Self::reference).collect();
        assert_eq!(distinct.len(), kept.len(), "a transaction is named once");
        Ok(())
    }
}

/// Why the books could not be read or written. The texts contain no contents of rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The database cannot be reached, or the connection failed before it confirmed. The batch may or may not
    /// have been applied.
    #[error("the ledger's database is not available: {0}")]
    Unavailable(String),
    /// Other processes kept changing or locking the batch's rows. Nothing was applied.
    #[error("the ledger's database is too busy: gave up after {attempts} attempts; try again later")]
    Contended {
        /// The number of attempts.
        attempts: u32,
    },
    /// The batch has more than [`BATCH_COMMANDS_MAX`] commands or transactions. Nothing was done.
    #[error("a batch has at most {BATCH_COMMANDS_MAX} commands or transactions, not {0}")]
    BatchTooLarge(usize),
    /// The database refused a statement. Nothing was applied.
    #[error("the ledger's database refused a statement: {0}")]
    Database(String),
    /// A stored row cannot be what the ledger wrote.
    #[error("the ledger's {row} makes no sense: {reason}")]
    Corrupt {
        /// The table and key of the row.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version of this program, or another program, has changed the tables.
    #[error(
        "the ledger's database has schema version {0}, which this version of the program does not know: update it"
    )]
    SchemaUnknown(i64),
    /// The tables are those of an earlier version of this program.
    #[error(
        "the ledger's database has schema version {version}, and this program works with {known}: run `opencoin issuer migrate`"
    )]
    SchemaOlder {
        /// The version of the tables.
        version: i64,
        /// The version that the program was written for.
        known: i64,
    },
    /// The operation needs the books exclusively and another process uses them, or another process has them
    /// exclusively. Nothing was done.
    #[error("{0}")]
    InUse(String),
    /// Creating or updating the tables failed.
    #[error("the ledger's tables could not be brought up to date: {0}")]
    Migration(String),
    /// There is no database at this address, or the address cannot be used.
    #[error("{0}")]
    Address(String),
}

/// The cause of a failed batch, which decides whether to retry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// One command. The others would succeed without it. Nothing was applied.
    Command,
    /// Other processes. The same batch may succeed later. Nothing was applied.
    Contention,
    /// The database. Every other command would fail as well, and this batch may have been applied.
    Database,
}

impl LedgerError {
    /// The cause of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Database(_) | Self::Corrupt { .. } | Self::BatchTooLarge(_) => ErrorClass::Command,
            Self::Contended { .. } => ErrorClass::Contention,
            Self::Unavailable(_)
            | Self::SchemaUnknown(_)
            | Self::SchemaOlder { .. }
            | Self::InUse(_)
            | Self::Migration(_)
            | Self::Address(_) => ErrorClass::Database,
        }
    }

    /// The error for a stored row that cannot be what the ledger wrote.
    #[must_use]
    pub fn corrupt(row: impl Into<String>, reason: impl ToString) -> Self {
        Self::Corrupt {
            row: row.into(),
            reason: reason.to_string(),
        }
    }
}
