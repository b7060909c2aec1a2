//! Measures how many bytes of the database a coin takes: while it is alive, and after its mint key was pruned.
//!
//! The coins are minted and redeemed through the ledger, with random numbers in place of blinds, and with times at
//! which their mint key has expired. The sizes are those of the tables and indexes on disk. Before the last one, all
//! tables are rewritten without the room that deleted rows leave.

use anyhow::{Context, Result};
use opencoin_ledger::{
    AccountId, Amount, Blind, CoinIn, Command, Ledger, LedgerTime, MintKeyId, MintKeyTerms, Reference,
    SPENT_DIGEST_BYTES, SpentDigest, TransactionReference, register_uncertified_mint_key,
};
use opencoin_terminal::output;
use rand::RngCore;
use rand::rngs::OsRng;
use serde::Serialize;

use super::books::BenchBooks;
use super::currency::{Currency, random_bytes};

/// Enough for rows to outnumber the pages that a table begins with.
const REQUESTS: usize = 500;
const COINS_PER_REQUEST: usize = 64;
/// Commands in one batch.
const BATCH_COMMANDS: usize = 50;
const BLIND_BYTES: usize = 256;
const TRANSACTION_REFERENCE_BYTES: usize = 16;
/// Rows that are deleted in one transaction.
const ROWS_PER_PORTION: u32 = 10_000;

/// The times of the mint key, in microseconds.
const SIGN_UNTIL: i64 = 1_000;
const COINS_EXPIRE: i64 = 2_000;

/// Bytes of the database for each coin.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Storage {
    pub(super) coins: usize,
    pub(super) minted: f64,
    pub(super) minted_and_redeemed: f64,
    pub(super) pruned: f64,
}

pub(super) async fn measure(currency: &Currency, books: &BenchBooks) -> Result<Storage> {
    let (ledger, account) = (currency.ledger.as_ref(), currency.account);
    let id = MintKeyId::new(random_bytes(20).try_into().expect("an id has 20 bytes"));
    let time = LedgerTime::from_unix_micros;
    let terms = MintKeyTerms::new(Amount::new(1)?, time(0), time(SIGN_UNTIL), time(COINS_EXPIRE))?;
    let at = time(0);
    let funds = Command::Credit {
        account,
        amount: Amount::new((REQUESTS * COINS_PER_REQUEST) as u64)?,
        reference: Reference::new("funds of the coins in the measurement of storage")?,
        at,
    };
    apply(ledger, vec![register_uncertified_mint_key(id, terms, at), funds]).await?;
    let coins = REQUESTS * COINS_PER_REQUEST;
    let per_coin = |before: u64, after: u64| (after as f64 - before as f64) / coins as f64;
    let begun = books.bytes_without_free_room().await?;
    let mints = (0..REQUESTS).map(|_| mint(account, id));
    apply(ledger, mints.collect::<Result<_>>()?).await?;
    let minted = books.bytes().await?;
    apply(ledger, (0..REQUESTS).map(|_| redeem(account, id)).collect()).await?;
    let redeemed = books.bytes().await?;
    let at = time(COINS_EXPIRE + 1);
    apply(ledger, vec![Command::PruneMintKey { id, at }]).await?;
    while ledger.forget_rows(id, ROWS_PER_PORTION).await? > 0 {}
    let pruned = books.bytes_without_free_room().await?;
    let measured = Storage {
        coins,
        minted: per_coin(begun, minted),
        minted_and_redeemed: per_coin(begun, redeemed),
        pruned: per_coin(begun, pruned),
    };
    output::line(&measured.text())?;
    Ok(measured)
}

impl Storage {
    fn text(&self) -> String {
        format!(
            "bytes in the database for each of {} coins, {COINS_PER_REQUEST} in a request, 2048 bits: minted {:.0}; \
             redeemed as well {:.0}; after its mint key was pruned {:.1}",
            self.coins, self.minted, self.minted_and_redeemed, self.pruned
        )
    }
}

fn mint(account: AccountId, mint_key: MintKeyId) -> Result<Command> {
    let blind = |index: usize| Blind {
        reference: index.to_string(),
        mint_key,
        blinded: random_bytes(BLIND_BYTES),
    };
    Ok(Command::Mint {
        account,
        transaction_reference: TransactionReference::new(random_bytes(TRANSACTION_REFERENCE_BYTES))?,
        blinds: (0..COINS_PER_REQUEST).map(blind).collect(),
        payment: None,
        wait_until: None,
        at: LedgerTime::from_unix_micros(SIGN_UNTIL),
    })
}

fn redeem(account: AccountId, mint_key: MintKeyId) -> Command {
    let coin = |_| {
        let mut digest = [0; SPENT_DIGEST_BYTES];
        OsRng.fill_bytes(&mut digest);
        CoinIn {
            mint_key,
            spent_digest: SpentDigest::new(digest),
        }
    };
    Command::Redeem {
        account,
        coins: (0..COINS_PER_REQUEST).map(coin).collect(),
        at: LedgerTime::from_unix_micros(COINS_EXPIRE),
    }
}

async fn apply(ledger: &dyn Ledger, commands: Vec<Command>) -> Result<()> {
    for batch in commands.chunks(BATCH_COMMANDS) {
        let outcomes = ledger.apply(batch).await?;
        outcomes
            .into_iter()
            .try_for_each(|outcome| outcome.map(|_| ()))
            .context("the ledger refused a command of the measurement of storage")?;
    }
    Ok(())
}
