//! The signing engine, with real keys.

use std::num::NonZeroUsize;
use std::sync::Arc;

use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, CipherSuite, LocalSigner, LocalSignerOptions, PrivateKey, SignError, Signer,
};
use opencoin_schema::BigInt;

use crate::support::{MINT_KEY, SMALL_KEY, blinding_seed, number, payload, sign_blind};

fn copy(key: &PrivateKey) -> PrivateKey {
    PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap()
}

fn signer(blinds_queued_max: usize) -> Arc<dyn Signer> {
    let options = LocalSignerOptions {
        threads: NonZeroUsize::new(2).unwrap(),
        blinds_queued_max,
    };
    Arc::new(LocalSigner::start([copy(&MINT_KEY), copy(&SMALL_KEY)], options).unwrap())
}

fn blind(key: &PrivateKey, blinded: BigInt) -> BlindToSign {
    BlindToSign {
        mint_key_id: key.public_key().id().clone(),
        blinded,
    }
}

fn accepted(blinds: Vec<BlindToSign>) -> AcceptedBlinds {
    AcceptedBlinds {
        transaction_reference: vec![1],
        blinds: blinds.into(),
    }
}

#[tokio::test]
async fn keys_can_be_added_and_dropped_at_run_time() {
    let key = crate::support::key(1024, 5);
    let signer = LocalSigner::start([], LocalSignerOptions::default()).unwrap();
    let blinds = || accepted(vec![blind(&key, number("2"))]);
    let unknown = SignError::UnknownKey(key.public_key().id().clone());
    assert_eq!(signer.sign(blinds()).await, Err(unknown.clone()));
    signer.change_keys([copy(&key)], |_| true);
    assert!(signer.sign(blinds()).await.is_ok());
    signer.change_keys([], |id| id != key.public_key().id());
    assert_eq!(signer.sign(blinds()).await, Err(unknown));
}

#[tokio::test]
async fn signatures_of_several_keys_come_in_the_order_of_the_blinds() {
    let signer = signer(100);
    let suite = CipherSuite::RsaSha256PssChaum82;
    let mut blinds = Vec::new();
    let mut expected = Vec::new();
    for index in 0..30_u8 {
        let key = if index % 3 == 0 { &*MINT_KEY } else { &*SMALL_KEY };
        let payload = payload(&[index]);
        let (blinded, unblinder) = suite
            .blind(key.public_key(), &payload, &blinding_seed(index.into()))
            .unwrap();
        blinds.push(blind(key, blinded));
        expected.push((key, payload, unblinder));
    }
    let signatures = signer.sign(accepted(blinds.clone())).await.unwrap();
    assert_eq!(signatures.len(), 30);
    for ((key, payload, unblinder), signature) in expected.iter().zip(&signatures) {
        let coin = suite.finish(key.public_key(), payload, signature, unblinder);
        assert!(coin.is_ok());
    }
    // Signing again, as after a crash or a lost answer, gives the same.
    assert_eq!(signer.sign(accepted(blinds)).await, Ok(signatures));
}

#[tokio::test]
async fn one_invalid_blind_refuses_the_whole_request() {
    let signer = signer(4);
    let good = || blind(&MINT_KEY, number("2"));
    let with = |bad| signer.sign(accepted(vec![good(), bad]));
    let unknown = BlindToSign {
        mint_key_id: number("abc"),
        blinded: number("2"),
    };
    assert_eq!(with(unknown).await, Err(SignError::UnknownKey(number("abc"))));
    let modulus = MINT_KEY.public_key().document().modulus.clone();
    for blinded in [number("0"), number("1"), modulus] {
        let signed = with(blind(&MINT_KEY, blinded)).await;
        assert_eq!(signed, Err(SignError::OutOfRange { index: 1 }));
    }
    assert_eq!(signer.sign(accepted(vec![good(); 5])).await, Err(SignError::Busy));
    let signatures = signer.sign(accepted(vec![good(); 4])).await.unwrap();
    assert_eq!(signatures.len(), 4);
    assert_eq!(signer.sign(accepted(Vec::new())).await, Ok(Vec::new()));
}

#[tokio::test]
async fn concurrent_callers_get_their_own_signatures() {
    let signer = signer(10_000);
    let callers = (2..40_u8).map(|caller| {
        let signer = Arc::clone(&signer);
        tokio::spawn(async move {
            let blinds = (1..=caller)
                .map(|count| blind(&SMALL_KEY, BigInt::from_be_bytes(&[caller, count])))
                .collect();
            (caller, signer.sign(accepted(blinds)).await.unwrap())
        })
    });
    for task in callers.collect::<Vec<_>>() {
        let (caller, signatures) = task.await.unwrap();
        for (count, signature) in (1_u8..).zip(&signatures) {
            let blinded = BigInt::from_be_bytes(&[caller, count]);
            assert_eq!(*signature, sign_blind(&SMALL_KEY, &blinded));
        }
        assert_eq!(signatures.len(), usize::from(caller));
    }
}
