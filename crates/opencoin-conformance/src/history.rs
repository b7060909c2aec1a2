//! Rules of the history of books and of their position in it.

use std::sync::Arc;

use crate::Store;
use crate::access::{by_password, password};
use crate::world::*;
use crate::{Pair, assert_books_hold};
use opencoin_ledger::{
    ActionKind, Command, Continuation, HISTORY_ID_BYTES, History, HistoryId, LedgerTime, PayoutFilter,
    PayoutNo, StartCodeHash, TransactionNo,
};

/// A store reports its position, and an accepted state starts a new history and never reuses numbers. `store`
/// must be empty, and nobody else may use it.
///
/// # Panics
/// A rule is broken.
pub async fn books_tell_their_history<S: Store + History + Clone + 'static>(store: S) {
    let empty = store.position(Some(TransactionNo::new(1))).await.unwrap();
    assert!(empty.is_confirmed);
    assert_eq!(
        (empty.mark.newest, empty.asked, empty.earlier.len()),
        (None, None, 0)
    );
    let pair: Pair = [Arc::new(store.clone()), Arc::new(store.clone())];
    let _world = World::with_paid_in(&pair, 100).await;

    let before = store.position(None).await.unwrap().mark;
    let entry = before.newest.expect("the commands above left entries");
    let pause = Command::SetSigningPaused {
        paused: true,
        at: LedgerTime::from_unix_micros(150),
    };
    store.apply(&[pause]).await.unwrap()[0].as_ref().unwrap();
    let after = store.position(Some(entry.no)).await.unwrap();
    assert_eq!(after.asked, Some(entry.digest), "entries do not change");
    assert!(after.mark.newest.unwrap().no > entry.no);
    assert_eq!(after.since(&before), Ok(Continuation::Ahead));
    assert_eq!(after.since(&empty.mark), Ok(Continuation::Ahead));
    let missing = TransactionNo::new(after.mark.newest.unwrap().no.get() + 1);
    assert_eq!(store.position(Some(missing)).await.unwrap().asked, None);

    let new = HistoryId::new([7; HISTORY_ID_BYTES]);
    store
        .accounts()
        .set_password(alice(), &password("first"), by_operator())
        .await
        .unwrap();
    let session = by_password(1, 160);
    assert!(store.accounts().open_session(&session).await.unwrap());
    let (code, issued) = (
        StartCodeHash::new("code".to_owned()),
        action(ActionKind::IssueStartCode, "alice"),
    );
    let expires = LedgerTime::from_unix_micros(1000);
    let accounts = store.accounts();
    let kept = accounts.set_start_code(alice(), &code, expires, &issued);
    assert!(kept.await.unwrap());
    let above = TransactionNo::new(missing.get() + 1000);
    store
        .accept(new, above, LedgerTime::from_unix_micros(160))
        .await
        .unwrap();
    let accepted = store.position(Some(missing)).await.unwrap();
    assert_eq!((accepted.mark.history, accepted.is_confirmed), (new, true));
    assert_eq!(accepted.earlier, [before.history]);
    assert_eq!(accepted.since(&after.mark), Ok(Continuation::Accepted));
    assert!(
        !store.accounts().end_session(&session.token).await.unwrap(),
        "sessions end, because the older state may contain sessions that had ended"
    );
    let at = LedgerTime::from_unix_micros(161);
    assert_eq!(
        store.accounts().start_code(alice(), at).await.unwrap(),
        None,
        "so do start codes, which may have been used"
    );

    assert_eq!(
        accepted.mark.newest.map(|entry| entry.no.get()),
        Some(above.get() + 1)
    );
    let [asked, paid] = [payout(alice(), 7, "k"), paid(above.get() + 1, "statement")];
    assert!(
        store
            .apply(&[asked, paid])
            .await
            .unwrap()
            .iter()
            .all(Result::is_ok),
        "the numbers of payouts are above it too"
    );
    assert_eq!(
        store
            .position(None)
            .await
            .unwrap()
            .mark
            .newest
            .map(|entry| entry.no.get()),
        Some(above.get() + 3)
    );
    let lower = (TransactionNo::new(1), HistoryId::new([8; HISTORY_ID_BYTES]));
    store
        .accept(lower.1, lower.0, LedgerTime::from_unix_micros(170))
        .await
        .unwrap();
    assert!(
        store.position(None).await.unwrap().mark.newest.unwrap().no.get() > above.get() + 3,
        "numbers never go back"
    );
    let outcomes = store.apply(&[payout(alice(), 8, "l")]).await.unwrap();
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    let payouts = store
        .accounts()
        .payouts(PayoutFilter::All, PayoutNo::new(above.get() + 1), 2)
        .await
        .unwrap();
    assert!(payouts.len() == 1, "{payouts:?}");
    assert_books_hold(&pair).await;
}
