//! The keys against which evidence is verified.

use opencoin_crypto::{VerifiedCddc, verify_cddc};
use opencoin_log::log_block::LogBlock;
use opencoin_schema::Cddc;

use super::EvidenceError;

/// A currency's description, and the block in it that names the log.
pub(super) struct LogKeys {
    pub(super) cddc: VerifiedCddc,
    pub(super) block: LogBlock,
}

impl LogKeys {
    pub(super) fn of(cddc: &Cddc) -> Result<Self, EvidenceError> {
        let cddc = verify_cddc(cddc).map_err(|error| fails(error.to_string()))?;
        let block = LogBlock::find(&cddc.cdd().additional_info).map_err(|error| fails(error.to_string()))?;
        let block = block.ok_or_else(|| fails("the currency's description names no log"))?;
        Ok(Self { cddc, block })
    }
}

pub(super) fn fails(reason: impl Into<String>) -> EvidenceError {
    EvidenceError::DoesNotHold(reason.into())
}
