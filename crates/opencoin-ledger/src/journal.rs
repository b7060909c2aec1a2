//! The journal: one record for each applied command, in double entry. A mint that waits has no record yet.
//!
//! A record moves `amount` from its debit account to its credit account. A command that moves no money writes
//! a record with amount zero and without accounts, so that the journal is complete. No record names a coin.
//! Records never change. The blinds of a record are stored beside it: signatures can replace them
//! ([`Ledger::keep_signatures`](crate::Ledger::keep_signatures)), and they are deleted when their coins have
//! expired. The record keeps a digest of them and how many each mint key signs.

use std::fmt;
use std::sync::Arc;

use opencoin_log::key_account::AccountKey;

use crate::log::{LogBatchNo, LogTotals};
use crate::mint_key_no::MintKeyNo;
use crate::{
    AccountId, Amount, EntryNo, IdempotencyKey, LedgerTime, PayoutNo, Reference, TransactionReference,
};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The length of a content digest in bytes: SHA-256.
pub const CONTENT_DIGEST_BYTES: usize = 32;

/// The kind of a record. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Kind {
    /// An account was opened.
    OpenAccount = 1,
    /// Money was paid in.
    Credit = 2,
    /// Money was paid out.
    Debit = 3,
    /// Money moved between two accounts: a holder's transfer, or the payment of a key.
    Transfer = 4,
    /// A mint key was registered.
    RegisterMintKey = 5,
    /// A mint key was stopped.
    StopMintKey = 6,
    /// Signing was paused or resumed.
    SetSigningPaused = 7,
    /// An account paid for coins.
    Mint = 8,
    /// Coins were exchanged for fresh coins.
    Renew = 9,
    /// Coins were credited to an account.
    Redeem = 10,
    /// The spent coins of a mint key were forgotten.
    PruneMintKey = 11,
    /// A mint key was retired.
    RetireMintKey = 12,
    /// Honest coins of stopped mint keys were exchanged for coins of other keys.
    Recoup = 13,
    /// A holder requested a payout.
    RequestPayout = 14,
    /// A payout was paid.
    PayPayout = 15,
    /// A payout failed, and its money went back to the account.
    ReturnPayout = 16,
    /// An operator accepted an older state of the books.
    AcceptState = 17,
    /// A waiting mint was given up.
    GiveUpMint = 18,
    /// The public log was opened.
    OpenLog = 19,
    /// A description of the currency was added to the log.
    LogCurrency = 20,
    /// A mint key began to sign, because its leaf was published.
    ReleaseMintKey = 21,
    /// Something of a lost time was booked as the public log has it.
    Recover = 22,
    /// Recovered money was assigned to an account, or an account gave what it had paid in the lost time.
    AssignRecovered = 23,
    /// A mint of the lost time was sent again: its account pays, as far as it can.
    MintAgain = 24,
    /// A renew of the lost time was sent again.
    RenewAgain = 25,
    /// A recoup of the lost time was sent again.
    RecoupAgain = 26,
    /// The issuer bore what accounts owe after a recovery.
    BearShortfall = 27,
    /// A key got an account.
    IntroduceKey = 28,
    /// A key has paid for a mint, which has a record of its own.
    PayForMint = 29,
}

impl Kind {
    /// Every kind, in the order of the stored numbers.
    pub const ALL: [Self; 29] = [
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
        Self::OpenLog,
        Self::LogCurrency,
        Self::ReleaseMintKey,
        Self::Recover,
        Self::AssignRecovered,
        Self::MintAgain,
        Self::RenewAgain,
        Self::RecoupAgain,
        Self::BearShortfall,
        Self::IntroduceKey,
        Self::PayForMint,
    ];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The kind with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether a record of this kind can have this amount.
    #[must_use]
    pub const fn fits_amount(self, amount: i64) -> bool {
        match self {
            // The account may hold nothing.
            Self::MintAgain => amount >= 0,
            _ => amount >= 0 && self.moves_money() == (amount > 0),
        }
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
            | Self::GiveUpMint
            | Self::OpenLog
            | Self::LogCurrency
            | Self::ReleaseMintKey
            | Self::RenewAgain
            | Self::RecoupAgain
            | Self::IntroduceKey
            | Self::PayForMint => false,
            Self::Credit
            | Self::Debit
            | Self::Transfer
            | Self::Mint
            | Self::Renew
            | Self::Redeem
            | Self::Recoup
            | Self::RequestPayout
            | Self::PayPayout
            | Self::ReturnPayout
            | Self::Recover
            | Self::AssignRecovered
            | Self::MintAgain
            | Self::BearShortfall => true,
        }
    }

    /// Whether records of this kind have blinds to sign.
    #[must_use]
    pub const fn holds_blinds(self) -> bool {
        matches!(self, Self::Mint | Self::Renew | Self::Recoup) || self.is_again()
    }

    /// Whether records of this kind sign again what the public log has. Their signatures were counted when the lost time
    /// was recovered.
    #[must_use]
    pub const fn is_again(self) -> bool {
        matches!(self, Self::MintAgain | Self::RenewAgain | Self::RecoupAgain)
    }

    /// Whether a record of this kind with these accounts counts signatures.
    #[must_use]
    pub fn counts_signatures(self, debit: Option<AccountId>, credit: Option<AccountId>) -> bool {
        let is_recovered = (debit, credit) == (Some(AccountId::RECOVERED), Some(AccountId::COINS));
        self.holds_blinds() || self == Self::Recover && is_recovered
    }

    /// Whether records of this kind have leaves of coins or blinds in the log.
    #[must_use]
    pub const fn has_coins(self) -> bool {
        matches!(self, Self::Mint | Self::Renew | Self::Redeem | Self::Recoup)
    }

    /// Whether a record of this kind that debits this account has leaves in the log that the issuer promises.
    #[must_use]
    fn is_promised(self, debit: Option<AccountId>) -> bool {
        let is_of_key = debit.is_some_and(AccountId::is_key_account);
        self.has_coins()
            || matches!(self, Self::IntroduceKey | Self::PayForMint)
            || self == Self::Transfer && is_of_key
    }

    /// Whether a record of this kind can have these accounts.
    #[must_use]
    pub fn fits(self, debit: Option<AccountId>, credit: Option<AccountId>) -> bool {
        let holder = AccountId::is_custodial;
        let any = |account: AccountId| account >= AccountId::FIRST_HOLDER;
        match (self, debit, credit) {
            (Self::Credit, Some(AccountId::OUTSIDE), Some(to)) => any(to),
            (Self::Debit, Some(from), Some(AccountId::OUTSIDE)) => holder(from),
            (Self::Transfer, Some(from), Some(to)) => any(from) && any(to) && from != to,
            (Self::Mint, Some(from), Some(AccountId::COINS)) => any(from),
            (Self::Renew, Some(from), Some(to)) => from == AccountId::COINS && to == AccountId::COINS,
            (Self::Redeem, Some(AccountId::COINS), Some(to)) => any(to),
            (Self::Recoup, Some(from), Some(to)) => from == AccountId::RECOUPED && to == AccountId::COINS,
            (Self::RequestPayout, Some(from), Some(AccountId::PAYOUTS)) => holder(from),
            (Self::PayPayout, Some(from), Some(to)) => from == AccountId::PAYOUTS && to == AccountId::OUTSIDE,
            (Self::ReturnPayout, Some(AccountId::PAYOUTS), Some(to)) => holder(to),
            (Self::Recover, Some(AccountId::RECOVERED), Some(to)) => {
                to == AccountId::OUTSIDE || to == AccountId::COINS
            }
            (Self::Recover, Some(from), Some(AccountId::RECOVERED)) => {
                [AccountId::OUTSIDE, AccountId::COINS, AccountId::RECOUPED].contains(&from)
            }
            (Self::BearShortfall, Some(from), Some(to)) => {
                from == AccountId::RECOUPED && to == AccountId::RECOVERED
            }
            (Self::AssignRecovered, Some(AccountId::RECOVERED), Some(to)) => any(to),
            (Self::AssignRecovered | Self::MintAgain, Some(from), Some(AccountId::RECOVERED)) => any(from),
            (kind, None, None) => !kind.moves_money(),
            _ => false,
        }
    }
}

/// The unique key of a record: one byte for its scope, then bytes that are unique in the scope.
///
/// Several parts of a batch hold it, so a clone shares the bytes. It makes every command idempotent: a key that exists already means a repeated command or a conflict.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceKey(Arc<[u8]>);

/// The scope of a reference key: what its other bytes are. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReferenceScope {
    /// A wallet's transaction reference: of a mint (applied or given up), renew or recoup.
    Transaction = 1,
    /// The digest of a redeem's account and set of coins.
    Redeem = 2,
    /// An operator's payment reference: of a credit or debit.
    Payment = 3,
    /// The name of an opened account.
    Account = 4,
    /// The id of a registered mint key.
    MintKey = 5,
    /// The id of a stopped mint key.
    MintKeyStop = 6,
    /// The sequence number of a pause or resumption of signing.
    Signing = 7,
    /// The id of a pruned mint key.
    MintKeyPrune = 8,
    /// The id of a retired mint key.
    MintKeyRetire = 9,
    /// The account's number in eight bytes, then the holder's idempotency key: of a transfer or payout.
    Holder = 10,
    /// The number of a settled payout.
    Settlement = 11,
    /// The id of a history that began with an accepted older state.
    History = 12,
    /// The opening of the log, or the digest of a description of the currency in it.
    Log = 13,
    /// The id of a mint key that was released.
    MintKeyRelease = 14,
    /// The digest of something that was recovered.
    Recovery = 15,
    /// A key that has an account.
    KeyIntroduction = 16,
    /// The key of a payer, then the number of the payment in eight bytes.
    KeyPayment = 17,
    /// The identity of a line of the bank. No transaction has it, only a proposal.
    BankLine = 18,
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

    /// The key of this payout's settlement.
    #[must_use]
    pub fn of_settlement(payout: PayoutNo) -> Self {
        Self::new(ReferenceScope::Settlement, &payout.get().to_be_bytes())
    }

    /// The key of the introduction of this key.
    pub(crate) fn of_introduction(key: &AccountKey) -> Self {
        Self::new(ReferenceScope::KeyIntroduction, key.as_bytes())
    }

    /// The key of the payment of this key with this number.
    #[must_use]
    pub fn of_key_payment(key: &AccountKey, seq: u64) -> Self {
        Self::new(
            ReferenceScope::KeyPayment,
            &[&key.as_bytes()[..], &seq.to_be_bytes()].concat(),
        )
    }

    /// A stored key. Any bytes are taken; the methods that interpret them return `None` if they make no
    /// sense.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into().into())
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The wallet's reference in this key; `None` in a key of another scope.
    pub(crate) fn transaction(&self) -> Option<TransactionReference> {
        let (scope, reference) = self.0.split_first()?;
        (*scope == ReferenceScope::Transaction as u8)
            .then(|| TransactionReference::new(reference).ok())
            .flatten()
    }

    /// The operator's reference in this key; `None` in a key of another scope.
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

/// SHA-256 over the canonical encoding of a command's content. The same reference with another digest is a
/// conflict.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; CONTENT_DIGEST_BYTES]);

impl ContentDigest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; CONTENT_DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
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
    /// The kind of its command, and how that was decided.
    pub kind: Kind,
    /// Unique in the journal.
    pub reference: ReferenceKey,
    /// The digest of the command's content.
    pub content: ContentDigest,
    /// The account that gives `amount`; `None` for kinds that move no money.
    pub debit: Option<AccountId>,
    /// The account that receives `amount`; `None` for kinds that move no money.
    pub credit: Option<AccountId>,
    /// The number of this entry in the debit account; `None` if that is not a holder's.
    pub debit_entry: Option<EntryNo>,
    /// The number of this entry in the credit account; `None` if that is not a holder's.
    pub credit_entry: Option<EntryNo>,
    /// The amount that moves; zero for kinds that move no money.
    pub amount: Amount,
    /// The issuer's time of the command.
    pub at: LedgerTime,
    /// How many signatures each mint key gives for a mint, renew or recoup, or gave in a lost time.
    pub issued: Option<IssuedCounts>,
    /// The blinds of a mint, renew or recoup.
    pub blinds: Option<RecordedBlinds>,
    /// The label of a transfer.
    pub label: Option<Reference>,
    /// The batch of the log that has its leaves, if that is not the one that is open.
    pub recovered_batch: Option<LogBatchNo>,
}

impl Record {
    /// The batch of the log that is stored with it, while `open` is open.
    #[must_use]
    pub fn log_batch(&self, open: Option<LogBatchNo>) -> Option<LogBatchNo> {
        self.recovered_batch
            .or_else(|| open.filter(|_| self.kind.is_promised(self.debit)))
    }

    /// What it changes in the totals of the public log. Those of coins follow from their leaves.
    #[must_use]
    pub fn log_totals(&self) -> LogTotals {
        let amount = i128::from(self.amount.as_i64());
        let mut totals = LogTotals::default();
        for (account, received) in [(self.debit, -amount), (self.credit, amount)] {
            match account {
                None | Some(AccountId::COINS) => {}
                Some(AccountId::OUTSIDE) if received > 0 => totals.paid_out += received,
                Some(AccountId::OUTSIDE) => totals.paid_in -= received,
                Some(AccountId::RECOUPED) => totals.recouped -= received,
                Some(key) if key.is_key_account() => totals.key_accounts += received,
                // Unsettled payouts, and recovered money until it is assigned, are as good as in accounts.
                Some(_) => totals.accounts += received,
            }
        }
        totals
    }
}

/// The second in which a commit with these records was decided, for the row that waits to be sealed. A finer time would tie
/// the coins of the row to its records.
#[must_use]
pub fn waiting_since(journal: &[Record]) -> LedgerTime {
    let newest = journal.iter().map(|record| record.at.unix_micros()).max();
    let micros = newest.unwrap_or_default();
    LedgerTime::from_unix_micros(micros - micros.rem_euclid(MICROS_PER_SECOND))
}

/// The blinds of a record. They are stored beside it, and are deleted when all of their coins have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBlinds {
    /// The blinds, as [`encode_blinds`](crate::encode_blinds) writes them.
    pub encoded: Vec<u8>,
    /// The mint key among these whose coins expire last. When it is pruned, the blinds can be deleted.
    pub expires_with: MintKeyNo,
}

/// How many signatures each mint key gives for a transaction, by ascending numbers of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCounts(Vec<(MintKeyNo, u32)>);

/// Stored counts are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the counts of signatures are damaged")]
pub struct IssuedCountsError;

impl IssuedCounts {
    /// Counts of these keys.
    ///
    /// # Panics
    /// A key is named twice, or its count is zero.
    #[must_use]
    pub fn new(counts: impl IntoIterator<Item = (MintKeyNo, u32)>) -> Self {
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable();
        assert!(
            counts.windows(2).all(|pair| pair[0].0 < pair[1].0) && counts.iter().all(|(_, count)| *count > 0),
            "each key is counted once and signs something"
        );
        Self(counts)
    }

    /// The keys with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (MintKeyNo, u32)> {
        self.0.iter().copied()
    }

    /// The bytes to store: for each key its number and its count, in 4 bytes each, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let pair = |(no, count): (MintKeyNo, u32)| [no.get().to_be_bytes(), count.to_be_bytes()].concat();
        self.iter().flat_map(pair).collect()
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// The bytes are not counts in this encoding.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IssuedCountsError> {
        let (pairs, []) = bytes.as_chunks::<8>() else {
            return Err(IssuedCountsError);
        };
        let pair = |[a, b, c, d, e, f, g, h]: &[u8; 8]| {
            let no = MintKeyNo::new(i32::from_be_bytes([*a, *b, *c, *d]));
            (no, u32::from_be_bytes([*e, *f, *g, *h]))
        };
        let counts: Vec<_> = pairs.iter().map(pair).collect();
        let is_sorted = counts.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if counts.is_empty() || !is_sorted || counts.iter().any(|(_, count)| *count == 0) {
            return Err(IssuedCountsError);
        }
        Ok(Self(counts))
    }
}

/// The part of a record that a decision needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The kind of its command, and how that was decided.
    pub kind: Kind,
    /// The digest of the command's content.
    pub content: ContentDigest,
    /// The amount that moved; zero for kinds that move no money.
    pub amount: Amount,
    /// The batch of the log that was open; `None` without a log, and for kinds without coins.
    pub log_batch: Option<LogBatchNo>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HistoryId;

    #[test]
    fn stored_numbers_of_kinds_are_fixed() {
        let codes = Kind::ALL.map(Kind::code);
        assert_eq!(codes, (1..=29).collect::<Vec<i16>>()[..]);
        assert!(
            Kind::ALL
                .into_iter()
                .all(|kind| Kind::from_code(kind.code()) == Some(kind))
        );
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(30), None);
    }

    #[test]
    fn counts_of_signatures_have_one_encoding() {
        let [one, two] = [1, 2].map(MintKeyNo::new);
        let counts = IssuedCounts::new([(two, 300), (one, 7)]);
        let bytes = [0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 1, 44];
        assert_eq!(counts.to_bytes(), bytes);
        assert_eq!(IssuedCounts::from_bytes(&bytes), Ok(counts));
        let swapped = [&bytes[8..], &bytes[..8]].concat();
        let twice = [&bytes[..8], &bytes[..8]].concat();
        for damaged in [&[][..], &bytes[..7], &swapped, &twice, &[0, 0, 0, 1, 0, 0, 0, 0]] {
            assert_eq!(
                IssuedCounts::from_bytes(damaged),
                Err(IssuedCountsError),
                "{damaged:?}"
            );
        }
    }

    #[test]
    fn records_change_the_totals_of_the_log() {
        let [outside, coins, payouts] = [AccountId::OUTSIDE, AccountId::COINS, AccountId::PAYOUTS].map(Some);
        let [recouped, recovered] = [AccountId::RECOUPED, AccountId::RECOVERED].map(Some);
        let (alice, key) = (Some(AccountId::new(3)), Some(AccountId::FIRST_KEY_ACCOUNT));
        let totals = |kind, debit, credit| {
            let record = Record {
                kind,
                debit,
                credit,
                amount: Amount::new(7).unwrap(),
                ..Record::of_accepted_state(HistoryId::new([1; 16]), LedgerTime::from_unix_micros(0))
            };
            assert!(kind.fits(debit, credit), "{kind:?}");
            let LogTotals {
                accounts,
                key_accounts,
                paid_in,
                paid_out,
                recouped,
            } = record.log_totals();
            [accounts, key_accounts, paid_in, paid_out, recouped]
        };
        for (kind, debit, credit, expected) in [
            (Kind::Credit, outside, alice, [7, 0, 7, 0, 0]),
            (Kind::Credit, outside, key, [0, 7, 7, 0, 0]),
            (Kind::Debit, alice, outside, [-7, 0, 0, 7, 0]),
            (Kind::Transfer, alice, key, [-7, 7, 0, 0, 0]),
            (Kind::Transfer, key, alice, [7, -7, 0, 0, 0]),
            (Kind::Mint, alice, coins, [-7, 0, 0, 0, 0]),
            (Kind::Mint, key, coins, [0, -7, 0, 0, 0]),
            (Kind::Renew, coins, coins, [0; 5]),
            (Kind::Redeem, coins, alice, [7, 0, 0, 0, 0]),
            (Kind::Redeem, coins, key, [0, 7, 0, 0, 0]),
            (Kind::Recoup, recouped, coins, [0, 0, 0, 0, 7]),
            (Kind::RequestPayout, alice, payouts, [0; 5]),
            (Kind::PayPayout, payouts, outside, [-7, 0, 0, 7, 0]),
            (Kind::ReturnPayout, payouts, alice, [0; 5]),
            (Kind::Recover, outside, recovered, [7, 0, 7, 0, 0]),
            (Kind::Recover, recovered, outside, [-7, 0, 0, 7, 0]),
            (Kind::Recover, recovered, coins, [-7, 0, 0, 0, 0]),
            (Kind::Recover, coins, recovered, [7, 0, 0, 0, 0]),
            (Kind::Recover, recouped, recovered, [7, 0, 0, 0, 7]),
            (Kind::BearShortfall, recouped, recovered, [7, 0, 0, 0, 7]),
            (Kind::AssignRecovered, recovered, alice, [0; 5]),
            (Kind::AssignRecovered, recovered, key, [-7, 7, 0, 0, 0]),
            (Kind::MintAgain, alice, recovered, [0; 5]),
        ] {
            assert_eq!(totals(kind, debit, credit), expected, "{kind:?}");
        }
    }

    #[test]
    fn each_kind_has_its_accounts() {
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
        let key = Some(AccountId::FIRST_KEY_ACCOUNT);
        assert!(Kind::Credit.fits(outside, key) && !Kind::Debit.fits(key, outside));
        assert!(Kind::Transfer.fits(alice, key) && Kind::Transfer.fits(key, alice));
        assert!(Kind::Mint.fits(key, coins) && Kind::Redeem.fits(coins, key));
        assert!(!Kind::RequestPayout.fits(key, Some(AccountId::PAYOUTS)));
        let payouts = Some(AccountId::PAYOUTS);
        assert!(Kind::RequestPayout.fits(alice, payouts) && !Kind::RequestPayout.fits(alice, outside));
        assert!(Kind::PayPayout.fits(payouts, outside) && !Kind::PayPayout.fits(alice, outside));
        assert!(Kind::ReturnPayout.fits(payouts, alice) && !Kind::ReturnPayout.fits(payouts, outside));
    }
}
