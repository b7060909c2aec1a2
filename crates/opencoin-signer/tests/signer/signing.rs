//! Which requests are signed.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_crypto::{AcceptedBlinds, BlindToSign, KEY_BITS_MAX, PublicKey, SignError, Signer};
use opencoin_ledger::{Command, StopReason};
use opencoin_schema::{BigInt, RsaPublicKey};
use opencoin_signer::{
    BLINDS_MAX, Endpoint, ListenError, Listener, RemoteSigner, SOCKET_MODE, SignerServer, SignerServerOptions,
};

use crate::support::{
    Gated, KEYS, NOW, OPTIONS, Place, accept, apply, blinds, books, id, key, local_signer, registration,
    request, sign_each, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn accepted_blinds_are_signed_in_their_order_and_again() {
    let (place, ledger) = (Place::new(), books().await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let mut mixed = blinds(&KEYS[0], "mixed", 20);
    mixed.extend(blinds(&KEYS[1], "mixed", 20));
    mixed.swap(3, 33);
    let accepted = accept(ledger.as_ref(), "mixed", mixed).await;
    let signatures = sign_each(&accepted);
    for _ in 0..2 {
        assert_eq!(
            within("signing", remote.sign(accepted.clone())).await,
            Ok(signatures.clone())
        );
    }
    assert_eq!(remote.sign(request("nothing", Vec::new())).await, Ok(Vec::new()));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_callers_gets_its_own_signatures() {
    let (place, ledger) = (Place::new(), books().await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let mut callers = Vec::new();
    for caller in 0..60 {
        let reference = format!("caller {caller}");
        let accepted = accept(
            ledger.as_ref(),
            &reference,
            blinds(&KEYS[caller % 2], &reference, 1 + caller % 7),
        )
        .await;
        let remote = Arc::clone(&remote);
        callers.push(tokio::spawn(async move {
            (remote.sign(accepted.clone()).await, sign_each(&accepted))
        }));
    }
    for caller in callers {
        let (signed, expected) = within("signing", caller).await.unwrap();
        assert_eq!(signed, Ok(expected));
    }
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_accepted_blinds_are_signed() {
    let (place, ledger) = (Place::new(), books().await);
    let engine = Gated::closed();
    engine.open();
    let signer = place.start(&ledger, engine.clone()).await;
    let remote = place.connected_remote().await;
    let sign = async |request| within("refusing", remote.sign(request)).await;

    let not_accepted = |result| matches!(result, Err(SignError::NotAccepted(_)));
    assert!(not_accepted(
        sign(request("unknown", blinds(&KEYS[0], "unknown", 1))).await
    ));
    assert!(not_accepted(sign(request("", blinds(&KEYS[0], "", 1))).await));
    assert!(not_accepted(
        sign(request("too many", blinds(&KEYS[0], "too many", BLINDS_MAX + 1))).await
    ));

    let accepted = accept(ledger.as_ref(), "accepted", blinds(&KEYS[0], "accepted", 2)).await;
    let fewer = request("accepted", accepted.blinds[..1].to_vec());
    assert!(not_accepted(sign(fewer).await));
    assert_eq!(engine.begun(), 0, "none of these was signed");
    // With other numbers the signer signs those in the books, and the client refuses the signatures.
    assert_eq!(
        sign(request("accepted", blinds(&KEYS[0], "other", 2))).await,
        Err(SignError::Failed)
    );
    assert!(sign(accepted).await.is_ok());
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_key_and_a_pause_prevent_signing() {
    let (place, ledger) = (Place::new(), books().await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let [first, second] = [0, 1].map(|index| (format!("key {index}"), &KEYS[index]));
    let first = accept(ledger.as_ref(), &first.0, blinds(first.1, &first.0, 1)).await;
    let second = accept(ledger.as_ref(), &second.0, blinds(second.1, &second.0, 1)).await;
    let apply = |command| apply(ledger.as_ref(), command);

    apply(Command::SetSigningPaused {
        paused: true,
        at: NOW,
    })
    .await;
    assert_eq!(remote.sign(first.clone()).await, Err(SignError::Unavailable));
    apply(Command::SetSigningPaused {
        paused: false,
        at: NOW,
    })
    .await;
    apply(Command::StopMintKey {
        id: id(&KEYS[0]),
        reason: StopReason::new("stolen").unwrap(),
        at: NOW,
    })
    .await;
    let stopped = remote.sign(first).await;
    assert!(
        matches!(&stopped, Err(SignError::NotAccepted(reason)) if reason.contains("stopped")),
        "{stopped:?}"
    );
    assert!(remote.sign(second).await.is_ok());
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_numbers_are_checked_on_both_sides() {
    let (place, ledger) = (Place::new(), books().await);
    let (known, unknown) = (&KEYS[0], key(1024, 77));
    apply(ledger.as_ref(), registration(id(&unknown))).await;
    let zero = BlindToSign {
        mint_key_id: known.public_key().id().clone(),
        blinded: BigInt::default(),
    };
    let out_of_range = accept(
        ledger.as_ref(),
        "zero",
        vec![blinds(known, "one", 1).remove(0), zero],
    )
    .await;
    let of_unknown = accept(ledger.as_ref(), "unknown key", blinds(&unknown, "unknown key", 1)).await;
    let no_key = SignError::UnknownKey(unknown.public_key().id().clone());

    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    assert_eq!(
        remote.sign(out_of_range).await,
        Err(SignError::OutOfRange { index: 1 })
    );
    assert_eq!(remote.sign(of_unknown.clone()).await, Err(no_key.clone()));
    // The signer refuses the request of a client that skips the check.
    let lax = RemoteSigner::start(
        Endpoint::Unix(place.socket()),
        Arc::new(move |_: &BigInt| Some(unknown.public_key().clone())),
        OPTIONS,
    );
    within("connecting", lax.connected()).await;
    assert_eq!(lax.sign(of_unknown).await, Err(no_key));
    let zero = request("zero", blinds(known, "one", 2));
    assert_eq!(lax.sign(zero).await, Err(SignError::OutOfRange { index: 1 }));
    assert!(
        signer.counts.counts().await.unwrap().is_empty(),
        "none of these was counted"
    );
    signer.stop().await;
}

/// Returns prepared signatures, right or wrong.
struct PreparedSigner(HashMap<BigInt, BigInt>);

#[async_trait]
impl Signer for PreparedSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        Ok(accepted
            .blinds
            .iter()
            .filter_map(|blind| self.0.get(&blind.blinded).cloned())
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_is_not_returned() {
    let ledger = books().await;
    let accepted = accept(ledger.as_ref(), "lies", blinds(&KEYS[0], "lies", 3)).await;
    let right = sign_each(&accepted);
    let modulus = KEYS[0].public_key().document().modulus.clone();
    let lies: [Vec<BigInt>; 6] = [
        vec![right[1].clone(), right[0].clone(), right[2].clone()],
        vec![right[0].clone(), right[1].clone(), BigInt::default()],
        vec![right[0].clone(), right[1].clone(), modulus],
        vec![
            right[0].clone(),
            right[1].clone(),
            BigInt::from_be_bytes(&[0xff; 200]),
        ],
        vec![right[0].clone(), right[1].clone()],
        vec![
            right[0].clone(),
            right[1].clone(),
            accepted.blinds[2].blinded.clone(),
        ],
    ];
    for lie in lies {
        let place = Place::new();
        let told = accepted
            .blinds
            .iter()
            .map(|blind| blind.blinded.clone())
            .zip(lie)
            .collect();
        let signer = place.start(&ledger, Arc::new(PreparedSigner(told))).await;
        let remote = place.connected_remote().await;
        assert_eq!(
            within("a lie", remote.sign(accepted.clone())).await,
            Err(SignError::Failed)
        );
        signer.stop().await;
    }
}

/// A thousand signatures of the longest keys in one answer. The key has no private half: the test chooses the
/// signatures and computes their blinds.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_fits() {
    let (place, ledger) = (Place::new(), books().await);
    let document = RsaPublicKey {
        modulus: BigInt::from_be_bytes(&[0xff; KEY_BITS_MAX / 8]),
        public_exponent: 3,
    };
    let key = PublicKey::parse(&document).unwrap();
    let mint_key = opencoin_ledger::MintKeyId::from_be_bytes(key.id().as_be_bytes()).unwrap();
    apply(ledger.as_ref(), registration(mint_key)).await;
    let signed = |index: usize| {
        let mut signature = vec![0x7e; KEY_BITS_MAX / 8];
        signature[1..9].copy_from_slice(&(index as u64).to_be_bytes());
        (
            BigInt::from_be_bytes(&key.raw_public(&signature).unwrap()),
            BigInt::from_be_bytes(&signature),
        )
    };
    let (numbers, signatures): (Vec<_>, Vec<_>) = (0..BLINDS_MAX).map(signed).unzip();
    let to_sign = numbers.iter().map(|number| BlindToSign {
        mint_key_id: key.id().clone(),
        blinded: number.clone(),
    });
    let accepted = accept(ledger.as_ref(), "large", to_sign.collect()).await;

    let engine: Arc<dyn Signer> = Arc::new(PreparedSigner(
        numbers.into_iter().zip(signatures.clone()).collect(),
    ));
    let keys: opencoin_signer::PublicKeys =
        Arc::new(move |id: &BigInt| (id == key.id()).then(|| key.clone()));
    let listener = Listener::unix(&place.socket(), SOCKET_MODE).unwrap();
    let counts = place.counts(&ledger).await;
    let server = SignerServer::new(
        ledger,
        engine,
        Arc::clone(&keys),
        counts,
        SignerServerOptions::default(),
    );
    let serving = tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let remote = RemoteSigner::start(Endpoint::Unix(place.socket()), keys, OPTIONS);
    within("connecting", remote.connected()).await;
    assert_eq!(within("signing", remote.sign(accepted)).await, Ok(signatures));
    serving.abort();
}

#[tokio::test]
async fn a_socket_belongs_to_one_running_signer_and_its_user() {
    let place = Place::new();
    let mode = || place.socket().metadata().unwrap().permissions().mode() & 0o777;
    let first = Listener::unix(&place.socket(), SOCKET_MODE).unwrap();
    assert_eq!(mode(), 0o600);
    assert!(matches!(
        Listener::unix(&place.socket(), SOCKET_MODE),
        Err(ListenError::InUse(_))
    ));
    drop(first);
    assert!(!place.socket().exists(), "it cleans up");
    // The socket of a killed process is replaced.
    drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
    assert!(place.socket().exists());
    let second = Listener::unix(&place.socket(), 0o660).unwrap();
    assert_eq!(mode(), 0o660);
    drop(second);
    // The socket of a running program without the lock, and a file that is not a socket, are kept.
    let other = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    assert!(matches!(
        Listener::unix(&place.socket(), SOCKET_MODE),
        Err(ListenError::InUse(_))
    ));
    drop(other);
    std::fs::remove_file(place.socket()).unwrap();
    std::fs::write(place.socket(), "a file").unwrap();
    assert!(matches!(
        Listener::unix(&place.socket(), SOCKET_MODE),
        Err(ListenError::NoSocket(_))
    ));
    assert_eq!(std::fs::read(place.socket()).unwrap(), b"a file");
}
