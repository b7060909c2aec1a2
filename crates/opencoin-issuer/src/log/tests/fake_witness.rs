//! A witness whose answers a test decides.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opencoin_log::cosignature::cosign;
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::witness::AddCheckpoint;
use zeroize::Zeroizing;

/// Status and body of an answer.
pub(super) type Answer = (u16, String);

/// What a log asks a witness.
pub(super) enum Asked {
    /// To cosign a checkpoint.
    Add(AddCheckpoint),
    /// For the last checkpoint that it has cosigned.
    Last,
}

/// Decides about answers; `None` closes the connection.
type Script = Box<dyn FnMut(&Asked) -> Option<Answer> + Send>;

/// A witness in a thread, which ends with the process.
pub(super) struct FakeWitness {
    key: Arc<SigningKey>,
    url: String,
    /// The size of the last tree that it has cosigned.
    known: Arc<Mutex<u64>>,
    script: Arc<Mutex<Script>>,
}

impl FakeWitness {
    /// An honest witness.
    pub(super) fn start() -> Self {
        Self::start_as("witness.example/fake", 9)
    }

    /// An honest witness with this name, and a key made from this number.
    pub(super) fn start_as(name: &str, seed: u8) -> Self {
        let (name, seed) = (name.parse().unwrap(), Zeroizing::new([seed; 32]));
        let key = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &seed).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let witness = Self {
            key: Arc::new(key),
            url: format!("http://{}", listener.local_addr().unwrap()),
            known: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(|_| None))),
        };
        witness.is_honest();
        let script = Arc::clone(&witness.script);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The log sees a failure as a closed connection.
                let _ = serve(client, &script);
            }
        });
        witness
    }

    /// Its key and URL.
    pub(super) fn named(&self) -> opencoin_keys::Witness {
        opencoin_keys::Witness {
            key: self.key.verifier().clone(),
            url: self.url.clone(),
        }
    }

    /// The size of the last tree that it has cosigned.
    pub(super) fn known_size(&self) -> u64 {
        *self.known.lock().unwrap()
    }

    /// Its key.
    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// From now on it answers so.
    pub(super) fn answers(&self, script: impl FnMut(&Asked) -> Option<Answer> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// From now on it closes all connections.
    pub(super) fn is_unreachable(&self) {
        self.answers(|_| None);
    }

    /// From now on it cosigns whatever continues what it has cosigned. It does not look at proofs.
    pub(super) fn is_honest(&self) {
        let (key, known) = (Arc::clone(&self.key), Arc::clone(&self.known));
        self.answers(move |asked| {
            let Asked::Add(request) = asked else {
                return Some((404, String::new()));
            };
            let mut known = known.lock().unwrap();
            let size = request.checkpoint.checkpoint().size();
            if request.old_size != *known || size < *known {
                return Some((409, format!("{known}\n")));
            }
            *known = size;
            let line = cosign(&key, 1_800_000_000, request.checkpoint.note().text()).unwrap();
            Some((200, format!("{line}\n")))
        });
    }
}

fn serve(mut client: TcpStream, script: &Mutex<Script>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap();
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = if first.starts_with("POST") {
        Asked::Add(String::from_utf8(body).unwrap().parse().unwrap())
    } else {
        Asked::Last
    };
    if let Some((status, body)) = (script.lock().unwrap())(&asked) {
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status} so\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )?;
    }
    Ok(())
}
