//! Proofs of payments, checked by somebody who has nothing but the currency's description.

use opencoin_log::leaf::Leaf;
use opencoin_log::proof_file::ProofFile;
use opencoin_wallet::{LogError, PaymentProofError, PaymentVerifier, WalletError};

use super::{order, pay, seal, two_holders, world};
use crate::fake_issuer::FakeIssuer;
use crate::fake_keys::KeyMisdeed;
use crate::world::{DENOMINATIONS, URL};

/// A proof of a final payment of 12 with a memo.
async fn proof(world: &crate::world::World) -> String {
    let [(mut alice, from), (_, to)] = two_holders(world, 50).await;
    let paid = alice.pay_by_key(&from, &order(to, 12, "tea")).await.unwrap();
    seal(world);
    alice.look_at_payment(paid.number).await.unwrap();
    alice.payment_proof(paid.number).unwrap().unwrap()
}

fn verifier(issuer: &FakeIssuer) -> PaymentVerifier {
    PaymentVerifier::new([issuer.cddc.clone()])
}

#[tokio::test]
async fn a_proof_says_who_paid_whom_and_who_vouches_for_it() {
    let world = world();
    let proof = proof(&world).await;
    let checked = verifier(&world.issuer)
        .check(&proof, world.network.now())
        .unwrap();
    assert!(checked.is_final());
    assert_eq!(
        (checked.payment.order.amount, checked.payment.order.memo.as_str()),
        (12, "tea")
    );
    assert_eq!(checked.currency, "OpenCent");
    assert_eq!(checked.log, "issuer.test/log");
    assert_eq!(checked.seen_at, Some(world.network.now()));
    assert_eq!(checked.cosigned_by, ["w1", "w2", "a1"]);
    let master_key = world.issuer.cddc.master_key().id().to_string();
    assert_eq!(checked.master_key, master_key);
}

#[tokio::test]
async fn only_the_newest_description_says_what_is_final() {
    let world = world();
    let proof = proof(&world).await;
    let url = &world.issuer.cddc.cdd().cdd_location;
    let (alone, audited) = {
        let log = world.issuer.log();
        (log.block(url), log.block_with_auditor(url))
    };
    let description = |info: &String, serial| {
        world
            .issuer
            .description(info.clone(), serial, url, &DENOMINATIONS)
    };
    let auditor = audited.lines().find_map(|line| line.strip_prefix("witness a1 "));
    let auditor = auditor.unwrap().split('+').next().unwrap();
    let is_by_auditor = |line: &&str| line.starts_with(&format!("\u{2014} {auditor} "));
    assert_eq!(proof.lines().filter(is_by_auditor).count(), 1);
    let unaudited: String = proof
        .lines()
        .filter(|line| !is_by_auditor(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let is_final = |descriptions: [(&String, u64); 2], file: &str| {
        let verifier = PaymentVerifier::new(descriptions.map(|(info, serial)| description(info, serial)));
        verifier.check(file, world.network.now()).unwrap().is_final()
    };
    for (first, second, file, expected) in [
        (&alone, &audited, &unaudited, false),
        (&alone, &audited, &proof, true),
        (&audited, &alone, &unaudited, true),
    ] {
        assert_eq!(is_final([(first, 1), (second, 2)], file), expected);
        assert_eq!(is_final([(second, 2), (first, 1)], file), expected);
    }
}

#[tokio::test]
async fn another_currency_or_a_time_before_the_signatures_proves_nothing() {
    let world = world();
    let proof = proof(&world).await;
    let (now, suite) = (world.network.now(), world.issuer.cddc.cipher_suite());
    let before = now - chrono::TimeDelta::hours(1);
    assert!(matches!(
        verifier(&world.issuer).check(&proof, before),
        Err(PaymentProofError::NotInLog(_))
    ));
    let without_log = FakeIssuer::new("Other", URL, suite, &DENOMINATIONS);
    assert!(verifier(&without_log).is_empty());
    assert!(matches!(
        verifier(&without_log).check(&proof, now),
        Err(PaymentProofError::UnknownLog(_))
    ));
    // A currency with the same log and without an auditor asks for no joint signature.
    let plain = FakeIssuer::with_log("OpenCent", URL, suite, &DENOMINATIONS);
    let checked = verifier(&plain).check(&proof, now).unwrap();
    assert!(checked.is_final() && checked.joint.is_none());
}

#[tokio::test]
async fn a_changed_file_proves_nothing() {
    let world = world();
    let proof = proof(&world).await;
    let now = world.network.now();
    let verifier = verifier(&world.issuer);
    let parsed: ProofFile = proof.parse().unwrap();
    let Ok(Leaf::KeyPaid(payment)) = Leaf::decode(&parsed.extra) else {
        panic!("the leaf is a payment");
    };
    let mut more = payment.clone();
    more.order.amount += 1;
    let mut other_file = parsed.clone();
    other_file.extra = Leaf::KeyPaid(more).encode().unwrap();
    let mut other_leaf = parsed.clone();
    other_leaf.index += 1;
    let mut no_payment = parsed.clone();
    no_payment.extra = b"hello".to_vec();
    let mut nothing = parsed.clone();
    nothing.extra = Vec::new();
    for file in [other_file, other_leaf, no_payment, nothing] {
        assert!(verifier.check(&file.to_string(), now).is_err(), "{file}");
    }
    // Any changed byte that matters.
    for index in 0..proof.len() {
        let mut bytes = proof.clone().into_bytes();
        bytes[index] ^= 1;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        if let Ok(checked) = verifier.check(&text, now) {
            // A cosignature that is not needed may have become one of somebody else.
            assert_eq!(checked.payment, *payment, "byte {index}");
            assert!(checked.cosigned_by.len() < 3, "byte {index}");
        }
    }
}

#[tokio::test]
async fn the_proof_of_another_payment_is_refused() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    pay(&mut alice, &from, to, 1).await.unwrap();
    seal(&world);
    let second = pay(&mut alice, &from, to, 2).await.unwrap();
    seal(&world);
    world.issuer.keys().misdeed = Some(KeyMisdeed::OtherProof);
    let refused = alice.look_at_payment(second.number).await;
    assert!(
        matches!(refused, Err(WalletError::OtherPayment(_))),
        "{refused:?}"
    );
    assert!(!matches!(refused, Err(WalletError::Log(LogError::NoUrl))));
}
