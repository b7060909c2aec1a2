//! The rows of the books that a decision reads and changes.

use crate::journal::{ContentDigest, ReferenceKey};
use crate::{
    AccountId, AccountName, Amount, LedgerTime, MintKeyId, MintKeyTerms, PayoutNo, Reference, Settlement,
    StopReason, TokenHash,
};

/// The short number of a mint key in the rows of spent coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MintKeyNo(i32);

impl MintKeyNo {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// A holder's account in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
    /// The hash of its token.
    pub token_hash: TokenHash,
    /// What it holds.
    pub balance: Amount,
}

/// A payout in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutState {
    /// Its number.
    pub no: PayoutNo,
    /// Who asked for it.
    pub account: AccountId,
    /// How much.
    pub amount: Amount,
    /// Where to.
    pub destination: Reference,
    /// The reference of the record of its request.
    pub request: ReferenceKey,
    /// When it was asked for.
    pub requested: LedgerTime,
    /// What came of it, and when.
    pub settled: Option<(Settlement, LedgerTime)>,
}

/// A mint that waits for money, in the view: without its blinds, which only its row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingState {
    /// The reference of the mint.
    pub reference: ReferenceKey,
    /// Who is to pay.
    pub account: AccountId,
    /// What the reference stands for.
    pub content: ContentDigest,
    /// What the account must hold.
    pub amount: Amount,
    /// When it was asked for.
    pub asked: LedgerTime,
    /// When its time is over.
    pub expires: LedgerTime,
}

/// A mint key in the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyState {
    /// Its short number.
    pub no: MintKeyNo,
    /// Its id.
    pub id: MintKeyId,
    /// Its terms.
    pub terms: MintKeyTerms,
    /// Signatures given.
    pub issued: u64,
    /// Coins that came back.
    pub returned: u64,
    /// Coins that were recouped after it was stopped.
    pub recouped: u64,
    /// Why it was stopped, if it was.
    pub stopped: Option<StopReason>,
    /// Whether it signs nothing any more.
    pub retired: bool,
    /// Whether its spent coins were forgotten.
    pub pruned: bool,
}

/// Whether signing pauses, and how often that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signing {
    /// Whether it pauses.
    pub paused: bool,
    /// How often that changed: the reference of the next record about it.
    pub changes: u64,
}
