//! A small currency to test with: commands in one line.

use std::sync::Arc;

use crate::Pair;
use crate::Store;
use opencoin_audit::AuditFacts;
use opencoin_ledger::{
    AccountId, Amount, Applied, Blind, BlindDigest, CoinIn, Command, Effect, IdempotencyKey, KeptSignatures,
    LedgerTime, MintKeyId, MintKeyStatus, MintKeyTerms, Outcome, PayloadHash, PayoutNo, Reference,
    RevokedBlind, Settlement, StoredBlind, StoredNumber, TokenHash, TransactionNo, TransactionReference,
    UnsignedTransaction,
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
    ledger: Arc<dyn Store>,
}

impl World {
    /// Opens the accounts, registers the keys and pays in for Alice.
    ///
    /// # Panics
    /// The ledger refuses.
    pub async fn with_paid_in(ledgers: &Pair, units: u64) -> Self {
        let world = Self {
            ledger: Arc::clone(&ledgers[0]),
        };
        let mut batch = vec![
            open("alice", 1),
            open("bob", 2),
            register(1, 1),
            register(2, 2),
            register(5, 5),
        ];
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
        let key = self.status(key).await;
        (key.issued, key.returned)
    }

    pub(crate) async fn status(&self, key: u8) -> MintKeyStatus {
        let keys = self.ledger.mint_keys().await.unwrap();
        keys.into_iter().find(|status| status.id == key_id(key)).unwrap()
    }

    /// All transactions that wait for a key, read in pages of so many.
    pub(crate) async fn unsigned(&self, key: u8, page: usize) -> Vec<UnsignedTransaction> {
        let (status, mut after, mut found) = (self.status(key).await, TransactionNo::BEFORE_ALL, Vec::new());
        loop {
            let page = self.ledger.unsigned(&status, after, page).await.unwrap();
            assert!(page.transactions.iter().all(|transaction| transaction.no > after));
            found.extend(page.transactions);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert!(found.is_sorted_by_key(|transaction| transaction.no));
        found
    }

    pub(crate) async fn stored(&self, text: &str) -> Vec<StoredBlind> {
        self.ledger
            .accepted(&reference(text))
            .await
            .unwrap()
            .unwrap()
            .blinds
    }

    pub(crate) async fn facts(&self) -> AuditFacts {
        self.ledger.audit_facts().await.unwrap()
    }
}

/// Deletes the coins of all pruned mint keys, one at a time, through every ledger in turn. The books hold all the
/// while.
pub(crate) async fn forget_coins(ledgers: &[&dyn Store]) {
    let keys = ledgers[0].mint_keys().await.unwrap();
    for key in keys.iter().filter(|key| key.pruned) {
        for ledger in ledgers.iter().cycle() {
            let facts = ledger.audit_facts().await.unwrap();
            let report = opencoin_audit::check(&facts);
            assert!(report.holds(), "{report:#?}");
            if ledger.forget_coins(key.id, 1).await.unwrap() == 0 {
                break;
            }
        }
    }
}

pub(crate) fn new(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: false,
        effect,
    })
}

pub(crate) fn again(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: true,
        effect,
    })
}

pub(crate) fn moved(units: u64) -> Effect {
    Effect::Moved(amount(units))
}

/// Of a mint, renew or recoup while signing goes on.
pub(crate) fn accepted(units: u64) -> Effect {
    Effect::Accepted {
        amount: amount(units),
        signing_paused: false,
    }
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
    let (name, token_hash) = (name.parse().unwrap(), TokenHash::new([token; 32]));
    Command::OpenAccount {
        name,
        token_hash,
        password: None,
        at: NOW,
    }
}

pub(crate) fn credit(account: AccountId, units: u64, reference: &str) -> Command {
    Command::Credit {
        account,
        amount: amount(units),
        reference: Reference::new(reference).unwrap(),
        at: NOW,
    }
}

pub(crate) fn debit(account: AccountId, units: u64, reference: &str) -> Command {
    Command::Debit {
        account,
        amount: amount(units),
        reference: Reference::new(reference).unwrap(),
        at: NOW,
    }
}

pub(crate) fn idempotency_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

/// Without a label.
pub(crate) fn transfer(from: AccountId, to: AccountId, units: u64, key: &str) -> Command {
    Command::Transfer {
        from,
        to,
        amount: amount(units),
        key: idempotency_key(key),
        label: None,
        at: NOW,
    }
}

pub(crate) fn labelled(text: &str, mut transfer: Command) -> Command {
    if let Command::Transfer { label, .. } = &mut transfer {
        *label = Some(Reference::new(text).unwrap());
    }
    transfer
}

pub(crate) fn payout(account: AccountId, units: u64, key: &str) -> Command {
    let destination = Reference::new("account 1 of the bank").unwrap();
    Command::RequestPayout {
        account,
        amount: amount(units),
        destination,
        key: idempotency_key(key),
        at: NOW,
    }
}

pub(crate) fn paid(payout: i64, text: &str) -> Command {
    let settlement = Settlement::Paid(Reference::new(text).unwrap());
    Command::SettlePayout {
        payout: PayoutNo::new(payout),
        settlement,
        at: NOW,
    }
}

pub(crate) fn failed(payout: i64, text: &str) -> Command {
    let settlement = Settlement::Failed(Reference::new(text).unwrap());
    Command::SettlePayout {
        payout: PayoutNo::new(payout),
        settlement,
        at: NOW,
    }
}

pub(crate) fn terms(denomination: u64) -> MintKeyTerms {
    let time = LedgerTime::from_unix_micros;
    MintKeyTerms::new(amount(denomination), time(SIGN_FROM), time(SIGN_TO), time(EXPIRY)).unwrap()
}

pub(crate) fn register(key: u8, denomination: u64) -> Command {
    Command::RegisterMintKey {
        id: key_id(key),
        terms: terms(denomination),
        at: NOW,
    }
}

pub(crate) fn stop(key: u8) -> Command {
    Command::StopMintKey {
        id: key_id(key),
        reason: "stolen".parse().unwrap(),
        at: NOW,
    }
}

/// At the first moment at which it is allowed.
pub(crate) fn retire(key: u8) -> Command {
    Command::RetireMintKey {
        id: key_id(key),
        at: LedgerTime::from_unix_micros(SIGN_TO + 1),
    }
}

pub(crate) fn prune(key: u8) -> Command {
    Command::PruneMintKey {
        id: key_id(key),
        at: LedgerTime::from_unix_micros(EXPIRY + 1),
    }
}

/// What pruning a key leaves behind.
pub(crate) fn pruned(forgotten: u64, outstanding: u64) -> Effect {
    Effect::MintKeyPruned {
        forgotten,
        outstanding,
    }
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

/// The same as a transaction keeps them before they are signed.
pub(crate) fn stored(keys: &[u8]) -> Vec<StoredBlind> {
    blinds(keys).into_iter().map(StoredBlind::from).collect()
}

/// With signatures, or what stands for them here, in place of the blinds of one key.
pub(crate) fn signed(key: u8, before: &[StoredBlind]) -> Vec<StoredBlind> {
    let sign = |blind: &StoredBlind| match &blind.number {
        StoredNumber::Blinded(number) if blind.mint_key == key_id(key) => {
            let signature = number.iter().map(|byte| byte ^ 0xff).collect();
            StoredBlind {
                number: StoredNumber::Signature(signature),
                ..blind.clone()
            }
        }
        _ => blind.clone(),
    };
    before.iter().map(sign).collect()
}

/// What a key's last signing leaves of a transaction.
pub(crate) fn keep(key: u8, transaction: &UnsignedTransaction) -> KeptSignatures {
    KeptSignatures::new(
        transaction.no,
        &transaction.blinds,
        &signed(key, &transaction.blinds),
    )
}

/// Coins as (key, serial).
pub(crate) fn coins(coins: &[(u8, u32)]) -> Vec<CoinIn> {
    let coin = |&(key, serial): &(u8, u32)| {
        let mut hash = [7; 20];
        hash[..4].copy_from_slice(&serial.to_be_bytes());
        CoinIn {
            mint_key: key_id(key),
            payload_hash: PayloadHash::new(&hash).unwrap(),
        }
    };
    coins.iter().map(coin).collect()
}

pub(crate) fn mint(account: AccountId, text: &str, keys: &[u8]) -> Command {
    Command::Mint {
        account,
        transaction_reference: reference(text),
        blinds: blinds(keys),
        wait_until: None,
        at: NOW,
    }
}

/// A mint that waits until then if the account holds too little.
pub(crate) fn patient(micros: i64, mut mint: Command) -> Command {
    if let Command::Mint { wait_until, .. } = &mut mint {
        *wait_until = Some(LedgerTime::from_unix_micros(micros));
    }
    mint
}

pub(crate) fn renew(text: &str, coins_in: &[(u8, u32)], keys: &[u8]) -> Command {
    Command::Renew {
        transaction_reference: reference(text),
        coins: coins(coins_in),
        blinds: blinds(keys),
        at: NOW,
    }
}

pub(crate) fn redeem(account: AccountId, coins_in: &[(u8, u32)]) -> Command {
    Command::Redeem {
        account,
        coins: coins(coins_in),
        at: NOW,
    }
}

/// Blinds as (key, blind, serial of the coin that it became).
pub(crate) fn revoked(revoked: &[(u8, u32, u32)]) -> Vec<RevokedBlind> {
    let revoked_blind = |&(key, blind, serial): &(u8, u32, u32)| {
        let coin = coins(&[(key, serial)])[0];
        let blind = BlindDigest::of(coin.mint_key, &blind.to_be_bytes());
        RevokedBlind {
            mint_key: coin.mint_key,
            blind,
            payload_hash: coin.payload_hash,
        }
    };
    revoked.iter().map(revoked_blind).collect()
}

pub(crate) fn recoup(text: &str, lost: &[(u8, u32, u32)], keys: &[u8]) -> Command {
    Command::Recoup {
        transaction_reference: reference(text),
        revoked: revoked(lost),
        blinds: blinds(keys),
        at: NOW,
    }
}

/// The same command at another time.
pub(crate) fn at(micros: i64, mut command: Command) -> Command {
    use Command::{
        Credit, Debit, Mint, OpenAccount, PruneMintKey, Recoup, Redeem, RegisterMintKey, Renew,
        RequestPayout, RetireMintKey, SetSigningPaused, SettlePayout, StopMintKey, Transfer,
    };
    match &mut command {
        OpenAccount { at, .. }
        | Credit { at, .. }
        | Debit { at, .. }
        | Transfer { at, .. }
        | RequestPayout { at, .. }
        | SettlePayout { at, .. }
        | RegisterMintKey { at, .. }
        | StopMintKey { at, .. }
        | RetireMintKey { at, .. }
        | PruneMintKey { at, .. }
        | SetSigningPaused { at, .. }
        | Mint { at, .. }
        | Renew { at, .. }
        | Redeem { at, .. }
        | Recoup { at, .. } => *at = LedgerTime::from_unix_micros(micros),
    }
    command
}
