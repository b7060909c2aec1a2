//! A mint key is revoked: whoever shows the accepted blinds that his coins came from gets fresh ones, once,
//! and nobody else does. On real books, with real keys.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, OnceLock};

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use chrono::{DateTime, Utc};
use opencoin_config::Config;
use opencoin_crypto::{AcceptedBlinds, BlindToSign, BlindingSeed, CipherSuite, KeyStore, Signer};
use opencoin_http::{Server, router};
use opencoin_issuer::{
    Cashier, Issuer, IssuerOptions, Operator, Reason, Refusal, Signed, StoreMode, Token, open_audit_source,
    open_books,
};
use opencoin_keys::{Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files};
use opencoin_ledger::{
    Amount, Command, KeptSignatures, Ledger, LedgerTime, MintKeyId, Reference, StopReason, StoredBlind,
    StoredNumber, TransactionNo,
};
use opencoin_schema::{
    BigInt, Blind, Coin, PROTOCOL_VERSION, Payload, RequestMint, RequestRecoup, RequestRedeem, RequestRenew,
    RequestResume, ResponseMint, RevealedCoin, from_json, text,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tower::ServiceExt;

const SEED: u64 = 8;
const SUITE: CipherSuite = CipherSuite::RsaSha384PssRfc9474;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
}

/// Keys take a while to make, so all tests share one currency's folder.
fn made() -> &'static (TempDir, Directory, Arc<dyn Signer>) {
    static FOLDER: OnceLock<(TempDir, Directory, Arc<dyn Signer>)> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![1, 5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: SUITE,
            config: Config::new("sqlite:ledger.sqlite", "127.0.0.1:0"),
        };
        let passphrase = Passphrase::new("p".to_owned().into()).unwrap();
        let mut rng = StdRng::seed_from_u64(SEED);
        let store_rng = || Box::new(StdRng::seed_from_u64(SEED + 1)) as Box<dyn Randomness>;
        let made = create_with_key_files(
            &new,
            &directory,
            &passphrase,
            &Noon,
            &mut rng,
            store_rng,
            &mut |_, _| {},
        );
        (folder, directory, made.unwrap().1.signer().unwrap())
    })
}

fn directory() -> &'static Directory {
    &made().1
}

/// A blind and what its wallet knows of it.
#[derive(Clone)]
struct Secret {
    blind: Blind,
    payload: Payload,
    seed: BlindingSeed,
    transaction: u8,
}

impl Secret {
    fn reveal(&self) -> RevealedCoin {
        RevealedCoin {
            blind_reference: self.blind.reference.clone(),
            blinding_seed: self.seed.reveal(),
            payload: self.payload.clone(),
            transaction_reference: reference(self.transaction),
        }
    }
}

struct Fixture {
    ledger: Arc<dyn Ledger>,
    signer: Arc<dyn Signer>,
    operator: Operator,
    issuer: Issuer,
    server: Arc<Server>,
    currency: Currency,
    token: Token,
    rng: StdRng,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let books = open_books("sqlite:books", folder.path(), StoreMode::Create)
            .await
            .unwrap()
            .books;
        let ledger = Arc::clone(&books.ledger);
        let currency = directory().currency().unwrap();
        let signer = Arc::clone(&made().2);
        let open = || async {
            let (currency, books, signer) = (
                directory().currency().unwrap(),
                books.clone(),
                Arc::clone(&signer),
            );
            Issuer::open(currency, books, signer, Arc::new(Noon), IssuerOptions::default())
                .await
                .unwrap()
        };
        let (issuer, server) = (open().await, Server::new(open().await));
        let rng = StdRng::seed_from_u64(SEED);
        let operator = Operator::new(Arc::clone(&ledger), Arc::new(Noon));
        let cashier_rng = Box::new(StdRng::seed_from_u64(SEED + 2));
        let cashier = Cashier::new(books.clone(), Arc::new(Noon), cashier_rng);
        let alice = "alice".parse().unwrap();
        let token = cashier.open_account(&alice, None).await.unwrap();
        cashier
            .credit(
                &alice,
                Amount::new(100).unwrap(),
                Reference::new("opening").unwrap(),
            )
            .await
            .unwrap();
        Self {
            ledger,
            signer,
            operator,
            issuer,
            server,
            currency,
            token,
            rng,
            folder,
        }
    }

    fn key_id(&self, denomination: u64) -> BigInt {
        let mut keys = self.currency.mint_keys().map(|key| key.verified.mint_key());
        keys.find(|key| key.denomination == denomination)
            .unwrap()
            .id
            .clone()
    }

    /// Blinds of these denominations, named by their place.
    fn blind(&mut self, transaction: u8, denominations: &[u64]) -> Vec<Secret> {
        let blind = |(index, denomination): (usize, &u64)| {
            let mint_key_id = self.key_id(*denomination);
            let payload = Payload {
                cdd_location: "http://127.0.0.1:8080/cddc".to_owned(),
                denomination: *denomination,
                issuer_id: self.currency.issuer_id().clone(),
                mint_key_id: mint_key_id.clone(),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial: BigInt::from_be_bytes(&self.rng.r#gen::<[u8; 16]>()),
            };
            let seed = BlindingSeed::generate(&mut self.rng);
            let key = self
                .currency
                .mint_key(&mint_key_id)
                .unwrap()
                .verified
                .public_key();
            let (blinded_payload_hash, _) = SUITE.blind(key, &payload, &seed).unwrap();
            let blind = Blind {
                blinded_payload_hash,
                mint_key_id,
                reference: index.to_string(),
            };
            Secret {
                blind,
                payload,
                seed,
                transaction,
            }
        };
        denominations.iter().enumerate().map(blind).collect()
    }

    async fn mint(&self, transaction: u8, secrets: &[Secret]) -> Result<Signed, Refusal> {
        let transaction_reference = reference(transaction);
        let request = RequestMint {
            blinds: blinds(secrets),
            message_reference: 1,
            transaction_reference,
        };
        self.issuer.mint(Some(&self.token), request).await
    }

    async fn minted(&mut self, transaction: u8, denominations: &[u64]) -> (Vec<Secret>, Vec<Coin>) {
        let secrets = self.blind(transaction, denominations);
        let signed = self.mint(transaction, &secrets).await.unwrap();
        let coins = self.finish(&secrets, signed);
        (secrets, coins)
    }

    fn finish(&self, secrets: &[Secret], signed: Signed) -> Vec<Coin> {
        let Signed::Now(signatures) = signed else {
            panic!("the signatures are delayed")
        };
        assert_eq!(signatures.len(), secrets.len());
        let finish = |(secret, signature): (&Secret, &opencoin_schema::BlindSignature)| {
            assert_eq!(secret.blind.reference, signature.reference);
            let key = self
                .currency
                .mint_key(&secret.payload.mint_key_id)
                .unwrap()
                .verified
                .public_key();
            let (_, unblinder) = SUITE.blind(key, &secret.payload, &secret.seed).unwrap();
            SUITE
                .finish(key, &secret.payload, &signature.blind_signature, &unblinder)
                .unwrap()
        };
        secrets.iter().zip(&signatures).map(finish).collect()
    }

    async fn redeem(&self, coins: &[Coin]) -> Result<(), Refusal> {
        let request = RequestRedeem {
            coins: coins.to_vec(),
            message_reference: 1,
        };
        self.issuer.redeem(Some(&self.token), request).await
    }

    async fn resume(&self, transaction: u8) -> Result<Signed, Refusal> {
        let request = RequestResume {
            message_reference: 1,
            transaction_reference: reference(transaction),
        };
        self.issuer.resume(&request).await
    }

    async fn recoup(
        &self,
        transaction: u8,
        coins: Vec<RevealedCoin>,
        fresh: &[Secret],
    ) -> Result<Signed, Refusal> {
        let transaction_reference = reference(transaction);
        let request = RequestRecoup {
            blinds: blinds(fresh),
            coins,
            message_reference: 1,
            transaction_reference,
        };
        self.issuer.recoup(request).await
    }

    async fn stop(&self, denomination: u64) {
        let id = MintKeyId::from_be_bytes(self.key_id(denomination).as_be_bytes()).unwrap();
        let at = LedgerTime::from_unix_micros(Noon.now().timestamp_micros());
        let command = Command::StopMintKey {
            id,
            reason: StopReason::new("stolen").unwrap(),
            at,
        };
        self.ledger.apply(&[command]).await.unwrap().remove(0).unwrap();
    }

    async fn post(&self, path: &str, body: String) -> Response<Body> {
        router(Arc::clone(&self.server))
            .oneshot(Request::post(path).body(Body::from(body)).unwrap())
            .await
            .unwrap()
    }

    async fn get(&self, path: &str, etag: Option<&str>) -> Response<Body> {
        let request = Request::get(path)
            .header("if-none-match", etag.unwrap_or("\"none\""))
            .body(Body::empty())
            .unwrap();
        router(Arc::clone(&self.server)).oneshot(request).await.unwrap()
    }

    async fn books_hold(&self) {
        let source = open_audit_source("sqlite:books", self.folder.path())
            .await
            .unwrap();
        let report = opencoin_audit::check(&source.audit_facts().await.unwrap());
        assert!(report.holds(), "{report:?}");
    }
}

fn reference(transaction: u8) -> BigInt {
    BigInt::from_be_bytes(&[transaction])
}

fn blinds(secrets: &[Secret]) -> Vec<Blind> {
    secrets.iter().map(|secret| secret.blind.clone()).collect()
}

fn refusal<T>(result: Result<T, Refusal>) -> (Reason, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(refusal) => (refusal.reason, refusal.description),
    }
}

fn signatures(signed: Signed) -> Vec<(String, BigInt)> {
    let Signed::Now(signatures) = signed else {
        panic!("the signatures are delayed")
    };
    signatures
        .into_iter()
        .map(|signature| (signature.reference, signature.blind_signature))
        .collect()
}

async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

#[tokio::test]
async fn an_honest_coin_becomes_fresh_ones_once() {
    let mut fixture = Fixture::new().await;
    let (secrets, coins) = fixture.minted(1, &[5, 5, 1]).await;
    fixture.stop(5).await;
    let fresh = fixture.blind(2, &[1; 10]);
    let renew = RequestRenew {
        blinds: blinds(&fresh),
        coins: coins[..2].to_vec(),
        message_reference: 1,
        transaction_reference: reference(9),
    };
    assert_eq!(refusal(fixture.issuer.renew(renew).await).0, Reason::KeyRevoked);
    assert_eq!(refusal(fixture.redeem(&coins[..1]).await).0, Reason::KeyRevoked);
    let more = fixture.blind(9, &[5]);
    assert_eq!(refusal(fixture.mint(9, &more).await).0, Reason::KeyRevoked);

    let revealed: Vec<RevealedCoin> = secrets[..2].iter().map(Secret::reveal).collect();
    let first = fixture.recoup(2, revealed.clone(), &fresh).await.unwrap();
    let again = fixture.recoup(2, revealed.clone(), &fresh).await.unwrap();
    let resumed = fixture.resume(2).await.unwrap();
    let good = fixture.finish(&fresh, first);
    assert_eq!(
        good,
        fixture.finish(&fresh, again),
        "the same request has the same answer"
    );
    assert_eq!(good, fixture.finish(&fresh, resumed));

    let other = fixture.blind(3, &[1; 10]);
    let (reason, description) = refusal(fixture.recoup(3, revealed.clone(), &other).await);
    assert_eq!(reason, Reason::DoubleSpend);
    assert!(description.ends_with("[0, 1]"), "{description}");
    let conflict = fixture.recoup(2, revealed, &other).await;
    assert_eq!(refusal(conflict).0, Reason::ReferenceConflict);
    fixture.redeem(&good).await.unwrap();
    fixture.redeem(&coins[2..]).await.unwrap();
    fixture.books_hold().await;
}

#[tokio::test]
async fn what_came_back_before_the_revocation_is_not_honoured_again() {
    let mut fixture = Fixture::new().await;
    let (secrets, coins) = fixture.minted(1, &[5, 5, 5]).await;
    fixture.redeem(&coins[1..2]).await.unwrap();
    fixture.stop(5).await;
    let revealed: Vec<RevealedCoin> = secrets.iter().map(Secret::reveal).collect();
    let fresh = fixture.blind(2, &[1; 15]);
    let (reason, description) = refusal(fixture.recoup(2, revealed.clone(), &fresh).await);
    assert_eq!(
        (reason, description.ends_with("[1]")),
        (Reason::DoubleSpend, true),
        "{description}"
    );
    let rest = vec![revealed[0].clone(), revealed[2].clone()];
    fixture.recoup(2, rest, &fresh[..10]).await.unwrap();
    fixture.books_hold().await;
}

/// Each is refused as a whole, names its field, and changes nothing.
#[tokio::test]
async fn what_proves_nothing_gets_nothing() {
    let mut fixture = Fixture::new().await;
    let (secrets, _) = fixture.minted(1, &[5, 1, 5]).await;
    let (others, _) = fixture.minted(4, &[5]).await;
    fixture.stop(5).await;
    let fresh = fixture.blind(2, &[1; 10]);
    let sound = secrets[0].reveal();
    let with = |change: &dyn Fn(&mut RevealedCoin)| {
        let mut coin = secrets[2].reveal();
        change(&mut coin);
        coin
    };
    let forged = Payload {
        serial: BigInt::from_be_bytes(b"a thief's own"),
        ..secrets[2].payload.clone()
    };
    let other_key = fixture.key_id(1);
    let cases = [
        (
            with(&|coin| coin.payload = forged.clone()),
            "coins[1].blinding_seed: does not open",
        ),
        (
            with(&|coin| coin.blinding_seed = secrets[0].seed.reveal()),
            "coins[1].blinding_seed: does not open",
        ),
        // Whoever learns of somebody's transaction has neither his payload nor his seed.
        (
            with(&|coin| coin.transaction_reference = reference(4)),
            "coins[1].blind_reference: the transaction has no",
        ),
        (
            with(&|coin| {
                coin.transaction_reference = reference(4);
                coin.blind_reference = "0".to_owned();
            }),
            "coins[1].blinding_seed: does not open",
        ),
        (
            RevealedCoin {
                blinding_seed: sound.blinding_seed.clone(),
                ..others[0].reveal()
            },
            "coins[1].blinding_seed: does not open",
        ),
        (
            with(&|coin| coin.transaction_reference = reference(77)),
            "coins[1].transaction_reference: nothing was accepted",
        ),
        (
            with(&|coin| coin.transaction_reference = BigInt::from_be_bytes(&[7; 500])),
            "coins[1].transaction_reference: nothing was accepted",
        ),
        (
            with(&|coin| coin.blind_reference = "9".to_owned()),
            "coins[1].blind_reference",
        ),
        (
            with(&|coin| coin.blind_reference = "1".to_owned()),
            "coins[1].payload.mint_key_id: not the mint key of the blind",
        ),
        (
            with(&|coin| coin.payload.mint_key_id = other_key.clone()),
            "coins[1].payload.mint_key_id: not the mint key of the blind",
        ),
        (
            with(&|coin| coin.payload.mint_key_id = reference(7)),
            "coins[1].payload.mint_key_id: unknown mint key",
        ),
        (
            with(&|coin| coin.payload.issuer_id = reference(7)),
            "coins[1].payload.issuer_id",
        ),
        (
            with(&|coin| coin.blinding_seed = BigInt::from_be_bytes(&[1; 33])),
            "coins[1].blinding_seed: more than 32 bytes",
        ),
        (
            secrets[1].reveal(),
            "coins[1].payload.mint_key_id: this mint key was not revoked",
        ),
        (secrets[0].reveal(), "revoked blind 1 repeats an earlier one"),
    ];
    for (coin, expected) in cases {
        let (reason, description) = refusal(fixture.recoup(2, vec![sound.clone(), coin], &fresh).await);
        assert_eq!(reason, Reason::Invalid, "{description}");
        assert!(
            description.contains(expected),
            "{description}, expected {expected}"
        );
    }
    assert_eq!(
        refusal(fixture.recoup(2, Vec::new(), &fresh).await).0,
        Reason::Invalid
    );
    assert_eq!(
        refusal(fixture.recoup(2, vec![sound.clone()], &fresh).await).0,
        Reason::Invalid,
        "worth less"
    );
    let many = 0..=u8::try_from(opencoin_issuer::RECOUP_TRANSACTIONS_MAX).unwrap();
    let many = many
        .map(|number| with(&|coin| coin.transaction_reference = BigInt::from_be_bytes(&[1, number])))
        .collect();
    assert_eq!(refusal(fixture.recoup(2, many, &fresh).await).0, Reason::TooLarge);
    assert_eq!(
        refusal(fixture.resume(2).await).0,
        Reason::NotFound,
        "nothing of it was accepted"
    );
    fixture
        .recoup(2, vec![sound, secrets[2].reveal()], &fresh)
        .await
        .unwrap();
    fixture.books_hold().await;
}

#[tokio::test]
async fn what_was_accepted_and_not_signed_before_the_revocation_is_honoured_by_a_recoup() {
    let mut fixture = Fixture::new().await;
    fixture.operator.set_signing_paused(true).await.unwrap();
    let (mixed, lost) = (fixture.blind(1, &[5, 1]), fixture.blind(2, &[5, 5]));
    assert!(matches!(fixture.mint(1, &mixed).await, Ok(Signed::Later)));
    assert!(matches!(fixture.mint(2, &lost).await, Ok(Signed::Later)));
    fixture.stop(5).await;
    fixture.operator.set_signing_paused(false).await.unwrap();

    for (transaction, secrets) in [(1, &mixed), (2, &lost)] {
        let (reason, description) = refusal(fixture.mint(transaction, secrets).await);
        assert_eq!(reason, Reason::Recoup);
        assert!(description.contains("honoured by a recoup"), "{description}");
    }
    assert_eq!(refusal(fixture.resume(2).await).0, Reason::Recoup);
    let signed = fixture.resume(1).await.unwrap();
    let good = fixture.finish(&mixed[1..], signed);
    fixture.redeem(&good).await.unwrap();

    let fresh = fixture.blind(3, &[1; 15]);
    let revealed = [&mixed[0], &lost[0], &lost[1]].map(Secret::reveal).to_vec();
    let signed = fixture.recoup(3, revealed, &fresh).await.unwrap();
    fixture.redeem(&fixture.finish(&fresh, signed)).await.unwrap();
    fixture.books_hold().await;
}

/// The signer has forgotten its keys, as it may when their time is over; the books have kept what they
/// signed.
#[tokio::test]
async fn kept_signatures_are_answered_and_open_like_the_blinds_that_they_replaced() {
    let mut fixture = Fixture::new().await;
    let (secrets, coins) = fixture.minted(1, &[5, 1, 5]).await;
    let before = signatures(fixture.resume(1).await.unwrap());
    keep_signatures(&fixture, 5).await;
    assert_eq!(
        signatures(fixture.resume(1).await.unwrap()),
        before,
        "kept ones and signed ones in the order of the request"
    );
    assert_eq!(
        signatures(fixture.mint(1, &secrets).await.unwrap()),
        before,
        "and to the same request"
    );
    keep_signatures(&fixture, 1).await;
    fixture.operator.set_signing_paused(true).await.unwrap();
    assert_eq!(
        signatures(fixture.resume(1).await.unwrap()),
        before,
        "nothing is left to sign"
    );
    fixture.operator.set_signing_paused(false).await.unwrap();

    fixture.stop(5).await;
    assert_eq!(signatures(fixture.resume(1).await.unwrap()), before[1..2]);
    let fresh = fixture.blind(2, &[1; 10]);
    let revealed = [&secrets[0], &secrets[2]].map(Secret::reveal).to_vec();
    let signed = fixture.recoup(2, revealed, &fresh).await.unwrap();
    fixture.redeem(&fixture.finish(&fresh, signed)).await.unwrap();
    fixture.redeem(&coins[1..2]).await.unwrap();
    fixture.books_hold().await;
}

async fn keep_signatures(fixture: &Fixture, denomination: u64) {
    let id = fixture.key_id(denomination);
    let ledger_id = MintKeyId::from_be_bytes(id.as_be_bytes()).unwrap();
    let statuses = fixture.ledger.mint_keys().await.unwrap();
    let status = statuses.iter().find(|status| status.id == ledger_id).unwrap();
    let page = fixture
        .ledger
        .unsigned(status, TransactionNo::BEFORE_ALL, 100)
        .await
        .unwrap();
    for transaction in page.transactions {
        let mut after = transaction.blinds.clone();
        for stored in after.iter_mut().filter(|stored| stored.mint_key == ledger_id) {
            let StoredNumber::Blinded(number) = &stored.number else {
                continue;
            };
            let blinds = [BlindToSign {
                mint_key_id: id.clone(),
                blinded: BigInt::from_be_bytes(number),
            }];
            let accepted = AcceptedBlinds {
                transaction_reference: transaction.reference.as_bytes().to_vec(),
                blinds: blinds.into(),
            };
            let signature = fixture.signer.sign(accepted).await.unwrap().remove(0);
            *stored = StoredBlind {
                number: StoredNumber::Signature(signature.as_be_bytes().to_vec()),
                ..stored.clone()
            };
        }
        let kept = KeptSignatures::new(transaction.no, &transaction.blinds, &after);
        assert_eq!(fixture.ledger.keep_signatures(&[kept]).await.unwrap(), [true]);
    }
}

#[tokio::test]
async fn over_http_a_recoup_has_a_path_of_its_own() {
    let mut fixture = Fixture::new().await;
    let (secrets, _) = fixture.minted(1, &[5]).await;
    let none = fixture.get("/v1/revocations", None).await;
    let etag = none.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        fixture.get("/v1/revocations", Some(&etag)).await.status(),
        StatusCode::NOT_MODIFIED
    );
    let empty: serde_json::Value = serde_json::from_slice(&body(none).await).unwrap();
    assert_eq!(empty, serde_json::json!({"mint_keys": []}));
    fixture.stop(5).await;
    let revoked = fixture.get("/v1/revocations", Some(&etag)).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    let revoked: serde_json::Value = serde_json::from_slice(&body(revoked).await).unwrap();
    let id = fixture.key_id(5).to_string();
    assert_eq!(
        revoked,
        serde_json::json!({"mint_keys": [{"id": id, "reason": "stolen"}]})
    );

    let fresh = fixture.blind(2, &[1; 5]);
    let coins = vec![secrets[0].reveal()];
    let request = RequestRecoup {
        blinds: blinds(&fresh),
        coins,
        message_reference: 7,
        transaction_reference: reference(2),
    };
    let elsewhere = fixture.post("/", text::compact(&request)).await;
    assert_eq!(elsewhere.status(), StatusCode::BAD_REQUEST);
    let elsewhere: ResponseMint = from_json(&body(elsewhere).await).unwrap();
    assert!(
        elsewhere.status_description.contains("/v1/recoup"),
        "{}",
        elsewhere.status_description
    );
    let answer = fixture.post("/v1/recoup", text::compact(&request)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: ResponseMint = from_json(&body(answer).await).unwrap();
    assert_eq!((answer.message_reference, answer.blind_signatures.len()), (7, 5));

    let more = fixture.blind(3, &[1; 5]);
    let request = RequestRecoup {
        blinds: blinds(&more),
        transaction_reference: reference(3),
        ..request
    };
    let answer = fixture.post("/v1/recoup", text::compact(&request)).await;
    assert_eq!(
        (
            answer.status(),
            answer.headers()["opencoin-error"].to_str().unwrap()
        ),
        (StatusCode::CONFLICT, "double-spend")
    );
    let resume = RequestResume {
        message_reference: 1,
        transaction_reference: reference(1),
    };
    let answer = fixture.post("/resume", text::compact(&resume)).await;
    assert_eq!(
        (
            answer.status(),
            answer.headers()["opencoin-error"].to_str().unwrap()
        ),
        (StatusCode::GONE, "recoup")
    );
}
