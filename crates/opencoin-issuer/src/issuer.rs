//! The issuer: one method for each message of the specification.
//!
//! Mint and renew have two steps, *accept* and *sign*. Accepting is one transaction of the ledger: it spends coins or
//! debits an account, and stores the blinds under the transaction reference. Only accepted blinds are signed. If the
//! process crashes between the two steps, or the answer is lost, the same request or a `request resume` gets the same
//! signatures.

mod audits;
mod key_accounts;
mod key_faults;
mod key_making;
mod key_passphrase;
mod mint_key_orders;
mod mint_keys;
mod overview;
mod requests;
mod samples;
mod supply;

pub use self::key_accounts::{Authorization, KeyAccountList};
pub use self::key_making::{
    CERTIFICATES_BYTES_MAX, ImportedKeys, KeyMakingError, KeyMakingState, KeyPlace, MadeKeys, Pending,
    PendingRequest,
};
pub use self::mint_keys::LiveMintKey;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{AccountsConfig, RotationPolicy};
use opencoin_crypto::Signer;
use opencoin_keys::{Clock, Currency, Directory, OpenError, Randomness, register_documents};
use opencoin_ledger::{BATCH_COMMANDS_MAX, LedgerError, LedgerTime, MintKeyStatus};
use opencoin_log::log_block::LogBlock;
use opencoin_log::promise::Promise;
use opencoin_schema::{BigInt, Cddc};
use rand::rngs::OsRng;

use self::key_making::KeyMaking;
use crate::accounts::{AccountService, Random};
use crate::audits::Audits;
use crate::bank_desk::{BankDesk, BankSettings};
use crate::cashier::Cashier;
use crate::committer::Committer;
use crate::documents::{Documents, FOLLOW_INTERVAL, Sought, numbers};
use crate::guard::Guard;
use crate::log::IssuerLog;
use crate::metrics::scrape::{LedgerFacts, LedgerReader, Scrape};
use crate::metrics::{MeteredSigner, Metrics};
use crate::payout_desk::PayoutDesk;
use crate::proposal_desk::ProposalDesk;
use crate::refusal::{Reason, Refusal, unavailable};
use crate::samples::Samples;
use crate::second_person::SecondPersonLimit;
use crate::store::Books;
use crate::supply::DailySupply;

/// Expired sessions and the like are deleted once in so many turns of the background task: every ten minutes.
const TURNS_PER_TIDY: u64 = 600;
/// Bookings of statements that died are looked for once in so many turns: every minute.
const TURNS_PER_BOOKING: u64 = 60;
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
    log: Option<IssuerLog>,
    daily_supply: DailySupply,
    bank: BankSettings,
    rotation: RotationPolicy,
    audits: Option<Audits>,
    samples: Samples,
    key_making: Option<KeyMaking>,
}

/// The answer to an accepted request, with the promise that the public log will have it.
#[derive(Debug)]
pub struct Answered<T> {
    /// The answer.
    pub answer: T,
    /// The promise, if the currency has a log and something was accepted.
    pub promise: Option<Promise>,
}

impl<T> Answered<T> {
    fn without_promise(answer: T) -> Self {
        Self {
            answer,
            promise: None,
        }
    }
}

impl Issuer {
    /// Creates an issuer and registers its documents with the ledger. Accounts have the default settings unless
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
        register_documents(&currency, books.ledger.as_ref(), clock.as_ref()).await?;
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
            log: None,
            daily_supply: DailySupply::default(),
            bank: BankSettings::default(),
            rotation: RotationPolicy::default(),
            audits: None,
            samples: Samples::default(),
            key_making: None,
        })
    }

    /// Sets the settings of accounts, and the generator of tokens and salts, by default the operating system's.
    #[must_use]
    pub fn with_accounts(mut self, config: AccountsConfig, rng: Box<dyn Randomness>) -> Self {
        self.accounts = account_service(&self.books, &self.committer, &self.clock, config, rng);
        self
    }

    /// Sets the operator's account at a bank, and what needs a second operator.
    #[must_use]
    pub fn with_bank(mut self, settings: BankSettings) -> Self {
        self.bank = settings;
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

    /// Gives the issuer its public log.
    #[must_use]
    pub fn with_log(mut self, log: IssuerLog) -> Self {
        self.committer.promise_with(log.promises());
        self.log = Some(log);
        self
    }

    /// The public log, if the currency has one.
    #[must_use]
    pub fn log(&self) -> Option<&IssuerLog> {
        self.log.as_ref()
    }

    /// The description of the public log in the current CDD.
    #[must_use]
    pub fn log_block(&self) -> Option<LogBlock> {
        self.documents.currency().log().cloned()
    }

    /// The mint keys in the published log: id, number in the log, and index of the leaf with the certificate.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn logged_mint_keys(&self) -> Result<Vec<(BigInt, u32, u64)>, Refusal> {
        let Some(log) = &self.log else {
            return Ok(Vec::new());
        };
        // Those of the books: this process may not know yet what another one has published.
        let statuses = self.mint_key_statuses().await?;
        let published = statuses.iter().filter(|status| !status.awaits_log);
        let ids: Vec<BigInt> = published
            .map(|status| BigInt::from_be_bytes(status.id.as_bytes()))
            .collect();
        let currency = self.currency_with_keys(ids.iter()).await;
        log.mint_keys(&currency, &numbers(&statuses))
            .await
            .map_err(unavailable)
    }

    /// Asks the witnesses whether these books are the newest ones, and publishes what waits, so that mint keys sign.
    ///
    /// # Errors
    /// When the books cannot be read or written.
    pub async fn begin_log(&self) -> Result<(), LedgerError> {
        if let (Some(log), Some(block)) = (&self.log, self.documents.currency().log()) {
            log.begin(self.books.ledger.as_ref(), block).await?;
            self.documents.set_statuses(&self.books.ledger.mint_keys().await?);
            if log.seals_soon() {
                let (ledger, clock) = (self.books.ledger.as_ref(), self.clock.as_ref());
                self.documents.register_waiting(ledger, clock).await;
            }
        }
        Ok(())
    }

    /// Seals and publishes the log, until it is dropped.
    pub async fn run_log(&self) {
        match &self.log {
            Some(log) => {
                let is_served = || !self.is_set_back();
                log.run(self.books.ledger.as_ref(), is_served, || {
                    self.documents.currency()
                })
                .await;
            }
            None => std::future::pending().await,
        }
    }

    /// Whether the books were rolled back. Nothing may be answered from them then.
    #[must_use]
    pub fn is_set_back(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_closed)
            || self.log.as_ref().is_some_and(|log| log.closed().is_some())
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
            if !self.is_set_back() {
                self.follow_documents_now().await;
            }
            tokio::time::sleep(FOLLOW_INTERVAL).await;
        }
    }

    async fn follow_documents_now(&self) {
        let (ledger, clock) = (self.books.ledger.as_ref(), self.clock.as_ref());
        self.documents
            .follow(ledger, &self.signer, clock, self.seals_soon())
            .await;
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

    /// Stores when services were last seen, deletes expired sessions and finishes bookings of statements that died, until
    /// it is dropped.
    pub async fn tidy(&self) {
        for turn in 1_u64.. {
            self.accounts.write_last_seen().await;
            if turn % TURNS_PER_BOOKING == 0 && !self.is_set_back() {
                self.bank_desk().finish_interrupted().await;
            }
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
            self.bank.second_person,
        )
    }

    /// The operator's access to the statements of the bank.
    pub fn bank_desk(&self) -> BankDesk {
        let divisor = self.documents.currency().current().cdd().currency_divisor;
        BankDesk::new(
            self.books.clone(),
            Arc::clone(&self.clock),
            self.bank.clone(),
            divisor,
        )
    }

    /// The limit above which an operation needs a second operator.
    #[must_use]
    pub fn second_person(&self) -> SecondPersonLimit {
        self.bank.second_person
    }

    /// What waits for a second operator.
    pub fn proposal_desk(&self) -> ProposalDesk {
        ProposalDesk::new(self.books.clone(), Arc::clone(&self.clock), self.bank_desk())
    }

    /// The operator's files of payouts for the bank.
    pub fn payout_desk(&self) -> PayoutDesk {
        let currency = self.documents.currency();
        let cdd = currency.current().cdd();
        let unit = (cdd.currency_name.clone(), cdd.currency_divisor);
        PayoutDesk::new(
            self.books.clone(),
            Arc::clone(&self.clock),
            self.bank.clone(),
            unit,
        )
    }

    /// The holders' access to their accounts.
    pub fn accounts(&self) -> &AccountService {
        &self.accounts
    }

    /// The documents of the currency, as they are now.
    #[must_use]
    pub fn currency(&self) -> Arc<Currency> {
        self.documents.currency()
    }

    /// Whether the operator has paused the signing of coins.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn is_signing_paused(&self) -> Result<bool, Refusal> {
        self.books.ledger.signing_paused().await.map_err(unavailable)
    }

    async fn mint_key_statuses(&self) -> Result<Vec<MintKeyStatus>, Refusal> {
        self.books.ledger.mint_keys().await.map_err(unavailable)
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
            .currency_with(Sought::Certificates, |currency| currency.cddc(serial).is_some())
            .await;
        currency.cddc(serial).cloned().ok_or_else(unknown)
    }

    /// Every URL in the descriptions of the currency, earlier ones included.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let currency = self.documents.currency();
        let logs = currency.log().into_iter().flat_map(|block| block.policy().logs());
        let mut urls: Vec<String> = logs.filter_map(|log| log.url.clone()).collect();
        for Cddc { cdd, .. } in currency.cddcs() {
            urls.push(cdd.cdd_location.clone());
            let services = [
                &cdd.info_service,
                &cdd.mint_service,
                &cdd.redeem_service,
                &cdd.renew_service,
            ];
            urls.extend(services.into_iter().flatten().map(|service| service.1.clone()));
        }
        urls
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
            log: self.log.as_ref().map(IssuerLog::status),
            bodies_bytes_in_flight,
        };
        self.metrics.text(&scrape.registry())
    }

    /// Finishes accepted commands and accepts no more.
    pub async fn close(&self) {
        self.committer.close().await;
        self.accounts.write_last_seen().await;
        if let Some(log) = &self.log {
            log.release_lease().await;
        }
        if let Some(guard) = &self.guard {
            guard.look().await;
        }
    }

    /// The currency, reloaded first if it lacks one of these mint keys.
    async fn currency_with_keys<'ids>(
        &self,
        ids: impl Iterator<Item = &'ids BigInt> + Clone,
    ) -> Arc<Currency> {
        self.currency_with(Sought::Certificates, |currency| {
            let mut last = None;
            // Items of one key usually follow each other.
            ids.clone()
                .all(|id| last.replace(id) == Some(id) || currency.mint_key(id).is_some())
        })
        .await
    }

    /// The currency, after a look for this if `is_enough` is false for it.
    async fn currency_with(&self, sought: Sought, is_enough: impl Fn(&Currency) -> bool) -> Arc<Currency> {
        self.documents
            .with(
                is_enough,
                sought,
                self.books.ledger.as_ref(),
                &self.signer,
                self.clock.as_ref(),
                self.seals_soon(),
            )
            .await
    }

    fn seals_soon(&self) -> bool {
        self.log.as_ref().is_some_and(IssuerLog::seals_soon)
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

#[cfg(test)]
mod tests {
    use opencoin_keys::ledger_time;

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
