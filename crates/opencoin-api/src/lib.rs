//! The JSON messages of the API for accounts: `/v1` for holders and services, `/v1/admin` for the operator.
//!
//! The OpenCoin specification leaves accounts to the issuer, so this API is the issuer's own. The server and its
//! clients share these types. Amounts are whole numbers in the smallest unit of the currency; times are RFC 3339 in
//! UTC. The server refuses unknown fields of a request. A client must ignore unknown fields of an answer.

mod account;
mod admin;
mod admin_audit;
mod admin_keys;
mod admin_overview;
mod admin_proposals;
mod admin_samples;
mod admin_setup;
mod bank;
mod coin_indices;
mod entry;
mod key_account;
mod pairing;
mod payout;
mod secret;
mod service;
mod session;
#[cfg(feature = "openapi")]
pub mod shapes;
mod supply;

pub use account::{
    AccountStatus, AccountSummary, Balance, ChangeAccount, ChangePassword, Directory, DirectoryEntry,
};
pub use admin::{
    AdminAccount, AdminAccounts, AdminAction, AdminActions, ChangeStatus, CreateAccount, CreatedAccount,
    IssuedStartCode, Payment, PaymentReceipt, SetPassword,
};
pub use admin_audit::{AdminAudit, AuditCheck, AuditOutcome, EndedAudit, RunningAudit};
pub use admin_keys::{
    AdminKey, AdminKeyState, AdminKeys, AdminRotation, GiveUpRequest, GivenUp, ImportedCertificates,
    NewMintKey, PauseSigning, PendingKeys, RotateKeys, RotatedKeys, RotationResult, Signing, StopKey,
};
pub use admin_overview::{AdminOverview, AuditSummary, KeysOverview, LogOverview, Waiting};
pub use admin_proposals::{AdminProposal, AdminProposals, ProposalState, ProposedOperation};
pub use admin_samples::{AdminSample, AdminSamples};
pub use admin_setup::{AdminOperator, AdminOperators, AdminSetting, AdminSettings, SettingSource};
pub use bank::{
    AssignBankLine, BankLine, BankLineState, BankStatement, BankStatements, BookStatement, BookedStatement,
    DecidedBankLine, Ignored, IgnoredBankLine, KeptBankLine, KeptBankLines, NewBankLine, SetBankLineAside,
    StatementBooking, StatementPreview, TableColumns, Unmatched, UnmatchedBankLine,
};
pub use coin_indices::{COINS_HEADER, read_coin_indices, write_coin_indices};
pub use entry::{Entries, Entry, EntryKind, Transfer};
pub use key_account::{
    AcceptedKeyPayment, IntroduceKey, IntroducedKey, IntroductionType, KeyAccount, KeyAccounts, KeyChallenge,
    KeyPayment, KeyPaymentState, LoggedKeyAccount, PayByKey, PaymentType, PendingKeyPayment,
};
pub use pairing::{NoPairingLink, PAIRING_PATH, PairingLink, SERVICE_KEY_PREFIX};
pub use payout::{
    ExportForm, ExportPayouts, ExportState, ExportedPayouts, FailPayout, PaidExport, PayPayout, Payout,
    PayoutExport, PayoutExports, PayoutState, Payouts, RequestPayout,
};
pub use secret::Secret;
pub use service::{
    DeclareService, DeclaredService, ReplaceServiceKey, RotatedService, Scope, ServiceLogin, ServiceSession,
    ServiceState, ServiceStatus, Services,
};
pub use session::{Login, Session, Start};
pub use supply::{DenominationSupply, Supply};

/// The request header that makes a transfer or payout happen once: 1 to 64 visible ASCII characters that the
/// client makes up, unique within its account (the header of draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// The most characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;
/// The longest body of a request with one of these types, in bytes: several times the longest values of all its
/// fields.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The most scopes of a service: each of them once.
pub const SCOPES_MAX: usize = 3;
/// The most entries, accounts or payouts of a page without `limit`.
pub const PAGE_LENGTH_DEFAULT: u32 = 50;
/// The greatest `limit` of a page.
pub const PAGE_LENGTH_MAX: u32 = 500;
/// The most characters of the name of an account or a service.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 64;
/// The most characters of a label, a reference, a reason, a destination.
pub const TEXT_CHARS_MAX: usize = 200;
/// The fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// The length of a service's id in hex digits (lower case).
pub const SERVICE_ID_CHARS: usize = 32;
/// The characters of a start code, without the hyphens between them.
pub const START_CODE_CHARS: usize = 12;
/// The length of the id of a line of a bank statement in hex digits (lower case).
pub const BANK_LINE_ID_CHARS: usize = 32;
/// The length of a service's key: `ock_` and 64 hex digits.
pub const SERVICE_KEY_CHARS: usize = 68;

/// The length of a key in hex digits (lower case).
pub const ACCOUNT_KEY_CHARS: usize = 64;
/// The length of a challenge in hex digits.
pub const CHALLENGE_CHARS: usize = 48;
/// The length of a signature in hex digits.
pub const SIGNATURE_CHARS: usize = 128;
/// The length of the nonce of a payment to an account in hex digits.
pub const PAYMENT_NONCE_CHARS: usize = 32;
/// The most characters of the name of a log.
pub const DOMAIN_CHARS_MAX: usize = 255;
/// The most characters of the id of a payment.
pub const KEY_PAYMENT_ID_CHARS_MAX: usize = ACCOUNT_KEY_CHARS + 1 + 20;
/// The most bytes of a memo.
pub const MEMO_BYTES_MAX: usize = 140;
/// The most accounts in the list of all accounts.
pub const KEY_ACCOUNTS_MAX: usize = 100_000;
/// The scheme of `Authorization` for a mint or redeem by key: a statement in base64 follows.
pub const KEY_SCHEME: &str = "OpenCoin-Key";
