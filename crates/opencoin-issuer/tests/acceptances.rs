//! What an audit proves of stored acceptances, in SQLite with real keys: kept signatures match the request, and a
//! later change is found.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opencoin_audit::{StoredAcceptance, Wanted};
use opencoin_config::Config;
use opencoin_crypto::{AcceptedBlinds, BlindToSign, CipherSuite, KeyStore, Signer};
use opencoin_issuer::{
    AcceptanceProof, Cashier, SecondPersonLimit, StoreMode, check_acceptance, open_audit_source, open_books,
};
use opencoin_keys::{
    Clock, Currency, Directory, NewCurrency, Passphrase, Randomness, create_with_key_files,
    register_mint_keys,
};
use opencoin_ledger::{
    AccountId, Amount, Blind, Command, KeptSignatures, Ledger, LedgerTime, MintKeyId, OperatorName,
    Reference, SpentDigest, StoredBlind, StoredNumber, TransactionNo, TransactionReference,
};
use opencoin_schema::BigInt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

const SEED: u64 = 9;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
}

struct World {
    folder: TempDir,
    currency: Currency,
    signer: Arc<dyn Signer>,
    ledger: Arc<dyn Ledger>,
    rng: StdRng,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let new = NewCurrency {
            name: "OpenCent".to_owned(),
            divisor: 100,
            denominations: vec![1, 5],
            url: "http://127.0.0.1:8080".to_owned(),
            cipher_suite: CipherSuite::RsaSha384PssRfc9474,
            log: None,
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
        let signer = made.unwrap().1.signer().unwrap();
        let currency = directory.currency().unwrap();
        let books = open_books("sqlite:books", folder.path(), StoreMode::Create)
            .await
            .unwrap()
            .books;
        let ledger = Arc::clone(&books.ledger);
        register_mint_keys(&currency, ledger.as_ref(), &Noon)
            .await
            .unwrap();
        let cashier = Cashier::new(books, Arc::new(Noon), store_rng(), SecondPersonLimit::OFF);
        let alice = "alice".parse().unwrap();
        let operator = OperatorName::command_line();
        let cashier = cashier.acting(&operator);
        cashier.open_account(&alice, None).await.unwrap();
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
            folder,
            currency,
            signer,
            ledger,
            rng,
        }
    }

    fn key(&self, denomination: u64) -> MintKeyId {
        let mut keys = self.currency.mint_keys();
        keys.find(|key| key.terms.denomination().units() == denomination)
            .unwrap()
            .ledger_id
    }

    /// A blind with a random number that the key can sign.
    fn blind(&mut self, denomination: u64) -> Blind {
        let mut blinded = self.rng.r#gen::<[u8; 32]>().repeat(8);
        blinded[0] = 1; // below the modulus, whose first bit is set
        Blind {
            reference: self.rng.r#gen::<u32>().to_string(),
            mint_key: self.key(denomination),
            blinded,
        }
    }

    async fn apply(&self, command: Command) {
        self.ledger.apply(&[command]).await.unwrap().remove(0).unwrap();
    }

    /// Replaces the blinds of a key by their signatures, as happens before its private half is destroyed.
    async fn keep_signatures(&self, denomination: u64) {
        let (key, keys) = (self.key(denomination), self.ledger.mint_keys().await.unwrap());
        let status = keys.iter().find(|status| status.id == key).unwrap();
        for transaction in self
            .ledger
            .unsigned(status, TransactionNo::BEFORE_ALL, 100)
            .await
            .unwrap()
            .transactions
        {
            let mut after = transaction.blinds.clone();
            for stored in after.iter_mut().filter(|stored| stored.mint_key == key) {
                let StoredNumber::Blinded(number) = &stored.number else {
                    continue;
                };
                let [mint_key_id, blinded] = [
                    BigInt::from_be_bytes(key.as_bytes()),
                    BigInt::from_be_bytes(number),
                ];
                let blinds = [BlindToSign { mint_key_id, blinded }].into();
                let accepted = AcceptedBlinds {
                    transaction_reference: transaction.reference.as_bytes().to_vec(),
                    blinds,
                };
                let signature = self.signer.sign(accepted).await.unwrap().remove(0);
                *stored = StoredBlind {
                    number: StoredNumber::Signature(signature.as_be_bytes().to_vec()),
                    ..stored.clone()
                };
            }
            let kept = KeptSignatures::new(&transaction.reference, &transaction.blinds, &after);
            assert_eq!(self.ledger.keep_signatures(&[kept]).await.unwrap(), [true]);
        }
    }

    async fn acceptances(&self) -> Vec<StoredAcceptance> {
        let source = open_audit_source("sqlite:books", self.folder.path())
            .await
            .unwrap();
        source
            .acceptances(Wanted::After(TransactionNo::BEFORE_ALL))
            .await
            .unwrap()
    }

    fn refused(&self, acceptance: &StoredAcceptance, reason: &str) {
        let error = check_acceptance(&self.currency, acceptance).unwrap_err();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

fn changed(acceptance: &StoredAcceptance, change: impl FnOnce(&mut Vec<StoredBlind>)) -> StoredAcceptance {
    let mut changed = acceptance.clone();
    change(changed.blinds.as_mut().unwrap());
    changed
}

#[tokio::test]
async fn kept_signatures_match_the_request_and_changes_are_found() {
    let mut world = World::new().await;
    let (account, at) = (
        AccountId::FIRST_HOLDER,
        LedgerTime::from_unix_micros(Noon.now().timestamp_micros()),
    );
    let reference = |number: u8| TransactionReference::new([number]).unwrap();
    let blinds = vec![world.blind(1), world.blind(5), world.blind(1)];
    world
        .apply(Command::Mint {
            account,
            transaction_reference: reference(1),
            blinds,
            payment: None,
            wait_until: None,
            at,
        })
        .await;
    let coin = opencoin_ledger::CoinIn {
        mint_key: world.key(5),
        spent_digest: SpentDigest::new([7; 32]),
    };
    let blinds = vec![world.blind(5)];
    world
        .apply(Command::Renew {
            transaction_reference: reference(2),
            coins: vec![coin],
            blinds,
            at,
        })
        .await;

    let proof = |blinds, signatures, content| {
        Ok(AcceptanceProof {
            blinds,
            signatures,
            content,
        })
    };
    let fresh = world.acceptances().await;
    assert_eq!(check_acceptance(&world.currency, &fresh[0]), proof(3, 0, true));
    assert_eq!(check_acceptance(&world.currency, &fresh[1]), proof(1, 0, false));
    world.keep_signatures(1).await;
    let half = world.acceptances().await;
    assert_eq!(check_acceptance(&world.currency, &half[0]), proof(3, 2, true));
    world.keep_signatures(5).await;
    let [mint, renew] = &world.acceptances().await[..] else {
        panic!("two were accepted")
    };
    assert_eq!(check_acceptance(&world.currency, mint), proof(3, 3, true));
    assert_eq!(check_acceptance(&world.currency, renew), proof(1, 1, false));

    let other = "not those of its digest";
    for acceptance in [&fresh[0], &half[0], mint] {
        world.refused(&changed(acceptance, |blinds| blinds.swap(0, 2)), other);
        world.refused(
            &changed(acceptance, |blinds| blinds[1].reference.push('x')),
            other,
        );
        world.refused(&changed(acceptance, |blinds| drop(blinds.pop())), other);
        world.refused(
            &StoredAcceptance {
                debit: Some(4),
                ..acceptance.clone()
            },
            other,
        );
        world.refused(
            &StoredAcceptance {
                debit: None,
                ..acceptance.clone()
            },
            "no account",
        );
        let flip = |blinds: &mut Vec<StoredBlind>| match &mut blinds[1].number {
            StoredNumber::Blinded(number) | StoredNumber::Signature(number) => number[9] ^= 1,
        };
        world.refused(&changed(acceptance, flip), other);
    }
    let of_key = |key| move |blinds: &mut Vec<StoredBlind>| blinds[0].mint_key = key;
    world.refused(
        &changed(&fresh[0], of_key(MintKeyId::new([9; 20]))),
        "has no certificate",
    );
    let late = LedgerTime::from_unix_micros(at.unix_micros() + 200 * 86_400_000_000);
    world.refused(
        &StoredAcceptance {
            at: late,
            ..renew.clone()
        },
        "outside of the signing window",
    );
    let large = |blinds: &mut Vec<StoredBlind>| blinds[0].number = StoredNumber::Signature(vec![0xff; 257]);
    world.refused(&changed(renew, large), "its signature is none");
    for number in [vec![], vec![1], vec![0xff; 256]] {
        let out_of_range = |blinds: &mut Vec<StoredBlind>| blinds[0].number = StoredNumber::Blinded(number);
        world.refused(&changed(renew, out_of_range), "not in 2..n-2");
    }
    world.refused(
        &StoredAcceptance {
            blinds: Err("stored blinds are damaged".to_owned()),
            ..renew.clone()
        },
        "damaged",
    );
}
