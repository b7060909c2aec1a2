//! The commands that change the books, and their outcomes.
//!
//! Only a [`Command`] changes the books. Each is applied completely or not at all. A caller that lost the
//! answer sends the command again: the second time it is answered as `repeated` and moves nothing.

use opencoin_log::key_account::{ACCOUNT_NONCE_BYTES, Introduction, Payment};
use opencoin_schema::{Cddc, Mkc};

use crate::log::{DeclaredBooks, Logged};
use crate::recovered::{AssignmentWay, Recovered, RecoveredRequest};
use crate::{
    AccountId, AccountName, AccountStatus, Amount, Blind, CoinIn, IdempotencyKey, LedgerTime, MintKeyId,
    MintKeyTerms, PasswordHash, PayoutNo, ProposalNo, Reference, Refusal, RevokedBlind, Settlement,
    StopReason, TokenHash, TransactionReference,
};

/// One request to change the books.
///
/// `at` is the issuer's time. It is recorded, and ignored when two commands are compared. "Repeated" means
/// that the command is answered with [`Applied::repeated`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens a holder's account with a balance of zero. Sent again with the same name and token, it is repeated
    /// and the password does not change. Without a token it is refused the second time.
    OpenAccount {
        /// The name; unique. Names of keys are refused.
        name: AccountName,
        /// The hash of the account token; unique. Without one only the operator lets the holder in.
        token_hash: Option<TokenHash>,
        /// The initial password, if any.
        password: Option<PasswordHash>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Opens the account of a key, with a balance of zero. The caller has verified the challenge's code and the
    /// proof of work, but not the end of the challenge: the same introduction again is repeated, however late. Another
    /// introduction of the same key is repeated too, but it is not the one that the log has.
    IntroduceKey {
        /// The introduction.
        introduction: Box<Introduction>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Moves money from the account of a key to another account. The caller has verified the key's signature.
    ///
    /// The payments of a key are numbered without a gap. The same payment again is repeated.
    PayByKey {
        /// The account of the key.
        payer: AccountId,
        /// The account that receives it: that of the payee's key, or the holder's to which the details commit.
        payee: AccountId,
        /// The payment. It is not for a mint.
        payment: Box<KeyPayment>,
        /// What hides the name of a holder's account in the details; `None` if the payee is a key.
        nonce: Option<[u8; ACCOUNT_NONCE_BYTES]>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Changes what the holder of an account can do. The same status again is repeated. An account is closed for
    /// good, and only if it is empty and nothing of it waits.
    SetAccountStatus {
        /// A holder's account.
        account: AccountId,
        /// The new status.
        status: AccountStatus,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Credits an account with money that was paid in.
    Credit {
        /// The account that receives it.
        account: AccountId,
        /// Not zero.
        amount: Amount,
        /// One reference moves money once. Credits and debits share the references.
        reference: Reference,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Debits a holder's account with money that is paid out.
    Debit {
        /// The account that pays.
        account: AccountId,
        /// Not zero.
        amount: Amount,
        /// As in [`Command::Credit`].
        reference: Reference,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Moves money from a holder's account to another account.
    Transfer {
        /// The account that pays.
        from: AccountId,
        /// The account that receives it.
        to: AccountId,
        /// Not zero.
        amount: Amount,
        /// One key of the paying account moves money once. Its transfers and payouts share the keys.
        key: IdempotencyKey,
        /// What the transfer is for. Both holders can read it.
        label: Option<Reference>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Requests a payout: the money leaves the account at once. The payout gets a number and waits for the
    /// operator.
    RequestPayout {
        /// The account that pays.
        account: AccountId,
        /// Not zero.
        amount: Amount,
        /// Where the money goes, in the form that the operator asks of holders, for example a bank account
        /// number.
        destination: Reference,
        /// As in [`Command::Transfer`].
        key: IdempotencyKey,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Settles a payout once: it was paid, or the money goes back to the holder. The same settlement again is
    /// repeated.
    SettlePayout {
        /// The number of the payout.
        payout: PayoutNo,
        /// The operator's decision.
        settlement: Settlement,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Registers a mint key. Sent again with the same terms, it is repeated.
    RegisterMintKey {
        /// The id; unique.
        id: MintKeyId,
        /// The denomination and dates, which never change.
        terms: MintKeyTerms,
        /// The certificate: its leaf in the log.
        certificate: Box<Mkc>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Stops a mint key for good: it signs nothing more and its coins are refused, except in a recoup.
    /// Stopping it again is repeated.
    StopMintKey {
        /// The id of the key.
        id: MintKeyId,
        /// The operator's reason.
        reason: StopReason,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Retires a mint key: it signs nothing more, whatever any clock says later, so its private half can be
    /// destroyed. Its coins are still taken. Retiring it again is repeated.
    RetireMintKey {
        /// The id of the key.
        id: MintKeyId,
        /// The issuer's time. It must be after the signing window, unless the key is stopped.
        at: LedgerTime,
    },
    /// Forgets the spent coins of a mint key whose coins have expired. From then on the key signs nothing and
    /// its coins are refused, whatever `at` says later. Its counters stay. Pruning it again is repeated.
    PruneMintKey {
        /// The id of the key.
        id: MintKeyId,
        /// The issuer's time. It must be after the expiry of the coins.
        at: LedgerTime,
    },
    /// Pauses or resumes signing. The ledger stores the state and goes on accepting; the issuer does not sign
    /// while it is paused.
    SetSigningPaused {
        /// Whether signing is paused.
        paused: bool,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Opens the public log. All registered keys get their leaves, and none signs until they are published. No other
    /// process may use the books, unless there is no money yet. Opening it again is repeated.
    OpenLog {
        /// The certificate of every registered mint key.
        certificates: Vec<(MintKeyId, Mkc)>,
        /// The money of books that had some before. Counts of mint keys are those of the books.
        declared: Option<DeclaredBooks>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Adds a description of the currency to the log. The same one again is repeated.
    LogCurrency {
        /// The CDDC.
        cddc: Box<Cddc>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Lets a mint key sign: its leaf is under a published checkpoint. Again it is repeated.
    ReleaseMintKey {
        /// The id of the key.
        id: MintKeyId,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Books a part of what the public log has of a lost time and the books lack: nothing else may use the books. Its
    /// leaves then wait to be sealed again. The same part again is repeated.
    Recover {
        /// The part.
        recovered: Box<Recovered>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Assigns recovered money to an account, or lets an account give what it had paid in the lost time.
    AssignRecovered {
        /// The account.
        account: AccountId,
        /// Not zero.
        amount: Amount,
        /// Whether the account receives it.
        way: AssignmentWay,
        /// As in [`Command::Credit`].
        reference: Reference,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Accepts a mint, renew or recoup of a lost time again, so that its blinds are signed. The log has them, and their
    /// signatures are counted already. The account of a mint pays as far as it can.
    SignAgain {
        /// The mint, renew or recoup, as the wallet has sent it.
        request: Box<Command>,
        /// Where the log has it. The caller has found it there, and nobody gets its signatures under another reference.
        found: Box<RecoveredRequest>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Turns money of an account into coins. The command accepts the blinds; they are signed afterwards.
    ///
    /// A mint that may wait is stored while its account holds too little, and nothing is taken. Each time it
    /// is sent again it is decided again: applied if the account can pay, given up for good if its time is
    /// over or one of its mint keys can no longer sign.
    ///
    /// The account of a key pays by a payment that commits to this mint, and never waits.
    Mint {
        /// The account that pays.
        account: AccountId,
        /// The wallet's reference. Mints, renews and recoups share the references.
        transaction_reference: TransactionReference,
        /// The blinds to sign; not empty.
        blinds: Vec<Blind>,
        /// The payment if the account belongs to a key. The caller has verified its signature. Ignored when two
        /// commands are compared.
        payment: Option<Box<KeyPayment>>,
        /// How long the mint waits if the account holds too little. With `None` it is refused, unless it
        /// waits already. Ignored when two commands are compared. A waiting mint keeps the later of two
        /// times.
        wait_until: Option<LedgerTime>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Exchanges coins for fresh coins of the same total value, which are signed afterwards.
    Renew {
        /// As in [`Command::Mint`].
        transaction_reference: TransactionReference,
        /// The coins to spend; not empty. The caller has verified them.
        coins: Vec<CoinIn>,
        /// The blinds to sign; not empty.
        blinds: Vec<Blind>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Turns coins into money of an account. The same set of coins for the same account, in any order, is
    /// repeated.
    Redeem {
        /// The account that receives it.
        account: AccountId,
        /// The coins to spend; not empty. The caller has verified them.
        coins: Vec<CoinIn>,
        /// The issuer's time.
        at: LedgerTime,
    },
    /// Exchanges honest coins of stopped mint keys for coins of other keys, at the issuer's expense. The
    /// blinds are signed afterwards. The coins do not count as returned, because forged coins may have used
    /// up that count.
    Recoup {
        /// As in [`Command::Mint`].
        transaction_reference: TransactionReference,
        /// Accepted blinds with their coins; not empty. The caller has verified both.
        revoked: Vec<RevokedBlind>,
        /// The blinds to sign; not empty.
        blinds: Vec<Blind>,
        /// The issuer's time.
        at: LedgerTime,
    },
}

/// A payment by a key, and the log in which it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPayment {
    /// The payment.
    pub payment: Payment,
    /// The origin of the issuer's log, for which the payment must be.
    pub origin: String,
}

/// The result of one command.
pub type Outcome = Result<Applied, Refusal>;

/// A command that is in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Whether an earlier command had done it already. Then nothing was changed this time.
    pub repeated: bool,
    /// The effect, whether this or the earlier command caused it.
    pub effect: Effect,
    /// Where the log has or will have the coins of a mint, renew, redeem or recoup, and what it promises of an
    /// introduction or payment of a key; `None` if there was no log.
    pub logged: Option<Logged>,
}

/// The effect of an applied command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// An account was opened and has this number.
    AccountOpened(AccountId),
    /// The result of [`Command::SetAccountStatus`].
    AccountStatusSet,
    /// The key has an account with this number.
    KeyIntroduced(AccountId),
    /// A payment, transfer, payout or redeem moved this amount.
    Moved(Amount),
    /// Nothing was moved. The command waits for a second operator, as the proposal with this number.
    Proposed(ProposalNo),
    /// A mint, renew or recoup was accepted. Its blinds can be signed, unless signing is paused.
    Accepted {
        /// The total value of the blinds.
        amount: Amount,
        /// Whether an operator has paused signing.
        signing_paused: bool,
    },
    /// A mint waits until its account holds enough. Nothing was taken.
    Waiting,
    /// A waiting mint was given up and will never be applied. Nothing was taken.
    GivenUp,
    /// The result of [`Command::RegisterMintKey`].
    MintKeyRegistered,
    /// The result of [`Command::StopMintKey`].
    MintKeyStopped,
    /// The result of [`Command::RetireMintKey`].
    MintKeyRetired,
    /// The result of [`Command::PruneMintKey`], with the same numbers when it is repeated.
    MintKeyPruned {
        /// The number of spent coins whose rows are forgotten. They stay counted as returned.
        forgotten: u64,
        /// The number of coins that were signed and not returned. They stay outstanding.
        outstanding: u64,
    },
    /// The result of [`Command::SetSigningPaused`].
    SigningSet,
    /// The result of [`Command::OpenLog`].
    LogOpened,
    /// The result of [`Command::LogCurrency`].
    CurrencyLogged,
    /// The result of [`Command::ReleaseMintKey`].
    MintKeyReleased,
}
