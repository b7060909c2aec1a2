//! Leaves that were promised and are not in the log, and what proves it.

use opencoin_evidence::{Evidence, EvidenceError, Verdict, check_evidence};
use opencoin_wallet::Wallet;

use super::{check, check_well, redeem_all, seal, seal_late, set, world};
use crate::fake_log::Misdeed;
use crate::world::{World, mint};

/// A wallet whose only mint was left out of the log. Its keys have been looked for.
async fn cheated(world: &World) -> Wallet {
    let mut wallet = world.wallet_with("wallet", 0).await;
    set(world, Misdeed::Omission);
    mint(&mut wallet, 60).await.unwrap();
    wallet
}

async fn only_evidence(wallet: &mut Wallet) -> Evidence {
    let status = check(wallet).await;
    assert_eq!((status.open, status.faults.len(), &status.problem), (0, 1, &None));
    let mut evidence = wallet.evidence(None).unwrap();
    assert_eq!(evidence.len(), 1);
    evidence.remove(0)
}

#[tokio::test]
async fn an_omitted_leaf_is_proven_by_a_file() {
    // Batches of the promise that exist, and leaves of others in each of them.
    for (batches, others) in [(0, 0), (1, 1), (1, 40), (2, 300), (3, 300), (5, 3)] {
        let world = world();
        let mut wallet = cheated(&world).await;
        for number in 0..batches {
            world.issuer.log().enter_others(others + number);
            seal(&world);
            let status = check_well(&mut wallet).await;
            assert_eq!(status.open, 1, "the promise is not due yet");
        }
        seal_late(&world);
        let evidence = only_evidence(&mut wallet).await;
        assert_eq!(evidence.kind(), "omitted leaf");
        let file = evidence.to_json();
        assert!(file.len() < 24 * 1024, "{} bytes", file.len());
        let checked = check_evidence(file.as_bytes()).unwrap();
        assert!(
            checked.verdict == Verdict::Fault && checked.statement.contains("It is not"),
            "{checked:?}"
        );
        assert_eq!(
            checked.master_key,
            world.issuer.cddc.master_key().id().to_string()
        );
        assert_eq!(check(&mut wallet).await.faults.len(), 1, "it is noted once");
        redeem_all(&world, &mut wallet).await;
    }
}

#[tokio::test]
async fn evidence_with_a_changed_byte_proves_nothing() {
    let world = world();
    let mut wallet = cheated(&world).await;
    world.issuer.log().enter_others(40);
    seal_late(&world);
    let file = only_evidence(&mut wallet).await.to_json().into_bytes();
    let text = String::from_utf8(file.clone()).unwrap();
    for at in (0..file.trim_ascii_end().len()).step_by(5) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let checked = check_evidence(&changed);
        assert!(
            checked.is_err(),
            "byte {at}: {}",
            &text[at.saturating_sub(40)..at + 1]
        );
    }
    assert!(matches!(check_evidence(b"{}"), Err(EvidenceError::Form(_))));
}

#[tokio::test]
async fn evidence_needs_every_batch() {
    let world = world();
    let mut wallet = cheated(&world).await;
    for _ in 0..3 {
        world.issuer.log().enter_others(20);
        seal(&world);
    }
    seal_late(&world);
    let file = only_evidence(&mut wallet).await.to_json();
    let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert_eq!(value["batches"].as_array().unwrap().len(), 3);
    value["batches"].as_array_mut().unwrap().pop();
    assert!(check_evidence(value.to_string().as_bytes()).is_err());
    // A later batch does not stand for an earlier one.
    let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
    value["batches"][0] = value["batches"][1].clone();
    assert!(check_evidence(value.to_string().as_bytes()).is_err());
}

#[tokio::test]
async fn no_evidence_is_made_of_what_is_in_the_log() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    seal_late(&world);
    assert_eq!(check_well(&mut wallet).await.kept, 1);
    assert_eq!(wallet.evidence(None).unwrap(), []);
}

#[tokio::test]
async fn a_log_that_stands_still_is_a_complaint() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let status = check_well(&mut wallet).await;
    assert_eq!((status.open, status.overdue), (1, 0));
    world.network.wait(chrono::TimeDelta::hours(2));
    let status = check_well(&mut wallet).await;
    assert_eq!((status.open, status.overdue), (1, 1));
    let evidence = wallet.evidence(None).unwrap();
    let [stalled] = &evidence[..] else {
        panic!("{evidence:?}")
    };
    assert_eq!(stalled.kind(), "stalled log");
    let checked = check_evidence(stalled.to_json().as_bytes()).unwrap();
    assert_eq!(checked.verdict, Verdict::Complaint);
    // The log goes on.
    seal(&world);
    assert_eq!(check_well(&mut wallet).await.kept, 1);
    assert_eq!(wallet.evidence(None).unwrap(), []);
}

#[tokio::test]
async fn evidence_names_the_promise_key_of_that_time() {
    let world = world();
    let mut wallet = cheated(&world).await;
    world.issuer.change_promise_key(2);
    world.issuer.log().enter_others(3);
    seal_late(&world);
    let file = only_evidence(&mut wallet).await.to_json();
    check_evidence(file.as_bytes()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert!(value["promised"].as_object_mut().unwrap().remove("cdd").is_some());
    assert!(
        check_evidence(value.to_string().as_bytes()).is_err(),
        "another key"
    );
}
