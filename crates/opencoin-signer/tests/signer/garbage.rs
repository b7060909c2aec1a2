//! Each side against a peer that sends arbitrary bytes. It must not hang, return a wrong signature or affect other
//! connections.

use std::num::NonZeroUsize;
use std::time::Duration;

use opencoin_crypto::{AcceptedBlinds, SignError, Signer};
use opencoin_signer::RemoteSignerOptions;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::support::{
    KEYS, OPTIONS, Place, accept, blinds, books, eventually, local_signer, request, sign_each, within,
};

const SEEDS: u64 = 150;
const GREETING: &[u8] = b"OCSIGN\0\x01";
/// Kinds of messages in the protocol.
const SIGN: u8 = 1;
const SIGNED: u8 = 1;

fn below(rng: &mut ChaCha20Rng, bound: u32) -> u32 {
    rng.next_u32() % bound
}

fn random(rng: &mut ChaCha20Rng, length_max: u32) -> Vec<u8> {
    let mut bytes = vec![0; below(rng, length_max) as usize];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn frame(content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// A valid request.
fn good_request(number: u64, accepted: &AcceptedBlinds) -> Vec<u8> {
    let count = u32::try_from(accepted.blinds.len()).unwrap();
    [
        &[SIGN][..],
        &number.to_be_bytes(),
        &count.to_be_bytes(),
        &accepted.transaction_reference,
    ]
    .concat()
}

/// A valid answer with signatures.
fn good_answer(number: u64, accepted: &AcceptedBlinds) -> Vec<u8> {
    let count = u32::try_from(accepted.blinds.len()).unwrap();
    let mut bytes = [&[SIGNED][..], &number.to_be_bytes(), &count.to_be_bytes()].concat();
    for signature in sign_each(accepted) {
        let signature = signature.as_be_bytes();
        bytes.extend_from_slice(&u16::try_from(signature.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(signature);
    }
    bytes
}

/// Bytes that a broken or malicious peer might send in place of `good`.
fn damaged(rng: &mut ChaCha20Rng, good: &[u8]) -> Vec<u8> {
    let mut bytes = frame(good);
    match below(rng, 6) {
        0 => random(rng, 300),
        1 => frame(&random(rng, 300)),
        2 => bytes[..below(rng, bytes.len() as u32) as usize].to_vec(),
        3 => {
            let at = below(rng, bytes.len() as u32) as usize;
            bytes[at] ^= 1 << below(rng, 8);
            bytes
        }
        4 => [&bytes[..], &random(rng, 40)].concat(),
        _ => (rng.next_u32() | 1 << 31).to_be_bytes().to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_survives_any_bytes() {
    let (place, ledger) = (Place::new(), books().await);
    let signer = place.start(&ledger, local_signer()).await;
    let remote = place.connected_remote().await;
    let accepted = accept(ledger.as_ref(), "good", blinds(&KEYS[0], "good", 2)).await;
    let signatures = sign_each(&accepted);
    for seed in 0..SEEDS {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut peer = UnixStream::connect(place.socket()).await.unwrap();
        let greeting = if seed % 5 == 0 {
            random(&mut rng, 20)
        } else {
            GREETING.to_vec()
        };
        let mut bytes = greeting;
        for number in 0..below(&mut rng, 4).into() {
            bytes.extend_from_slice(&frame(&good_request(number, &accepted)));
        }
        bytes.extend_from_slice(&damaged(&mut rng, &good_request(9, &accepted)));
        // The signer may close the connection during the write.
        let _ = peer.write_all(&bytes).await;
        if seed % 2 == 0 {
            let _ = peer.shutdown().await;
            let _ = within("reading what it says", peer.read_to_end(&mut Vec::new())).await;
        }
        drop(peer);
        assert_eq!(
            within("signing", remote.sign(accepted.clone())).await,
            Ok(signatures.clone()),
            "seed {seed}"
        );
    }
    assert!(remote.is_connected());
    assert_eq!(signer.counts.counts().await.unwrap()[0].signed, 2);
    signer.stop().await;
}

/// Answers each request with damaged bytes or not at all.
async fn broken_signer(listener: UnixListener, accepted: AcceptedBlinds) {
    for seed in 0.. {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        if seed % 7 == 0 {
            let _ = peer.write_all(&random(&mut rng, 20)).await;
            continue;
        }
        peer.write_all(GREETING).await.unwrap();
        let Some(number) = request_number(&mut peer).await else {
            continue;
        };
        let answer = good_answer(number, &accepted);
        let _ = peer.write_all(&damaged(&mut rng, &answer)).await;
        if seed % 3 == 0 {
            // The rest never comes; the client has to give up.
            let _ = peer.read_to_end(&mut Vec::new()).await;
        }
    }
}

/// Reads the number of the first request, after the greeting and pings; `None` when the client has hung up.
async fn request_number(peer: &mut UnixStream) -> Option<u64> {
    peer.read_exact(&mut [0; GREETING.len()]).await.ok()?;
    loop {
        let mut content = vec![0; peer.read_u32().await.ok()? as usize];
        peer.read_exact(&mut content).await.ok()?;
        if content[0] == SIGN {
            return Some(u64::from_be_bytes(content[1..9].try_into().unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_survives_any_answer() {
    let place = Place::new();
    let accepted = request("any", blinds(&KEYS[0], "any", 2));
    let signatures = sign_each(&accepted);
    let listener = UnixListener::bind(place.socket()).unwrap();
    let broken = tokio::spawn(broken_signer(listener, accepted.clone()));
    let options = RemoteSignerOptions {
        connections: NonZeroUsize::MIN,
        request_duration_max: Duration::from_millis(100),
        silence_duration_max: Duration::from_millis(40),
        reconnect_pause: Duration::from_millis(1),
        ..OPTIONS
    };
    let remote = place.remote_with(options);
    let mut signed = 0;
    for _ in 0..SEEDS {
        within("connecting", remote.connected()).await;
        if let Ok(given) = within("a broken signer", remote.sign(accepted.clone())).await {
            assert_eq!(given, signatures);
            signed += 1;
        }
    }
    assert!(signed > 0, "bytes after a whole answer do not affect it");
    broken.abort();
    let _ = broken.await;
    eventually("it is noticed", || !remote.is_connected()).await;
    assert_eq!(
        within("nobody there", remote.sign(accepted)).await,
        Err(SignError::Unavailable)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_refused() {
    let place = Place::new();
    let accepted = request("half", blinds(&KEYS[0], "half", 2));
    let listener = UnixListener::bind(place.socket()).unwrap();
    let options = RemoteSignerOptions {
        connections: NonZeroUsize::MIN,
        silence_duration_max: Duration::from_millis(200),
        ..OPTIONS
    };
    let remote = place.remote_with(options);
    for round in 0..2 {
        let (mut peer, _) = within("connecting", listener.accept()).await.unwrap();
        peer.write_all(GREETING).await.unwrap();
        within("connecting", remote.connected()).await;
        let half = async {
            let bytes = frame(&good_answer(round, &accepted));
            peer.write_all(&bytes[..bytes.len() / 2]).await.unwrap();
            if round == 0 {
                drop(peer);
            } else {
                // The connection stays open.
                let _ = peer.read_to_end(&mut Vec::new()).await;
            }
        };
        let (signed, ()) = within("half an answer", async {
            tokio::join!(remote.sign(accepted.clone()), half)
        })
        .await;
        assert_eq!(signed, Err(SignError::Unavailable));
        eventually("it is noticed", || !remote.is_connected()).await;
    }
}
