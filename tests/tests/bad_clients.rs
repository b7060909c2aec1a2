//! Clients that hang up, are slow, or send nonsense: the issuer keeps working, and a repeated request gets its answer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::raw_http::{body, connect, exchange, post, rest, status};
use opencoin_e2e::{Currency, Database, RFC9474};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

const SEED: u64 = 3;
const CREDIT: u64 = 10_000;
const IDLE_CONNECTIONS: usize = 2000;
/// Used instead if the system limits open files to fewer.
const IDLE_CONNECTIONS_FEW: usize = 500;
const OPEN_FILES_BESIDE_IDLE: u64 = 256;
const RANDOM_REQUESTS: usize = 200;
/// Requests that are cut at a random place, in addition to the fixed places.
const RANDOM_CUTS: usize = 40;
const LARGE_BLINDS: usize = 1000;
/// The longest time of a normal request beside slow clients. Less than the server's limit of 10 seconds for a slow
/// client, so that a request that waits for one fails the test.
const QUICK: Duration = Duration::from_secs(9);
/// The server's limits are 10 seconds each for a head, a body and an answer; the rest is for a busy machine.
const ENDED_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two bytes of a slow client.
const DAWDLE: Duration = Duration::from_millis(500);
const BLOCKED_WRITE: Duration = Duration::from_millis(500);

#[test]
fn a_client_that_hangs_up_anywhere_can_retry() {
    let mut scene = Scene::start();
    let message = scene.mint(LARGE_BLINDS);
    let length = scene.request(&message).len();
    let head = length - message.to_string().len();
    let mut rng = StdRng::seed_from_u64(SEED);
    let random = (0..RANDOM_CUTS).map(|_| rng.gen_range(0..length));
    let cuts: Vec<usize> = [0, 1, head - 1, head, head + 1, length - 1, length]
        .into_iter()
        .chain(random)
        .collect();
    let mut asked = vec![(message.clone(), LARGE_BLINDS)];
    for cut in cuts {
        let message = scene.mint(1);
        let bytes = scene.request(&message);
        let cut = cut * bytes.len() / length;
        let mut stream = connect(&scene.url());
        stream.write_all(&bytes[..cut]).unwrap();
        stream
            .shutdown(if cut.is_multiple_of(2) {
                Shutdown::Both
            } else {
                Shutdown::Write
            })
            .unwrap();
        asked.push((message, 1));
    }
    // The client hangs up while it reads the answer.
    for read_bytes in [0, 1, 200, 10_000] {
        let mut stream = connect(&scene.url());
        stream.write_all(&scene.request(&message)).unwrap();
        stream.read_exact(&mut vec![0; read_bytes]).unwrap();
    }
    for (message, _) in &asked {
        let first = scene.ask(message);
        assert_eq!(status(&first), 200, "{first:.300}");
        assert_eq!(body(&scene.ask(message)), body(&first));
    }
    scene.spent += asked.iter().map(|(_, blinds)| *blinds as u64).sum::<u64>();
    scene.end();
}

#[test]
fn slow_clients_are_disconnected_and_do_not_delay_others() {
    let mut scene = Scene::start();
    let idle: Vec<_> = (0..idle_connections()).map(|_| connect(&scene.url())).collect();
    let begun = Instant::now();
    let never_done = scene.request(&scene.mint(1));
    let head = never_done
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    thread::scope(|scope| {
        let slow = [
            scope.spawn(|| send_slowly(&scene.url(), &never_done, 10)),
            scope.spawn(|| send_slowly(&scene.url(), &never_done, head + 1)),
            scope.spawn(|| stop_sending(&scene.url(), &never_done[..10])),
            scope.spawn(|| stop_sending(&scene.url(), &never_done[..never_done.len() - 1])),
            scope.spawn(|| stop_sending(&scene.url(), b"GET /health/live HTTP/1.1\r\nhost: i\r\n\r\n")),
            scope.spawn(|| never_read(&scene.url())),
        ];
        for _ in 0..20 {
            let asked = Instant::now();
            let message = scene.mint(1);
            assert_eq!(status(&scene.ask(&message)), 200);
            assert!(asked.elapsed() < QUICK, "{:?}", asked.elapsed());
        }
        let statuses = slow.map(|slow| slow.join().unwrap());
        assert!(
            matches!(statuses, [0 | 408, 408, 0 | 408, 408, 200, 0]),
            "{statuses:?}"
        );
    });
    for mut stream in idle {
        assert!(matches!(status(&rest(&mut stream)), 0 | 408));
    }
    assert!(begun.elapsed() < ENDED_WITHIN, "{:?}", begun.elapsed());

    // An incomplete body does not delay the server's shutdown.
    let mut half_body = connect(&scene.url());
    half_body.write_all(&never_done[..never_done.len() - 1]).unwrap();
    scene.spent += 20;
    let stopped = scene.end();
    assert!(stopped < QUICK, "{stopped:?}");
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let scene = Scene::start();
    let refused = |bytes: &[u8], allowed: &[u16]| {
        let answer = exchange(&scene.url(), bytes);
        assert!(
            allowed.contains(&status(&answer)),
            "seed {SEED}: {answer:.200} to {:.100}",
            String::from_utf8_lossy(bytes)
        );
        answer
    };
    let posted = |headers: &str, body: &str| {
        format!("POST /mint HTTP/1.1\r\nhost: i\r\n{headers}connection: close\r\n\r\n{body}").into_bytes()
    };
    let mut rng = StdRng::seed_from_u64(SEED);
    for _ in 0..RANDOM_REQUESTS {
        let mut noise = vec![0; 64];
        rng.fill_bytes(&mut noise);
        // The newline ends the request line, so that the server does not wait for more.
        refused(&[noise.as_slice(), b"\r\n\r\n"].concat(), &[0, 400]);
        refused(
            &[posted("content-length: 64\r\n", "").as_slice(), &noise].concat(),
            &[400],
        );
    }
    let long = "x".repeat(64 * 1024);
    refused(&posted(&format!("long: {long}\r\n"), ""), &[0, 431]);
    refused(
        format!("GET /{long} HTTP/1.1\r\nhost: i\r\n\r\n").as_bytes(),
        &[0, 414, 431],
    );
    refused(&posted("content-length: 99999999\r\n", "{}"), &[413]);
    for length in ["-1", "x", "99999999999999999999", "2\r\ncontent-length: 3"] {
        refused(&posted(&format!("content-length: {length}\r\n"), "{}"), &[400]);
    }
    refused(
        &posted("transfer-encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
        &[400],
    );
    refused(&posted("transfer-encoding: chunked\r\n", "zz\r\n"), &[400]);
    refused(
        &posted("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n{}"),
        &[400],
    );
    let endless = format!(
        "{}0\r\n\r\n",
        format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(65)
    );
    refused(&posted("transfer-encoding: chunked\r\n", &endless), &[0, 413]);
    let expecting = refused(
        &posted("expect: 100-continue\r\ncontent-length: 2\r\n", "{}"),
        &[100],
    );
    assert_eq!(status(body(&expecting)), 400, "{expecting}");
    // The bytes after the given length are read as the next request, which is malformed.
    let two = exchange(
        &scene.url(),
        b"POST /mint HTTP/1.1\r\nhost: i\r\ncontent-length: 1\r\n\r\n{}\r\n\r\n",
    );
    assert_eq!(two.matches("HTTP/1.1 400").count(), 2, "{two}");
    let live = "GET /health/live HTTP/1.1\r\nhost: i\r\n";
    let piped = format!("{live}\r\n").repeat(20) + live + "connection: close\r\n\r\n";
    assert_eq!(
        exchange(&scene.url(), piped.as_bytes()).matches("200 OK").count(),
        21
    );
    scene.end();
}

/// A currency and an account. `spent` is what the account must have paid at the end.
struct Scene {
    currency: Currency,
    token: String,
    wallet: ForeignWallet,
    spent: u64,
}

impl Scene {
    fn start() -> Self {
        let currency = Currency::start(RFC9474, Database::Sqlite);
        let token = currency.account("alice", CREDIT);
        let wallet = ForeignWallet::new(&currency.url(""));
        Self {
            currency,
            token,
            wallet,
            spent: 0,
        }
    }

    fn url(&self) -> String {
        self.currency.url("")
    }

    /// A mint with a new reference. All blinds are copies of one, which the issuer accepts.
    fn mint(&self, blinds: usize) -> Value {
        let reference = self.wallet.payload(1)["serial"].as_str().unwrap().to_owned();
        let mut message = request_mint(&[self.wallet.blind(1, "0")], &reference);
        let blind = message["blinds"][0].clone();
        let numbered = |number: usize| {
            let mut blind = blind.clone();
            blind["reference"] = json!(number.to_string());
            blind
        };
        message["blinds"] = (0..blinds).map(numbered).collect();
        message
    }

    fn request(&self, message: &Value) -> Vec<u8> {
        post("/mint", &self.token, &message.to_string())
    }

    fn ask(&self, message: &Value) -> String {
        exchange(&self.url(), &self.request(message))
    }

    /// Checks the balance, the audit and the log. Returns how long the server took to stop.
    fn end(mut self) -> Duration {
        assert_eq!(self.currency.balance("alice"), CREDIT - self.spent);
        self.currency.audit();
        let stopping = Instant::now();
        self.currency.stop();
        let log = self.currency.log();
        assert!(!log.contains("panic") && !log.contains("ERROR"), "{log}");
        stopping.elapsed()
    }
}

/// Raises the limit of open files, and returns how many idle connections fit below it.
fn idle_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .unwrap();
    let wanted = IDLE_CONNECTIONS as u64 + OPEN_FILES_BESIDE_IDLE;
    if limit.maximum.is_none_or(|maximum| maximum >= wanted) {
        IDLE_CONNECTIONS
    } else {
        IDLE_CONNECTIONS_FEW
    }
}

/// Sends some bytes at once, then the rest slowly until the server closes the connection; returns the status of the
/// answer.
fn send_slowly(url: &str, bytes: &[u8], at_once: usize) -> u16 {
    let begun = Instant::now();
    let mut stream = connect(url);
    stream.write_all(&bytes[..at_once]).unwrap();
    stream.set_read_timeout(Some(DAWDLE)).unwrap();
    let mut answer = Vec::new();
    for byte in &bytes[at_once..] {
        assert!(
            begun.elapsed() < ENDED_WITHIN,
            "a slow client is not disconnected"
        );
        if stream.write_all(&[*byte]).is_err() || has_ended(&mut stream, &mut answer) {
            break;
        }
    }
    status(&String::from_utf8_lossy(&answer))
}

/// Whether the server closed the connection within the read timeout.
fn has_ended(stream: &mut TcpStream, answer: &mut Vec<u8>) -> bool {
    match stream.read_to_end(answer) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// Sends some bytes and then nothing; returns the status once the server has closed the connection.
fn stop_sending(url: &str, bytes: &[u8]) -> u16 {
    let begun = Instant::now();
    let mut stream = connect(url);
    stream.write_all(bytes).unwrap();
    let answer = rest(&mut stream);
    assert!(begun.elapsed() < ENDED_WITHIN, "{:?}", begun.elapsed());
    status(&answer)
}

/// Sends requests and reads no answer, until the server closes the connection.
fn never_read(url: &str) -> u16 {
    let begun = Instant::now();
    let mut stream = connect(url);
    stream.set_write_timeout(Some(BLOCKED_WRITE)).unwrap();
    let requests = "GET /mkcs HTTP/1.1\r\nhost: i\r\n\r\n".repeat(1000);
    let mut rest = requests.as_bytes();
    loop {
        assert!(
            begun.elapsed() < ENDED_WITHIN,
            "a client that does not read is not disconnected"
        );
        match stream.write(rest) {
            Ok(written) => {
                rest = if written == rest.len() {
                    requests.as_bytes()
                } else {
                    &rest[written..]
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return 0,
        }
    }
}
