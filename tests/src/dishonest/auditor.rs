//! An auditor that cosigns what it is told to, without a look at it.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::http::{self, Answer};
use super::{now_s, url_of};

/// An auditor in a thread, which ends with the test program.
pub struct DishonestAuditor {
    key: SigningKey,
    url: String,
    shown: Arc<Mutex<Option<String>>>,
}

impl DishonestAuditor {
    /// An auditor that has cosigned nothing yet. Its key is made from the number.
    #[must_use]
    pub fn start(number: u8) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let name = format!("auditor.example/d{number}").parse().unwrap();
        let key = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[number; 32].into());
        let shown: Arc<Mutex<Option<String>>> = Arc::default();
        let (url, served) = (url_of(&listener), Arc::clone(&shown));
        thread::spawn(move || {
            http::serve(&listener, |_| match &*served.lock().unwrap() {
                Some(note) => Answer::ok(note.clone().into_bytes()),
                None => Answer::not_found(),
            });
        });
        Self {
            key: key.unwrap(),
            url,
            shown,
        }
    }

    /// Its key and URL, as in the description of a currency.
    #[must_use]
    pub fn named(&self) -> String {
        format!("{} {}", self.key.verifier(), self.url)
    }

    /// Cosigns a checkpoint and shows it.
    pub fn cosign(&self, checkpoint: &str) {
        let mut signed: SignedCheckpoint = checkpoint.parse().unwrap();
        signed.sign(&self.key, now_s()).unwrap();
        *self.shown.lock().unwrap() = Some(signed.to_string());
    }
}
