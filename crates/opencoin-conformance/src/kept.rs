//! Rules of signatures that are kept in place of blinds.

use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{
    BATCH_COMMANDS_MAX, KeptSignatures, LedgerError, StoredNumber, TransactionNo, UnsignedPage,
    UnsignedTransaction,
};

fn references(found: &[UnsignedTransaction]) -> Vec<&[u8]> {
    found
        .iter()
        .map(|transaction| transaction.reference.as_bytes())
        .collect()
}

/// Unsigned mints, renews and recoups of a key are found with all their blinds, and those of other keys are
/// not, for every page size.
pub async fn blinds_of_a_key_are_found_page_by_page(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    assert_eq!(world.unsigned(1, 1).await, []);
    world
        .apply(&[
            register(3, 3),
            release(3),
            mint(alice(), "a", &[3, 2]),
            mint(alice(), "b", &[1, 5, 1]),
        ])
        .await;
    // In separate batches, because the order of numbers within a batch is not defined.
    for command in [
        mint(alice(), "c", &[2]),
        stop(3),
        renew("d", &[(2, 1)], &[1, 1]),
        redeem(bob(), &[(1, 1)]),
        recoup("e", &[(3, 1, 1)], &[1, 2]),
        mint(alice(), "f", &[5]),
    ] {
        world.one(command).await.unwrap();
    }
    for page in [1, 2, 3, 100] {
        let found = world.unsigned(1, page).await;
        assert_eq!(references(&found), [b"b", b"d", b"e"], "pages of {page}");
        assert_eq!(found[0].blinds, stored(&[1, 5, 1]));
    }
    assert_eq!(references(&world.unsigned(3, 2).await), [b"a"]);
    // A page without transactions says how far it has searched.
    let found = world.unsigned(1, 100).await;
    let page = ledgers[1]
        .unsigned(&world.status(1).await, found[0].no, 1)
        .await
        .unwrap();
    assert!(
        page.transactions.is_empty()
            && page
                .next
                .is_some_and(|next| next > found[0].no && next < found[1].no)
    );
    let end = ledgers[1]
        .unsigned(&world.status(1).await, TransactionNo::new(i64::MAX), 1)
        .await
        .unwrap();
    assert_eq!(
        end,
        UnsignedPage {
            transactions: Vec::new(),
            next: None
        }
    );
}

/// A resumed request gets the kept signatures, and blinds of other keys are unchanged. Nothing else in the
/// books changes.
pub async fn kept_signatures_take_the_place_of_blinds(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world
        .apply(&[
            mint(alice(), "a", &[1, 2, 1]),
            mint(alice(), "b", &[2]),
            mint(alice(), "c", &[1]),
        ])
        .await;
    world.apply(&[retire(1), retire(2)]).await;
    let facts = world.facts().await;
    for transaction in world.unsigned(1, 10).await {
        assert_eq!(
            ledgers[1]
                .keep_signatures(&[keep(1, &transaction)])
                .await
                .unwrap(),
            [true]
        );
    }
    assert_eq!(world.unsigned(1, 1).await, []);
    assert_eq!(world.stored("a").await, signed(1, &stored(&[1, 2, 1])));
    assert_eq!(world.stored("b").await, stored(&[2]));
    let kept = world.stored("c").await;
    assert!(matches!(kept[0].number, StoredNumber::Signature(_)) && kept == signed(1, &stored(&[1])));
    // Later the other key of the first transaction signs too, together with another transaction.
    let rest = world.unsigned(2, 1).await;
    assert_eq!(
        rest.iter()
            .map(|transaction| &transaction.blinds)
            .collect::<Vec<_>>(),
        [&signed(1, &stored(&[1, 2, 1])), &stored(&[2])]
    );
    let kept: Vec<_> = rest.iter().map(|transaction| keep(2, transaction)).collect();
    assert_eq!(ledgers[0].keep_signatures(&kept).await.unwrap(), [true, true]);
    assert_eq!(
        world.stored("a").await,
        signed(2, &signed(1, &stored(&[1, 2, 1])))
    );
    assert_eq!(world.facts().await, facts);
    // The same request is still a repetition.
    assert_eq!(
        world.one(mint(alice(), "a", &[1, 2, 1])).await,
        again(accepted(4))
    );
}

/// Signatures for blinds that have changed since they were read are not kept. Others in the same call are.
pub async fn signatures_are_kept_only_where_nothing_has_changed(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world
        .apply(&[mint(alice(), "a", &[1, 2]), mint(alice(), "b", &[1])])
        .await;
    assert_eq!(ledgers[0].keep_signatures(&[]).await.unwrap(), [false; 0]);
    let found = world.unsigned(1, 10).await;
    let of = |text: &[u8]| {
        found
            .iter()
            .find(|transaction| transaction.reference.as_bytes() == text)
            .unwrap()
    };
    let [first, second] = [of(b"a"), of(b"b")];
    assert_eq!(
        ledgers[0].keep_signatures(&[keep(1, first)]).await.unwrap(),
        [true]
    );
    let stored_before = world.stored("a").await;
    let late = [keep(2, first), keep(1, second)];
    assert_eq!(ledgers[1].keep_signatures(&late).await.unwrap(), [false, true]);
    assert_eq!(
        ledgers[1]
            .keep_signatures(&[keep(1, first), keep(1, second)])
            .await
            .unwrap(),
        [false, false]
    );
    assert_eq!(world.stored("a").await, stored_before);
    // There is no such transaction.
    let kept = |text: &str| KeptSignatures::new(&reference(text), &first.blinds, &signed(1, &first.blinds));
    assert_eq!(
        ledgers[0].keep_signatures(&[kept("other")]).await.unwrap(),
        [false]
    );
    let many = (0..=BATCH_COMMANDS_MAX).map(|number| kept(&number.to_string()));
    let error = ledgers[0]
        .keep_signatures(&many.collect::<Vec<_>>())
        .await
        .unwrap_err();
    assert_eq!(error, LedgerError::BatchTooLarge(BATCH_COMMANDS_MAX + 1));
}
