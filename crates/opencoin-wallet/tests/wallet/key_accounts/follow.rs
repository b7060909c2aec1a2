//! Following an account in the log.

use opencoin_log::key_account::{AccountKey, CreditSource};
use opencoin_wallet::{EntryKind, FollowedKey, Wallet};

use super::{order, pay, seal, two_holders, world};

/// Looks once, and says that it was seen.
async fn follow(wallet: &mut Wallet, key: &AccountKey, from: Option<&str>) -> FollowedKey {
    let followed = wallet.follow_key(key, from).await.unwrap();
    wallet.key_followed(key, &followed).unwrap();
    followed
}

#[tokio::test]
async fn what_an_account_pays_and_receives_is_read_from_the_log() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    let begun = follow(&mut bob, &to, None).await;
    assert_eq!((begun.entries.len(), begun.balance, begun.has_gap), (0, 0, false));
    let paid = alice.pay_by_key(&from, &order(to, 12, "tea")).await.unwrap();
    alice.payment_told(paid.number).unwrap();
    assert!(follow(&mut bob, &to, None).await.entries.is_empty());
    seal(&world);
    world.issuer.credit_key(&to, 3);
    seal(&world);
    // Leaves of others stand before and after.
    world.issuer.log().enter_others(700);
    pay(&mut alice, &from, to, 1).await.unwrap();
    pay(&mut bob, &to, from, 4).await.unwrap();
    seal(&world);

    world.network.heal();
    let followed = follow(&mut bob, &to, None).await;
    let key = to.to_string();
    let steps = world.network.take_steps();
    assert!(
        steps.iter().all(|step| !step.url.contains(&key)),
        "nobody learns who looks"
    );
    assert_eq!(followed.balance, 12);
    let kinds: Vec<String> = followed
        .entries
        .iter()
        .map(|entry| match &entry.kind {
            EntryKind::Received(payment) => {
                format!("received {} {:?}", payment.order.amount, payment.order.memo)
            }
            EntryKind::Paid(payment) => format!("paid {}", payment.order.amount),
            EntryKind::Credited {
                amount,
                from: CreditSource::Deposit,
                number,
            } => format!("credited {amount}, number {number}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "received 12 \"tea\"",
            "credited 3, number 1",
            // In the order of the payers' keys, as the log has them.
            kinds[2].as_str(),
            kinds[3].as_str()
        ]
    );
    let mut last = [kinds[2].as_str(), kinds[3].as_str()];
    last.sort_unstable();
    assert_eq!(last, ["paid 4", "received 1 \"\""]);
    assert_eq!(followed.entries[0].balance, 12);
    // A later look continues there, also after a restart.
    drop(bob);
    let mut bob = world.open("bob");
    let again = follow(&mut bob, &to, None).await;
    assert_eq!((again.entries.len(), again.balance), (0, 12));
}

#[tokio::test]
async fn a_copy_of_the_log_is_enough_to_follow_an_account() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    follow(&mut bob, &to, None).await;
    pay(&mut alice, &from, to, 12).await.unwrap();
    seal(&world);
    let copy = "http://copy.test";
    world.network.connect(copy, std::sync::Arc::clone(&world.issuer));
    world.network.heal();
    let copy_log = format!("{copy}/log");
    let followed = follow(&mut bob, &to, Some(&copy_log)).await;
    assert_eq!((followed.entries.len(), followed.balance), (1, 12));
    let steps = world.network.take_steps();
    let of_log: Vec<&str> = steps.iter().map(|step| step.url.as_str()).collect();
    assert!(
        of_log
            .iter()
            .filter(|url| url.contains("/log/"))
            .all(|url| url.starts_with(copy)),
        "{of_log:?}"
    );
}

#[tokio::test]
async fn an_account_is_followed_from_before_its_introduction() {
    let world = world();
    let [(mut alice, from), (mut bob, _)] = two_holders(&world, 50).await;
    let key = bob.new_key(None).unwrap().key;
    assert_eq!(follow(&mut bob, &key, None).await.balance, 0);
    bob.introduce_key(&key, &mut |_| {}).await.unwrap();
    pay(&mut alice, &from, key, 9).await.unwrap();
    seal(&world);
    let followed = follow(&mut bob, &key, None).await;
    assert_eq!(followed.balance, 9);
    assert_eq!(followed.entries[0].kind, EntryKind::Introduced);
    assert_eq!(followed.entries.len(), 2);
}

#[tokio::test]
async fn what_was_not_seen_is_shown_again_and_a_long_absence_in_parts() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    follow(&mut bob, &to, None).await;
    for _ in 0..20 {
        pay(&mut alice, &from, to, 1).await.unwrap();
        seal(&world);
    }
    let first = bob.follow_key(&to, None).await.unwrap();
    assert_eq!((first.entries.len(), first.has_more), (16, true));
    drop(bob);
    let mut bob = world.open("bob");
    assert_eq!(follow(&mut bob, &to, None).await, first);
    let rest = follow(&mut bob, &to, None).await;
    assert_eq!((rest.entries.len(), rest.has_more, rest.balance), (4, false, 20));
    // If nothing is new, the checkpoint is all that is read.
    world.network.heal();
    assert!(follow(&mut bob, &to, None).await.entries.is_empty());
    let steps = world.network.take_steps();
    assert_eq!(steps.len(), 1, "{:?}", steps[0].url);
}

#[tokio::test]
async fn entries_are_final_when_the_auditors_have_signed() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    follow(&mut bob, &to, None).await;
    world.issuer.log().is_auditor_away = true;
    pay(&mut alice, &from, to, 1).await.unwrap();
    seal(&world);
    let followed = follow(&mut bob, &to, None).await;
    assert!(followed.entries[0].index >= followed.final_size);
    world.issuer.log().is_auditor_away = false;
    let now = world.network.now();
    world.issuer.log().publish(now);
    let later = follow(&mut bob, &to, None).await;
    assert!(later.entries.is_empty() && followed.entries[0].index < later.final_size);
}
