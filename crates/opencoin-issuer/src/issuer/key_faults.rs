//! What operators read if keys or certificates cannot be changed.
//!
//! What somebody else does at this moment ends by itself, and so may a fault of the books or of a token that is away: all are 503. Everything else is
//! the same at the next try, until whoever runs the server has mended it. The log says what it is, with the paths of files;
//! the answer says only where to look.

use std::fmt;

use opencoin_crypto::KeyStoreError;
use opencoin_keys::{DirectoryError, GiveUpError, KeyManagerError, OpenError, VaultError};

use crate::key_changes::KeyChangeError;
use crate::refusal::{Reason, Refusal, unavailable};

/// What is answered to a fault that only whoever runs the server can mend.
const TO_MEND: &str = "the keys of this server cannot be changed, and trying again does not help: whoever runs the server finds \
                       the reason in its log, and mends it first";

/// Logs a fault that stays until somebody mends it.
fn fault(error: &dyn fmt::Display) -> Refusal {
    tracing::error!(%error, "mint keys or certificates cannot be changed");
    Refusal::new(Reason::Invalid, TO_MEND)
}

/// A command changes keys or certificates at this moment.
fn busy() -> Refusal {
    Refusal::new(
        Reason::Unavailable,
        "a command is changing the keys at this moment; try again when it is done",
    )
}

/// What belongs into the folder of a signer on another machine cannot be done here.
pub(super) fn remote_signer() -> Refusal {
    Refusal::new(
        Reason::Invalid,
        "a signer on another machine has the private keys: make new keys and import their certificates there \
         (`opencoin issuer keys rotate`, `opencoin issuer import`), then copy the new certificates to this server",
    )
}

pub(super) fn of_manager(error: KeyManagerError) -> Refusal {
    match error {
        KeyManagerError::Directory(error) => of_directory(&error),
        KeyManagerError::Vault(error) => of_vault(&error),
        KeyManagerError::Ledger(error) | KeyManagerError::Books(OpenError::Ledger(error)) => {
            unavailable(error)
        }
        KeyManagerError::KeysElsewhere => Refusal::new(Reason::Invalid, error.to_string()),
        KeyManagerError::Store(KeyStoreError::Away(_)) => {
            tracing::warn!(%error, "the store of the keys is away");
            Refusal::unavailable()
        }
        KeyManagerError::Store(_)
        | KeyManagerError::Waits(_)
        | KeyManagerError::Setting(_)
        | KeyManagerError::Books(_)
        | KeyManagerError::Refused(_)
        | KeyManagerError::NoChange
        | KeyManagerError::Sign { .. } => fault(&error),
    }
}

pub(super) fn of_vault(error: &VaultError) -> Refusal {
    match error {
        VaultError::InUse(_) => busy(),
        VaultError::Late { .. } | VaultError::Request(_) => Refusal::new(Reason::Invalid, error.to_string()),
        VaultError::Occupied(_)
        | VaultError::Missing(_)
        | VaultError::Key(_)
        | VaultError::Generate(_)
        | VaultError::File(_)
        | VaultError::Record { .. }
        | VaultError::Certificate(_) => fault(error),
    }
}

pub(super) fn of_directory(error: &DirectoryError) -> Refusal {
    match error {
        DirectoryError::Locked(_) => busy(),
        DirectoryError::Import(_) => Refusal::new(Reason::Invalid, error.to_string()),
        DirectoryError::NoCurrency(_)
        | DirectoryError::Occupied(_)
        | DirectoryError::NoCertificates(_)
        | DirectoryError::File(_)
        | DirectoryError::Settings(_)
        | DirectoryError::Document { .. }
        | DirectoryError::Currency { .. }
        | DirectoryError::Unwritable(_)
        | DirectoryError::Path(_)
        | DirectoryError::Begun(_) => fault(error),
    }
}

pub(super) fn of_giving_up(error: &GiveUpError) -> Refusal {
    match error {
        GiveUpError::OtherRequest(_) => Refusal::new(Reason::PreviewChanged, error.to_string()),
        GiveUpError::DescriptionSigned | GiveUpError::DescriptionMayBeSigned | GiveUpError::FirstRequest => {
            Refusal::new(Reason::Invalid, error.to_string())
        }
        GiveUpError::Directory(error) => of_directory(error),
        GiveUpError::Vault(error) => of_vault(error),
    }
}

pub(super) fn of_change(error: KeyChangeError) -> Refusal {
    match error {
        KeyChangeError::Record(error) => error.into(),
        KeyChangeError::Directory(error) => of_directory(&error),
    }
}
