//! The issuer of an OpenCoin currency: its documents, its mint keys and its accounts. It does not depend on HTTP.
//!
//! The path of a request: `opencoin-http` reads it and calls [`Issuer`], [`admission`] makes the checks that need no
//! books, the committer sends it to the ledger in a batch with others, and a
//! [`Signer`](opencoin_crypto::Signer) signs the accepted blinds.

mod acceptances;
pub mod accounts;
mod admin_scopes;
mod admin_tokens;
pub mod admission;
pub mod audits;
mod backup;
mod bank_desk;
mod cashier;
mod committer;
mod documents;
mod guard;
mod high_water;
mod issuer;
mod key_changes;
pub mod log;
mod metrics;
mod operator;
mod overview;
mod payout_desk;
mod proposal_desk;
mod recoup;
mod refusal;
mod restore;
mod samples;
mod second_person;
mod signing;
mod store;
mod supply;

pub use acceptances::{AcceptanceProof, check_acceptance};
pub use accounts::{NewPassword, NewPasswordError, StartCode, Token};
pub use admin_scopes::{AdminRight, AdminScope, AuthenticatedOperator};
pub use admin_tokens::{AdminToken, AdminTokens, AdminTokensError};
pub use backup::{BackupError, BackupOptions, Manifest, back_up};
pub use bank_desk::{
    ActingBankDesk, BankDesk, BankDeskError, BankSettings, Booking, ColumnsOf, StatementBookingError,
    StatementFile, StatementUploadError,
};
pub use cashier::{ActingCashier, Cashier, CashierError};
pub use guard::{Examined, Guard, GuardError, accept_state, examine};
pub use high_water::{HIGH_WATER_MARK_FILE, HighWaterError, HighWaterMark};
pub use issuer::{
    Answered, Authorization, CERTIFICATES_BYTES_MAX, ImportedKeys, Issuer, IssuerOptions, KeyAccountList,
    KeyMakingError, KeyMakingState, KeyPlace, LiveMintKey, MadeKeys, Pending, PendingRequest,
};
pub use key_changes::KeyChangeError;
pub use metrics::{METRICS_CONTENT_TYPE, Metrics, Present};
pub use opencoin_keys::KeyState;
pub use operator::{Operator, OperatorError, PrunedMintKey};
pub use overview::{
    Denominations, LogOverview, MintKeyOverview, MintKeysOverview, Overview, OverviewSource, Task,
    UNFINISHED_FILES_MAX, Urgency, Waiting, WaitingSince,
};
pub use payout_desk::{
    ActingPayoutDesk, EXPORT_PAYOUTS_MAX, ExportRequest, ExportedFile, PaidExport, PayoutDesk,
    PayoutDeskError,
};
pub use proposal_desk::{ActingProposalDesk, DecidedProposal, ProposalDesk, ProposalError};
pub use recoup::{RECOUP_TRANSACTIONS_MAX, RevokedMintKey};
pub use refusal::{Reason, Refusal, unavailable};
pub use restore::{RestoreError, RestoreOptions, Restored, restore};
pub use samples::{SAMPLE_INTERVAL_S, SAMPLE_STEP_S_MAX, SAMPLES_AGE_MAX, Sample};
pub use second_person::{Asked, SecondPersonLimit};
pub use signing::Signed;
pub use store::{
    Books, Layout, MigratedBooks, OpenedBooks, StoreMode, audit_opener, books_file, books_layout,
    database_protection, distribute_books, migrate_books, open_audit_source, open_books, open_ledger,
    schema_state,
};
