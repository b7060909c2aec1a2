//! One generation of mint keys follows another, with a clock that the test sets: what is allowed a microsecond
//! before each edge of their windows, at it, and after it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_audit::{AuditSource, check};
use opencoin_config::{Config, Window};
use opencoin_crypto::{BlindingSeed, KeyStore, Signer};
use opencoin_issuer::{
    Cashier, Issuer, IssuerOptions, Operator, Reason, Refusal, SecondPersonLimit, Signed, Token,
};
use opencoin_keys::{Change, Currency, DestroyedKey, Due, OpenVault, Vault};
use opencoin_ledger::{Amount, MintKeyId, OperatorName, Reference, StopReason};
use opencoin_schema::{
    BigInt, Blind, Coin, MintKey, PROTOCOL_VERSION, Payload, RequestMint, RequestRecoup, RequestRedeem,
    RequestResume, RevealedCoin,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::{SUITE, TestCurrency};

const SEED: u64 = 9;
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// A blind and its wallet's secrets.
#[derive(Clone)]
struct Secret {
    blind: Blind,
    payload: Payload,
    seed: BlindingSeed,
    transaction: u8,
}

/// A currency with an issuer, at which alice has money.
struct Fixture {
    kept: TestCurrency,
    signer: Arc<dyn Signer>,
    operator: Operator,
    issuer: Issuer,
    currency: Currency,
    token: Token,
    rng: Mutex<StdRng>,
}

impl Fixture {
    async fn new() -> Self {
        let mut config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:0");
        // Short enough for the second generation to sign still when the coins of the first expire.
        config.rotation.coin_lifetime = "20days".parse().unwrap();
        let kept = TestCurrency::new(SEED, config, None);
        let signer = kept.files.signer().unwrap();
        let issuer = open(&kept, &signer).await;
        let operator = kept.operator();
        let alice = "alice".parse().unwrap();
        let tokens = Box::new(StdRng::seed_from_u64(SEED + 1));
        let cashier = Cashier::new(
            Arc::clone(&kept.ledger),
            kept.shared_clock(),
            tokens,
            SecondPersonLimit::OFF,
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
            .unwrap()
            .done();
        Self {
            signer,
            operator,
            issuer,
            currency: kept.directory.currency().unwrap(),
            token,
            rng: Mutex::new(StdRng::seed_from_u64(SEED)),
            kept,
        }
    }

    fn set(&self, moment: DateTime<Utc>) {
        self.kept.set(moment);
    }

    /// Makes the keys that are due, and returns their windows.
    async fn rotate(&mut self) -> Vec<Window> {
        let vault = Vault::new(self.kept.directory.master_folder());
        let vault = OpenVault {
            vault: &vault,
            passphrase: &self.kept.passphrase,
        };
        let mut rng = StdRng::seed_from_u64(SEED - 1);
        let change = self
            .kept
            .manager()
            .rotate(Some(vault), false, &mut rng, &mut |_, _| {})
            .await
            .unwrap();
        let Change::Done(made) = change else {
            assert_eq!(change, Change::Nothing);
            return Vec::new();
        };
        self.issuer = open(&self.kept, &self.signer).await;
        self.currency = self.kept.directory.currency().unwrap();
        made.certificates
            .mkcs
            .iter()
            .map(|mkc| window(&mkc.mint_key))
            .collect()
    }

    async fn destroy(&self) -> Vec<DestroyedKey> {
        let mut all = Vec::new();
        self.kept
            .manager()
            .destroy(&mut |key| all.push(key))
            .await
            .unwrap();
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
        self.kept
            .manager()
            .plan()
            .await
            .unwrap()
            .into_iter()
            .map(|step| step.what)
            .collect()
    }
}

async fn open(kept: &TestCurrency, signer: &Arc<dyn Signer>) -> Issuer {
    Issuer::open(
        kept.directory.currency().unwrap(),
        Arc::clone(&kept.ledger),
        Arc::clone(signer),
        kept.shared_clock(),
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
    let policy = fixture.kept.config.rotation.clone();
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
    assert!(fixture.kept.files.ids().unwrap().contains(&old.id));
    fixture.set(goes);
    let destroyed = fixture.destroy().await;
    assert_eq!(destroyed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&old.id]);
    assert_eq!(
        fixture.kept.files.ids().unwrap(),
        BTreeSet::from([new.id.clone()])
    );

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
    assert!(check(&fixture.kept.ledger.audit_facts().await.unwrap()).holds());
}

#[tokio::test]
async fn a_revoked_key_is_replaced_at_once_although_its_successor_exists() {
    let mut fixture = Fixture::new().await;
    let policy = fixture.kept.config.rotation.clone();
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

    let now = fixture.kept.now();
    assert_eq!(fixture.rotate().await, [policy.window_now(now)]);
    let replacement = fixture.generations().remove(1);
    assert_eq!(window(&replacement), policy.window_now(now));
    fixture.mint(&replacement, 2).await.unwrap();
    assert_eq!(fixture.recoup(&stolen, &replacement, 3).await, Ok(()));
    assert_eq!(fixture.rotate().await, []);
    assert!(check(&fixture.kept.ledger.audit_facts().await.unwrap()).holds());
}
