//! The issuer: one method for each message of the specification.
//!
//! Mint and renew have two steps, *accept* and *sign*. Accepting is one transaction of the ledger: it spends coins or
//! debits an account, and stores the blinds under the transaction reference. Only accepted blinds are signed. If the
//! process crashes between the two steps, or the answer is lost, the same request or a `request resume` gets the same
//! signatures.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::AccountsConfig;
use opencoin_crypto::Signer;
use opencoin_keys::{Clock, Currency, Directory, OpenError, Randomness, ledger_time, register_mint_keys};
use opencoin_ledger::{
    Applied, BATCH_COMMANDS_MAX, Blind, CoinIn, Command, Effect, LedgerTime, MintKeyId, Outcome, Transaction,
    TransactionReference,
};
use opencoin_log::spans;
use opencoin_schema::{
    BigInt, Cddc, Mkc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem, RequestRenew,
    RequestResume,
};
use rand::rngs::OsRng;
use tracing::Instrument;

use crate::accounts::{AccountService, Random, Right, Token, given_up};
use crate::admission;
use crate::cashier::Cashier;
use crate::committer::{Committer, Unconfirmed};
use crate::documents::{Documents, FOLLOW_INTERVAL};
use crate::guard::Guard;
use crate::metrics::scrape::{LedgerFacts, LedgerReader, Scrape};
use crate::metrics::{MeteredSigner, Metrics};
use crate::recoup::{self, RevokedMintKey};
use crate::refusal::{Reason, Refusal, coins_expired, unavailable};
use crate::signing::{Signed, Wanted, sign_accepted, sign_again};
use crate::store::Books;

/// Expired sessions and the like are deleted once in so many turns of the background task: every ten minutes.
const TURNS_PER_TIDY: u64 = 600;
/// The largest expected difference between the clocks of machines that are set by NTP.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// Options of an issuer. Only measurements need other values than the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerOptions {
    /// The most commands in one transaction of the ledger, 1 to [`BATCH_COMMANDS_MAX`].
    pub batch_commands_max: usize,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            batch_commands_max: BATCH_COMMANDS_MAX,
        }
    }
}

/// An issuer of one currency.
pub struct Issuer {
    documents: Documents,
    books: Books,
    accounts: AccountService,
    committer: Arc<Committer>,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    ledger_reader: LedgerReader,
    guard: Option<Guard>,
}

impl Issuer {
    /// Creates an issuer and registers its mint keys with the ledger. Accounts have the default settings unless
    /// [`Self::with_accounts`] sets others.
    ///
    /// # Errors
    /// When the ledger fails or belongs to another currency.
    pub async fn open(
        currency: Currency,
        books: impl Into<Books>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        options: IssuerOptions,
    ) -> Result<Self, OpenError> {
        let books = books.into();
        register_mint_keys(&currency, books.ledger.as_ref(), clock.as_ref()).await?;
        let last_applied = books.ledger.moments().await?.last_applied;
        let signed = currency.current().cdd().cdd_signing_date.to_utc();
        if let Some(warning) = clock_is_behind(signed, last_applied, clock.now()) {
            tracing::error!("ALARM: {warning}");
        }
        let documents = Documents::new(currency, &books.ledger.mint_keys().await?);
        let metrics = Arc::new(Metrics::new(clock.now()));
        let committer = Committer::start(
            Arc::clone(&books.ledger),
            options.batch_commands_max,
            Arc::clone(&metrics),
        );
        let (committer, ledger_reader) = (Arc::new(committer), LedgerReader::new());
        let signer = Arc::new(MeteredSigner::new(signer, Arc::clone(&metrics)));
        let accounts = account_service(
            &books,
            &committer,
            &clock,
            AccountsConfig::default(),
            Box::new(OsRng),
        );
        Ok(Self {
            documents,
            books,
            accounts,
            committer,
            signer,
            clock,
            metrics,
            ledger_reader,
            guard: None,
        })
    }

    /// Sets the settings of accounts, and the generator of tokens and salts, by default the operating system's.
    #[must_use]
    pub fn with_accounts(mut self, config: AccountsConfig, rng: Box<dyn Randomness>) -> Self {
        self.accounts = account_service(&self.books, &self.committer, &self.clock, config, rng);
        self
    }

    /// Makes the issuer load new certificates from this folder; see [`Self::follow_documents`].
    #[must_use]
    pub fn in_folder(mut self, directory: Directory) -> Self {
        self.documents.set_folder(directory);
        self
    }

    /// Makes the issuer stop serving its books if this guard finds that they were rolled back.
    #[must_use]
    pub fn guarded_by(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Whether the books were rolled back while they were served. Nothing may be answered from them then.
    #[must_use]
    pub fn is_set_back(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_closed)
    }

    /// Watches for a rollback of the books, until it is dropped.
    pub async fn watch_books(&self) {
        match &self.guard {
            Some(guard) => guard.watch().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the committer has ended, after [`Self::close`] or in a panic.
    pub async fn committer_ended(&self) {
        self.committer.ended().await;
    }

    /// Loads new certificates and the list of stopped mint keys once a second, until it is dropped.
    pub async fn follow_documents(&self) {
        loop {
            self.documents
                .follow(self.books.ledger.as_ref(), &self.signer, self.clock.as_ref())
                .await;
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }

    /// Carries out or gives up mints that wait for money, until it is dropped.
    pub async fn decide_waiting_mints(&self) {
        loop {
            if !self.is_set_back() {
                self.accounts.decide_due().await;
            }
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }

    /// Stores when services were last seen and deletes expired sessions, until it is dropped.
    pub async fn tidy(&self) {
        for turn in 1_u64.. {
            self.accounts.write_last_seen().await;
            if turn % TURNS_PER_TIDY == 0 {
                self.accounts.tidy().await;
            }
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }

    /// The operator's access to the accounts of this issuer.
    pub fn cashier(&self) -> Cashier {
        Cashier::sharing(
            self.books.clone(),
            Arc::clone(&self.clock),
            self.accounts.random(),
            self.accounts.passwords(),
        )
    }

    /// The holders' access to their accounts.
    pub fn accounts(&self) -> &AccountService {
        &self.accounts
    }

    /// The answer to `RequestCDDSerial`.
    #[must_use]
    pub fn cdd_serial(&self) -> u64 {
        self.documents.currency().current().cdd().cdd_serial
    }

    /// The answer to `RequestCDDC`. Serial 0 means the current CDDC.
    ///
    /// # Errors
    /// When there is no such CDDC.
    pub async fn cddc(&self, serial: u64) -> Result<Cddc, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound, format!("there is no CDD with serial {serial}"));
        let currency = self
            .currency_with(|currency| currency.cddc(serial).is_some())
            .await;
        currency.cddc(serial).cloned().ok_or_else(unknown)
    }

    /// The answer to `RequestMKCs`: the current keys of these denominations and the keys with these ids, or all
    /// current keys if the request names neither.
    ///
    /// # Errors
    /// When the request names too many.
    pub async fn mint_key_certificates(
        &self,
        request: &RequestMintKeyCertificates,
    ) -> Result<Vec<Mkc>, Refusal> {
        admission::check_count("denominations", request.denominations.len())?;
        admission::check_count("mint_key_ids", request.mint_key_ids.len())?;
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let currency = self.currency_with_keys(request.mint_key_ids.iter()).await;
        let current = currency.current_mint_keys(self.clock.now(), &self.documents.stopped());
        let is_current = |id: &BigInt| {
            current.iter().any(|key| {
                let mint_key = key.verified.mint_key();
                mint_key.id == *id && (is_all || request.denominations.contains(&mint_key.denomination))
            })
        };
        let mut keys: Vec<Mkc> = (currency.mint_keys())
            .map(|key| key.verified.mkc())
            .filter(|mkc| is_current(&mkc.mint_key.id) || request.mint_key_ids.contains(&mkc.mint_key.id))
            .cloned()
            .collect();
        keys.sort_by_key(|mkc| mkc.mint_key.denomination);
        Ok(keys)
    }

    /// The certificate of one mint key.
    pub async fn mint_key_certificate(&self, id: &BigInt) -> Option<Mkc> {
        self.currency_with_keys([id].into_iter())
            .await
            .mint_key(id)
            .map(|key| key.verified.mkc().clone())
    }

    /// Handles `RequestMint`: the account of the token pays for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn mint(&self, token: Option<&Token>, request: RequestMint) -> Result<Signed, Refusal> {
        let account = self.accounts.caller(token, Right::Mint).await?.account;
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let applied = self
            .apply(Command::Mint {
                account,
                transaction_reference,
                blinds,
                wait_until: self.accounts.wait_until(),
                at,
            })
            .await?;
        match applied.effect {
            Effect::Waiting => Ok(Signed::WhenPaid),
            Effect::GivenUp => Err(given_up()),
            _ => self.sign(&reference, request.blinds, applied).await,
        }
    }

    /// Handles `RequestRenew`: coins pay for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn renew(&self, request: RequestRenew) -> Result<Signed, Refusal> {
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let coins = self.admit_coins(request.coins).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let mint_keys = mint_keys_of(&coins);
        let renew = Command::Renew {
            transaction_reference,
            coins,
            blinds,
            at,
        };
        let applied = self.apply_to_coins(renew, &mint_keys).await?;
        self.sign(&reference, request.blinds, applied).await
    }

    /// Handles `RequestRecoup`: coins of revoked mint keys, with a proof of their origin, pay for the blinds.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn recoup(&self, request: RequestRecoup) -> Result<Signed, Refusal> {
        let transaction_reference = admission::transaction_reference(&request.transaction_reference)?;
        let blinds = self.admit_blinds(&request.blinds).await?;
        let currency = self
            .currency_with_keys(request.coins.iter().map(|coin| &coin.payload.mint_key_id))
            .await;
        let revoked = recoup::revoked_blinds(&currency, self.books.ledger.as_ref(), &request.coins).await?;
        let at = ledger_time(self.clock.now());
        let reference = transaction_reference.clone();
        let applied = self
            .apply(Command::Recoup {
                transaction_reference,
                revoked,
                blinds,
                at,
            })
            .await?;
        self.sign(&reference, request.blinds, applied).await
    }

    /// The mint keys whose coins are accepted by recoup only.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn revoked_mint_keys(&self) -> Result<Vec<RevokedMintKey>, Refusal> {
        Ok(recoup::revoked_mint_keys(
            self.books.ledger.mint_keys().await.map_err(unavailable)?,
        ))
    }

    /// Handles `RequestResume`: signs blinds that were accepted before.
    ///
    /// # Errors
    /// When nothing was accepted under this reference.
    pub async fn resume(&self, request: &RequestResume) -> Result<Signed, Refusal> {
        let unknown = || {
            Refusal::new(
                Reason::NotFound,
                "nothing was accepted under this transaction_reference",
            )
        };
        let reference = admission::transaction_reference(&request.transaction_reference)?;
        let ledger = &self.books.ledger;
        let mut found = ledger.transaction(&reference).await.map_err(unavailable)?;
        if found.is_none() {
            if let Some(mint) = self.accounts.waiting_mint(&reference).await?
                && self.apply(mint).await?.effect == Effect::Waiting
            {
                return Ok(Signed::WhenPaid);
            }
            // It was decided a moment ago, here or by another process.
            found = ledger.transaction(&reference).await.map_err(unavailable)?;
        }
        let found = found.ok_or_else(unknown)?;
        ledger.make_durable().await.map_err(unavailable)?;
        match found {
            Transaction::Accepted(accepted) => {
                sign_again(self.signer.as_ref(), &reference, accepted, Wanted::Some).await
            }
            Transaction::Expired => Err(coins_expired()),
            Transaction::GivenUp => Err(given_up()),
        }
    }

    /// Handles `RequestRedeem`: credits coins to the account of the token.
    ///
    /// # Errors
    /// When the request is refused.
    pub async fn redeem(&self, token: Option<&Token>, request: RequestRedeem) -> Result<(), Refusal> {
        let account = self.accounts.caller(token, Right::Redeem).await?.account;
        let coins = self.admit_coins(request.coins).await?;
        let at = ledger_time(self.clock.now());
        let mint_keys = mint_keys_of(&coins);
        self.apply_to_coins(Command::Redeem { account, coins, at }, &mint_keys)
            .await
            .map(|_applied| ())
    }

    /// Checks that the issuer can work.
    ///
    /// # Errors
    /// When the database does not answer, the books were rolled back, or no recent check shows that they were not.
    pub async fn ready(&self) -> Result<(), Refusal> {
        if self.is_set_back() || self.guard.as_ref().is_some_and(Guard::is_blind) {
            return Err(Refusal::unavailable());
        }
        self.books.ledger.ready().await.map_err(unavailable)
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// All metrics as [`METRICS_CONTENT_TYPE`](crate::METRICS_CONTENT_TYPE). Returns within seconds even if the
    /// database hangs.
    pub async fn metrics_text(&self, bodies_bytes_in_flight: usize) -> String {
        let now = self.clock.now();
        let ledger = self.ledger_reader.read(LedgerFacts::read(&self.books)).await;
        let (currency, stopped) = (self.documents.currency(), self.documents.stopped());
        let scrape = Scrape {
            now,
            is_set_back: self.is_set_back(),
            currency: &currency,
            stopped: &stopped,
            ledger: ledger.as_deref(),
            bodies_bytes_in_flight,
        };
        self.metrics.text(&scrape.registry())
    }

    /// Finishes accepted commands and accepts no more.
    pub async fn close(&self) {
        self.committer.close().await;
        self.accounts.write_last_seen().await;
        if let Some(guard) = &self.guard {
            guard.look().await;
        }
    }

    async fn admit_blinds(&self, blinds: &[opencoin_schema::Blind]) -> Result<Vec<Blind>, Refusal> {
        let currency = self
            .currency_with_keys(blinds.iter().map(|blind| &blind.mint_key_id))
            .await;
        Ok(admission::blinds(&currency, blinds)?)
    }

    async fn admit_coins(&self, coins: Vec<opencoin_schema::Coin>) -> Result<Vec<CoinIn>, Refusal> {
        let currency = self
            .currency_with_keys(coins.iter().map(|coin| &coin.payload.mint_key_id))
            .await;
        Ok(admission::coins(&currency, coins).await?)
    }

    /// The currency, reloaded first if it lacks one of these mint keys.
    async fn currency_with_keys<'ids>(
        &self,
        ids: impl Iterator<Item = &'ids BigInt> + Clone,
    ) -> Arc<Currency> {
        self.currency_with(|currency| {
            let mut last = None;
            // Items of one key usually follow each other.
            ids.clone()
                .all(|id| last.replace(id) == Some(id) || currency.mint_key(id).is_some())
        })
        .await
    }

    /// The currency, reloaded first if `is_enough` is false for it.
    async fn currency_with(&self, is_enough: impl Fn(&Currency) -> bool) -> Arc<Currency> {
        self.documents
            .with(
                is_enough,
                self.books.ledger.as_ref(),
                &self.signer,
                self.clock.as_ref(),
            )
            .await
    }

    async fn apply(&self, command: Command) -> Result<Applied, Refusal> {
        Ok(self.outcome(command).await??)
    }

    /// Applies a command that spends coins of these mint keys, as [`mint_keys_of`] lists them. A refusal about a mint key names its coins.
    async fn apply_to_coins(
        &self,
        command: Command,
        mint_keys: &[(MintKeyId, usize)],
    ) -> Result<Applied, Refusal> {
        self.outcome(command).await?.map_err(|refusal| {
            let Some(refused) = refusal.mint_key_of_coins() else {
                return refusal.into();
            };
            let coins = mint_keys
                .iter()
                .flat_map(|(mint_key, coins)| std::iter::repeat_n(*mint_key, *coins))
                .enumerate()
                .filter(|(_, mint_key)| *mint_key == refused);
            let coins = coins.map(|(index, _)| index).collect();
            Refusal::from(refusal).about_coins(coins)
        })
    }

    async fn outcome(&self, command: Command) -> Result<Outcome, Refusal> {
        if self.is_set_back() {
            return Err(Refusal::unavailable());
        }
        let outcome = self.committer.apply(command).instrument(spans::ledger()).await;
        outcome.map_err(|Unconfirmed| Refusal::unavailable())
    }

    /// Signs accepted blinds unless the operator has paused signing. A repeated request is answered from the books,
    /// which may hold signatures already, and whose keys may have been stopped since.
    async fn sign(
        &self,
        reference: &TransactionReference,
        accepted: Vec<opencoin_schema::Blind>,
        applied: Applied,
    ) -> Result<Signed, Refusal> {
        if applied.repeated {
            let found = self
                .books
                .ledger
                .transaction(reference)
                .await
                .map_err(unavailable)?;
            return match found.ok_or_else(Refusal::unavailable)? {
                Transaction::Accepted(accepted) => {
                    sign_again(self.signer.as_ref(), reference, accepted, Wanted::All).await
                }
                Transaction::Expired => Err(coins_expired()),
                Transaction::GivenUp => Err(given_up()),
            };
        }
        Ok(if signing_paused(applied.effect) {
            Signed::Later
        } else {
            sign_accepted(self.signer.as_ref(), reference, accepted).await
        })
    }
}

fn account_service(
    books: &Books,
    committer: &Arc<Committer>,
    clock: &Arc<dyn Clock>,
    config: AccountsConfig,
    rng: Box<dyn Randomness>,
) -> AccountService {
    let random = Arc::new(Random::new(rng));
    AccountService::new(
        Arc::clone(&books.accounts),
        Arc::clone(committer),
        Arc::clone(clock),
        config,
        random,
    )
}

/// The mint keys of coins in their order, and how many coins of each follow each other.
fn mint_keys_of(coins: &[CoinIn]) -> Vec<(MintKeyId, usize)> {
    let runs = coins.chunk_by(|coin, next| coin.mint_key == next.mint_key);
    runs.map(|run| (run[0].mint_key, run.len())).collect()
}

/// A warning if something was signed or booked later than `now`: the clock of this machine is or was wrong.
fn clock_is_behind(
    signed: DateTime<Utc>,
    last_applied: Option<LedgerTime>,
    now: DateTime<Utc>,
) -> Option<String> {
    let booked = last_applied.and_then(|at| DateTime::from_timestamp_micros(at.unix_micros()));
    let later = [
        ("the description of the currency was signed", Some(signed)),
        ("the last entry of the books was made", booked),
    ];
    later.into_iter().find_map(|(what, at)| {
        let at = at.filter(|at| *at > now + CLOCK_TOLERANCE)?;
        Some(format!(
            "the clock of this machine shows {now}, but {what} at {at}: correct the clock, because keys and coins expire by it"
        ))
    })
}

fn signing_paused(effect: Effect) -> bool {
    match effect {
        Effect::Accepted { signing_paused, .. } => signing_paused,
        other => unreachable!("a mint, renew or recoup is accepted or refused, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_last_signature_or_entry_is_noticed() {
        let now: DateTime<Utc> = "2026-01-04T00:00:00Z".parse().unwrap();
        let ago = |days| now - TimeDelta::days(days);
        assert_eq!(clock_is_behind(ago(9), None, now), None);
        assert_eq!(
            clock_is_behind(ago(9), Some(ledger_time(now + CLOCK_TOLERANCE)), now),
            None
        );
        let booked = clock_is_behind(ago(9), Some(ledger_time(ago(-3))), now).unwrap();
        assert!(
            booked.contains("last entry of the books was made at 2026-01-07"),
            "{booked}"
        );
        let signed = clock_is_behind(ago(-3650), Some(ledger_time(ago(9))), now).unwrap();
        assert!(
            signed.contains("description of the currency was signed"),
            "{signed}"
        );
    }
}
