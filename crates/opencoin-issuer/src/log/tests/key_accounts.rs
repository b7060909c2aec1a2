//! Accounts of keys as the published log has them, while the books are ahead of it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use opencoin_ledger::{AccountId, Accounts as _, KeyPayment};
use opencoin_log::key_account::{AccountKey, Challenge, Introduction, Payee, Payment, PaymentOrder};
use opencoin_log::leaf::Leaf;
use opencoin_log::proof_file::ProofFile;

use super::two_processes::{seal_elsewhere, witnessed};
use super::*;

const ORIGIN: &str = "issuer.example/log";

/// A key of the tests.
struct Holder(Ed25519KeyPair);

impl Holder {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> AccountKey {
        AccountKey::new(self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn payment(&self, seq: u64, amount: u64, to: AccountKey) -> Box<KeyPayment> {
        let order = PaymentOrder {
            amount,
            domain: ORIGIN.to_owned(),
            expires: 4_000_000_000,
            from: self.key(),
            memo: String::new(),
            seq,
            to: Payee::Key(to),
        };
        let sig = self.0.sign(&order.message()).as_ref().try_into().unwrap();
        let (payment, origin) = (Payment { order, sig }, ORIGIN.to_owned());
        Box::new(KeyPayment { payment, origin })
    }
}

impl World {
    async fn introduce(&self, holder: &Holder) -> AccountId {
        let challenge = Challenge {
            expiry_s: 4_000_000_000,
            code: [0; 16],
        };
        let (key, at) = (holder.key(), ledger_time(self.clock.now()));
        let introduction = Box::new(Introduction {
            challenge,
            key,
            nonce: 0,
        });
        self.apply(Command::IntroduceKey { introduction, at }).await;
        self.ledger.key_account(&key).await.unwrap().unwrap().id
    }

    async fn credit_key(&self, account: AccountId, amount: u64, reference: &str) {
        self.apply(Command::Credit {
            account,
            amount: Amount::new(amount).unwrap(),
            reference: reference.parse().unwrap(),
            at: ledger_time(self.clock.now()),
        })
        .await;
    }

    async fn pay_by_key(&self, [payer, payee]: [AccountId; 2], payment: Box<KeyPayment>) {
        self.apply(Command::PayByKey {
            payer,
            payee,
            payment,
            nonce: None,
            at: ledger_time(self.clock.now()),
        })
        .await;
    }
}

/// Balance, number of payments and number of credits in the published log, of which the proof was verified.
async fn logged(log: &IssuerLog, block: &LogBlock, holder: &Holder) -> Option<(u64, u64, u64)> {
    let found = log.logged_account(&holder.key()).await.unwrap()?;
    let Leaf::Batch(batch) = Leaf::decode(&found.batch.leaf).unwrap() else {
        panic!("no batch leaf");
    };
    found
        .proof
        .verify(&holder.key(), &found.account, &batch.ledger_root)
        .unwrap();
    let proof: ProofFile = found.batch.proof.parse().unwrap();
    let hash = opencoin_log::hash::leaf_hash(&found.batch.leaf);
    let verified = proof.verify(block.policy(), &hash, None).unwrap();
    assert_eq!(verified.checkpoint.size(), proof.index + 1, "the newest batch");
    let account = found.account;
    Some((account.balance, account.seq, account.credits))
}

#[tokio::test]
async fn accounts_are_shown_as_the_published_log_has_them() {
    let (world, witness) = witnessed().await;
    let (alice, bob, carol) = (Holder::new(1), Holder::new(2), Holder::new(3));
    let log = world.process().await;
    assert_eq!(logged(&log, &world.block, &alice).await, None);
    let [a, b] = [world.introduce(&alice).await, world.introduce(&bob).await];
    world.credit_key(a, 100, "1").await;
    assert_eq!(
        log.payment(&world.block, &alice.key(), 1).await.unwrap(),
        None,
        "there is none"
    );
    world.pay_by_key([a, b], alice.payment(1, 30, bob.key())).await;
    let accepted = log.payment(&world.block, &alice.key(), 1).await.unwrap();
    assert_eq!(accepted, Some(KeyPaymentStatus::Accepted));
    seal_elsewhere(&world.ledger);
    assert_eq!(
        log.payment(&world.block, &alice.key(), 1).await.unwrap(),
        Some(KeyPaymentStatus::Accepted),
        "sealed and not published"
    );
    assert!(log.publish(&world.block).await.unwrap());
    let published = [Some((70, 1, 1)), Some((30, 0, 0)), None];
    let shown = async |log: &IssuerLog| {
        [
            logged(log, &world.block, &alice).await,
            logged(log, &world.block, &bob).await,
            logged(log, &world.block, &carol).await,
        ]
    };
    assert_eq!(shown(&log).await, published);
    let status = log.payment(&world.block, &alice.key(), 1).await.unwrap();
    assert!(
        matches!(status, Some(KeyPaymentStatus::Final(_))),
        "nobody signs jointly: {status:?}"
    );

    // The books go on, and the witness is away.
    witness.is_unreachable();
    let c = world.introduce(&carol).await;
    world.credit_key(b, 5, "2").await;
    world.pay_by_key([b, c], bob.payment(1, 35, carol.key())).await;
    world.pay_by_key([c, a], carol.payment(1, 34, alice.key())).await;
    seal_elsewhere(&world.ledger);
    world.pay_by_key([a, b], alice.payment(2, 104, bob.key())).await;
    seal_elsewhere(&world.ledger);
    assert!(!log.publish(&world.block).await.unwrap());
    assert_eq!(shown(&log).await, published);
    // This process has computed nothing before.
    let (_folder, other) = world.other_machine().await;
    assert_eq!(shown(&other).await, published);
    assert_eq!(
        other.payment(&world.block, &alice.key(), 2).await.unwrap(),
        Some(KeyPaymentStatus::Accepted)
    );

    witness.is_honest();
    assert!(log.publish(&world.block).await.unwrap());
    let newest = [Some((0, 2, 1)), Some((104, 1, 1)), Some((1, 1, 0))];
    assert_eq!(shown(&log).await, newest, "two batches forward");
    other.published_shown.forget();
    assert_eq!(shown(&other).await, newest);
    let all = other.logged_accounts().await.unwrap().unwrap();
    let rows: Vec<AccountKey> = all.accounts.iter().map(|(key, _)| key).collect();
    assert!(rows.len() == 3 && rows.is_sorted());
}
