//! The issuer: what it answers to each message of the specification.
//!
//! Mint and renew are two steps, *accept* and *sign*. Accepting is one transaction of the ledger: coins become spent or an
//! account pays, and the blinds are stored under the transaction reference. Only what was accepted is signed. If the
//! process dies between the two, or the answer is lost, the same request or a `request resume` gets the same signatures.

use std::sync::Arc;
use std::time::Instant;

use opencoin_crypto::Signer;
use opencoin_ledger::{
    AccountId, BATCH_COMMANDS_MAX, Blind, Command, Effect, Ledger, LedgerError, Outcome, StoredBlind, TransactionReference,
};
use opencoin_schema::{BigInt, Cddc, Mkc, RequestMint, RequestMintKeyCertificates, RequestRedeem, RequestRenew, RequestResume};

use crate::accounts::{Holders, Token};
use crate::admission;
use crate::clock::Clock;
use crate::committer::{Committer, Unconfirmed};
use crate::currency::{Currency, ledger_time};
use crate::refusal::{Reason, Refusal};
use crate::seldom::Seldom;
use crate::signing::{Signed, sign_accepted};

static LEDGER_FAILURES: Seldom = Seldom::new();

/// How an issuer works; the default is for every use but measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerOptions {
    /// The most commands in one transaction of the ledger, 1 to [`BATCH_COMMANDS_MAX`].
    pub batch_commands_max: usize,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self { batch_commands_max: BATCH_COMMANDS_MAX }
    }
}

/// An issuer of one currency.
pub struct Issuer {
    currency: Currency,
    ledger: Arc<dyn Ledger>,
    holders: Holders,
    committer: Committer,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    /// Puts an issuer together and makes its mint keys known to the ledger.
    ///
    /// # Errors
    /// When the ledger fails, or belongs to another currency.
    pub async fn open(
        currency: Currency,
        ledger: Arc<dyn Ledger>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        options: IssuerOptions,
    ) -> Result<Self, OpenError> {
        register_mint_keys(&currency, ledger.as_ref(), clock.as_ref()).await?;
        let committer = Committer::start(Arc::clone(&ledger), options.batch_commands_max);
        Ok(Self { currency, ledger, holders: Holders::default(), committer, signer, clock })
    }

    /// `RequestCDDSerial`.
    #[must_use]
    pub fn cdd_serial(&self) -> u64 {
        self.currency.current().cdd().cdd_serial
    }

    /// `RequestCDDC`; serial 0 is the current one.
    ///
    /// # Errors
    /// When there is no such CDDC.
    pub fn cddc(&self, serial: u64) -> Result<&Cddc, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound, format!("there is no CDD with serial {serial}"));
        self.currency.cddc(serial).ok_or_else(unknown)
    }

    /// `RequestMKCs`: the current keys of the denominations, and the keys with the ids; with neither, all current keys.
    #[must_use]
    pub fn mint_key_certificates(&self, request: &RequestMintKeyCertificates) -> Vec<Mkc> {
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let current = self.currency.current_mint_keys(self.clock.now());
        let is_current = |id: &BigInt| {
            current.iter().any(|key| {
                let mint_key = key.verified.mint_key();
                mint_key.id == *id && (is_all || request.denominations.contains(&mint_key.denomination))
            })
        };
        let mut keys: Vec<Mkc> = (self.currency.mint_keys())
            .map(|key| key.verified.mkc())
            .filter(|mkc| is_current(&mkc.mint_key.id) || request.mint_key_ids.contains(&mkc.mint_key.id))
            .cloned()
            .collect();
        keys.sort_by_key(|mkc| mkc.mint_key.denomination);
        keys
    }

    /// The certificate of one mint key.
    #[must_use]
    pub fn mint_key_certificate(&self, id: &BigInt) -> Option<&Mkc> {
        self.currency.mint_key(id).map(|key| key.verified.mkc())
    }

    /// `RequestMint`: blinds paid for by the account of the token.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn mint(&self, token: Option<&Token>, request: RequestMint) -> Result<Signed, Refusal> {
        let account = self.authenticate(token).await?;
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = admission::blinds(&self.currency, request.blinds)?;
        let at = ledger_time(self.clock.now());
        let (reference, to_sign) = (transaction_reference.clone(), stored(&blinds));
        let effect = self.apply(Command::Mint { account, transaction_reference, blinds, at }).await?;
        Ok(self.sign(&reference, to_sign, signing_paused(effect)).await)
    }

    /// `RequestRenew`: blinds paid for by coins.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn renew(&self, request: RequestRenew) -> Result<Signed, Refusal> {
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = admission::blinds(&self.currency, request.blinds)?;
        let coins = admission::coins(&self.currency, request.coins).await?;
        let at = ledger_time(self.clock.now());
        let (reference, to_sign) = (transaction_reference.clone(), stored(&blinds));
        let effect = self.apply(Command::Renew { transaction_reference, coins, blinds, at }).await?;
        Ok(self.sign(&reference, to_sign, signing_paused(effect)).await)
    }

    /// `RequestResume`: the signatures of what was accepted before.
    ///
    /// # Errors
    /// When nothing was accepted under this reference.
    pub async fn resume(&self, request: &RequestResume) -> Result<Signed, Refusal> {
        let reference = admission::transaction_reference(&request.transaction_reference)?;
        let unknown = || Refusal::new(Reason::NotFound, "nothing was accepted under this transaction_reference");
        let accepted = self.ledger.accepted(&reference).await.map_err(unavailable)?.ok_or_else(unknown)?;
        Ok(self.sign(&reference, accepted.blinds, accepted.signing_paused).await)
    }

    /// `RequestRedeem`: coins become money of the token's account.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn redeem(&self, token: Option<&Token>, request: RequestRedeem) -> Result<(), Refusal> {
        let account = self.authenticate(token).await?;
        let coins = admission::coins(&self.currency, request.coins).await?;
        let at = ledger_time(self.clock.now());
        self.apply(Command::Redeem { account, coins, at }).await.map(|_effect| ())
    }

    /// Whether the issuer can do its work.
    ///
    /// # Errors
    /// When its database does not answer.
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.ledger.ready().await.map_err(unavailable)
    }

    /// Finishes what was accepted; nothing is accepted any more.
    pub async fn close(&self) {
        self.committer.close().await;
    }

    async fn authenticate(&self, token: Option<&Token>) -> Result<AccountId, Refusal> {
        let missing = || Refusal::new(Reason::Unauthorized, "send the account's token as Authorization: Bearer TOKEN");
        let unknown = || Refusal::new(Reason::Unauthorized, "no account has this token");
        let token = token.ok_or_else(missing)?;
        self.holders.account(self.ledger.as_ref(), token).await.map_err(unavailable)?.ok_or_else(unknown)
    }

    async fn apply(&self, command: Command) -> Result<Effect, Refusal> {
        match self.committer.apply(command).await {
            Ok(Ok(applied)) => Ok(applied.effect),
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(Unconfirmed) => Err(Refusal::unavailable()),
        }
    }

    /// Signs accepted blinds, unless an operator has paused signing.
    async fn sign(&self, reference: &TransactionReference, accepted: Vec<StoredBlind>, is_paused: bool) -> Signed {
        if is_paused { Signed::Later } else { sign_accepted(self.signer.as_ref(), reference, accepted).await }
    }
}

/// Blinds as the ledger keeps them once they are accepted.
fn stored(blinds: &[Blind]) -> Vec<StoredBlind> {
    blinds.iter().cloned().map(StoredBlind::from).collect()
}

fn signing_paused(effect: Effect) -> bool {
    match effect {
        Effect::Accepted { signing_paused, .. } => signing_paused,
        other => unreachable!("a mint or renew is accepted or refused, not {other:?}"),
    }
}

/// Why an issuer cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger knows keys that the currency does not have.
    #[error("the database holds the books of another currency: its mint key {0} has no certificate here")]
    OtherCurrency(opencoin_ledger::MintKeyId),
    /// The ledger knows a key under other terms.
    #[error("the database does not agree with the certificates: {0}")]
    Terms(opencoin_ledger::Refusal),
}

/// Makes the currency's mint keys known to its ledger; keys that it knows already stay as they are.
///
/// # Errors
/// When the ledger fails, knows keys of another currency, or knows a key under other terms.
pub async fn register_mint_keys(currency: &Currency, ledger: &dyn Ledger, clock: &dyn Clock) -> Result<(), OpenError> {
    let known = ledger.mint_keys().await?;
    let has_certificate = |id| currency.mint_keys().any(|key| key.ledger_id == id);
    if let Some(other) = known.iter().find(|key| !has_certificate(key.id)) {
        return Err(OpenError::OtherCurrency(other.id));
    }
    let at = ledger_time(clock.now());
    let register = |key: &crate::currency::CertifiedMintKey| {
        let is_known = known.iter().any(|status| status.id == key.ledger_id && status.terms == key.terms);
        (!is_known).then_some(Command::RegisterMintKey { id: key.ledger_id, terms: key.terms, at })
    };
    let commands: Vec<Command> = currency.mint_keys().filter_map(register).collect();
    if !commands.is_empty() {
        ledger
            .apply(&commands)
            .await?
            .into_iter()
            .try_for_each(|outcome: Outcome| outcome.map(|_| ()))
            .map_err(OpenError::Terms)?;
    }
    Ok(())
}

/// The client learns that it should ask again, the log learns why.
fn unavailable(error: LedgerError) -> Refusal {
    if let Some(requests) = LEDGER_FAILURES.count(Instant::now()) {
        tracing::error!(%error, requests, "the ledger failed");
    }
    Refusal::unavailable()
}
