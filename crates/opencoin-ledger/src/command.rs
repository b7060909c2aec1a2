//! Everything that can happen to money, and the answers.
//!
//! A [`Command`] is the one door: what is not a command cannot change the books. Each is all or nothing, and
//! each can be sent again when its answer was lost: the second time it is answered as `repeated` and moves
//! nothing.

use crate::{
    AccountId, AccountName, Amount, Blind, CoinIn, IdempotencyKey, LedgerTime, MintKeyId, MintKeyTerms,
    PasswordHash, PayoutNo, Reference, Refusal, RevokedBlind, Settlement, StopReason, TokenHash,
    TransactionReference,
};

/// One request to change the books. `at` is the issuer's time; it is recorded and not part of what makes two
/// commands the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens an account with a balance of zero. Again with the same name and token: repeated, and the
    /// password stays as it is.
    OpenAccount {
        /// Its name, unique.
        name: AccountName,
        /// The hash of its token, unique.
        token_hash: TokenHash,
        /// The password that the account begins with, if any.
        password: Option<PasswordHash>,
        /// When.
        at: LedgerTime,
    },
    /// Money was paid in for an account.
    Credit {
        /// Who gets it.
        account: AccountId,
        /// How much; not zero.
        amount: Amount,
        /// One reference moves money once; credits and debits share the references.
        reference: Reference,
        /// When.
        at: LedgerTime,
    },
    /// Money is paid out from an account.
    Debit {
        /// Who pays.
        account: AccountId,
        /// How much; not zero.
        amount: Amount,
        /// As in [`Command::Credit`].
        reference: Reference,
        /// When.
        at: LedgerTime,
    },
    /// A holder pays another.
    Transfer {
        /// Who pays.
        from: AccountId,
        /// Who gets it.
        to: AccountId,
        /// How much; not zero.
        amount: Amount,
        /// One key of the account that pays moves money once; its transfers and payouts share the keys.
        key: IdempotencyKey,
        /// What it is for, for both to read.
        label: Option<Reference>,
        /// When.
        at: LedgerTime,
    },
    /// A holder asks to be paid out: the money leaves the account, and waits for the operator with a number
    /// of its own.
    RequestPayout {
        /// Who is paid out.
        account: AccountId,
        /// How much; not zero.
        amount: Amount,
        /// Where to, as the operator agreed with the holders (the number of a bank account, say).
        destination: Reference,
        /// As in [`Command::Transfer`].
        key: IdempotencyKey,
        /// When.
        at: LedgerTime,
    },
    /// The operator says what came of a payout, once: it was paid, or the money goes back to the holder. The
    /// same again: repeated.
    SettlePayout {
        /// Which.
        payout: PayoutNo,
        /// What came of it.
        settlement: Settlement,
        /// When.
        at: LedgerTime,
    },
    /// Makes a mint key known. Again with the same terms: repeated.
    RegisterMintKey {
        /// Its id.
        id: MintKeyId,
        /// Its terms, for good.
        terms: MintKeyTerms,
        /// When.
        at: LedgerTime,
    },
    /// Ends a mint key for good: it signs nothing and none of its coins come back. Stopping it again:
    /// repeated.
    StopMintKey {
        /// Which key.
        id: MintKeyId,
        /// Why.
        reason: StopReason,
        /// When.
        at: LedgerTime,
    },
    /// Ends the signing of a mint key for good, whatever the clock of any process says later, so that its
    /// private half can be destroyed. Its coins come back as before. Retiring it again: repeated.
    RetireMintKey {
        /// Which key.
        id: MintKeyId,
        /// When; after the key's signing window, or at any time where the key is stopped.
        at: LedgerTime,
    },
    /// Forgets the spent coins of a mint key whose coins have expired, for good: from then on the key signs
    /// nothing and none of its coins come back, whatever `at` says later. Its counters stay. Pruning it
    /// again: repeated.
    PruneMintKey {
        /// Which key.
        id: MintKeyId,
        /// When; after the key's coins have expired.
        at: LedgerTime,
    },
    /// Pauses signing or takes it up again. The ledger remembers it and goes on accepting; the issuer obeys
    /// it.
    SetSigningPaused {
        /// Whether signing pauses.
        paused: bool,
        /// When.
        at: LedgerTime,
    },
    /// Money of an account becomes coins: accepted here, signed after.
    ///
    /// A mint that may wait is kept while its account holds too little; nothing is taken. Sent again, it is
    /// decided again: carried out when the account can pay, given up for good once its time is over or one of
    /// its mint keys can no longer sign.
    Mint {
        /// Who pays.
        account: AccountId,
        /// The wallet's reference; mint, renew and recoup share the references.
        transaction_reference: TransactionReference,
        /// What to sign.
        blinds: Vec<Blind>,
        /// Until when it waits if the account holds too little; `None`: it is refused, unless it waits already.
        /// Not part of what makes two commands the same. A mint that waits keeps the later of two times.
        wait_until: Option<LedgerTime>,
        /// When.
        at: LedgerTime,
    },
    /// Coins become coins of the same value: accepted here, signed after.
    Renew {
        /// As in [`Command::Mint`].
        transaction_reference: TransactionReference,
        /// Verified coins that come back.
        coins: Vec<CoinIn>,
        /// What to sign.
        blinds: Vec<Blind>,
        /// When.
        at: LedgerTime,
    },
    /// Coins become money of an account. The same set of coins by the same account, in any order: repeated.
    Redeem {
        /// Who gets it.
        account: AccountId,
        /// Verified coins that come back.
        coins: Vec<CoinIn>,
        /// When.
        at: LedgerTime,
    },
    /// Honest coins of stopped mint keys become coins of other keys, at the issuer's expense: they do not
    /// count as returned, because forged coins may have used that count up. Accepted here, signed after.
    Recoup {
        /// As in [`Command::Mint`].
        transaction_reference: TransactionReference,
        /// Accepted blinds and the coins that came of them. The caller has verified both.
        revoked: Vec<RevokedBlind>,
        /// What to sign.
        blinds: Vec<Blind>,
        /// When.
        at: LedgerTime,
    },
}

/// What came of one command.
pub type Outcome = Result<Applied, Refusal>;

/// The command holds, now or since before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// True when the books already held it and nothing was changed this time.
    pub repeated: bool,
    /// What it did.
    pub effect: Effect,
}

/// What an applied command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// [`Command::OpenAccount`]: the account has this number.
    AccountOpened(AccountId),
    /// A payment, transfer, payout or redeem: this much moved.
    Moved(Amount),
    /// A mint, renew or recoup: this much became coins. What was accepted is signed now, unless signing
    /// pauses.
    Accepted {
        /// How much moved.
        amount: Amount,
        /// Whether an operator has paused signing.
        signing_paused: bool,
    },
    /// A mint waits for money of its account. Nothing was taken.
    Waiting,
    /// A mint waited in vain, and will never be carried out. Nothing was taken.
    GivenUp,
    /// [`Command::RegisterMintKey`].
    MintKeyRegistered,
    /// [`Command::StopMintKey`].
    MintKeyStopped,
    /// [`Command::RetireMintKey`].
    MintKeyRetired,
    /// [`Command::PruneMintKey`]: what the key leaves behind, the second time as the first.
    MintKeyPruned {
        /// Coins that came back and that the books have forgotten one by one; they stay counted.
        forgotten: u64,
        /// Coins that were signed and never come back: they stay outstanding.
        outstanding: u64,
    },
    /// [`Command::SetSigningPaused`].
    SigningSet,
}
