//! A small currency for the tests, and functions that make a command in one line.

use std::sync::Arc;

use crate::Pair;
use crate::Store;
use opencoin_audit::AuditFacts;
use opencoin_ledger::log::DeclaredBooks;
use opencoin_ledger::recovered::{AssignmentWay, Recovered, RecoveredPart, RecoveredRequest};
use opencoin_ledger::{
    Account, AccountId, AccountStatus, Action, ActionKind, ActionSubject, Amount, Applied, Blind, CoinIn,
    Command, Effect, IdempotencyKey, IssuedDigest, KeptSignatures, LedgerTime, LogBatchNo, LogTerms,
    MintKeyId, MintKeyStatus, MintKeyTerms, Outcome, PasswordSetter, PayoutNo, Reference, RevokedBlind,
    Settlement, SpentDigest, StoredBlind, StoredNumber, TokenHash, TransactionNo, TransactionReference,
    UnsignedTransaction, register_uncertified_mint_key,
};
use opencoin_schema::{BigInt, Cdd, Cddc, PROTOCOL_VERSION, RsaPublicKey, Timestamp};

/// The first microsecond of the signing window of every mint key in a [`World`].
pub(crate) const SIGN_FROM: i64 = 100;
/// The last microsecond of the signing window.
pub(crate) const SIGN_TO: i64 = 200;
/// The last microsecond at which coins are taken.
pub(crate) const EXPIRY: i64 = 300;
/// The time of commands unless [`at`] changes it. It is inside the signing window.
pub(crate) const NOW: LedgerTime = LedgerTime::from_unix_micros(150);

/// The origin of the log.
pub(crate) const ORIGIN: &str = "issuer.example/log";

/// The first account that a [`World`] opens.
#[must_use]
pub const fn alice() -> AccountId {
    AccountId::FIRST_HOLDER
}

/// The second account that a [`World`] opens.
#[must_use]
pub const fn bob() -> AccountId {
    AccountId::new(AccountId::FIRST_HOLDER.get() + 1)
}

/// The account with this name.
pub(crate) async fn account(ledger: &dyn Store, name: &str) -> Option<Account> {
    let profile = ledger.accounts().profile(&name.parse().unwrap()).await.unwrap();
    profile.map(|profile| profile.account)
}

/// What the batches of the log are checked against.
pub(crate) fn log_terms() -> LogTerms {
    LogTerms {
        origin: ORIGIN.to_owned(),
        within_s: 60,
    }
}

pub(crate) fn time(micros: i64) -> LedgerTime {
    LedgerTime::from_unix_micros(micros)
}

/// Books with accounts of Alice and Bob, and with mint keys 1, 2 and 5, whose denominations are 1, 2 and 5.
pub struct World {
    ledger: Arc<dyn Store>,
}

impl World {
    /// Opens the accounts, registers the keys and credits Alice with `units`.
    ///
    /// # Panics
    /// The ledger refuses a command or has applied it before.
    pub async fn with_paid_in(ledgers: &Pair, units: u64) -> Self {
        let world = Self {
            ledger: Arc::clone(&ledgers[0]),
        };
        let mut batch = vec![open("alice", 1), open("bob", 2)];
        batch.extend(registered_and_logged(&[(1, 1), (2, 2), (5, 5)]));
        let mut outcomes = world.ledger.apply(&batch).await.unwrap();
        if units > 0 {
            let credit = credit(alice(), units, "opening balance");
            outcomes.extend(world.ledger.apply(&[credit]).await.unwrap());
        }
        assert!(outcomes.into_iter().all(|outcome| !outcome.unwrap().repeated));
        world
    }

    /// Applies commands. New mint keys can sign at once, as if the log with them were published. The outcomes do not say
    /// where the log has the coins; the tests of the log look at that.
    pub(crate) async fn apply(&self, batch: &[Command]) -> Vec<Outcome> {
        let outcomes = without_log(self.ledger.apply(batch).await.unwrap());
        assert_eq!(outcomes.len(), batch.len());
        let release = |command: &Command| match command {
            Command::RegisterMintKey { id, .. } => Some(Command::ReleaseMintKey { id: *id, at: NOW }),
            _ => None,
        };
        let releases: Vec<Command> = batch.iter().filter_map(release).collect();
        if !releases.is_empty() {
            self.ledger.apply(&releases).await.unwrap();
        }
        outcomes
    }

    pub(crate) async fn one(&self, command: Command) -> Outcome {
        self.apply(&[command]).await.remove(0)
    }

    pub(crate) async fn balances(&self) -> [u64; 2] {
        let balance = async |name: &str| {
            let account = account(&*self.ledger, name).await;
            account.unwrap().balance.units()
        };
        [balance("alice").await, balance("bob").await]
    }

    /// The `issued` and `returned` counters of a key.
    pub(crate) async fn counters(&self, key: u8) -> (u64, u64) {
        let key = self.status(key).await;
        (key.issued, key.returned)
    }

    pub(crate) async fn status(&self, key: u8) -> MintKeyStatus {
        let keys = self.ledger.mint_keys().await.unwrap();
        keys.into_iter().find(|status| status.id == key_id(key)).unwrap()
    }

    /// All transactions with unsigned blinds of a key, read in pages of this size.
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

/// Deletes the rows of all pruned mint keys, one row at a time, through each ledger in turn. Asserts before
/// each step that the books hold.
pub(crate) async fn forget_rows(ledgers: &[&dyn Store]) {
    let keys = ledgers[0].mint_keys().await.unwrap();
    for key in keys.iter().filter(|key| key.pruned) {
        for ledger in ledgers.iter().cycle() {
            let facts = ledger.audit_facts().await.unwrap();
            let report = opencoin_audit::check(&facts);
            assert!(report.holds(), "{report:#?}");
            if ledger.forget_rows(key.id, 1).await.unwrap() == 0 {
                break;
            }
        }
    }
}

/// The outcomes without what they say about the log.
#[must_use]
pub fn without_log(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for applied in outcomes.iter_mut().flatten() {
        applied.logged = None;
    }
    outcomes
}

pub(crate) fn new(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: false,
        effect,
        logged: None,
    })
}

pub(crate) fn again(effect: Effect) -> Outcome {
    Ok(Applied {
        repeated: true,
        effect,
        logged: None,
    })
}

pub(crate) fn moved(units: u64) -> Effect {
    Effect::Moved(amount(units))
}

/// The effect of a mint, renew or recoup while signing is not paused.
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
    let (name, token_hash) = (name.parse().unwrap(), Some(TokenHash::new([token; 32])));
    Command::OpenAccount {
        name,
        token_hash,
        password: None,
        at: NOW,
    }
}

/// The token with which [`World`] has opened the account of Alice or Bob.
pub(crate) fn own_token(account: AccountId) -> TokenHash {
    TokenHash::new([if account == alice() { 1 } else { 2 }; 32])
}

/// An action of the operator `desk`.
pub(crate) fn action(kind: ActionKind, subject: &str) -> Action {
    Action {
        operator: "desk".parse().unwrap(),
        kind,
        subject: ActionSubject::new(subject),
        amount: None,
        detail: None,
        at: NOW,
    }
}

/// The setter of a password who is an operator.
pub(crate) fn by_operator() -> PasswordSetter {
    PasswordSetter::Operator(action(ActionKind::SetPassword, "an account"))
}

pub(crate) fn set_status(account: AccountId, status: AccountStatus) -> Command {
    Command::SetAccountStatus {
        account,
        status,
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

/// A transfer without a label.
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
    register_uncertified_mint_key(key_id(key), terms(denomination), NOW)
}

/// Registers keys with these denominations, opens the log with them, and lets them sign.
pub(crate) fn registered_and_logged(keys: &[(u8, u64)]) -> Vec<Command> {
    let mut batch: Vec<Command> = keys
        .iter()
        .map(|(key, denomination)| register(*key, *denomination))
        .collect();
    batch.push(open_log(&batch, None));
    batch.extend(keys.iter().map(|(key, _)| release(*key)));
    batch
}

/// Opens the log with the certificates of the keys that these commands register.
pub(crate) fn open_log(registered: &[Command], declared: Option<DeclaredBooks>) -> Command {
    let certificate = |command: &Command| match command {
        Command::RegisterMintKey { id, certificate, .. } => Some((*id, (**certificate).clone())),
        _ => None,
    };
    Command::OpenLog {
        certificates: registered.iter().filter_map(certificate).collect(),
        declared,
        at: NOW,
    }
}

/// A description of the currency with this serial, which nobody has signed.
pub(crate) fn log_currency(serial: u64) -> Command {
    let date: Timestamp = "1970-01-01T00:00:00".parse().unwrap();
    let key = RsaPublicKey {
        modulus: BigInt::from_be_bytes(&[0x8f; 256]),
        public_exponent: 65537,
    };
    let cdd = Cdd {
        additional_info: String::new(),
        cdd_expiry_date: date,
        cdd_location: String::new(),
        cdd_serial: serial,
        cdd_signing_date: date,
        currency_divisor: 100,
        currency_name: "OpenCent".to_owned(),
        denominations: vec![1, 2, 5],
        id: key.id(),
        info_service: Vec::new(),
        issuer_cipher_suite: "RSA-SHA384-PSS-RFC9474".to_owned(),
        issuer_public_master_key: key,
        mint_service: Vec::new(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: Vec::new(),
        renew_service: Vec::new(),
    };
    Command::LogCurrency {
        cddc: Box::new(Cddc {
            cdd,
            signature: BigInt::default(),
        }),
        at: NOW,
    }
}

pub(crate) fn release(key: u8) -> Command {
    Command::ReleaseMintKey {
        id: key_id(key),
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

/// Retires a key at the first moment at which this is allowed.
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

/// The effect of pruning a key.
pub(crate) fn pruned(forgotten: u64, outstanding: u64) -> Effect {
    Effect::MintKeyPruned {
        forgotten,
        outstanding,
    }
}

/// One blind for each of these keys. The blind at index `n` has the reference `rn`.
pub(crate) fn blinds(keys: &[u8]) -> Vec<Blind> {
    let blind = |(index, &key): (usize, &u8)| Blind {
        reference: format!("r{index}"),
        mint_key: key_id(key),
        blinded: vec![key; 64 + index % 7],
    };
    keys.iter().enumerate().map(blind).collect()
}

/// The same blinds as they are stored before they are signed.
pub(crate) fn stored(keys: &[u8]) -> Vec<StoredBlind> {
    blinds(keys).into_iter().map(StoredBlind::from).collect()
}

/// Replaces the blinds of one key by signatures, which are inverted bytes in these tests.
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

/// The signatures of one key for a transaction, in the form in which a ledger keeps them.
pub(crate) fn keep(key: u8, transaction: &UnsignedTransaction) -> KeptSignatures {
    KeptSignatures::new(
        &transaction.reference,
        &transaction.blinds,
        &signed(key, &transaction.blinds),
    )
}

/// Coins from pairs of key and serial.
pub(crate) fn coins(coins: &[(u8, u32)]) -> Vec<CoinIn> {
    let coin = |&(key, serial): &(u8, u32)| {
        let mut digest = [7; 32];
        digest[..4].copy_from_slice(&serial.to_be_bytes());
        CoinIn {
            mint_key: key_id(key),
            spent_digest: SpentDigest::new(digest),
        }
    };
    coins.iter().map(coin).collect()
}

pub(crate) fn mint(account: AccountId, text: &str, keys: &[u8]) -> Command {
    Command::Mint {
        account,
        transaction_reference: reference(text),
        blinds: blinds(keys),
        payment: None,
        wait_until: None,
        at: NOW,
    }
}

/// Lets a mint wait until this time if its account does not hold enough.
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

/// Revoked blinds from triples of key, number of the blind, and serial of its coin.
pub(crate) fn revoked(revoked: &[(u8, u32, u32)]) -> Vec<RevokedBlind> {
    let revoked_blind = |&(key, blind, serial): &(u8, u32, u32)| {
        let coin = coins(&[(key, serial)])[0];
        let mut digest = [9; 32];
        digest[..4].copy_from_slice(&blind.to_be_bytes());
        RevokedBlind {
            mint_key: coin.mint_key,
            issued_digest: IssuedDigest::new(digest),
            spent_digest: coin.spent_digest,
        }
    };
    revoked.iter().map(revoked_blind).collect()
}

pub(crate) fn recoup(text: &str, recouped: &[(u8, u32, u32)], keys: &[u8]) -> Command {
    Command::Recoup {
        transaction_reference: reference(text),
        revoked: revoked(recouped),
        blinds: blinds(keys),
        at: NOW,
    }
}

/// Books a part of this batch of the log.
pub(crate) fn recover(batch: LogBatchNo, part: RecoveredPart) -> Command {
    Command::Recover {
        recovered: Box::new(Recovered { batch, part }),
        at: NOW,
    }
}

/// Assigns recovered money to an account.
pub(crate) fn assign(account: AccountId, units: u64, reference: &str) -> Command {
    Command::AssignRecovered {
        account,
        amount: amount(units),
        way: AssignmentWay::ToAccount,
        reference: Reference::new(reference).unwrap(),
        at: NOW,
    }
}

/// The blinds of a request, as the log of these mint keys has them in this batch.
pub(crate) fn found_in(batch: LogBatchNo, keys: &[MintKeyStatus], request: &Command) -> RecoveredRequest {
    let (Command::Mint { blinds, .. } | Command::Renew { blinds, .. } | Command::Recoup { blinds, .. }) =
        request
    else {
        panic!("nothing is signed for {request:?}");
    };
    let found = |blind: &Blind| {
        let key = keys.iter().find(|key| key.id == blind.mint_key).unwrap();
        (key.no, key.identity.issued_digest(&blind.blinded))
    };
    RecoveredRequest {
        batch,
        blinds: blinds.iter().map(found).collect(),
    }
}

/// A request that the log has, sent again after the books have lost it.
pub(crate) fn sign_again(found: RecoveredRequest, request: Command) -> Command {
    Command::SignAgain {
        request: Box::new(request),
        found: Box::new(found),
        at: NOW,
    }
}

/// The same command at another time.
pub(crate) fn at(micros: i64, mut command: Command) -> Command {
    use Command::{
        Credit, Debit, IntroduceKey, LogCurrency, Mint, OpenAccount, OpenLog, PayByKey, PruneMintKey, Recoup,
        Redeem, RegisterMintKey, ReleaseMintKey, Renew, RequestPayout, RetireMintKey, SetSigningPaused,
        SettlePayout, StopMintKey, Transfer,
    };
    match &mut command {
        OpenAccount { at, .. }
        | IntroduceKey { at, .. }
        | PayByKey { at, .. }
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
        | OpenLog { at, .. }
        | LogCurrency { at, .. }
        | ReleaseMintKey { at, .. }
        | Mint { at, .. }
        | Renew { at, .. }
        | Redeem { at, .. }
        | Recoup { at, .. }
        | Command::Recover { at, .. }
        | Command::AssignRecovered { at, .. }
        | Command::SignAgain { at, .. }
        | Command::SetAccountStatus { at, .. } => *at = LedgerTime::from_unix_micros(micros),
    }
    command
}
