//! The signer's counts, and what it does when the books disagree.

use std::sync::Arc;

use opencoin_crypto::{SignError, Signer};
use opencoin_ledger::Ledger;
use opencoin_signer::{CountsError, CountsMode, KeyCount, SignedCounts};

use crate::support::{
    Books, KEYS, Place, Running, TwoBooks, accept, away, blinds, books, disagrees, exists, id, local_signer,
    sign_each, within,
};

async fn signed(signer: &Running) -> Vec<u64> {
    signer
        .counts
        .counts()
        .await
        .unwrap()
        .iter()
        .map(|count| count.signed)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn blinds_of_distinct_transactions_are_counted_over_restarts() {
    let (place, ledger) = (Place::new(), books().await);
    let remote = place.remote();
    for round in 0..3 {
        let signer = place.start(&ledger, local_signer()).await;
        within("connecting", remote.connected()).await;
        for reference in ["one", "two", &format!("of round {round}")] {
            let accepted = accept(ledger.as_ref(), reference, blinds(&KEYS[0], reference, 2)).await;
            for _ in 0..2 {
                assert!(within("signing", remote.sign(accepted.clone())).await.is_ok());
            }
        }
        assert_eq!(signed(&signer).await, [2 * (3 + round)]);
        signer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_for_the_same_transaction_are_counted_once() {
    let (place, ledger) = (Place::new(), books().await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let accepted = accept(ledger.as_ref(), "crowd", blinds(&KEYS[0], "crowd", 3)).await;
    let ask = |_| {
        let (remote, accepted) = (Arc::clone(&remote), accepted.clone());
        tokio::spawn(async move { remote.sign(accepted).await })
    };
    for asked in (0..50).map(ask).collect::<Vec<_>>() {
        assert_eq!(within("signing", asked).await.unwrap(), Ok(sign_each(&accepted)));
    }
    assert_eq!(signed(&signer).await, [3]);
    signer.stop().await;
}

/// Books with these transactions of five blinds each, of the first key.
async fn books_with(references: &[&str]) -> Arc<dyn Ledger> {
    let ledger = books().await;
    for reference in references {
        accept(ledger.as_ref(), reference, blinds(&KEYS[0], reference, 5)).await;
    }
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_books_raises_an_alarm_until_an_operator_accepts_them() {
    let place = Place::new();
    let remote = place.remote();
    let of = |reference: &str| crate::support::request(reference, blinds(&KEYS[0], reference, 5));
    let newer = books_with(&["a", "b", "c"]).await;
    let signer = place.start(&newer, local_signer()).await;
    within("connecting", remote.connected()).await;
    for reference in ["a", "b", "c"] {
        assert!(remote.sign(of(reference)).await.is_ok());
    }
    signer.stop().await;

    // Restored from before "b" and "c": a new transaction would bring the count to 20, but the books have counted 10.
    let older = books_with(&["a", "new"]).await;
    for _restart in 0..2 {
        let signer = place.start(&older, local_signer()).await;
        within("connecting", remote.connected()).await;
        assert!(disagrees(
            within("a restored ledger", remote.sign(of("new"))).await
        ));
        assert!(
            disagrees(remote.sign(of("a")).await),
            "the key signs nothing, not even what it has signed before"
        );
        let other = accept(older.as_ref(), "other key", blinds(&KEYS[1], "other key", 1)).await;
        assert_eq!(
            remote.sign(other.clone()).await,
            Ok(sign_each(&other)),
            "the other key signs"
        );
        let counts = signer.counts.counts().await.unwrap();
        let alarmed = KeyCount {
            id: id(&KEYS[0]),
            signed: 15,
            is_alarmed: true,
            is_forgotten: false,
        };
        assert!(counts.contains(&alarmed), "{counts:?}");
        signer.stop().await;
    }

    // The alarm lasts even if the books catch up.
    for reference in ["d", "e", "f", "g"] {
        accept(older.as_ref(), reference, blinds(&KEYS[0], reference, 5)).await;
    }
    let signer = place.start(&older, local_signer()).await;
    within("connecting", remote.connected()).await;
    for reference in ["d", "e", "f", "g"] {
        assert!(disagrees(remote.sign(of(reference)).await));
    }
    assert_eq!(signer.counts.accept_ledger(id(&KEYS[0])).await.unwrap(), 30);
    // The count includes refused requests, and a lost transaction may be accepted again.
    for reference in ["a", "new", "d", "e", "f", "g", "a"] {
        assert_eq!(
            remote.sign(of(reference)).await,
            Ok(sign_each(&of(reference))),
            "{reference}"
        );
    }
    assert!(
        remote
            .sign(accept(older.as_ref(), "b", blinds(&KEYS[0], "b", 5)).await)
            .await
            .is_ok()
    );
    assert_eq!(signed(&signer).await, [30, 2 - 1]);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_numbers_under_a_signed_reference_are_counted_again() {
    let place = Place::new();
    let remote = place.remote();
    let honest = books_with(&["a"]).await;
    let signer = place.start(&honest, local_signer()).await;
    within("connecting", remote.connected()).await;
    assert!(
        remote
            .sign(crate::support::request("a", blinds(&KEYS[0], "a", 5)))
            .await
            .is_ok()
    );
    signer.stop().await;

    let transactions = books().await;
    let exchanged = accept(transactions.as_ref(), "a", blinds(&KEYS[0], "exchanged", 5)).await;
    let forged: Arc<dyn Ledger> = Arc::new(TwoBooks {
        transactions: Ok(transactions),
        counters: Ok(honest),
    });
    let signer = place.start(&forged, local_signer()).await;
    within("connecting", remote.connected()).await;
    assert!(disagrees(remote.sign(exchanged).await));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_key_signs_nothing_and_keeps_its_count() {
    let (place, ledger) = (Place::new(), books_with(&["a"]).await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let accepted = crate::support::request("a", blinds(&KEYS[0], "a", 5));
    assert!(remote.sign(accepted.clone()).await.is_ok());
    signer.counts.forget(id(&KEYS[0])).await.unwrap();
    let gone = SignError::UnknownKey(KEYS[0].public_key().id().clone());
    assert_eq!(remote.sign(accepted.clone()).await, Err(gone.clone()));
    let count = KeyCount {
        id: id(&KEYS[0]),
        signed: 5,
        is_alarmed: false,
        is_forgotten: true,
    };
    assert_eq!(signer.counts.counts().await.unwrap(), [count]);
    signer.stop().await;
    let signer = place.start(&ledger, local_signer()).await;
    within("connecting", remote.connected()).await;
    assert_eq!(remote.sign(accepted).await, Err(gone));
    signer.stop().await;
}

#[tokio::test]
async fn a_missing_or_malformed_file_is_refused_with_its_name() {
    let (place, ledger) = (Place::new(), books().await);
    let path = place.path("counts.sqlite");
    let open = async |mode| SignedCounts::open(&path, mode, Arc::clone(&ledger)).await;
    let missing = open(CountsMode::Existing).await.err().unwrap();
    assert!(
        matches!(&missing, CountsError::Missing(named) if *named == path),
        "{missing}"
    );
    assert!(!exists(&path));
    open(CountsMode::Create).await.unwrap().close().await;
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    open(CountsMode::Existing).await.unwrap().close().await;
    std::fs::write(&path, "this is no database, whatever its name says").unwrap();
    let damaged = open(CountsMode::Existing).await.err().unwrap();
    assert!(matches!(damaged, CountsError::Database(_)), "{damaged}");
    let unknown = id(&KEYS[0]);
    std::fs::remove_file(&path).unwrap();
    let empty: Arc<dyn Ledger> = Arc::new(opencoin_ledger::MemoryLedger::new());
    let counts = SignedCounts::open(&path, CountsMode::Create, empty)
        .await
        .unwrap();
    assert!(
        matches!(counts.accept_ledger(unknown).await, Err(CountsError::UnknownKey(key)) if key == unknown)
    );
    assert!(counts.counts().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_if_half_of_the_books_does_not_answer() {
    let (place, ledger) = (Place::new(), books().await);
    let accepted = accept(ledger.as_ref(), "a", blinds(&KEYS[0], "a", 5)).await;
    let remote = place.remote();
    let cases: [(Books, Books); 2] = [
        (Ok(Arc::clone(&ledger)), Err(away)),
        (Err(away), Ok(Arc::clone(&ledger))),
    ];
    for (transactions, counters) in cases {
        let half_away: Arc<dyn Ledger> = Arc::new(TwoBooks {
            transactions,
            counters,
        });
        let signer = place.start(&half_away, local_signer()).await;
        within("connecting", remote.connected()).await;
        assert_eq!(
            within("books that are away", remote.sign(accepted.clone())).await,
            Err(SignError::Unavailable)
        );
        assert!(signer.counts.counts().await.unwrap().is_empty());
        signer.stop().await;
    }
    let signer = place.start(&ledger, local_signer()).await;
    within("connecting", remote.connected()).await;
    signer.counts.close().await;
    assert_eq!(
        within("no counts", remote.sign(accepted)).await,
        Err(SignError::Unavailable)
    );
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_can_no_longer_count_stops() {
    let (place, ledger) = (Place::new(), books_with(&["a"]).await);
    let panicking: Arc<dyn Ledger> = Arc::new(TwoBooks {
        transactions: Ok(ledger),
        counters: Err(|| panic!("by the test")),
    });
    let signer = place.start(&panicking, local_signer()).await;
    let remote = place.connected_remote().await;
    let accepted = crate::support::request("a", blinds(&KEYS[0], "a", 5));
    assert_eq!(
        within("signing", remote.sign(accepted)).await,
        Err(SignError::Unavailable)
    );
    within("stopping", signer.ended()).await;
}
