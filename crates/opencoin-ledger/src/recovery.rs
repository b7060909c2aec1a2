//! Recovers batches of the public log that the books have lost, from a copy of the log.
//!
//! What the books lack of a batch is booked by commands, whose leaves wait as those of any command, and then the batch is
//! sealed again. So the books and the log agree after every step, and a recovery that was interrupted goes on where it was.

mod statements;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Add;
use std::sync::Arc;

use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_schema::Mkc;

use crate::log::{CoinLeaf, CopiedBatch, LogBatchNo, LogTerms, SealingError, missing};
use crate::log_store::{LogStore, SealOutcome};
use crate::mint_key_no::MintKeyNo;
use crate::recovered::{Recovered, RecoveredBlind, RecoveredPart, RecoveredRequest};
use crate::{
    Accounts, Amount, CoinIn, Command, DueMint, IssuedDigest, Ledger, LedgerError, LedgerTime, MintKeyId,
    MintKeyIdentity, Refusal, RevokedBlind, SpentDigest, StopReason,
};

use statements::Statements;

/// The most coins or blinds of one command.
const ITEMS_PER_COMMAND_MAX: usize = 10_000;

/// How many waiting mints are read at once.
const WAITING_MINTS_PER_PAGE: u32 = 100;

/// The reason of a mint key that was revoked in the lost time.
const REVOKED: &str = "revoked, as the public log says";

/// What was booked to recover a batch. In the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveredBatch {
    /// The number of blinds that were accepted.
    pub issued: u64,
    /// The number of coins that came back.
    pub spent: u64,
    /// The number of coins that were recouped.
    pub recouped: u64,
    /// What was paid in.
    pub paid_in: u64,
    /// What was paid out.
    pub paid_out: u64,
    /// The number of mint keys that were registered.
    pub mint_keys: u64,
    /// The number of keys that got an account.
    pub introduced: u64,
    /// The number of payments by keys.
    pub key_payments: u64,
}

impl Add for RecoveredBatch {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            issued: self.issued + other.issued,
            spent: self.spent + other.spent,
            recouped: self.recouped + other.recouped,
            paid_in: self.paid_in.saturating_add(other.paid_in),
            paid_out: self.paid_out.saturating_add(other.paid_out),
            mint_keys: self.mint_keys + other.mint_keys,
            introduced: self.introduced + other.introduced,
            key_payments: self.key_payments + other.key_payments,
        }
    }
}

/// Why a batch was not recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The books cannot be read or written. Trying again continues.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The books refuse something of it.
    #[error("batch {} of the copy does not fit the books: {refusal}. If a server has used them since they were restored, restore the backup again, start no server, and recover", .batch.get())]
    Refused {
        /// The batch.
        batch: LogBatchNo,
        /// The refusal.
        refusal: Refusal,
    },
    /// The books would seal another batch.
    #[error("batch {}: {error}", .batch.get())]
    Differs {
        /// The batch.
        batch: LogBatchNo,
        /// The difference.
        error: SealingError,
    },
    /// Another batch is open.
    #[error("batch {} is not the open one", .0.get())]
    NotOpen(LogBatchNo),
    /// The books have given this number to another mint key.
    #[error("batch {}: the books have given the number {} to another mint key than the log: restore the backup again, start no server, and recover", .batch.get(), .key_no.get())]
    OtherNumber {
        /// The batch.
        batch: LogBatchNo,
        /// The number in the log.
        key_no: KeyNo,
    },
    /// A mint key of the log is unknown, or its certificate makes no sense.
    #[error("batch {}: mint key {} of the log is unknown", .batch.get(), .key_no.get())]
    UnknownMintKey {
        /// The batch.
        batch: LogBatchNo,
        /// The number of the key.
        key_no: KeyNo,
    },
}

/// The command that registers a mint key with this certificate; `None` if it makes no sense.
pub type RegisterMintKey<'a> = &'a (dyn Fn(&Mkc) -> Option<Command> + Sync);

/// Recovers the open batch of the log with these terms. Nothing else may use the books.
///
/// # Errors
/// The batch does not fit the books, or these cannot be used. What was booked until then waits, and the next attempt goes
/// on.
pub async fn recover_batch(
    ledger: &dyn Ledger,
    log: &dyn LogStore,
    copied: &Arc<CopiedBatch>,
    register: RegisterMintKey<'_>,
    terms: &LogTerms,
    at: LedgerTime,
) -> Result<RecoveredBatch, RecoveryError> {
    let batch = copied.no;
    let head = log.head().await?.filter(|head| head.batch == batch);
    let head = head.ok_or(RecoveryError::NotOpen(batch))?;
    let differs = |error| RecoveryError::Differs { batch, error };
    let missing = missing(&head.totals, log.waiting().await?, copied).map_err(differs)?;
    let books = Recovering { ledger, batch, at };
    let mut done = RecoveredBatch {
        paid_in: missing.paid_in,
        paid_out: missing.paid_out,
        ..RecoveredBatch::default()
    };
    let mut endings = Vec::new();
    let mut statements = Statements::default();
    for leaf in &missing.others {
        match leaf {
            Leaf::MintKey { key_no, certificate } => {
                let key_no = *key_no;
                let unknown = || RecoveryError::UnknownMintKey { batch, key_no };
                books.apply(register(certificate).ok_or_else(unknown)?).await?;
                done.mint_keys += 1;
            }
            Leaf::Currency(cddc) => {
                let cddc = cddc.clone();
                books.apply(Command::LogCurrency { cddc, at }).await?;
            }
            Leaf::KeyClosed { key_no, reason, .. } => endings.push((*key_no, *reason)),
            Leaf::KeyIntroduced(introduction) => {
                let part = RecoveredPart::Introduced(introduction.clone());
                statements.introductions.push(part);
            }
            Leaf::KeyCredited(credit) => {
                statements.credits.push(RecoveredPart::Credited(credit.clone()));
            }
            Leaf::KeyPaid(payment) => {
                statements
                    .payments
                    .push(RecoveredPart::PaidByKey(payment.clone()));
            }
            _ => {
                return Err(differs(SealingError::Malformed("a leaf that no commit writes")));
            }
        }
    }
    let statuses = ledger.mint_keys().await?;
    let keys: HashMap<KeyNo, MintKeyId> = statuses.iter().map(|key| (key.no.key_no(), key.id)).collect();
    let coins = Coins::new(&missing.coins, &keys, batch)?;
    for leaf in &copied.others {
        if let Ok(Leaf::MintKey { key_no, certificate }) = Leaf::decode(leaf)
            && let Some(Command::RegisterMintKey { id, .. }) = register(&certificate)
            && keys.get(&key_no) != Some(&id)
        {
            return Err(RecoveryError::OtherNumber { batch, key_no });
        }
    }
    // A key that signed was released before.
    let signing: HashSet<MintKeyId> = coins.issued.iter().map(|blind| blind.mint_key).collect();
    for key in statuses
        .iter()
        .filter(|key| key.awaits_log && signing.contains(&key.id))
    {
        books.apply(Command::ReleaseMintKey { id: key.id, at }).await?;
    }
    (done.issued, done.spent) = (coins.issued.len() as u64, coins.spent.len() as u64);
    done.recouped = coins.recouped.len() as u64;
    for blinds in coins.issued.chunks(ITEMS_PER_COMMAND_MAX) {
        books.recover(RecoveredPart::Issued(blinds.to_vec())).await?;
    }
    for spent in coins.spent.chunks(ITEMS_PER_COMMAND_MAX) {
        books.recover(RecoveredPart::Spent(spent.to_vec())).await?;
    }
    for (key_no, reason) in endings {
        let id = *keys
            .get(&key_no)
            .ok_or(RecoveryError::UnknownMintKey { batch, key_no })?;
        books.apply(ending(id, reason, at)).await?;
    }
    for recouped in coins.recouped.chunks(ITEMS_PER_COMMAND_MAX) {
        books.recover(RecoveredPart::Recouped(recouped.to_vec())).await?;
    }
    let paid = [
        (
            missing.paid_in,
            RecoveredPart::PaidIn as fn(Amount) -> RecoveredPart,
        ),
        (missing.paid_out, RecoveredPart::PaidOut),
    ];
    for (units, part) in paid.into_iter().filter(|(units, _)| *units > 0) {
        let amount = Amount::new(units).map_err(|_| books.refused(Refusal::Overflow))?;
        books.recover(part(amount)).await?;
    }
    done.introduced = statements.introductions.len() as u64;
    done.key_payments = statements.payments.len() as u64;
    books.recover_statements(statements).await?;
    match log.seal_copied(Arc::clone(copied), terms).await? {
        SealOutcome::Sealed(_) => Ok(done),
        SealOutcome::Broken(error) => Err(differs(error)),
        SealOutcome::Moved | SealOutcome::Nothing => Err(RecoveryError::NotOpen(batch)),
    }
}

/// What was settled after the last batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// The number of mints that waited for money and that the log has: they are carried out.
    pub waiting_mints: u64,
    /// What accounts owe, and the issuer bears. In the smallest unit.
    pub shortfall: u64,
}

/// Settles what is left after the last batch was recovered. Nothing else may use the books.
///
/// Mints that wait for money in the books, and that the log has, are carried out, so that they are not issued a second
/// time. Then the issuer bears what the accounts owe: otherwise the totals of the log could fall below zero when holders
/// spend what their accounts should no longer have.
///
/// # Errors
/// As [`recover_batch`].
pub async fn settle(
    ledger: &dyn Ledger,
    accounts: &dyn Accounts,
    log: &dyn LogStore,
    at: LedgerTime,
) -> Result<Settled, RecoveryError> {
    let head = log.head().await?;
    let batch = head.ok_or(RecoveryError::NotOpen(LogBatchNo::FIRST))?.batch;
    let books = Recovering { ledger, batch, at };
    let keys = ledger.mint_keys().await?;
    let key = |id: MintKeyId| {
        let key = keys.iter().find(|key| key.id == id)?;
        Some((key.no, key.identity))
    };
    let mut settled = Settled::default();
    let mut after: Option<DueMint> = None;
    loop {
        // All mints are due at the end of time.
        let end = LedgerTime::from_unix_micros(i64::MAX);
        let due = accounts.due(end, after.as_ref(), WAITING_MINTS_PER_PAGE).await?;
        for mint in &due {
            let Some(mint) = accounts.waiting(&mint.reference).await? else {
                continue;
            };
            let request = Command::Mint {
                account: mint.account,
                transaction_reference: mint.transaction_reference,
                blinds: mint.blinds,
                payment: None,
                wait_until: None,
                at,
            };
            if let Some(found) = find_request(log, &request, key).await? {
                let (request, found) = (Box::new(request), Box::new(found));
                match books.apply(Command::SignAgain { request, found, at }).await {
                    Ok(()) => settled.waiting_mints += 1,
                    // A renew or recoup has used the reference, so the mint is never carried out.
                    Err(RecoveryError::Refused {
                        refusal: Refusal::ReferenceConflict,
                        ..
                    }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        match due.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    let entries = log.recovered_entries().await?;
    let balance: i64 = entries.iter().map(|entry| entry.received).sum();
    if balance < 0 {
        settled.shortfall = balance.unsigned_abs();
        let amount = Amount::new(settled.shortfall).map_err(|_| books.refused(Refusal::Overflow))?;
        books.recover(RecoveredPart::Shortfall(amount)).await?;
    }
    Ok(settled)
}

/// Where the log has a mint, renew or recoup of a lost time whose signatures nobody has got. `key` gives the number and the
/// identity of a mint key.
///
/// # Errors
/// The store cannot be read.
pub async fn find_request(
    log: &dyn LogStore,
    request: &Command,
    key: impl Fn(MintKeyId) -> Option<(MintKeyNo, MintKeyIdentity)>,
) -> Result<Option<RecoveredRequest>, LedgerError> {
    let (blinds, coins) = match request {
        Command::Mint { blinds, .. } | Command::Recoup { blinds, .. } => (blinds, &[][..]),
        Command::Renew { blinds, coins, .. } => (blinds, &coins[..]),
        _ => return Ok(None),
    };
    let mut batches: Option<BTreeSet<LogBatchNo>> = None;
    let mut digests = Vec::with_capacity(blinds.len());
    for blind in blinds {
        let Some((no, identity)) = key(blind.mint_key) else {
            return Ok(None);
        };
        let digest = identity.issued_digest(&blind.blinded);
        let found: BTreeSet<LogBatchNo> = log.recovered_in(no, digest).await?.into_iter().collect();
        let both: BTreeSet<LogBatchNo> = match &batches {
            Some(before) => before.intersection(&found).copied().collect(),
            None => found,
        };
        if both.is_empty() {
            return Ok(None);
        }
        batches = Some(both);
        digests.push((no, digest));
    }
    let mut batches = batches.unwrap_or_default();
    for coin in coins {
        let Some((no, _)) = key(coin.mint_key) else {
            return Ok(None);
        };
        let spent = log.batch_of_spent(no, coin.spent_digest).await?;
        batches.retain(|batch| Some(*batch) == spent);
    }
    let blinds = digests;
    Ok(batches.first().map(|batch| RecoveredRequest {
        batch: *batch,
        blinds,
    }))
}

/// The command by which a mint key ends for this reason.
fn ending(id: MintKeyId, reason: CloseReason, at: LedgerTime) -> Command {
    match reason {
        CloseReason::WindowOver => Command::RetireMintKey { id, at },
        CloseReason::CoinsExpired => Command::PruneMintKey { id, at },
        CloseReason::Revoked => {
            let reason = StopReason::new(REVOKED).expect("the reason is short");
            Command::StopMintKey { id, reason, at }
        }
        CloseReason::Stopped => {
            let reason = StopReason::over_redemption();
            Command::StopMintKey { id, reason, at }
        }
    }
}

/// The books while they are recovered.
struct Recovering<'a> {
    ledger: &'a dyn Ledger,
    batch: LogBatchNo,
    at: LedgerTime,
}

impl Recovering<'_> {
    async fn recover(&self, part: RecoveredPart) -> Result<(), RecoveryError> {
        self.apply(self.command(part)).await
    }

    fn command(&self, part: RecoveredPart) -> Command {
        let batch = self.batch;
        let recovered = Box::new(Recovered { batch, part });
        let at = self.at;
        Command::Recover { recovered, at }
    }

    async fn apply(&self, command: Command) -> Result<(), RecoveryError> {
        for outcome in self.ledger.apply(&[command]).await? {
            outcome.map_err(|refusal| self.refused(refusal))?;
        }
        Ok(())
    }

    fn refused(&self, refusal: Refusal) -> RecoveryError {
        let batch = self.batch;
        RecoveryError::Refused { batch, refusal }
    }
}

/// The coins and blinds of leaves.
#[derive(Default)]
struct Coins {
    issued: Vec<RecoveredBlind>,
    spent: Vec<CoinIn>,
    recouped: Vec<RevokedBlind>,
}

impl Coins {
    fn new(
        leaves: &[CoinLeaf],
        keys: &HashMap<KeyNo, MintKeyId>,
        batch: LogBatchNo,
    ) -> Result<Self, RecoveryError> {
        let differs = |what| RecoveryError::Differs {
            batch,
            error: SealingError::Malformed(what),
        };
        let id = |key_no: KeyNo| {
            let id = keys.get(&key_no).copied();
            id.ok_or(RecoveryError::UnknownMintKey { batch, key_no })
        };
        let mut coins = Self::default();
        let mut recouped_coins: Vec<(MintKeyId, SpentDigest)> = Vec::new();
        let mut recouped_blinds: Vec<(MintKeyId, IssuedDigest)> = Vec::new();
        for leaf in leaves {
            let leaf = Leaf::decode(leaf).map_err(|_| differs("a leaf of no known kind"))?;
            match leaf {
                Leaf::Issued { key_no, digest } => coins.issued.push(RecoveredBlind {
                    mint_key: id(key_no)?,
                    issued_digest: digest,
                }),
                Leaf::Spent { key_no, digest } => coins.spent.push(CoinIn {
                    mint_key: id(key_no)?,
                    spent_digest: digest,
                }),
                Leaf::CoinRecouped { key_no, digest } => recouped_coins.push((id(key_no)?, digest)),
                Leaf::BlindRecouped { key_no, digest } => recouped_blinds.push((id(key_no)?, digest)),
                _ => return Err(differs("a leaf that is not of a coin")),
            }
        }
        // Both are in the order of the keys' numbers, and each recoup has one of each of the same key.
        if recouped_coins.len() != recouped_blinds.len() {
            return Err(differs("recouped coins and blinds differ in number"));
        }
        for (coin, blind) in recouped_coins.into_iter().zip(recouped_blinds) {
            if coin.0 != blind.0 {
                return Err(differs("recouped coins and blinds are of different keys"));
            }
            coins.recouped.push(RevokedBlind {
                mint_key: coin.0,
                issued_digest: blind.1,
                spent_digest: coin.1,
            });
        }
        Ok(coins)
    }
}
