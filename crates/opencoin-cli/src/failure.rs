//! Exit codes: what a script can do about a command that failed.
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | refused or failed: the same command will fail again |
//! | 2 | wrong command line, or an amount that the currency cannot express |
//! | 3 | try again later: nobody answered, somebody else is at work, or the issuer asks to wait |
//! | 4 | what the command names does not exist |

use std::fmt;
use std::process::ExitCode;

use opencoin_issuer::{CashierError, OperatorError};
use opencoin_keys::{DirectoryError, KeyManagerError, VaultError};
use opencoin_ledger::LedgerError;
use opencoin_wallet::account::AccountError;
use opencoin_wallet::{ExchangeError, FileError, JournalError, NoAnswer, WalletError};

/// The HTTP status of a name that the issuer does not know.
const NOT_FOUND_STATUS: u16 = 404;

/// Why a command failed, as its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused = 1,
    Usage = 2,
    TryLater = 3,
    NotFound = 4,
}

/// A failure that a command itself has found.
#[derive(Debug)]
struct Stated {
    failure: Failure,
    text: String,
}

impl fmt::Display for Stated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Stated {}

/// The command line does not make sense.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    stated(Failure::Usage, text)
}

/// What the command names does not exist.
pub(crate) fn not_found(text: impl Into<String>) -> anyhow::Error {
    stated(Failure::NotFound, text)
}

/// The command is refused.
pub(crate) fn refused(text: impl Into<String>) -> anyhow::Error {
    stated(Failure::Refused, text)
}

/// The error with what to do about it. It keeps its exit code.
pub(crate) fn explained(error: anyhow::Error, help: &str) -> anyhow::Error {
    stated(
        Failure::of(&error),
        format!("{}\n{help}", opencoin_terminal::output::error_text(&error)),
    )
}

fn stated(failure: Failure, text: impl Into<String>) -> anyhow::Error {
    let text = text.into();
    anyhow::Error::new(Stated { failure, text })
}

impl Failure {
    /// The first of the error's causes that says more than that something failed decides.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(of_cause).unwrap_or(Self::Refused)
    }

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    if let Some(stated) = cause.downcast_ref::<Stated>() {
        return Some(stated.failure);
    }
    if let Some(error) = cause.downcast_ref::<WalletError>() {
        return of_wallet(error);
    }
    if let Some(error) = cause.downcast_ref::<AccountError>() {
        return of_account(error);
    }
    if let Some(error) = cause.downcast_ref::<LedgerError>() {
        return of_ledger(error);
    }
    if let Some(error) = cause.downcast_ref::<DirectoryError>() {
        return of_directory(error);
    }
    if let Some(error) = cause.downcast_ref::<CashierError>() {
        return match error {
            CashierError::UnknownAccount(_) => Some(Failure::NotFound),
            CashierError::Busy => Some(Failure::TryLater),
            CashierError::Ledger(error) => of_ledger(error),
            CashierError::Refused(_) | CashierError::Settled(_) => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<OperatorError>() {
        return match error {
            OperatorError::Ledger(error) => of_ledger(error),
            OperatorError::Refused(_) => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<KeyManagerError>() {
        return match error {
            KeyManagerError::Directory(error) => of_directory(error),
            KeyManagerError::Vault(VaultError::InUse(_)) => Some(Failure::TryLater),
            KeyManagerError::Ledger(error) => of_ledger(error),
            _ => None,
        };
    }
    match cause.downcast_ref::<FileError>() {
        Some(FileError::InUse(_)) => Some(Failure::TryLater),
        Some(FileError::Io(_) | FileError::Damaged { .. }) | None => None,
    }
}

fn of_wallet(error: &WalletError) -> Option<Failure> {
    match error {
        WalletError::Exchange(
            ExchangeError::Delayed { .. } | ExchangeError::Unknown(_) | ExchangeError::NotSent(_),
        )
        | WalletError::Network(NoAnswer { .. })
        | WalletError::Journal(JournalError::InUse(_)) => Some(Failure::TryLater),
        WalletError::NoCurrency
        | WalletError::UnknownCurrency { .. }
        | WalletError::UnknownCurrencyName { .. }
        | WalletError::UnknownSend(_)
        | WalletError::UnknownOperation(_)
        | WalletError::Journal(JournalError::NoWallet(_)) => Some(Failure::NotFound),
        WalletError::WhichCurrency(_) => Some(Failure::Usage),
        _ => None,
    }
}

fn of_account(error: &AccountError) -> Option<Failure> {
    match error {
        AccountError::Open(_) | AccountError::TooSoon { .. } => Some(Failure::TryLater),
        AccountError::Refused {
            status: NOT_FOUND_STATUS,
            ..
        } => Some(Failure::NotFound),
        AccountError::Refused { .. } => None,
        AccountError::File(FileError::InUse(_)) => Some(Failure::TryLater),
        AccountError::File(_) => None,
    }
}

fn of_ledger(error: &LedgerError) -> Option<Failure> {
    match error {
        LedgerError::Unavailable(_) | LedgerError::Contended { .. } | LedgerError::InUse(_) => {
            Some(Failure::TryLater)
        }
        _ => None,
    }
}

fn of_directory(error: &DirectoryError) -> Option<Failure> {
    match error {
        DirectoryError::NoCurrency(_) => Some(Failure::NotFound),
        DirectoryError::Locked(_) => Some(Failure::TryLater),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_cause_decides_whatever_stands_around_it() {
        let code = |error: anyhow::Error| Failure::of(&error);
        let within = |error: anyhow::Error| Err::<(), _>(error).context("outer").unwrap_err();
        assert_eq!(code(anyhow::anyhow!("no")), Failure::Refused);
        assert_eq!(code(within(usage("x"))), Failure::Usage);
        assert_eq!(code(within(not_found("x"))), Failure::NotFound);
        assert_eq!(
            code(within(WalletError::UnknownSend(9).into())),
            Failure::NotFound
        );
        let delayed = ExchangeError::Delayed {
            description: String::new(),
        };
        assert_eq!(
            code(within(WalletError::Exchange(delayed).into())),
            Failure::TryLater
        );
        let refused = ExchangeError::Refused {
            word: String::new(),
            description: String::new(),
            coins: None,
        };
        assert_eq!(code(WalletError::Exchange(refused).into()), Failure::Refused);
        let away = LedgerError::Unavailable(String::new());
        assert_eq!(code(CashierError::Ledger(away).into()), Failure::TryLater);
        let unknown = AccountError::Refused {
            status: 404,
            word: String::new(),
            description: String::new(),
        };
        assert_eq!(code(unknown.into()), Failure::NotFound);
    }
}
