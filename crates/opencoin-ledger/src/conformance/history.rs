//! Books tell which they are and how far they have come.

use std::sync::Arc;

use super::Pair;
use super::world::*;
use crate::{Command, HISTORY_ID_BYTES, History, HistoryId, LedgerTime, Progress, Store, TransactionNo};

/// A store that holds no books yet and will hold them alone.
///
/// # Panics
/// It does not tell its history as it should.
pub async fn books_tell_their_history<S: Store + History + Clone + 'static>(store: S) {
    let empty = store.standing(Some(TransactionNo::new(1))).await.unwrap();
    assert!(empty.is_confirmed);
    assert_eq!((empty.mark.newest, empty.asked, empty.earlier.len()), (None, None, 0));
    let pair: Pair = [Arc::new(store.clone()), Arc::new(store.clone())];
    let _world = World::with_paid_in(&pair, 100).await;

    let before = store.standing(None).await.unwrap().mark;
    let entry = before.newest.expect("something happened");
    let pause = Command::SetSigningPaused { paused: true, at: LedgerTime::from_unix_micros(150) };
    store.apply(&[pause]).await.unwrap()[0].as_ref().unwrap();
    let after = store.standing(Some(entry.no)).await.unwrap();
    assert_eq!(after.asked, Some(entry.digest), "an entry stays what it is");
    assert!(after.mark.newest.unwrap().no > entry.no);
    assert_eq!(after.since(&before), Ok(Progress::Onward));
    assert_eq!(after.since(&empty.mark), Ok(Progress::Onward));
    let missing = TransactionNo::new(after.mark.newest.unwrap().no.get() + 1);
    assert_eq!(store.standing(Some(missing)).await.unwrap().asked, None);

    let new = HistoryId::new([7; HISTORY_ID_BYTES]);
    store.accept(new, LedgerTime::from_unix_micros(160)).await.unwrap();
    let accepted = store.standing(Some(missing)).await.unwrap();
    assert_eq!((accepted.mark.history, accepted.is_confirmed), (new, true));
    assert_eq!(accepted.earlier, [before.history]);
    assert_eq!(accepted.since(&after.mark), Ok(Progress::Accepted));
}
