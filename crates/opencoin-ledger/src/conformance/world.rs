//! A small currency to test with: commands in one line.

use std::sync::Arc;

use super::Pair;
use crate::audit::AuditFacts;
use crate::{
    AccountId, Amount, Applied, Blind, CoinIn, Command, Effect, Ledger, LedgerTime, MintKeyId, MintKeyTerms, Outcome,
    PayloadHash, Reference, TokenHash, TransactionReference,
};

/// When mint keys of a [`World`] begin to sign.
pub(crate) const SIGN_FROM: i64 = 100;
/// When they cease to sign.
pub(crate) const SIGN_TO: i64 = 200;
/// When their coins expire.
pub(crate) const EXPIRY: i64 = 300;
/// Inside the signing window.
pub(crate) const NOW: LedgerTime = LedgerTime::from_unix_micros(150);

/// The first account that is opened.
#[must_use]
pub const fn alice() -> AccountId {
    AccountId::FIRST_HOLDER
}

/// The second account that is opened.
#[must_use]
pub const fn bob() -> AccountId {
    AccountId::new(AccountId::FIRST_HOLDER.get() + 1)
}

/// The accounts of Alice and Bob, and mint keys 1, 2 and 5 of these denominations.
pub struct World {
    ledger: Arc<dyn Ledger>,
}

impl World {
    /// Opens the accounts, registers the keys and pays in for Alice.
    ///
    /// # Panics
    /// The ledger refuses.
    pub async fn with_paid_in(ledgers: &Pair, units: u64) -> Self {
        let world = Self { ledger: Arc::clone(&ledgers[0]) };
        let mut batch = vec![open("alice", 1), open("bob", 2), register(1, 1), register(2, 2), register(5, 5)];
        if units > 0 {
            batch.push(credit(alice(), units, "opening balance"));
        }
        for outcome in world.apply(&batch).await {
            assert!(!outcome.unwrap().repeated);
        }
        world
    }

    pub(crate) async fn apply(&self, batch: &[Command]) -> Vec<Outcome> {
        let outcomes = self.ledger.apply(batch).await.unwrap();
        assert_eq!(outcomes.len(), batch.len());
        outcomes
    }

    pub(crate) async fn one(&self, command: Command) -> Outcome {
        self.apply(&[command]).await.remove(0)
    }

    pub(crate) async fn balances(&self) -> [u64; 2] {
        let balance = async |name: &str| {
            let account = self.ledger.account_by_name(&name.parse().unwrap()).await.unwrap();
            account.unwrap().balance.units()
        };
        [balance("alice").await, balance("bob").await]
    }

    /// Signatures given and coins that came back, of a key.
    pub(crate) async fn counters(&self, key: u8) -> (u64, u64) {
        let keys = self.ledger.mint_keys().await.unwrap();
        let key = keys.into_iter().find(|status| status.id == key_id(key)).unwrap();
        (key.issued, key.returned)
    }

    pub(crate) async fn facts(&self) -> AuditFacts {
        self.ledger.audit_facts().await.unwrap()
    }
}

pub(crate) fn new(effect: Effect) -> Outcome {
    Ok(Applied { repeated: false, effect })
}

pub(crate) fn again(effect: Effect) -> Outcome {
    Ok(Applied { repeated: true, effect })
}

pub(crate) fn moved(units: u64) -> Effect {
    Effect::Moved(amount(units))
}

/// Of a mint or renew while signing goes on.
pub(crate) fn accepted(units: u64) -> Effect {
    Effect::Accepted { amount: amount(units), signing_paused: false }
}

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

pub(crate) fn key_id(key: u8) -> MintKeyId {
    MintKeyId::new([key; 20])
}

pub(crate) fn reference(text: &str) -> TransactionReference {
    TransactionReference::new(text.as_bytes()).unwrap()
}

pub(crate) fn open(name: &str, token: u8) -> Command {
    Command::OpenAccount { name: name.parse().unwrap(), token_hash: TokenHash::new([token; 32]), at: NOW }
}

pub(crate) fn credit(account: AccountId, units: u64, reference: &str) -> Command {
    Command::Credit { account, amount: amount(units), reference: Reference::new(reference).unwrap(), at: NOW }
}

pub(crate) fn debit(account: AccountId, units: u64, reference: &str) -> Command {
    Command::Debit { account, amount: amount(units), reference: Reference::new(reference).unwrap(), at: NOW }
}

pub(crate) fn transfer(from: AccountId, to: AccountId, units: u64, reference: &str) -> Command {
    Command::Transfer { from, to, amount: amount(units), reference: Reference::new(reference).unwrap(), at: NOW }
}

pub(crate) fn terms(denomination: u64) -> MintKeyTerms {
    let time = LedgerTime::from_unix_micros;
    MintKeyTerms::new(amount(denomination), time(SIGN_FROM), time(SIGN_TO), time(EXPIRY)).unwrap()
}

pub(crate) fn register(key: u8, denomination: u64) -> Command {
    Command::RegisterMintKey { id: key_id(key), terms: terms(denomination), at: NOW }
}

pub(crate) fn stop(key: u8) -> Command {
    Command::StopMintKey { id: key_id(key), reason: "stolen".parse().unwrap(), at: NOW }
}

pub(crate) fn prune(key: u8) -> Command {
    Command::PruneMintKey { id: key_id(key), at: LedgerTime::from_unix_micros(EXPIRY + 1) }
}

/// What pruning a key leaves behind.
pub(crate) fn pruned(forgotten: u64, outstanding: u64) -> Effect {
    Effect::MintKeyPruned { forgotten, outstanding }
}

/// Blinds for these keys, named by their place.
pub(crate) fn blinds(keys: &[u8]) -> Vec<Blind> {
    let blind = |(index, &key): (usize, &u8)| Blind {
        reference: format!("r{index}"),
        mint_key: key_id(key),
        blinded: vec![key; 64 + index % 7],
    };
    keys.iter().enumerate().map(blind).collect()
}

/// Coins as (key, serial).
pub(crate) fn coins(coins: &[(u8, u32)]) -> Vec<CoinIn> {
    let coin = |&(key, serial): &(u8, u32)| {
        let mut hash = [7; 20];
        hash[..4].copy_from_slice(&serial.to_be_bytes());
        CoinIn { mint_key: key_id(key), payload_hash: PayloadHash::new(&hash).unwrap() }
    };
    coins.iter().map(coin).collect()
}

pub(crate) fn mint(account: AccountId, text: &str, keys: &[u8]) -> Command {
    Command::Mint { account, transaction_reference: reference(text), blinds: blinds(keys), at: NOW }
}

pub(crate) fn renew(text: &str, coins_in: &[(u8, u32)], keys: &[u8]) -> Command {
    Command::Renew { transaction_reference: reference(text), coins: coins(coins_in), blinds: blinds(keys), at: NOW }
}

pub(crate) fn redeem(account: AccountId, coins_in: &[(u8, u32)]) -> Command {
    Command::Redeem { account, coins: coins(coins_in), at: NOW }
}

/// The same command at another time.
pub(crate) fn at(micros: i64, mut command: Command) -> Command {
    use Command::{
        Credit, Debit, Mint, OpenAccount, PruneMintKey, Redeem, RegisterMintKey, Renew, SetSigningPaused, StopMintKey, Transfer,
    };
    match &mut command {
        OpenAccount { at, .. }
        | Credit { at, .. }
        | Debit { at, .. }
        | Transfer { at, .. }
        | RegisterMintKey { at, .. }
        | StopMintKey { at, .. }
        | PruneMintKey { at, .. }
        | SetSigningPaused { at, .. }
        | Mint { at, .. }
        | Renew { at, .. }
        | Redeem { at, .. } => *at = LedgerTime::from_unix_micros(micros),
    }
    command
}
