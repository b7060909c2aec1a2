//! More requests than the limits allow.

use std::sync::Arc;

use opencoin_crypto::{SignError, Signer};
use opencoin_signer::{Listener, RemoteSigner, RemoteSignerOptions, SOCKET_MODE, SignerServerOptions};

use crate::support::{
    Gated, KEYS, OPTIONS, Place, Running, accept, blinds, books, eventually, sign_each, within,
};

/// Requests up to a limit, after which the next request is refused at once. Later it is signed.
async fn overload(remote_max: usize, server_max: usize) {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    let listener = Listener::unix(&place.socket(), SOCKET_MODE).unwrap();
    let options = SignerServerOptions {
        blinds_in_hand_max: server_max,
    };
    let signer = Running::start(
        listener,
        &ledger,
        engine.clone(),
        place.counts(&ledger).await,
        options,
    );
    let remote = Arc::new(place.remote_with(RemoteSignerOptions {
        blinds_in_flight_max: remote_max,
        ..OPTIONS
    }));
    within("connecting", remote.connected()).await;
    let mut waiting = Vec::new();
    for index in 0..4 {
        let reference = format!("waiting {index}");
        let accepted = accept(ledger.as_ref(), &reference, blinds(&KEYS[0], &reference, 250)).await;
        let ask =
            |remote: Arc<RemoteSigner>, accepted| tokio::spawn(async move { remote.sign(accepted).await });
        waiting.push((ask(Arc::clone(&remote), accepted.clone()), accepted));
        eventually("it is being signed", || engine.begun() == index + 1).await;
    }
    let accepted = accept(ledger.as_ref(), "more", blinds(&KEYS[0], "more", 1)).await;
    for _ in 0..100 {
        assert_eq!(
            within("an overload", remote.sign(accepted.clone())).await,
            Err(SignError::Busy)
        );
    }
    engine.open();
    for (waiting, accepted) in waiting {
        assert_eq!(
            within("signing", waiting).await.unwrap(),
            Ok(sign_each(&accepted))
        );
    }
    // The room is released a moment after the answer.
    let mut signed = Err(SignError::Busy);
    while signed == Err(SignError::Busy) {
        signed = within("recovering", remote.sign(accepted.clone())).await;
    }
    assert_eq!(signed, Ok(sign_each(&accepted)));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_limits_its_running_blinds() {
    overload(1000, 4000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_limits_its_running_blinds() {
    overload(4000, 1000).await;
}
