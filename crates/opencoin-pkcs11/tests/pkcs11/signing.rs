//! Signatures.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use opencoin_crypto::{BlindingSeed, CipherSuite, KeyPrimes, KeyStore, SignError};
use opencoin_pkcs11::{TokenKeyStore, TokenOptions};
use opencoin_schema::BigInt;
use opencoin_testkit::softhsm::in_own_process;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::support::{BITS, accepted, are_signatures, blind, blinds, open, options, payload, wait};

#[test]
fn signatures_unblind_to_coins_in_both_suites() {
    in_own_process(|token| {
        let store = open(token);
        // Two keys, so that a request can have blinds for both; long enough for both suites.
        let keys = [
            store.generate(2048, KeyPrimes::Two).unwrap(),
            store.generate(2048, KeyPrimes::Two).unwrap(),
        ];
        let signer = store.signer().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for suite in CipherSuite::ALL {
            let mut coins = Vec::new();
            let mut request = Vec::new();
            for serial in 0..12 {
                let key = &keys[usize::from(serial % 2)];
                let payload = payload(key, serial);
                let (blinded, unblinder) = suite
                    .blind(key, &payload, &BlindingSeed::generate(&mut rng))
                    .unwrap();
                request.push(blind(key, blinded));
                coins.push((key, payload, unblinder));
            }
            let signatures = wait(signer.sign(accepted(request.clone()))).unwrap();
            for ((key, payload, unblinder), signature) in coins.iter().zip(&signatures) {
                let coin = suite.finish(key, payload, signature, unblinder).unwrap();
                assert!(suite.verify_coin(key, &coin).is_ok());
            }
            // A repeated request, as after a lost answer, gets the same signatures.
            assert_eq!(wait(signer.sign(accepted(request))), Ok(signatures));
        }
    });
}

#[test]
fn concurrent_callers_get_their_own_signatures() {
    in_own_process(|token| {
        let options = TokenOptions {
            sessions: NonZeroUsize::new(4).unwrap(),
            ..options(token)
        };
        let store = TokenKeyStore::open(options).unwrap();
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        wait(async {
            let local = tokio::task::LocalSet::new();
            let callers: Vec<_> = (0..32)
                .map(|count| {
                    let (signer, key) = (Arc::clone(&signer), key.clone());
                    local.spawn_local(async move {
                        let signatures = signer.sign(blinds(&key, count)).await.unwrap();
                        assert_eq!(signatures.len(), count);
                        assert!(are_signatures(&key, &signatures));
                    })
                })
                .collect();
            local.await;
            for caller in callers {
                caller.await.unwrap();
            }
        });
        // The store stays usable at the same time.
        assert_eq!(store.ids(), Ok(BTreeSet::from([key.id().clone()])));
    });
}

#[test]
fn a_request_larger_than_the_queue_is_refused_as_busy() {
    in_own_process(|token| {
        let options = TokenOptions {
            blinds_queued_max: 8,
            ..options(token)
        };
        let store = TokenKeyStore::open(options).unwrap();
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        assert_eq!(wait(signer.sign(blinds(&key, 9))), Err(SignError::Busy));
        assert!(are_signatures(&key, &wait(signer.sign(blinds(&key, 8))).unwrap()));
    });
}

#[test]
fn the_error_names_an_unknown_key_and_the_index_of_an_invalid_number() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        let number = |bytes: &[u8]| BigInt::from_be_bytes(bytes);
        for unfit in [number(&[]), number(&[1]), key.document().modulus.clone()] {
            let request = accepted(vec![blind(&key, number(&[2])), blind(&key, unfit)]);
            let signed = wait(signer.sign(request));
            assert_eq!(signed, Err(SignError::OutOfRange { index: 1 }));
        }
        let other = opencoin_testkit::keys::private_key("not in the token");
        let unknown = SignError::UnknownKey(other.public_key().id().clone());
        assert_eq!(wait(signer.sign(blinds(other.public_key(), 1))), Err(unknown));
    });
}

#[test]
fn a_refresh_loads_new_keys_and_drops_destroyed_ones() {
    in_own_process(|token| {
        let store = open(token);
        let signer = store.signer().unwrap();
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let unknown = || Err(SignError::UnknownKey(key.id().clone()));
        assert_eq!(wait(signer.sign(blinds(&key, 1))), unknown());
        signer.refresh().unwrap();
        assert!(wait(signer.sign(blinds(&key, 1))).is_ok());
        // Even without a refresh, a destroyed key is unknown, and other keys still sign.
        let other = store.generate(BITS, KeyPrimes::Two).unwrap();
        signer.refresh().unwrap();
        assert!(wait(signer.sign(blinds(&key, 5))).is_ok());
        store.destroy(key.id()).unwrap();
        assert_eq!(wait(signer.sign(blinds(&key, 1))), unknown());
        assert!(wait(signer.sign(blinds(&other, 1))).is_ok());
        signer.refresh().unwrap();
        assert_eq!(wait(signer.sign(blinds(&key, 1))), unknown());
    });
}

#[test]
fn the_engine_outlives_its_store() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        drop(store);
        assert!(are_signatures(&key, &wait(signer.sign(blinds(&key, 3))).unwrap()));
    });
}
