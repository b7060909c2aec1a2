//! A currency that the wallet does not know yet: what it is, before anybody decides to trust it.

use opencoin_crypto::{VerifiedCddc, verify_cddc};
use opencoin_schema::{AnyDocument, Cddc, WeightedUrl};

use super::{Balance, Wallet};
use crate::client::ExchangeError;
use crate::error::WalletError;
use crate::transport::Transport;

/// The longest description that is read, in bytes. One with a thousand services is shorter.
const CDDC_BYTES_MAX: usize = 1024 * 1024;

/// The verified description of a currency, which the wallet has not stored.
#[derive(Debug, Clone)]
pub struct Described {
    url: String,
    cddc: VerifiedCddc,
}

impl Described {
    /// The currency's id, the hash of its master key, under which its coins name it.
    #[must_use]
    pub fn currency(&self) -> String {
        self.cddc.master_key().id().to_string()
    }

    /// The currency's name, as its issuer chose it: another currency may have the same.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cddc.cdd().currency_name
    }

    /// The issuer's URL, as the description says it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Wallet {
    /// Downloads and verifies the description of a currency from the place that a coin names (its `cdd_location`). Follows
    /// no redirect and stores nothing. The caller has checked that it is a URL that may be asked.
    ///
    /// # Errors
    /// There is no answer, or no description that verifies.
    pub async fn describe(&mut self, location: &str) -> Result<Described, WalletError> {
        self.read_clock();
        let answer = self.transport.download(location, CDDC_BYTES_MAX).await?;
        let cddc = answer.is_success().then(|| cddc_in(&answer.body)).flatten();
        let cddc = cddc.ok_or_else(|| {
            let status = answer.status;
            ExchangeError::Unknown(format!(
                "at {location} is no description of a currency (HTTP status {status})"
            ))
        })?;
        let cddc = verify_cddc(&cddc)?;
        let services = cddc.cdd().info_service.iter();
        let url = services
            .min_by_key(|service| service.0)
            .map(|WeightedUrl(_, url)| url.clone());
        let url = url.ok_or_else(|| {
            ExchangeError::Unknown(format!("the description at {location} names no server"))
        })?;
        Ok(Described { url, cddc })
    }

    /// Adds a currency with the description that was shown, and trusts its master key from then on. The issuer is asked
    /// for its other documents only, so nobody can show one currency and add another.
    ///
    /// # Errors
    /// The issuer does not answer, or its documents do not verify.
    pub async fn trust(&mut self, described: &Described) -> Result<Balance, WalletError> {
        self.read_clock();
        let id = self.learn_currency(&described.url, described.cddc.cddc()).await?;
        Ok(self.balance(&id, self.currency(&id)?, self.now))
    }
}

/// The description in an answer, which the specification lets be a document or a message.
fn cddc_in(body: &[u8]) -> Option<Cddc> {
    match AnyDocument::from_json(body).ok()? {
        AnyDocument::Cddc(cddc) => Some(cddc),
        AnyDocument::ResponseCddc(response) => response.cddc,
        _ => None,
    }
}
