//! A wallet that is connected with an account by a service key, which it keeps. So it needs no password.
//!
//! The key of a pairing link may have been seen by others. The wallet makes a key of its own, stores it, and then replaces
//! the link's key by it. A crash or a lost answer in between is made good by using the same link again.

use std::path::{Path, PathBuf};

use opencoin_api::{PairingLink, ReplaceServiceKey, ServiceLogin};
use opencoin_private_files as private_files;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::client::AccountClient;
use super::error::AccountError;
use super::private_json;
use super::stored_session::{SessionCurrency, StoredSession, is_same_issuer};
use crate::file_error::FileError;
use crate::holder::Holder;
use opencoin_api::Secret;

const PAIRING_FILE: &str = "pairing.json";
/// The random bytes of a key.
const KEY_BYTES: usize = 32;

/// A wallet cannot be connected.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// The file with the key cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The issuer refuses, or does not answer.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// The connection of a wallet with an account, in the wallet's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// The issuer's URL, without a slash at its end.
    pub url: String,
    /// The id of the service that this wallet is.
    pub service: String,
    /// Its key.
    key: Secret,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paired: Option<Pairing>,
    /// A key that the issuer may have taken already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Pairing>,
}

impl Pairing {
    /// The connection that is stored in this folder, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        Ok(Stored::read(folder)?.paired)
    }

    /// Connects the wallet in this folder by a link, in place of an earlier connection. `client` is one of the link's
    /// issuer.
    ///
    /// # Errors
    /// The link was used or its service removed, or the result is unknown: then the same link can be used again.
    pub async fn begin(
        folder: &Path,
        link: &PairingLink,
        client: &AccountClient,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, PairingError> {
        let mut stored = Stored::read(folder)?;
        // Another issuer must not get a key that this one may have taken.
        let is_of_link = |pending: &Self| pending.service == link.id && pending.is_with(&link.url);
        let begun = stored.pending.take().filter(is_of_link);
        let pairing = begun.unwrap_or_else(|| Self {
            url: link.url.clone(),
            service: link.id.clone(),
            key: new_key(rng),
        });
        stored.pending = Some(pairing.clone());
        stored.write(folder)?;
        let replace = ReplaceServiceKey {
            id: link.id.clone(),
            key: link.key.clone(),
            new_key: pairing.key.clone(),
        };
        client.replace_service_key(&replace).await?;
        let stored = Stored {
            paired: Some(pairing.clone()),
            pending: None,
        };
        stored.write(folder)?;
        Ok(pairing)
    }

    /// Logs in. The session is not stored.
    ///
    /// # Errors
    /// The account has removed this wallet, or the issuer does not answer.
    pub async fn log_in(
        &self,
        client: &AccountClient,
        currency: Option<SessionCurrency>,
    ) -> Result<StoredSession, AccountError> {
        let login = ServiceLogin {
            id: self.service.clone(),
            key: self.key.clone(),
        };
        let session = client.log_in_service(&login).await?;
        Ok(StoredSession {
            url: self.url.clone(),
            holder: Holder::Service(self.service.clone()),
            token: session.token,
            expires_at: session.expires_at,
            currency,
        })
    }

    /// Whether the account is with the issuer at this URL.
    #[must_use]
    pub fn is_with(&self, url: &str) -> bool {
        is_same_issuer(&self.url, url)
    }
}

impl Stored {
    fn read(folder: &Path) -> Result<Self, FileError> {
        Ok(private_json::read(&path(folder))?.unwrap_or_default())
    }

    fn write(&self, folder: &Path) -> Result<(), FileError> {
        private_files::make_private_folders(folder)?;
        let bytes = Zeroizing::new(
            serde_json::to_vec(self).expect("a pairing has string keys and no failing values"),
        );
        Ok(private_files::write(&path(folder), &bytes)?)
    }
}

fn new_key(rng: &mut (impl RngCore + CryptoRng)) -> Secret {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rng.fill_bytes(bytes.as_mut());
    let digits = Zeroizing::new(const_hex::encode(bytes.as_ref()));
    Secret::new(format!("{}{}", opencoin_api::SERVICE_KEY_PREFIX, digits.as_str()))
}

fn path(folder: &Path) -> PathBuf {
    folder.join(PAIRING_FILE)
}
