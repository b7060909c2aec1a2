//! The stored count of a mint key.

use opencoin_ledger::MintKeyId;

/// A row of `mint_keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRow {
    pub(super) no: i64,
    pub(super) id: MintKeyId,
    pub(super) signed: u64,
    pub(super) is_alarmed: bool,
    pub(super) is_forgotten: bool,
}
