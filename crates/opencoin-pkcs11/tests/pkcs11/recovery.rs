//! Tokens that go away and come back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cryptoki::types::AuthPin;
use opencoin_crypto::{KeyPrimes, KeyStore, KeyStoreError, PublicKey, SignError, Signer};
use opencoin_testkit::softhsm::{PIN, TestToken, in_own_process};

use crate::support::{BITS, Other, are_signatures, blinds, login, open, wait};

const PATIENCE: Duration = Duration::from_secs(20);
const OTHER_PIN: &str = "97531-other";

/// Repeats a request until it is signed. Until then every answer must be "not available".
fn sign_when_back(signer: &dyn Signer, key: &PublicKey) {
    let begun = Instant::now();
    loop {
        match wait(signer.sign(blinds(key, 6))) {
            Ok(signatures) => return assert!(are_signatures(key, &signatures)),
            Err(error) => assert_eq!(error, SignError::Unavailable),
        }
        assert!(begun.elapsed() < PATIENCE, "the token is not found again");
    }
}

/// A token that was removed, by renaming its folder.
struct Away {
    folder: PathBuf,
    elsewhere: PathBuf,
}

impl Away {
    fn take(token: &TestToken) -> Self {
        let folder = token.tokens_folder();
        let elsewhere = folder.with_extension("away");
        fs::rename(&folder, &elsewhere).unwrap();
        Self { folder, elsewhere }
    }

    fn put_back(self) {
        fs::rename(self.elsewhere, self.folder).unwrap();
    }
}

#[test]
fn a_removed_token_signs_again_when_it_is_back() {
    in_own_process(|token| {
        let store = open(token);
        let keys = [
            store.generate(BITS, KeyPrimes::Two).unwrap(),
            store.generate(BITS, KeyPrimes::Two).unwrap(),
        ];
        let signer = store.signer().unwrap();
        assert!(wait(signer.sign(blinds(&keys[0], 20))).is_ok());
        for _ in 0..3 {
            let away = Away::take(token);
            for _ in 0..10 {
                // The second key has not been used before, so the engine searches for its object only now.
                for key in &keys {
                    assert_eq!(wait(signer.sign(blinds(key, 6))), Err(SignError::Unavailable));
                }
            }
            assert!(signer.refresh().is_err());
            away.put_back();
            for key in &keys {
                sign_when_back(&*signer, key);
            }
        }
    });
}

#[test]
fn an_absent_token_is_not_mistaken_for_an_empty_one() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let away = Away::take(token);
        assert!(matches!(store.ids(), Err(KeyStoreError::Away(_))));
        assert!(matches!(store.destroy(key.id()), Err(KeyStoreError::Away(_))));
        assert!(matches!(
            store.generate(BITS, KeyPrimes::Two),
            Err(KeyStoreError::Away(_))
        ));
        away.put_back();
        let begun = Instant::now();
        while store.ids().is_err() {
            assert!(begun.elapsed() < PATIENCE, "the token is not found again");
        }
        assert_eq!(store.ids(), Ok(BTreeSet::from([key.id().clone()])));
    });
}

#[test]
fn requests_under_way_are_answered_when_the_token_goes_away() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (signer, key) = (Arc::clone(&signer), key.clone());
                std::thread::spawn(move || {
                    // Until the token is gone.
                    loop {
                        match wait(signer.sign(blinds(&key, 32))) {
                            Ok(signatures) => assert!(are_signatures(&key, &signatures)),
                            Err(error) => return error,
                        }
                    }
                })
            })
            .collect();
        let away = Away::take(token);
        for caller in callers {
            assert_eq!(caller.join().unwrap(), SignError::Unavailable);
        }
        away.put_back();
        sign_when_back(&*signer, &key);
    });
}

#[test]
fn the_engine_recovers_from_a_logout_and_from_the_end_of_the_module() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        sign_when_back(&*signer, &key);
        Other::new(token).session().logout().unwrap();
        assert_eq!(wait(signer.sign(blinds(&key, 1))), Err(SignError::Unavailable));
        sign_when_back(&*signer, &key);

        Other::new(token).pkcs11.finalize().unwrap();
        assert_eq!(wait(signer.sign(blinds(&key, 1))), Err(SignError::Unavailable));
        sign_when_back(&*signer, &key);
        assert_eq!(store.ids(), Ok(BTreeSet::from([key.id().clone()])));
    });
}

#[test]
fn attempts_to_connect_are_limited_by_the_retry_pause() {
    in_own_process(|token| {
        let mut options = crate::support::options(token);
        options.retry_pause = Duration::from_secs(3600);
        let store = opencoin_pkcs11::TokenKeyStore::open(options).unwrap();
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        Other::new(token).session().logout().unwrap();
        for _ in 0..5 {
            // The last attempt was less than an hour ago.
            assert_eq!(wait(signer.sign(blinds(&key, 1))), Err(SignError::Unavailable));
        }
        // This would fail if the engine had logged in.
        login(&Other::new(token).session(), PIN);
    });
}

#[test]
fn a_refused_pin_is_not_tried_again() {
    in_own_process(|token| {
        let log = Log::capture();
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let signer = store.signer().unwrap();
        let other = Other::new(token);
        let session = other.session();
        session
            .set_pin(&AuthPin::new(PIN.into()), &AuthPin::new(OTHER_PIN.into()))
            .unwrap();
        session.logout().unwrap();
        let begun = Instant::now();
        while !other.pin_was_refused() {
            assert_eq!(wait(signer.sign(blinds(&key, 1))), Err(SignError::Unavailable));
            assert!(begun.elapsed() < PATIENCE, "the engine does not log in again");
        }
        // The right PIN resets the token's flag, so that another wrong one would set it again.
        login(&session, OTHER_PIN);
        assert!(!other.pin_was_refused());
        session.logout().unwrap();
        for _ in 0..20 {
            assert_eq!(wait(signer.sign(blinds(&key, 1))), Err(SignError::Unavailable));
            assert!(matches!(store.ids(), Err(KeyStoreError::Unusable(_))));
        }
        assert!(!other.pin_was_refused());
        let log = log.text();
        let messages = log.matches("the token is not asked again until the next start");
        assert_eq!(messages.count(), 1, "{log}");
        assert!(!log.contains(PIN), "{log}");
    });
}

/// The log of this process, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false);
        subscriber.with_writer(move || writer.clone()).init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
