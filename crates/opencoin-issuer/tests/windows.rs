//! One generation of mint keys follows another, with a clock that the test sets: what is allowed a microsecond
//! before each edge of their windows, at it, and after it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_audit::{AuditSource, check};
use opencoin_config::{Config, Window};
use opencoin_crypto::{BlindingSeed, CipherSuite, KeyStore, Signer};
use opencoin_issuer::{Cashier, Issuer, IssuerOptions, Operator, Reason, Refusal, Signed, Token};
use opencoin_keys::{
    Change, Clock, Currency, DestroyedKey, Directory, Due, KeyFiles, KeyManager, NewCurrency, OpenVault,
    Passphrase, Randomness, Vault, create_with_key_files,
};
use opencoin_ledger::{Amount, Ledger, MemoryLedger, MintKeyId, OperatorName, Reference, StopReason};
use opencoin_schema::{
    BigInt, Blind, Coin, MintKey, PROTOCOL_VERSION, Payload, RequestMint, RequestRecoup, RequestRedeem,
    RequestResume, RevealedCoin,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

const SEED: u64 = 9;
const SUITE: CipherSuite = CipherSuite::RsaSha384PssRfc9474;
const TICK: TimeDelta = TimeDelta::microseconds(1);

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A blind and its wallet's secrets.
#[derive(Clone)]
struct Secret {
    blind: Blind,
    payload: Payload,
    seed: BlindingSeed,
    transaction: u8,
}

/// A currency whose only coins are of 5.
struct Fixture {
    clock: Arc<TestClock>,
    config: Config,
    directory: Directory,
    files: KeyFiles,
    signer: Arc<dyn Signer>,
    ledger: Arc<MemoryLedger>,
    passphrase: Passphrase,
    operator: Operator,
    issuer: Issuer,
    currency: Currency,
    token: Token,
    rng: Mutex<StdRng>,
    _folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(start.timestamp_micros())));
        let (folder, passphrase) = (
            tempfile::tempdir().unwrap(),
            Passphrase::new("p".to_owned().into()).unwrap(),
        );
        let directory = Directory::new(folder.path().join("currency"));
        let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:0");
        // Short enough for the second generation to sign still when the coins of the first expire.
        config.rotation.coin_lifetime = "20days".parse().unwrap();
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: SUITE,
            log: None,
            config: config.clone(),
        };
        let mut rng = StdRng::seed_from_u64(SEED);
        // Each opened store makes different keys.
        let store_seed = AtomicU64::new(SEED + 1);
        let store_rng = || {
            Box::new(StdRng::seed_from_u64(store_seed.fetch_add(1, Ordering::Relaxed))) as Box<dyn Randomness>
        };
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            clock.as_ref(),
            &mut rng,
            store_rng,
            &mut |_, _| {},
        );
        let (currency, files) = made.unwrap();
        let (signer, ledger) = (files.signer().unwrap(), Arc::new(MemoryLedger::new()));
        let issuer = open(&directory, &ledger, &signer, &clock).await;
        let operator = Operator::new(
            Arc::clone(&ledger),
            Arc::clone(&clock) as Arc<dyn Clock>,
            OperatorName::command_line(),
        );
        let alice = "alice".parse().unwrap();
        let cashier = Cashier::new(
            Arc::clone(&ledger),
            Arc::clone(&clock) as Arc<dyn Clock>,
            store_rng(),
        );
        let name = OperatorName::command_line();
        let cashier = cashier.acting(&name);
        let token = cashier.open_account(&alice, None).await.unwrap();
        cashier
            .credit(
                &alice,
                Amount::new(100).unwrap(),
                Reference::new("opening").unwrap(),
            )
            .await
            .unwrap();
        let rng = Mutex::new(rng);
        Self {
            clock,
            config,
            directory,
            files,
            signer,
            ledger,
            passphrase,
            operator,
            issuer,
            currency,
            token,
            rng,
            _folder: folder,
        }
    }

    fn set(&self, moment: DateTime<Utc>) {
        self.clock.0.store(moment.timestamp_micros(), Ordering::Relaxed);
    }

    fn manager(&self) -> KeyManager {
        let (ledger, clock) = (
            Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        );
        KeyManager::new(
            self.directory.clone(),
            self.config.clone(),
            Box::new(self.files.clone()),
            ledger,
            clock,
        )
    }

    /// Makes the keys that are due, and returns their windows.
    async fn rotate(&mut self) -> Vec<Window> {
        let vault = Vault::new(self.directory.master_folder());
        let vault = OpenVault {
            vault: &vault,
            passphrase: &self.passphrase,
        };
        let mut rng = StdRng::seed_from_u64(SEED - 1);
        let change = self
            .manager()
            .rotate(Some(vault), false, &mut rng, &mut |_, _| {})
            .await
            .unwrap();
        let Change::Done(made) = change else {
            assert_eq!(change, Change::Nothing);
            return Vec::new();
        };
        self.issuer = open(&self.directory, &self.ledger, &self.signer, &self.clock).await;
        self.currency = self.directory.currency().unwrap();
        made.mkcs.iter().map(|mkc| window(&mkc.mint_key)).collect()
    }

    async fn destroy(&self) -> Vec<DestroyedKey> {
        let mut all = Vec::new();
        self.manager().destroy(&mut |key| all.push(key)).await.unwrap();
        all
    }

    /// The mint keys, oldest first.
    fn generations(&self) -> Vec<MintKey> {
        let mut keys: Vec<MintKey> = self
            .currency
            .mint_keys()
            .map(|key| key.verified.mint_key().clone())
            .collect();
        keys.sort_by_key(|key| key.sign_coins_not_before.to_utc());
        keys
    }

    fn blind(&self, mint_key: &MintKey, transaction: u8) -> Secret {
        let mut rng = self.rng.lock().unwrap();
        let payload = Payload {
            cdd_location: "http://127.0.0.1:8080/cddc".to_owned(),
            denomination: mint_key.denomination,
            issuer_id: mint_key.issuer_id.clone(),
            mint_key_id: mint_key.id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: BigInt::from_be_bytes(&rng.r#gen::<[u8; 16]>()),
        };
        let seed = BlindingSeed::generate(&mut *rng);
        let key = self
            .currency
            .mint_key(&mint_key.id)
            .unwrap()
            .verified
            .public_key();
        let (blinded_payload_hash, _) = SUITE.blind(key, &payload, &seed).unwrap();
        let blind = Blind {
            blinded_payload_hash,
            mint_key_id: mint_key.id.clone(),
            reference: "a".to_owned(),
        };
        Secret {
            blind,
            payload,
            seed,
            transaction,
        }
    }

    async fn mint(&self, mint_key: &MintKey, transaction: u8) -> Result<(Secret, Coin), Reason> {
        let secret = self.blind(mint_key, transaction);
        let transaction_reference = BigInt::from_be_bytes(&[transaction]);
        let request = RequestMint {
            blinds: vec![secret.blind.clone()],
            message_reference: 1,
            transaction_reference,
        };
        let signed = self
            .issuer
            .mint(&(&self.token).into(), request)
            .await
            .map_err(|refusal: Refusal| refusal.reason)?;
        let Signed::Now(signatures) = signed.answer else {
            panic!("the signatures are delayed")
        };
        let key = self
            .currency
            .mint_key(&mint_key.id)
            .unwrap()
            .verified
            .public_key();
        let (_, unblinder) = SUITE.blind(key, &secret.payload, &secret.seed).unwrap();
        let coin = SUITE
            .finish(key, &secret.payload, &signatures[0].blind_signature, &unblinder)
            .unwrap();
        Ok((secret, coin))
    }

    async fn redeem(&self, coin: &Coin) -> Result<(), Reason> {
        let request = RequestRedeem {
            coins: vec![coin.clone()],
            message_reference: 1,
        };
        self.issuer
            .redeem(&(&self.token).into(), request)
            .await
            .map(|answered| answered.answer)
            .map_err(|refusal| refusal.reason)
    }

    /// Exchanges a coin of a revoked key for one of `to`.
    async fn resume(&self, transaction: u8) -> Result<Signed, Reason> {
        let request = RequestResume {
            message_reference: 1,
            transaction_reference: BigInt::from_be_bytes(&[transaction]),
        };
        let signed = self.issuer.resume(&request).await;
        signed
            .map(|answered| answered.answer)
            .map_err(|refusal: Refusal| refusal.reason)
    }

    async fn recoup(&self, secret: &Secret, to: &MintKey, transaction: u8) -> Result<(), Reason> {
        let fresh = self.blind(to, transaction);
        let coin = RevealedCoin {
            blind_reference: secret.blind.reference.clone(),
            blinding_seed: secret.seed.reveal(),
            payload: secret.payload.clone(),
            transaction_reference: BigInt::from_be_bytes(&[secret.transaction]),
        };
        let transaction_reference = BigInt::from_be_bytes(&[transaction]);
        let request = RequestRecoup {
            blinds: vec![fresh.blind],
            coins: vec![coin],
            message_reference: 1,
            transaction_reference,
        };
        self.issuer
            .recoup(request)
            .await
            .map(|_| ())
            .map_err(|refusal| refusal.reason)
    }

    async fn prunable(&self) -> Vec<MintKeyId> {
        self.operator
            .prunable_mint_keys()
            .await
            .unwrap()
            .iter()
            .map(|key| key.id)
            .collect()
    }

    async fn plan(&self) -> Vec<Due> {
        self.manager()
            .plan()
            .await
            .unwrap()
            .into_iter()
            .map(|step| step.what)
            .collect()
    }
}

async fn open(
    directory: &Directory,
    ledger: &Arc<MemoryLedger>,
    signer: &Arc<dyn Signer>,
    clock: &Arc<TestClock>,
) -> Issuer {
    let (ledger, signer, clock) = (Arc::clone(ledger), Arc::clone(signer), Arc::clone(clock));
    Issuer::open(
        directory.currency().unwrap(),
        ledger,
        signer,
        clock,
        IssuerOptions::default(),
    )
    .await
    .unwrap()
}

fn window(key: &MintKey) -> Window {
    Window {
        sign_not_before: key.sign_coins_not_before.to_utc(),
        sign_not_after: key.sign_coins_not_after.to_utc(),
        coins_expiry: key.coins_expiry_date.to_utc(),
    }
}

fn ledger_id(key: &MintKey) -> MintKeyId {
    MintKeyId::from_be_bytes(key.id.as_be_bytes()).unwrap()
}

#[tokio::test]
async fn mint_keys_sign_expire_and_are_pruned_at_the_edges_of_their_windows() {
    let mut fixture = Fixture::new().await;
    let old = fixture.generations().remove(0);
    let policy = fixture.config.rotation.clone();
    let Window {
        sign_not_after: ends,
        coins_expiry,
        ..
    } = window(&old);
    let (_, redeemed) = fixture.mint(&old, 1).await.unwrap();
    let (kept, _) = fixture.mint(&old, 2).await.unwrap();
    let (late, _) = fixture.mint(&old, 3).await.unwrap();

    // The next generation is made once, when its lead begins.
    let begins = ends - policy.overlap.get();
    fixture.set(begins - policy.lead.get() - TICK);
    assert_eq!(fixture.rotate().await, []);
    fixture.set(begins - policy.lead.get());
    assert_eq!(fixture.rotate().await, [policy.window_from(begins)]);
    assert_eq!(fixture.rotate().await, []);
    let new = fixture.generations().remove(1);

    // Both sign in the overlap, to the microsecond.
    let mut transaction = 10;
    for (moment, old_signs, new_signs) in [
        (begins - TICK, true, false),
        (begins, true, true),
        (begins + TICK, true, true),
        (ends - TICK, true, true),
        (ends, true, true),
        (ends + TICK, false, true),
    ] {
        fixture.set(moment);
        for (key, signs) in [(&old, old_signs), (&new, new_signs)] {
            transaction += 1;
            let minted = fixture.mint(key, transaction).await.map(|_| ());
            assert_eq!(
                minted,
                if signs { Ok(()) } else { Err(Reason::KeyExpired) },
                "{moment}, key from {}",
                window(key).sign_not_before
            );
        }
    }

    // The private half is destroyed when its resume window is over.
    let goes = ends + policy.resume_window.get();
    fixture.set(goes - TICK);
    assert_eq!(fixture.destroy().await, []);
    assert!(fixture.files.ids().unwrap().contains(&old.id));
    fixture.set(goes);
    let destroyed = fixture.destroy().await;
    assert_eq!(destroyed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&old.id]);
    assert_eq!(fixture.files.ids().unwrap(), BTreeSet::from([new.id.clone()]));

    // Coins are accepted up to and including their expiry, and can be pruned only after it.
    fixture.set(coins_expiry);
    fixture.redeem(&redeemed).await.unwrap();
    assert_eq!(fixture.prunable().await, []);
    // Recoups end at the same moment.
    fixture
        .operator
        .revoke(ledger_id(&old), StopReason::new("stolen").unwrap())
        .await
        .unwrap();
    assert_eq!(fixture.recoup(&kept, &new, 40).await, Ok(()));
    fixture.set(coins_expiry + TICK);
    assert_eq!(fixture.recoup(&late, &new, 41).await, Err(Reason::KeyExpired));
    assert_eq!(fixture.recoup(&kept, &new, 42).await, Err(Reason::KeyExpired));
    assert_eq!(fixture.prunable().await, [ledger_id(&old)]);
    let prune = Due::Prune {
        id: old.id.clone(),
        denomination: 5,
    };
    assert!(fixture.plan().await.contains(&prune));
    let status = fixture.operator.prunable_mint_keys().await.unwrap().remove(0);
    let pruned = fixture.operator.prune(&status).await.unwrap();
    assert_eq!(pruned.rows_dropped, 1);
    assert!(!fixture.plan().await.contains(&prune));
    // Setting the clock back does not revive pruned coins.
    fixture.set(coins_expiry);
    assert_eq!(fixture.recoup(&late, &new, 43).await, Err(Reason::KeyExpired));
    assert_eq!(fixture.resume(2).await.unwrap_err(), Reason::KeyExpired);
    assert!(check(&fixture.ledger.audit_facts().await.unwrap()).holds());
}

#[tokio::test]
async fn a_revoked_key_is_replaced_at_once_although_its_successor_exists() {
    let mut fixture = Fixture::new().await;
    let policy = fixture.config.rotation.clone();
    let old = fixture.generations().remove(0);
    let begins = window(&old).sign_not_after - policy.overlap.get();
    fixture.set(begins - policy.lead.get());
    assert_eq!(fixture.rotate().await.len(), 1);
    let (stolen, _) = fixture.mint(&old, 1).await.unwrap();
    fixture
        .operator
        .revoke(ledger_id(&old), StopReason::new("stolen").unwrap())
        .await
        .unwrap();

    let now = fixture.clock.now();
    assert_eq!(fixture.rotate().await, [policy.window_now(now)]);
    let replacement = fixture.generations().remove(1);
    assert_eq!(window(&replacement), policy.window_now(now));
    fixture.mint(&replacement, 2).await.unwrap();
    assert_eq!(fixture.recoup(&stolen, &replacement, 3).await, Ok(()));
    assert_eq!(fixture.rotate().await, []);
    assert!(check(&fixture.ledger.audit_facts().await.unwrap()).holds());
}
