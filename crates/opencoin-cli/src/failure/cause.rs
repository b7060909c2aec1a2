//! Which kind of failure an error is.

use opencoin_auditor::{AddCurrencyError, DescriptionError, FolderError as AuditorFolderError};
use opencoin_issuer::{CashierError, OperatorError};
use opencoin_keys::{DirectoryError, KeyManagerError, VaultError};
use opencoin_ledger::LedgerError;
use opencoin_wallet::account::AccountError;
use opencoin_wallet::storage::StorageError;
use opencoin_wallet::{ExchangeError, FileError, NoAnswer, WalletError};
use opencoin_witness::{FolderError, StoreError};

use super::command_error::CommandError;
use super::kind::Failure;

/// The HTTP status for an unknown name.
const NOT_FOUND_STATUS: u16 = 404;

impl Failure {
    /// The failure of the outermost cause that has a specific one, else [`Failure::Refused`].
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(of_cause).unwrap_or(Self::Refused)
    }
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    if let Some(error) = cause.downcast_ref::<CommandError>() {
        return Some(error.failure);
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
            CashierError::UnknownAccount(_) | CashierError::UnknownService(_) => Some(Failure::NotFound),
            CashierError::Busy => Some(Failure::TryLater),
            CashierError::Ledger(error) => of_ledger(error),
            CashierError::Refused(_)
            | CashierError::Settled(_)
            | CashierError::Closed(_)
            | CashierError::NothingRecovered
            | CashierError::ReferenceOfLine
            | CashierError::NoHolder => None,
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
    if let Some(error) = cause.downcast_ref::<FolderError>() {
        return match error {
            FolderError::Missing(_) => Some(Failure::NotFound),
            FolderError::Store(error) => of_witness_store(error),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<AuditorFolderError>() {
        return match error {
            AuditorFolderError::Missing(_) => Some(Failure::NotFound),
            AuditorFolderError::InUse(_) => Some(Failure::TryLater),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<AddCurrencyError>() {
        return match error {
            AddCurrencyError::Description(DescriptionError::Unreachable { .. }) => Some(Failure::TryLater),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return of_witness_store(error);
    }
    match cause.downcast_ref::<FileError>() {
        Some(FileError::InUse(_)) => Some(Failure::TryLater),
        Some(FileError::Io(_) | FileError::Damaged { .. }) | None => None,
    }
}

fn of_wallet(error: &WalletError) -> Option<Failure> {
    match error {
        WalletError::Exchange(
            ExchangeError::Delayed { .. }
            | ExchangeError::Unknown(_)
            | ExchangeError::NotSent(_)
            | ExchangeError::NeedsToken(_),
        )
        | WalletError::Network(NoAnswer { .. })
        | WalletError::PaymentPending { .. }
        | WalletError::Storage(StorageError::InUse(_)) => Some(Failure::TryLater),
        WalletError::NoCurrency
        | WalletError::UnknownCurrency { .. }
        | WalletError::UnknownCurrencyName { .. }
        | WalletError::UnknownSend(_)
        | WalletError::UnknownOperation(_)
        | WalletError::NoKey
        | WalletError::UnknownKey(_)
        | WalletError::UnknownPayment(_)
        | WalletError::Storage(StorageError::NoWallet(_)) => Some(Failure::NotFound),
        WalletError::Log(error) if error.is_temporary() => Some(Failure::TryLater),
        WalletError::WhichCurrency(_) | WalletError::WhichKey(_) | WalletError::PaymentOrder(_) => {
            Some(Failure::Usage)
        }
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

fn of_witness_store(error: &StoreError) -> Option<Failure> {
    match error {
        StoreError::Busy => Some(Failure::TryLater),
        _ => None,
    }
}

fn of_directory(error: &DirectoryError) -> Option<Failure> {
    match error {
        DirectoryError::NoCurrency(_) => Some(Failure::NotFound),
        DirectoryError::Locked(_) | DirectoryError::Begun(_) => Some(Failure::TryLater),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{not_found, usage};

    #[test]
    fn the_cause_decides_the_exit_code_whatever_its_context() {
        let delayed = ExchangeError::Delayed {
            description: String::new(),
        };
        let refused = ExchangeError::Refused {
            word: String::new(),
            description: String::new(),
            coins: None,
            count: None,
        };
        let away = LedgerError::Unavailable(String::new());
        let unknown = AccountError::Refused {
            status: 404,
            word: String::new(),
            description: String::new(),
        };
        let in_use = StorageError::InUse("wallet".into());
        for (error, failure) in [
            (anyhow::anyhow!("no"), Failure::Refused),
            (usage("x"), Failure::Usage),
            (not_found("x"), Failure::NotFound),
            (WalletError::UnknownSend(9).into(), Failure::NotFound),
            (WalletError::Storage(in_use).into(), Failure::TryLater),
            (WalletError::Exchange(delayed).into(), Failure::TryLater),
            (WalletError::Exchange(refused).into(), Failure::Refused),
            (CashierError::Ledger(away).into(), Failure::TryLater),
            (unknown.into(), Failure::NotFound),
            (
                AuditorFolderError::Missing("auditor".into()).into(),
                Failure::NotFound,
            ),
            (
                AuditorFolderError::InUse("auditor".into()).into(),
                Failure::TryLater,
            ),
        ] {
            assert_eq!(Failure::of(&error.context("outer")), failure);
        }
    }
}
