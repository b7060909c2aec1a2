//! The interface of every store of the books.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;

use crate::{
    Account, AccountName, Blind, Command, KeptSignatures, LedgerTime, MintKeyId, MintKeyStatus, Outcome,
    StoredBlind, TokenHash, TransactionNo, TransactionReference, UnsignedPage,
};

/// The most commands that one [`Ledger::apply`] takes, and the most transactions of one
/// [`Ledger::keep_signatures`].
pub const BATCH_COMMANDS_MAX: usize = 1000;

/// How often a store tries one batch while other processes win the races for its rows.
pub const APPLY_ATTEMPTS_MAX: u32 = 10;

/// The books. Every implementation means the same; [`MemoryLedger`](crate::MemoryLedger) is the definition.
///
/// Any number of ledgers, in any number of processes, may work on one database.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Carries out commands in order and answers each. A command sees the effects of those before it. Each is
    /// all or nothing, and a refused one does not hinder the others. When this returns, what was applied is
    /// durable, and so is what the outcomes of repeated and refused commands rest on.
    ///
    /// Dropping the future leaves either the whole batch or nothing of it.
    ///
    /// # Errors
    /// Nothing is known about the whole batch after [`LedgerError::Unavailable`]: it may have been applied.
    /// Send the same commands again; those that were applied are answered as repeated. After any other error
    /// nothing was applied.
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError>;

    /// The same for commands that find the books as usual: accounts can pay, coins are unspent, references are
    /// new. A store can do that in one round trip. Where a command is not of this kind nothing is applied.
    ///
    /// # Errors
    /// As [`Self::apply`].
    async fn apply_routine(&self, batch: &[Command]) -> Result<Routine, LedgerError> {
        self.apply(batch).await.map(Routine::Applied)
    }

    /// What became of a transaction reference; `None` when nothing was decided under it.
    ///
    /// This is a read. What it returns can still be lost with the machine that it was read from: before
    /// anybody outside hears of it, [`Ledger::make_durable`] must have succeeded.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn transaction(&self, reference: &TransactionReference)
    -> Result<Option<Transaction>, LedgerError>;

    /// What was accepted under a reference and is to be signed, now or again; `None` when nothing was. A read
    /// as [`Ledger::transaction`].
    ///
    /// # Errors
    /// The store cannot be read.
    async fn accepted(&self, reference: &TransactionReference) -> Result<Option<Accepted>, LedgerError> {
        Ok(match self.transaction(reference).await? {
            Some(Transaction::Accepted(accepted)) => Some(accepted),
            Some(Transaction::GivenUp) | None => None,
        })
    }

    /// Returns when everything that anybody could read before the call is durable, on a synchronous standby
    /// as well.
    ///
    /// A commit that waits for a standby that is away becomes readable when the primary restarts, and is lost
    /// when the standby is promoted. Concurrent callers share one commit.
    ///
    /// # Errors
    /// Nothing is known about durability.
    async fn make_durable(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Searches the journal for blinds that wait for this key: at most `transactions_max` transactions of its
    /// signing window, beginning after the one with the number `after`. What it finds and has to hold in
    /// memory is as large as those were.
    ///
    /// All of it is found only once the key is retired or stopped. Before that, a transaction of another
    /// process may appear under a number that was passed already.
    ///
    /// # Errors
    /// The store cannot be read, or blinds in the window make no sense: then nobody knows whether they were
    /// all signed.
    ///
    /// # Panics
    /// `transactions_max` is 0.
    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError>;

    /// Puts signatures in place of blinds, durably, and says for each transaction whether that was done.
    /// `false`: it does not hold what it held when it was read, because somebody else has kept signatures
    /// there since, or because this was done by an earlier call whose answer was lost. [`Ledger::unsigned`]
    /// says what is left.
    ///
    /// The ledger does no cryptography: the caller has verified every signature.
    ///
    /// # Errors
    /// Nothing is known about the whole batch after [`LedgerError::Unavailable`]: all of it may have been
    /// kept. After any other error nothing was. More than [`BATCH_COMMANDS_MAX`] transactions are too many
    /// for one call.
    ///
    /// # Panics
    /// A transaction is named twice.
    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError>;

    /// Compares the spent and recouped coins that are stored of a mint key with those that it counts, in one
    /// snapshot and without a lock. A pruned key passes: it may hold fewer.
    ///
    /// # Errors
    /// They differ ([`LedgerError::Corrupt`]), or the store cannot be read.
    async fn check_coins(&self, id: MintKeyId) -> Result<(), LedgerError>;

    /// Deletes up to `coins_max` spent or recouped coins that are stored of a pruned mint key, in a short
    /// transaction that locks no mint key. Gives their number: 0 when none is left, or the key is not
    /// pruned.
    ///
    /// # Errors
    /// As [`Self::keep_signatures`]: to call it again is safe.
    async fn forget_coins(&self, id: MintKeyId, coins_max: u32) -> Result<u64, LedgerError>;

    /// The account that a token belongs to.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn account_by_token(&self, token_hash: &TokenHash) -> Result<Option<Account>, LedgerError>;

    /// The account of this name.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn account_by_name(&self, name: &AccountName) -> Result<Option<Account>, LedgerError>;

    /// All mint keys ever registered, in order of registration.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError>;

    /// Whether an operator has paused signing. Who is about to sign has it from
    /// [`Effect::Accepted`](crate::Effect::Accepted) or [`Accepted`] already.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn signing_paused(&self) -> Result<bool, LedgerError>;

    /// Moments that the clock of a process can be compared with.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn moments(&self) -> Result<Moments, LedgerError> {
        Ok(Moments::default())
    }

    /// Whether the store answers, for a health check.
    ///
    /// # Errors
    /// It does not.
    async fn ready(&self) -> Result<(), LedgerError>;
}

/// What became of a batch of which every command was expected to find the books as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routine {
    /// All was carried out.
    Applied(Vec<Outcome>),
    /// Nothing was carried out. These commands, by their ascending places in the batch, need [`Ledger::apply`].
    Odd(Vec<usize>),
}

/// What a store knows of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// When the last command of the journal was applied, by the clock of the process that applied it.
    pub last_applied: Option<LedgerTime>,
    /// What time it is by the clock of the database's machine, where that has one of its own.
    pub database_now: Option<LedgerTime>,
}

/// What became of a transaction reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    /// A mint, renew or recoup was accepted.
    Accepted(Accepted),
    /// A mint waited for money in vain, and will never be carried out.
    GivenUp,
}

/// A mint, renew or recoup that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which of them.
    pub kind: AcceptedKind,
    /// What to sign, or its signature where that was kept, in the order of the request.
    pub blinds: Vec<StoredBlind>,
    /// Which of its keys were stopped since. An issuer signs with them no more.
    pub stopped: BTreeSet<MintKeyId>,
    /// When it was accepted.
    pub at: LedgerTime,
    /// Whether an operator has paused signing.
    pub signing_paused: bool,
}

impl Accepted {
    /// What is still to be signed, in the order of the request: blinds of keys that were not stopped, without
    /// those whose signatures are kept.
    #[must_use]
    pub fn to_sign(&self) -> Vec<Blind> {
        let open = self
            .blinds
            .iter()
            .filter(|blind| !self.stopped.contains(&blind.mint_key));
        open.filter_map(|blind| blind.clone().blinded()).collect()
    }
}

/// How signatures were paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedKind {
    /// By an account.
    Mint,
    /// By coins.
    Renew,
    /// By the issuer, for honest coins of stopped mint keys.
    Recoup,
}

impl KeptSignatures {
    /// What every store checks of a call of [`Ledger::keep_signatures`](crate::Ledger::keep_signatures).
    ///
    /// # Errors
    /// There are more than [`BATCH_COMMANDS_MAX`].
    ///
    /// # Panics
    /// A transaction is named twice.
    pub fn check_batch(kept: &[Self]) -> Result<(), LedgerError> {
        if kept.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(kept.len()));
        }
        let distinct: HashSet<TransactionNo> = kept.iter().map(Self::transaction).collect();
        assert_eq!(distinct.len(), kept.len(), "a transaction is named once");
        Ok(())
    }
}

/// Why the books could not be read or written. No text here holds row contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The database is away, or went away before it confirmed: what was sent may have been applied or not.
    #[error("the ledger's database is not available: {0}")]
    Unavailable(String),
    /// Other processes won the races for the batch's rows, or kept them locked. Nothing was applied.
    #[error("the ledger's database is too busy: gave up after {attempts} attempts")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// The batch has more than [`BATCH_COMMANDS_MAX`] commands, or transactions to keep signatures of.
    /// Nothing was done.
    #[error("a batch has at most {BATCH_COMMANDS_MAX} commands or transactions, not {0}")]
    BatchTooLarge(usize),
    /// The database refused a statement. Nothing was applied.
    #[error("the ledger's database refused a statement: {0}")]
    Database(String),
    /// A stored row makes no sense.
    #[error("the ledger's {row} makes no sense: {reason}")]
    Corrupt {
        /// Table and key of the row.
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
    /// Somebody else uses the books, and what was asked needs them alone; or somebody has them alone now.
    /// Nothing was done.
    #[error("{0}")]
    InUse(String),
    /// Creating or updating the tables failed.
    #[error("the ledger's tables could not be brought up to date: {0}")]
    Migration(String),
    /// There is no database at this address, or the address cannot be used.
    #[error("{0}")]
    Address(String),
}

/// Whom a failed batch is to be blamed on, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// One command: its neighbours would succeed without it. Nothing was applied.
    Command,
    /// Other processes: the same batch may succeed later. Nothing was applied.
    Contention,
    /// The database: every other command would fail as well, and whether this batch was applied is unknown.
    Database,
}

impl LedgerError {
    /// Whom the error is to be blamed on.
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

    /// The error of a row that cannot be what the ledger wrote.
    #[must_use]
    pub fn corrupt(row: impl Into<String>, reason: impl ToString) -> Self {
        Self::Corrupt {
            row: row.into(),
            reason: reason.to_string(),
        }
    }
}
