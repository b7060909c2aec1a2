//! Adds a currency, which is named by the URL of its issuer.

use opencoin_log_reader::DownloadError;
use thiserror::Error;

use crate::description::{Description, DescriptionError};
use crate::fetch::HttpFiles;
use crate::store::{AuditorStore, NewCurrency, StoreError};

/// A currency that is followed from now on.
#[derive(Debug)]
pub struct AddedCurrency {
    /// Its description.
    pub description: Description,
    /// Whether it was not followed before.
    pub is_new: bool,
}

/// A currency cannot be added.
#[derive(Debug, Error)]
pub enum AddCurrencyError {
    /// The network cannot be used.
    #[error("the network cannot be used: {0}")]
    Network(#[from] DownloadError),
    /// The description cannot be had or used.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The master key is none of those that were named.
    #[error(
        "the issuer at {url} shows a currency with the id {id} (fingerprint {fingerprint}), which is not the master key \
         that you named"
    )]
    OtherMasterKey {
        /// The URL of the issuer.
        url: String,
        /// The id of its currency.
        id: String,
        /// The fingerprint of its master key.
        fingerprint: String,
    },
    /// The database cannot be written, or has another master key for this log.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the description of the currency at `url` and follows it from now on, also in a running server. Its master key is
/// remembered, and must be one of `master_keys` if there are any: ids or fingerprints, in lower-case hex.
///
/// # Errors
/// The issuer does not answer, the currency has no log, or the master key is another one.
pub async fn add_currency(
    store: &AuditorStore,
    url: &str,
    master_keys: &[String],
    now_s: u64,
) -> Result<AddedCurrency, AddCurrencyError> {
    let url = url.trim_end_matches('/');
    let description = Description::download(&HttpFiles::new()?, url).await?;
    let id = description.id();
    let is_meant = |key: &String| *key == id || key == description.master_key();
    if !master_keys.is_empty() && !master_keys.iter().any(is_meant) {
        return Err(AddCurrencyError::OtherMasterKey {
            url: url.to_owned(),
            id,
            fingerprint: description.master_key().to_owned(),
        });
    }
    let new = NewCurrency {
        url,
        origin: description.origin(),
        master_key: description.master_key(),
        cddc: description.cddc(),
    };
    let is_new = store.add_currency(&new, now_s).await?;
    Ok(AddedCurrency { description, is_new })
}
