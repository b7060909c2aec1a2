//! The description of a currency: where its log is, and which signatures count.

use opencoin_crypto::{VerifiedCddc, verify_cddc};
use opencoin_evidence::master_key_fingerprint;
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::Download;
use opencoin_schema::{Cddc, from_json};
use thiserror::Error;

/// The longest description.
const CDDC_BYTES_MAX: usize = 1024 * 1024;
const OK: u16 = 200;
/// A server that asks for less haste, and the first status of servers that are in trouble.
const TOO_MANY_REQUESTS: u16 = 429;
const SERVER_ERRORS: u16 = 500;

/// A description whose signature was verified.
#[derive(Debug, Clone)]
pub struct Description {
    cddc: VerifiedCddc,
    block: LogBlock,
    master_key: String,
}

/// The description of a currency cannot be had or used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// The issuer does not answer.
    #[error("{url} cannot be read: {reason}")]
    Unreachable {
        /// The URL of the description.
        url: String,
        /// The cause.
        reason: String,
    },
    /// There is something else at the URL.
    #[error("there is no currency at {url}: {reason}")]
    NotThere {
        /// The URL of the description.
        url: String,
        /// What there is.
        reason: String,
    },
    /// The description is not certified, or not readable.
    #[error("the description of the currency cannot be used: {0}")]
    Wrong(String),
    /// The currency has no log.
    #[error("the currency has no public log, so there is nothing to audit")]
    NoLog,
}

impl Description {
    /// Verifies a description. Whether its master key is the right one is for the caller to say.
    ///
    /// # Errors
    /// It is not certified, or names no log.
    pub fn of(cddc: &Cddc) -> Result<Self, DescriptionError> {
        let cddc = verify_cddc(cddc).map_err(|error| DescriptionError::Wrong(error.to_string()))?;
        let block = LogBlock::find(&cddc.cdd().additional_info);
        let block = block.map_err(|error| DescriptionError::Wrong(error.to_string()))?;
        Ok(Self {
            block: block.ok_or(DescriptionError::NoLog)?,
            master_key: master_key_fingerprint(cddc.master_key()),
            cddc,
        })
    }

    /// Downloads the current description from an issuer.
    ///
    /// # Errors
    /// The issuer does not answer, or not with a description of a currency with a log.
    pub async fn download(files: &dyn Download, url: &str) -> Result<Self, DescriptionError> {
        let url = format!("{}/cddc", url.trim_end_matches('/'));
        let unreachable = |reason: String| DescriptionError::Unreachable {
            url: url.clone(),
            reason,
        };
        let answer = files.download(&url, CDDC_BYTES_MAX).await;
        let answer = answer.map_err(|error| unreachable(error.to_string()))?;
        let not_there = |reason: String| DescriptionError::NotThere {
            url: url.clone(),
            reason,
        };
        let status = answer.status;
        if status == TOO_MANY_REQUESTS || status >= SERVER_ERRORS {
            return Err(unreachable(format!("HTTP status {status}")));
        }
        if status != OK {
            return Err(not_there(format!("HTTP status {status}")));
        }
        let cddc = from_json(&answer.body)
            .map_err(|_| not_there("it answers with something else than a description".to_owned()))?;
        Self::of(&cddc)
    }

    /// The certificate.
    #[must_use]
    pub fn cddc(&self) -> &Cddc {
        self.cddc.cddc()
    }

    /// The number of the description; a later one has a higher one.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.cddc.cdd().cdd_serial
    }

    /// The name of the currency.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cddc.cdd().currency_name
    }

    /// The number of smallest units in one unit of the currency.
    #[must_use]
    pub fn divisor(&self) -> u64 {
        self.cddc.cdd().currency_divisor
    }

    /// The log.
    #[must_use]
    pub const fn block(&self) -> &LogBlock {
        &self.block
    }

    /// The origin of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.block.origin().as_str()
    }

    /// The id of the currency, as wallets show it: the SHA-1 of the master key in hex, without leading zeros.
    #[must_use]
    pub fn id(&self) -> String {
        self.cddc.master_key().id().to_string()
    }

    /// The fingerprint of the master key: SHA-256 in hex.
    #[must_use]
    pub fn master_key(&self) -> &str {
        &self.master_key
    }

    /// Whether this can replace another one: of the same master key and log, and newer.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        self.cddc.master_key() == other.cddc.master_key()
            && self.origin() == other.origin()
            && self.serial() > other.serial()
    }

    /// The prefixes of the log's files that the description names.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = String> {
        let logs = self.block.policy().logs().iter();
        logs.filter_map(|log| log.url.clone())
    }
}
