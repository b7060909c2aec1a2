//! The journal: one record of every command that was applied, in double entry.
//!
//! A record moves `amount` from its debit account to its credit account. Commands that move no money leave a
//! record of zero without accounts, so that the journal tells the whole story. No record names a coin. The
//! one thing that changes in a record is that blinds become their signatures
//! ([`Ledger::keep_signatures`](crate::Ledger::keep_signatures)).

use std::fmt;

use crate::{AccountId, Amount, IdempotencyKey, LedgerTime, PayoutNo, Reference, TransactionReference};

/// Bytes of a content digest: SHA-256.
pub const CONTENT_DIGEST_BYTES: usize = 32;

/// What kind of command a record is of. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Kind {
    /// An account was opened.
    OpenAccount = 1,
    /// Money was paid in.
    Credit = 2,
    /// Money was paid out.
    Debit = 3,
    /// Money moved between accounts.
    Transfer = 4,
    /// A mint key was registered.
    RegisterMintKey = 5,
    /// A mint key was stopped.
    StopMintKey = 6,
    /// Signing was paused or taken up again.
    SetSigningPaused = 7,
    /// Money became coins.
    Mint = 8,
    /// Coins became other coins.
    Renew = 9,
    /// Coins became money.
    Redeem = 10,
    /// The spent coins of a mint key were forgotten.
    PruneMintKey = 11,
    /// A mint key was retired.
    RetireMintKey = 12,
    /// Honest coins of stopped mint keys became other coins.
    Recoup = 13,
    /// A holder asked for a payout.
    RequestPayout = 14,
    /// A payout was paid.
    PayPayout = 15,
    /// A payout could not be paid, and its money went back.
    ReturnPayout = 16,
    /// An operator went on with an older state of the books.
    AcceptState = 17,
    /// A mint that waited for money was given up.
    GiveUpMint = 18,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::OpenAccount,
        Self::Credit,
        Self::Debit,
        Self::Transfer,
        Self::RegisterMintKey,
        Self::StopMintKey,
        Self::SetSigningPaused,
        Self::Mint,
        Self::Renew,
        Self::Redeem,
        Self::PruneMintKey,
        Self::RetireMintKey,
        Self::Recoup,
        Self::RequestPayout,
        Self::PayPayout,
        Self::ReturnPayout,
        Self::AcceptState,
        Self::GiveUpMint,
    ];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The kind with this stored number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether records of this kind move money between two accounts.
    #[must_use]
    pub const fn moves_money(self) -> bool {
        match self {
            Self::OpenAccount
            | Self::RegisterMintKey
            | Self::StopMintKey
            | Self::SetSigningPaused
            | Self::PruneMintKey
            | Self::RetireMintKey
            | Self::AcceptState
            | Self::GiveUpMint => false,
            Self::Credit
            | Self::Debit
            | Self::Transfer
            | Self::Mint
            | Self::Renew
            | Self::Redeem
            | Self::Recoup
            | Self::RequestPayout
            | Self::PayPayout
            | Self::ReturnPayout => true,
        }
    }

    /// Whether records of this kind hold blinds to sign.
    #[must_use]
    pub const fn holds_blinds(self) -> bool {
        matches!(self, Self::Mint | Self::Renew | Self::Recoup)
    }

    /// Whether a record of this kind may move money between these accounts.
    #[must_use]
    pub fn fits(self, debit: Option<AccountId>, credit: Option<AccountId>) -> bool {
        let holder = |account: AccountId| account >= AccountId::FIRST_HOLDER;
        match (self, debit, credit) {
            (Self::Credit, Some(AccountId::OUTSIDE), Some(to)) => holder(to),
            (Self::Debit, Some(from), Some(AccountId::OUTSIDE)) => holder(from),
            (Self::Transfer, Some(from), Some(to)) => holder(from) && holder(to) && from != to,
            (Self::Mint, Some(from), Some(AccountId::COINS)) => holder(from),
            (Self::Renew, Some(from), Some(to)) => from == AccountId::COINS && to == AccountId::COINS,
            (Self::Redeem, Some(AccountId::COINS), Some(to)) => holder(to),
            (Self::Recoup, Some(from), Some(to)) => from == AccountId::RECOUPED && to == AccountId::COINS,
            (Self::RequestPayout, Some(from), Some(AccountId::PAYOUTS)) => holder(from),
            (Self::PayPayout, Some(from), Some(to)) => from == AccountId::PAYOUTS && to == AccountId::OUTSIDE,
            (Self::ReturnPayout, Some(AccountId::PAYOUTS), Some(to)) => holder(to),
            (kind, None, None) => !kind.moves_money(),
            _ => false,
        }
    }
}

/// The key under which a record is unique: one byte that says of what, then the bytes of that.
///
/// It makes every command idempotent: the second insert of a key is the first command again, or a conflict.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceKey(Box<[u8]>);

/// What a reference key is of. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReferenceScope {
    /// A wallet's transaction reference: mint, given up or not, renew and recoup.
    Transaction = 1,
    /// A redeem: the digest of its account and set of coins.
    Redeem = 2,
    /// An operator's payment reference: credit and debit.
    Payment = 3,
    /// The name of an account that was opened.
    Account = 4,
    /// The id of a mint key that was registered.
    MintKey = 5,
    /// The id of a mint key that was stopped.
    MintKeyStop = 6,
    /// The sequence number of a pause or resumption of signing.
    Signing = 7,
    /// The id of a mint key that was pruned.
    MintKeyPrune = 8,
    /// The id of a mint key that was retired.
    MintKeyRetire = 9,
    /// A holder's idempotency key: the account's number in eight bytes, then the key; transfer and payout.
    Holder = 10,
    /// The number of a payout that was settled.
    Settlement = 11,
    /// The id of a history that began with an older state.
    History = 12,
}

impl ReferenceKey {
    /// The key of a mint, renew or recoup.
    #[must_use]
    pub fn of_transaction(reference: &TransactionReference) -> Self {
        Self::new(ReferenceScope::Transaction, reference.as_bytes())
    }

    /// The key of a transfer or payout of this account.
    #[must_use]
    pub fn of_holder(account: AccountId, key: &IdempotencyKey) -> Self {
        Self::new(
            ReferenceScope::Holder,
            &[&account.get().to_be_bytes()[..], key.as_str().as_bytes()].concat(),
        )
    }

    /// The key of the settlement of this payout.
    #[must_use]
    pub fn of_settlement(payout: PayoutNo) -> Self {
        Self::new(ReferenceScope::Settlement, &payout.get().to_be_bytes())
    }

    /// The stored key. Any bytes: whoever reads a meaning back has to do with bytes that have none.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The wallet's reference that this is the key of; `None` for the key of something else.
    pub(crate) fn transaction(&self) -> Option<TransactionReference> {
        let (scope, reference) = self.0.split_first()?;
        (*scope == ReferenceScope::Transaction as u8)
            .then(|| TransactionReference::new(reference).ok())
            .flatten()
    }

    /// The operator's reference that this is the key of; `None` for the key of something else.
    pub(crate) fn payment(&self) -> Option<&str> {
        let (scope, reference) = self.0.split_first()?;
        (*scope == ReferenceScope::Payment as u8)
            .then(|| std::str::from_utf8(reference).ok())
            .flatten()
    }

    pub(crate) fn new(scope: ReferenceScope, bytes: &[u8]) -> Self {
        Self([&[scope as u8], bytes].concat().into())
    }
}

impl fmt::Debug for ReferenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceKey(..)")
    }
}

/// SHA-256 over the canonical encoding of a command's content: the same reference with another digest is a
/// conflict.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; CONTENT_DIGEST_BYTES]);

impl ContentDigest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; CONTENT_DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; CONTENT_DIGEST_BYTES] {
        &self.0
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentDigest(..)")
    }
}

/// One record, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of what kind of command.
    pub kind: Kind,
    /// Unique in the journal.
    pub reference: ReferenceKey,
    /// What the reference stands for.
    pub content: ContentDigest,
    /// Who gives `amount`.
    pub debit: Option<AccountId>,
    /// Who gets `amount`.
    pub credit: Option<AccountId>,
    /// How much moves; zero for kinds that move no money.
    pub amount: Amount,
    /// The issuer's time of the command.
    pub at: LedgerTime,
    /// The blinds of a mint, renew or recoup, as [`encode_blinds`](crate::encode_blinds) writes them.
    pub blinds: Option<Vec<u8>>,
    /// The label of a transfer.
    pub label: Option<Reference>,
}

/// What a decision needs to know of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Of what kind of command.
    pub kind: Kind,
    /// What the reference stands for.
    pub content: ContentDigest,
    /// How much moved.
    pub amount: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_of_kinds_are_fixed() {
        let codes = Kind::ALL.map(Kind::code);
        assert_eq!(
            codes,
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
        );
        assert!(
            Kind::ALL
                .into_iter()
                .all(|kind| Kind::from_code(kind.code()) == Some(kind))
        );
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(19), None);
    }

    #[test]
    fn accounts_fit_their_kind() {
        let [outside, coins] = [Some(AccountId::OUTSIDE), Some(AccountId::COINS)];
        let [alice, bob] = [Some(AccountId::new(3)), Some(AccountId::new(4))];
        assert!(Kind::Credit.fits(outside, alice) && !Kind::Credit.fits(alice, outside));
        assert!(Kind::Debit.fits(alice, outside) && !Kind::Debit.fits(coins, outside));
        assert!(Kind::Transfer.fits(alice, bob) && !Kind::Transfer.fits(alice, alice));
        assert!(Kind::Mint.fits(alice, coins) && !Kind::Mint.fits(outside, coins));
        assert!(Kind::Renew.fits(coins, coins) && !Kind::Renew.fits(coins, alice));
        assert!(Kind::Redeem.fits(coins, alice) && !Kind::Redeem.fits(coins, outside));
        assert!(Kind::OpenAccount.fits(None, None) && !Kind::Mint.fits(None, None));
        assert!(!Kind::StopMintKey.fits(alice, bob));
        let recouped = Some(AccountId::RECOUPED);
        assert!(
            Kind::Recoup.fits(recouped, coins)
                && !Kind::Recoup.fits(coins, coins)
                && !Kind::Recoup.fits(recouped, alice)
        );
        let payouts = Some(AccountId::PAYOUTS);
        assert!(Kind::RequestPayout.fits(alice, payouts) && !Kind::RequestPayout.fits(alice, outside));
        assert!(Kind::PayPayout.fits(payouts, outside) && !Kind::PayPayout.fits(alice, outside));
        assert!(Kind::ReturnPayout.fits(payouts, alice) && !Kind::ReturnPayout.fits(payouts, outside));
    }
}
