//! The rules for the books of an OpenCoin issuer: accounts, mint keys, returned coins and a journal in double
//! entry.
//!
//! [`decide`] is a pure function that applies a [`Command`] to a [`View`] of the state. A store loads the
//! part of the state that a batch touches, lets `decide` change it, and saves the [`Changes`], so the rules
//! are written once. [`MemoryLedger`] holds the whole state. It is the reference that every store is tested
//! against.
//!
//! The crate has no clock, randomness, cryptography or I/O: the caller has verified the coins, commands carry
//! their time, and blinds are signed after a command is accepted. Wrong input gives a [`Refusal`], a failing
//! store a [`LedgerError`].

mod account;
mod accounts;
mod action;
mod amount;
pub mod bank;
mod blind;
mod coin;
mod command;
mod consent;
mod decide;
mod entry_no;
mod history;
mod idempotency_key;
mod identity;
pub mod journal;
mod kept;
mod ledger;
pub mod log;
mod log_store;
mod memory;
mod mint_key;
mod mint_key_no;
mod operators;
mod optimistic;
mod password_hash;
mod payout;
mod proposal;
mod recoup;
pub mod recovered;
mod recovered_entry;
pub mod recovery;
mod refusal;
mod schema;
mod scoped;
pub mod stored;
mod stored_blinds;
mod text;
mod time;
mod transaction_no;
mod transaction_reference;
mod unsigned_certificate;
pub mod view;

pub use account::{
    ACCOUNT_NAME_CHARS_MAX, Account, AccountId, AccountName, AccountNameError, AccountStatus, TokenHash,
    WAITING_MINTS_PER_ACCOUNT_MAX,
};
pub use accounts::{
    AccountEntry, Accounts, Backlog, Bearer, Credential, DueMint, EntryPage, FAILED_LOGINS_KEPT_HOURS,
    FailedLogins, HasAccounts, KeyAccountStatus, Login, NewService, NewSession, PasswordSetter, Payout,
    PayoutFilter, Profile, ProfileFilter, SERVICES_PER_ACCOUNT_MAX, SESSIONS_MAX, Scope, Service, ServiceId,
    ServiceIdError, ServiceRefusal, Start, StartCodeHash, WaitingMint,
};
pub use action::{
    ACTION_DETAIL_CHARS_MAX, ACTION_SUBJECT_CHARS_MAX, Action, ActionDetail, ActionKind, ActionNo,
    ActionSubject, OperatorCommand, OperatorName, OperatorNameError, RecordedAction,
};
pub use amount::{Amount, AmountError};
pub use blind::{BLIND_REFERENCE_BYTES_MAX, Blind, StoredBlind, StoredNumber};
pub use coin::CoinIn;
pub use command::{Applied, Command, Effect, KeyPayment, Outcome};
pub use consent::{Consent, ProposalNo};
pub use decide::decide;
pub use entry_no::EntryNo;
pub use history::{
    BooksPosition, Continuation, Entry, EntryDigest, HISTORY_ID_BYTES, History, HistoryId, Mark,
    RollbackDetected,
};
pub use idempotency_key::{IdempotencyKey, IdempotencyKeyError};
pub use identity::{Prepared, mint_content};
pub use kept::{KeptSignatures, UnsignedPage, UnsignedTransaction};
pub use ledger::{
    APPLY_ATTEMPTS_MAX, Accepted, AcceptedKind, BATCH_COMMANDS_MAX, ErrorClass, Ledger, LedgerError, Moments,
    Routine, Transaction,
};
pub use log::{
    LeafStart, LogBatch, LogBatchNo, LogHead, LogTerms, LogTotals, Logged, LoggedKeyAccounts, SEAL_PAUSE_MIN,
};
pub use log_store::{
    HasLog, LEASE_HOLDER_BYTES, LogStore, LoggedCounts, PUBLISHED_KEPT_MAX, PendingSummary,
    PublishedCheckpoint, SealOutcome, TileOfLog,
};
pub use memory::{LogSnapshot, MemoryLedger, MemorySnapshot};
pub use mint_key::{
    MINT_KEY_ID_BYTES, MintKeyId, MintKeyIdError, MintKeyIdentity, MintKeyStatus, MintKeyTerms,
    MintKeyTermsError,
};
pub use opencoin_log::digest::{
    DIGEST_BYTES as SPENT_DIGEST_BYTES, IssuedDigest, KeyFingerprint, SpentDigest,
};
pub use operators::{ActionFilter, HasOperators, Operators};
pub use optimistic::{
    AccountPosting, KnownBooks, MintKeyPosting, Postings, decide_optimistically, set_log_batch,
};
pub use password_hash::PasswordHash;
pub use payout::{PayoutNo, Settlement};
pub use proposal::{
    DeclineOutcome, Proposal, ProposalFilter, ProposalVerdict, Proposed, ProposedKind, WaitingProposals,
    line_consent,
};
pub use recoup::RevokedBlind;
pub use recovered_entry::RecoveredEntry;
pub use refusal::Refusal;
pub use schema::{SchemaState, admit};
pub use scoped::{Scoped, scoped};
pub use stored_blinds::{
    StoredBlindsError, count_blinds, decode_blinds, encode_blinds, encode_stored_blinds,
};
pub use text::{Reference, StopReason, TEXT_CHARS_MAX, TextError};
pub use time::LedgerTime;
pub use transaction_no::TransactionNo;
pub use transaction_reference::{
    TRANSACTION_REFERENCE_BYTES_MAX, TransactionReference, TransactionReferenceError,
};
pub use unsigned_certificate::register_uncertified_mint_key;
pub use view::{Changes, Touches, View};
