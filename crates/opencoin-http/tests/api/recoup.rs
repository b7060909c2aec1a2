//! Recoup: after a mint key is revoked, a wallet shows which accepted blinds its coins came from and gets coins of
//! other keys, once. With a real database and real keys.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use opencoin_crypto::{AcceptedBlinds, BlindToSign};
use opencoin_http::{ERROR_HEADER, Server, router};
use opencoin_issuer::{
    Issuer, Operator, Reason, Refusal, Signed, StoreMode, Token, open_audit_source, open_books,
};
use opencoin_keys::{Clock, ledger_time};
use opencoin_ledger::{
    Command, KeptSignatures, Ledger, MintKeyId, OperatorName, StopReason, StoredBlind, StoredNumber,
    TransactionNo,
};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Coin, Payload, RequestRecoup, ResponseMint, RevealedCoin, from_json, text,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::fixture::{
    Blinded, TestClock, TestCurrency, body, mint_request, open_account, redeem_request, reference,
    renew_request, resume_request, signed_now,
};

const SEED: u64 = 8;

/// A blind and the transaction that it is sent with.
#[derive(Clone)]
struct Sent {
    blinded: Blinded,
    transaction: u8,
}

impl Sent {
    fn reveal(&self) -> RevealedCoin {
        RevealedCoin {
            blind_reference: self.blinded.blind.reference.clone(),
            blinding_seed: self.blinded.seed.reveal(),
            payload: self.blinded.payload.clone(),
            transaction_reference: reference(self.transaction),
        }
    }
}

struct Fixture {
    ledger: Arc<dyn Ledger>,
    operator: Operator,
    issuer: Issuer,
    server: Arc<Server>,
    currency: &'static TestCurrency,
    token: Token,
    rng: StdRng,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (currency, clock) = (TestCurrency::get(), TestClock::at_start());
        let opened = open_books("sqlite:books", folder.path(), StoreMode::Create).await;
        let books = opened.unwrap().books;
        let ledger = Arc::clone(&books.ledger);
        let open = || currency.issuer(books.clone(), currency.signer(), Arc::clone(&clock));
        let (issuer, server) = (open().await, Server::new(open().await));
        let token = open_account(&issuer.cashier(), "alice", 100).await;
        let operator = Operator::new(books.clone(), clock, OperatorName::command_line());
        let rng = StdRng::seed_from_u64(SEED);
        Self {
            ledger,
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
        self.currency.key(denomination).verified.mint_key().id.clone()
    }

    /// Blinds of these denominations; the reference of each is its index.
    fn blind(&mut self, transaction: u8, denominations: &[u64]) -> Vec<Sent> {
        let blind = |(index, denomination): (usize, &u64)| {
            let key = self.currency.key(*denomination);
            let mut blinded = self.currency.blind(key, &mut self.rng);
            blinded.blind.reference = index.to_string();
            Sent { blinded, transaction }
        };
        denominations.iter().enumerate().map(blind).collect()
    }

    async fn mint(&self, transaction: u8, sent: &[Sent]) -> Result<Signed, Refusal> {
        let request = mint_request(blinds(sent), transaction);
        self.issuer
            .mint(&(&self.token).into(), request)
            .await
            .map(|answered| answered.answer)
    }

    async fn minted(&mut self, transaction: u8, denominations: &[u64]) -> (Vec<Sent>, Vec<Coin>) {
        let sent = self.blind(transaction, denominations);
        let signed = self.mint(transaction, &sent).await.unwrap();
        let coins = self.finish(&sent, signed);
        (sent, coins)
    }

    fn finish(&self, sent: &[Sent], signed: Signed) -> Vec<Coin> {
        let signatures = signed_now(signed);
        assert_eq!(signatures.len(), sent.len());
        let finish =
            |(sent, signature): (&Sent, &BlindSignature)| self.currency.finish(&sent.blinded, signature);
        sent.iter().zip(&signatures).map(finish).collect()
    }

    async fn redeem(&self, coins: &[Coin]) -> Result<(), Refusal> {
        let request = redeem_request(coins);
        self.issuer
            .redeem(&(&self.token).into(), request)
            .await
            .map(|answered| answered.answer)
    }

    async fn resume(&self, transaction: u8) -> Result<Signed, Refusal> {
        self.issuer
            .resume(&resume_request(transaction))
            .await
            .map(|answered| answered.answer)
    }

    async fn recoup(
        &self,
        transaction: u8,
        coins: Vec<RevealedCoin>,
        fresh: &[Sent],
    ) -> Result<Signed, Refusal> {
        let transaction_reference = reference(transaction);
        let request = RequestRecoup {
            blinds: blinds(fresh),
            coins,
            message_reference: 1,
            transaction_reference,
        };
        self.issuer.recoup(request).await.map(|answered| answered.answer)
    }

    async fn stop(&self, denomination: u64) {
        let id = MintKeyId::from_be_bytes(self.key_id(denomination).as_be_bytes()).unwrap();
        let at = ledger_time(TestClock::at_start().now());
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

fn blinds(sent: &[Sent]) -> Vec<Blind> {
    sent.iter().map(|sent| sent.blinded.blind.clone()).collect()
}

fn refusal<T>(result: Result<T, Refusal>) -> (Reason, String) {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(refusal) => (refusal.reason, refusal.description),
    }
}

#[tokio::test]
async fn a_recoup_of_accepted_blinds_succeeds_once() {
    let mut fixture = Fixture::new().await;
    let (sent, coins) = fixture.minted(1, &[5, 5, 1]).await;
    fixture.stop(5).await;
    let fresh = fixture.blind(2, &[1; 10]);
    let renew = renew_request(&coins[..2], blinds(&fresh), 9);
    assert_eq!(refusal(fixture.issuer.renew(renew).await).0, Reason::KeyRevoked);
    assert_eq!(refusal(fixture.redeem(&coins[..1]).await).0, Reason::KeyRevoked);
    let more = fixture.blind(9, &[5]);
    assert_eq!(refusal(fixture.mint(9, &more).await).0, Reason::KeyRevoked);

    let revealed: Vec<RevealedCoin> = sent[..2].iter().map(Sent::reveal).collect();
    let first = fixture.recoup(2, revealed.clone(), &fresh).await.unwrap();
    let again = fixture.recoup(2, revealed.clone(), &fresh).await.unwrap();
    let resumed = fixture.resume(2).await.unwrap();
    let good = fixture.finish(&fresh, first);
    // Repeated requests get the same signatures.
    assert_eq!(good, fixture.finish(&fresh, again));
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
async fn a_coin_spent_before_the_revocation_cannot_be_recouped() {
    let mut fixture = Fixture::new().await;
    let (sent, coins) = fixture.minted(1, &[5, 5, 5]).await;
    fixture.redeem(&coins[1..2]).await.unwrap();
    fixture.stop(5).await;
    let revealed: Vec<RevealedCoin> = sent.iter().map(Sent::reveal).collect();
    let fresh = fixture.blind(2, &[1; 15]);
    let (reason, description) = refusal(fixture.recoup(2, revealed.clone(), &fresh).await);
    assert_eq!(reason, Reason::DoubleSpend);
    assert!(description.ends_with("[1]"), "{description}");
    let rest = vec![revealed[0].clone(), revealed[2].clone()];
    fixture.recoup(2, rest, &fresh[..10]).await.unwrap();
    fixture.books_hold().await;
}

/// Each refusal names the field and changes nothing.
#[tokio::test]
async fn a_recoup_without_proof_is_refused_as_a_whole() {
    let mut fixture = Fixture::new().await;
    let (sent, _) = fixture.minted(1, &[5, 1, 5]).await;
    let (others, _) = fixture.minted(4, &[5]).await;
    fixture.stop(5).await;
    let fresh = fixture.blind(2, &[1; 10]);
    let sound = sent[0].reveal();
    let with = |change: &dyn Fn(&mut RevealedCoin)| {
        let mut coin = sent[2].reveal();
        change(&mut coin);
        coin
    };
    let forged = Payload {
        serial: BigInt::from_be_bytes(b"not the payload"),
        ..sent[2].blinded.payload.clone()
    };
    let other_key = fixture.key_id(1);
    let cases = [
        (
            with(&|coin| coin.payload = forged.clone()),
            "coins[1].blinding_seed: does not open",
        ),
        (
            with(&|coin| coin.blinding_seed = sent[0].blinded.seed.reveal()),
            "coins[1].blinding_seed: does not open",
        ),
        // A reference of another wallet's transaction is not enough without its payload and seed.
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
            sent[1].reveal(),
            "coins[1].payload.mint_key_id: this mint key was not revoked",
        ),
        (sent[0].reveal(), "revoked blind 1 repeats an earlier one"),
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
        "the coins are worth less than the blinds"
    );
    let many = 0..=u8::try_from(opencoin_issuer::RECOUP_TRANSACTIONS_MAX).unwrap();
    let many = many
        .map(|number| with(&|coin| coin.transaction_reference = BigInt::from_be_bytes(&[1, number])))
        .collect();
    assert_eq!(refusal(fixture.recoup(2, many, &fresh).await).0, Reason::TooLarge);
    assert_eq!(
        refusal(fixture.resume(2).await).0,
        Reason::NotFound,
        "no part of a refused recoup was accepted"
    );
    fixture
        .recoup(2, vec![sound, sent[2].reveal()], &fresh)
        .await
        .unwrap();
    fixture.books_hold().await;
}

#[tokio::test]
async fn a_blind_accepted_but_not_signed_before_the_revocation_can_be_recouped() {
    let mut fixture = Fixture::new().await;
    fixture.operator.set_signing_paused(true).await.unwrap();
    let (mixed, lost) = (fixture.blind(1, &[5, 1]), fixture.blind(2, &[5, 5]));
    assert!(matches!(fixture.mint(1, &mixed).await, Ok(Signed::Later)));
    assert!(matches!(fixture.mint(2, &lost).await, Ok(Signed::Later)));
    fixture.stop(5).await;
    fixture.operator.set_signing_paused(false).await.unwrap();

    for (transaction, sent) in [(1, &mixed), (2, &lost)] {
        let (reason, description) = refusal(fixture.mint(transaction, sent).await);
        assert_eq!(reason, Reason::Recoup);
        assert!(description.contains("honoured by a recoup"), "{description}");
    }
    assert_eq!(refusal(fixture.resume(2).await).0, Reason::Recoup);
    let signed = fixture.resume(1).await.unwrap();
    let good = fixture.finish(&mixed[1..], signed);
    fixture.redeem(&good).await.unwrap();

    let fresh = fixture.blind(3, &[1; 15]);
    let revealed = [&mixed[0], &lost[0], &lost[1]].map(Sent::reveal).to_vec();
    let signed = fixture.recoup(3, revealed, &fresh).await.unwrap();
    fixture.redeem(&fixture.finish(&fresh, signed)).await.unwrap();
    fixture.books_hold().await;
}

/// The ledger keeps signatures in place of blinds before the signer forgets a key.
#[tokio::test]
async fn kept_signatures_answer_a_resume_and_prove_a_recoup_as_blinds_do() {
    let mut fixture = Fixture::new().await;
    let (sent, coins) = fixture.minted(1, &[5, 1, 5]).await;
    let before = signed_now(fixture.resume(1).await.unwrap());
    keep_signatures(&fixture, 5).await;
    assert_eq!(
        signed_now(fixture.resume(1).await.unwrap()),
        before,
        "kept and new signatures come in the order of the request"
    );
    assert_eq!(
        signed_now(fixture.mint(1, &sent).await.unwrap()),
        before,
        "a repeated mint gets them too"
    );
    keep_signatures(&fixture, 1).await;
    fixture.operator.set_signing_paused(true).await.unwrap();
    assert_eq!(
        signed_now(fixture.resume(1).await.unwrap()),
        before,
        "all signatures are kept, so a paused signer does not matter"
    );
    fixture.operator.set_signing_paused(false).await.unwrap();

    fixture.stop(5).await;
    assert_eq!(signed_now(fixture.resume(1).await.unwrap()), before[1..2]);
    let fresh = fixture.blind(2, &[1; 10]);
    let revealed = [&sent[0], &sent[2]].map(Sent::reveal).to_vec();
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
            let signature = fixture.currency.signer().sign(accepted).await.unwrap().remove(0);
            *stored = StoredBlind {
                number: StoredNumber::Signature(signature.as_be_bytes().to_vec()),
                ..stored.clone()
            };
        }
        let kept = KeptSignatures::new(&transaction.reference, &transaction.blinds, &after);
        assert_eq!(fixture.ledger.keep_signatures(&[kept]).await.unwrap(), [true]);
    }
}

#[tokio::test]
async fn a_recoup_has_its_own_http_path() {
    let mut fixture = Fixture::new().await;
    let (sent, _) = fixture.minted(1, &[5]).await;
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
    let coins = vec![sent[0].reveal()];
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
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(answer.headers()[ERROR_HEADER], "double-spend");
    let resume = resume_request(1);
    let answer = fixture.post("/resume", text::compact(&resume)).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    assert_eq!(answer.headers()[ERROR_HEADER], "recoup");
}
