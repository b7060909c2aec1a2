//! The proxy between wallets and issuers. It loses requests and answers: it closes connections before a request arrives,
//! after it arrives, and after it is answered. It passes every complete answer to [`Answers`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::answers::{Answers, News, Sent};
use crate::tally::Tally;

/// A read timeout that is longer than any answer takes.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// The name of the counter of repeated answers with the same signatures.
pub(super) const SIGNATURES_COMPARED: &str = "repeated: signatures compared, the same bytes";
const DELAY_MILLIS_MAX: u64 = 80;
/// The faults, and how often each happens in a thousand requests.
const FAULTS: [(Fault, u32); 7] = [
    (Fault::BeforeRequest, 40),
    (Fault::WithinRequest, 30),
    (Fault::AfterRequest, 70),
    (Fault::BeforeAnswer, 70),
    (Fault::WithinAnswer, 40),
    (Fault::Delay, 100),
    (Fault::None, 650),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The issuer does not get the request.
    BeforeRequest,
    /// The issuer gets half of the request.
    WithinRequest,
    /// The issuer gets the request, but its answer finds a closed connection.
    AfterRequest,
    /// The issuer answers, but the wallet gets nothing.
    BeforeAnswer,
    /// The wallet gets half of the answer.
    WithinAnswer,
    Delay,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::None => "HTTP: passed",
            Self::BeforeRequest => "HTTP: cut before the request",
            Self::WithinRequest => "HTTP: cut within the request",
            Self::AfterRequest => "HTTP: cut after the request",
            Self::BeforeAnswer => "HTTP: cut before the answer",
            Self::WithinAnswer => "HTTP: cut within the answer",
            Self::Delay => "HTTP: delayed",
        }
    }
}

/// The names of the counters of its faults.
pub(super) fn fault_names() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|(fault, _)| fault.name())
}

/// A proxy in threads of this process.
pub(super) struct Proxy {
    port: u16,
    issuers: Vec<u16>,
    has_faults: AtomicBool,
    is_closed: AtomicBool,
    rng: Mutex<StdRng>,
    tally: Arc<Tally>,
    pub(super) answers: Answers,
}

impl Proxy {
    /// Listens on `port` and forwards to the issuers on these ports; faults begin with [`Proxy::set_faults`].
    pub(super) fn start(port: u16, issuers: Vec<u16>, tally: Arc<Tally>, seed: u64) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (has_faults, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let rng = Mutex::new(StdRng::seed_from_u64(seed));
        let proxy = Arc::new(Self {
            port,
            issuers,
            has_faults,
            is_closed,
            rng,
            tally,
            answers: Answers::default(),
        });
        let accepting = Arc::clone(&proxy);
        thread::spawn(move || accepting.accept(&listener));
        proxy
    }

    pub(super) fn set_faults(&self, has_faults: bool) {
        self.has_faults.store(has_faults, Ordering::SeqCst);
    }

    /// Stops accepting connections.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread. An error means that it has ended already.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.is_closed.load(Ordering::SeqCst) {
                return;
            }
            let proxy = Arc::clone(self);
            thread::spawn(move || {
                let carried = proxy.tally.guard("the proxy", || proxy.carry(client));
                if let Some(Err(_)) = carried {
                    proxy.tally.count("HTTP: cut by a dead issuer or wallet");
                }
            });
        }
    }

    /// Forwards one request and its answer, then closes the connection.
    fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(SILENCE_MAX))?;
        let Some(request) = Message::read(&mut client)? else {
            return Ok(());
        };
        let (fault, order, delay) = self.draw();
        self.tally.count(fault.name());
        if fault == Fault::Delay {
            thread::sleep(delay);
        }
        if fault == Fault::BeforeRequest {
            return Ok(());
        }
        let mut issuer = self.connect(&order)?;
        issuer.set_read_timeout(Some(SILENCE_MAX))?;
        let sent = request.sent();
        let was_promised = self.answers.is_promised(&sent);
        let text = request.closing();
        if fault == Fault::WithinRequest {
            return issuer.write_all(&text[..text.len() / 2]);
        }
        issuer.write_all(&text)?;
        if fault == Fault::AfterRequest {
            thread::sleep(delay / 8);
            return issuer.shutdown(Shutdown::Both);
        }
        let Some(answer) = Message::read(&mut issuer)? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        self.watch(&sent, was_promised, &answer);
        let text = answer.closing();
        match fault {
            Fault::BeforeAnswer => Ok(()),
            Fault::WithinAnswer => client.write_all(&text[..text.len() / 2]),
            _ => client.write_all(&text),
        }
    }

    fn draw(&self) -> (Fault, Vec<u16>, Duration) {
        let mut rng = self.rng.lock().unwrap();
        let mut order = self.issuers.clone();
        order.shuffle(&mut *rng);
        let delay = Duration::from_millis(rng.gen_range(0..=DELAY_MILLIS_MAX));
        let drawn = FAULTS
            .choose_weighted(&mut *rng, |(_, weight)| *weight)
            .unwrap()
            .0;
        let fault = if self.has_faults.load(Ordering::SeqCst) {
            drawn
        } else {
            Fault::None
        };
        (fault, order, delay)
    }

    fn connect(&self, order: &[u16]) -> io::Result<TcpStream> {
        let mut last = io::ErrorKind::NotConnected.into();
        for port in order {
            match TcpStream::connect(("127.0.0.1", *port)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn watch(&self, sent: &Sent, was_promised: bool, answer: &Message) {
        let status = answer
            .head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        // The first segment only, without the id in paths like /mkcs/ID.
        let kind = sent.path.split('/').nth(1).unwrap_or_default();
        self.tally.count(&format!("answered: {kind} {status}"));
        match self.answers.observe(sent, was_promised, status, &answer.body) {
            Ok(News::SameSignatures) => self.tally.count(SIGNATURES_COMPARED),
            Ok(News::SameRedeem) => self.tally.count("repeated: redeem accepted again"),
            Ok(News::First | News::Nothing) => {}
            Err(violation) => self.tally.violate(violation),
        }
    }
}

/// A request or an answer of HTTP/1.1 with `Content-Length`.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    /// Reads a message; `None` if the other side has closed the connection before it.
    fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(message) = Self::parse(&bytes)? {
                return Ok(Some(message));
            }
            match stream.read(&mut chunk)? {
                0 if bytes.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => bytes.extend_from_slice(&chunk[..count]),
            }
        }
    }

    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end])
            .map_err(io::Error::other)?
            .to_owned();
        let mut message = Self {
            head,
            body: Vec::new(),
        };
        let length = message
            .header("content-length")
            .map_or(Ok(0), str::parse::<usize>)
            .map_err(io::Error::other)?;
        let body = &bytes[end + 4..];
        if body.len() < length {
            return Ok(None);
        }
        message.body = body[..length].to_vec();
        Ok(Some(message))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .into_iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    fn sent(&self) -> Sent {
        let path = self.head.split(' ').nth(1).unwrap_or_default().to_owned();
        Sent {
            path,
            token: self.header("authorization").map(str::to_owned),
            body: self.body.clone(),
        }
    }

    /// Its bytes with `Connection: close`, because each connection carries one request.
    fn closing(&self) -> Vec<u8> {
        let is_connection = |line: &str| {
            line.split(':')
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("connection"))
        };
        let mut text: String = self
            .head
            .lines()
            .filter(|line| !is_connection(line))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        text.push_str("connection: close\r\n\r\n");
        [text.as_bytes(), &self.body].concat()
    }
}
