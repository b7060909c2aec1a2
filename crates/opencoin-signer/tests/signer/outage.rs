//! Outages of the signer, and clients that cancel or hang up.

use std::sync::Arc;
use std::time::Duration;

use opencoin_crypto::{SignError, Signer};

use crate::support::{
    Gated, KEYS, OPTIONS, Place, accept, blinds, books, eventually, local_signer, sign_each, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_fail_during_an_outage_and_work_afterwards() {
    let (place, ledger) = (Place::new(), books().await);
    let accepted = accept(ledger.as_ref(), "outage", blinds(&KEYS[0], "outage", 3)).await;
    let remote = place.remote();
    assert_eq!(
        remote.sign(accepted.clone()).await,
        Err(SignError::Unavailable),
        "it was never up"
    );
    for _ in 0..3 {
        let signer = place.start(&ledger, local_signer()).await;
        within("connecting", remote.connected()).await;
        assert_eq!(
            within("signing", remote.sign(accepted.clone())).await,
            Ok(sign_each(&accepted))
        );
        signer.abort().await;
        eventually("the outage is noticed", || !remote.is_connected()).await;
        assert_eq!(
            within("an outage", remote.sign(accepted.clone())).await,
            Err(SignError::Unavailable)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_requests_fail_when_the_signer_dies() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let signer = place.start(&ledger, engine.clone()).await;
    let remote = place.connected_remote().await;
    let mut callers = Vec::new();
    for caller in 0..10 {
        let reference = format!("caller {caller}");
        let accepted = accept(ledger.as_ref(), &reference, blinds(&KEYS[0], &reference, 1)).await;
        let remote = Arc::clone(&remote);
        callers.push(tokio::spawn(async move { remote.sign(accepted).await }));
    }
    eventually("all are being signed", || engine.begun() == 10).await;
    signer.abort().await;
    for caller in callers {
        assert_eq!(
            within("an outage", caller).await.unwrap(),
            Err(SignError::Unavailable)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_running_requests() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let mut signer = place.start(&ledger, engine.clone()).await;
    let remote = place.connected_remote().await;
    let accepted = accept(ledger.as_ref(), "begun", blinds(&KEYS[0], "begun", 2)).await;
    let begun = tokio::spawn({
        let (remote, accepted) = (Arc::clone(&remote), accepted.clone());
        async move { remote.sign(accepted).await }
    });
    eventually("it is being signed", || engine.begun() == 1).await;
    signer.tell_to_stop();
    eventually("nobody new is let in", || !place.socket().exists()).await;
    engine.open();
    assert_eq!(
        within("finishing", begun).await.unwrap(),
        Ok(sign_each(&accepted))
    );
    within("stopping", signer.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_request_is_not_signed_and_does_not_affect_others() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let signer = place.start(&ledger, engine.clone()).await;
    let remote = place.connected_remote().await;
    let kept = accept(ledger.as_ref(), "kept", blinds(&KEYS[0], "kept", 2)).await;
    let dropped = accept(ledger.as_ref(), "dropped", blinds(&KEYS[0], "dropped", 2)).await;
    let ask = |accepted| {
        let remote = Arc::clone(&remote);
        tokio::spawn(async move { remote.sign(accepted).await })
    };
    let (waiting, leaving) = (ask(kept.clone()), ask(dropped.clone()));
    eventually("both are being signed", || engine.begun() == 2).await;
    leaving.abort();
    eventually("one was dropped", || engine.dropped() == 1).await;
    engine.open();
    assert_eq!(within("signing", waiting).await.unwrap(), Ok(sign_each(&kept)));
    // It is counted already and can be requested again.
    assert_eq!(
        within("signing", remote.sign(dropped.clone())).await,
        Ok(sign_each(&dropped))
    );
    assert_eq!(signer.counts.counts().await.unwrap()[0].signed, 4);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_for_a_client_that_hangs_up() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let signer = place.start(&ledger, engine.clone()).await;
    let remote = place.connected_remote().await;
    let accepted = accept(ledger.as_ref(), "gone", blinds(&KEYS[0], "gone", 2)).await;
    let asking = tokio::spawn({
        let (remote, accepted) = (Arc::clone(&remote), accepted);
        async move { remote.sign(accepted).await }
    });
    eventually("it is being signed", || engine.begun() == 1).await;
    asking.abort();
    drop(remote);
    eventually("it was dropped", || engine.dropped() == 1).await;
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_a_time_limit() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let signer = place.start(&ledger, engine.clone()).await;
    let options = opencoin_signer::RemoteSignerOptions {
        request_duration_max: Duration::from_millis(50),
        ..OPTIONS
    };
    let remote = place.remote_with(options);
    within("connecting", remote.connected()).await;
    let accepted = accept(ledger.as_ref(), "slow", blinds(&KEYS[0], "slow", 1)).await;
    assert_eq!(
        within("a slow signer", remote.sign(accepted)).await,
        Err(SignError::Unavailable)
    );
    eventually("it is not signed any more", || engine.begun() == engine.dropped()).await;
    assert!(remote.is_connected(), "the connection is not affected");
    signer.stop().await;
}
