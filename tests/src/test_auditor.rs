//! An auditor that signs what is published without looking at it, as long as a test lets it. It has no code of this
//! project.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::{Currency, free_port};

/// The type of a key that cosigns with Ed25519 (C2SP signed-note).
const COSIGNATURE_TYPE: u8 = 4;

/// An auditor in a thread, which ends with the test.
pub struct TestAuditor {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    name: String,
    key: Ed25519KeyPair,
    /// Where the checkpoints of the log are.
    checkpoint: OnceLock<String>,
    signs: AtomicBool,
}

impl TestAuditor {
    /// An auditor of no log yet. Its key is made from the number.
    #[must_use]
    pub fn start(number: u8) -> Self {
        let shared = Arc::new(Shared {
            name: format!("auditor.example/a{number}"),
            key: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap(),
            checkpoint: OnceLock::new(),
            signs: AtomicBool::new(true),
        });
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The issuer may have given up.
                let _ = served.serve(client);
            }
        });
        Self { shared, port }
    }

    /// Its key and URL, as `--auditor` takes them.
    #[must_use]
    pub fn named(&self) -> String {
        let key = [&[COSIGNATURE_TYPE], self.shared.key.public_key().as_ref()].concat();
        let (id, key) = (self.shared.key_id(), BASE64.encode(&key));
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{id}+{key} http://127.0.0.1:{}", self.shared.name, self.port)
    }

    /// From now on it signs what this currency publishes.
    pub fn audit(&self, currency: &Currency) {
        let checkpoint = currency.url("/log/checkpoint");
        assert!(self.shared.checkpoint.set(checkpoint).is_ok(), "one currency");
    }

    /// Whether it signs from now on, or shows nothing.
    pub fn sign(&self, signs: bool) {
        self.shared.signs.store(signs, Ordering::SeqCst);
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut request = String::new();
        while reader.read_line(&mut request)? > 2 {}
        assert!(request.starts_with("GET "), "{request}");
        let body = self.signed();
        let status = if body.is_some() { 200 } else { 404 };
        let body = body.unwrap_or_default();
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status} so\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    /// The newest published checkpoint with its signature.
    #[expect(
        clippy::disallowed_methods,
        reason = "the servers of the tests have this clock"
    )]
    fn signed(&self) -> Option<String> {
        let url = self
            .checkpoint
            .get()
            .filter(|_| self.signs.load(Ordering::SeqCst))?;
        let note = reqwest::blocking::get(url).ok()?.error_for_status().ok()?;
        let note = note.text().ok()?;
        let (text, _) = note.rsplit_once("\n\n")?;
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let message = format!("cosignature/v1\ntime {time}\n{text}\n");
        let signature = self.key.sign(message.as_bytes());
        let line = [&self.key_id()[..], &time.to_be_bytes(), signature.as_ref()].concat();
        Some(format!("{note}\u{2014} {} {}\n", self.name, BASE64.encode(&line)))
    }

    fn key_id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update("\n")
            .chain_update([COSIGNATURE_TYPE])
            .chain_update(self.key.public_key().as_ref())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}
