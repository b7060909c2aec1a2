//! Live transfers with the real program: a relay, the wallets' commands as processes, and a proxy that reads WebSocket
//! frames and spoils them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use opencoin_testkit::wait::wait_for;

use crate::{Log, Process, command, free_port};

/// A relay that runs by itself.
pub struct Relay {
    /// The process.
    pub process: Process,
    /// The port for wallets.
    pub port: u16,
    /// The port for operators.
    pub operator_port: u16,
}

impl Relay {
    /// Starts a relay with these options.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let (port, operator_port) = (free_port(), free_port());
        let mut relay = command();
        relay.args(["relay", "--listen", &format!("127.0.0.1:{port}")]);
        relay.args(["--admin-listen", &format!("127.0.0.1:{operator_port}")]);
        relay.args(options);
        Self {
            process: Process::start(&mut relay, "relaying ", &Log::default()),
            port,
            operator_port,
        }
    }

    /// The URL for wallets.
    #[must_use]
    pub fn url(&self) -> String {
        relay_url(self.port)
    }
}

/// The URL of a relay, or of a proxy in front of it.
#[must_use]
pub fn relay_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/relay")
}

/// A command of a wallet that runs for a while.
pub struct Talk {
    child: Child,
    /// What it has printed and not been read.
    lines: BufReader<std::process::ChildStdout>,
    errors: Arc<Mutex<String>>,
}

impl Talk {
    /// Starts `opencoin wallet ARGUMENTS --dir DIR`.
    #[must_use]
    pub fn start(dir: &std::path::Path, arguments: &[&str]) -> Self {
        let mut wallet: Command = command();
        wallet.arg("wallet").args(arguments).arg("--dir").arg(dir);
        let mut child = wallet
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let errors = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&errors);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                heard.lock().unwrap().push_str(&text);
            }
        });
        Self {
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
            errors,
        }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it has ended: {}", self.errors());
        line.trim_end().to_owned()
    }

    /// What it has written to stderr.
    #[must_use]
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends, and returns whether it succeeded, what it printed and what it wrote to stderr.
    pub fn end(mut self) -> (bool, String, String) {
        let status = wait_for("the end of the command", || {
            self.child.try_wait().unwrap().ok_or_else(|| self.errors())
        });
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (status.success(), rest, self.errors())
    }

    /// Waits until it ends, and requires success.
    pub fn succeed(self) -> String {
        let (is_success, printed, errors) = self.end();
        assert!(is_success, "{printed}{errors}");
        printed
    }

    /// Stops it as a person does with Ctrl-C.
    pub fn interrupt(&self) {
        crate::send_signal(&self.child, rustix::process::Signal::INT);
    }

    /// Ends it as a crash does (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which of the two participants a connection is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Who has made the invitation.
    Maker,
    /// Who has opened it.
    Taker,
}

/// The direction of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the wallet.
    Out,
    /// To the wallet.
    In,
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// It is held, with all that follows, until the wallet is gone.
    Hold,
    /// It is lost.
    Drop,
    /// It comes twice.
    Repeat,
    /// It comes after the next one.
    Delay,
    /// One bit is changed.
    Change,
}

/// The frame that is spoiled: the one with this number, from 0, of this side in this direction.
pub type Target = (Side, Way, usize, Spoil);

/// A proxy in front of a relay, in threads of this process.
pub struct FrameProxy {
    /// Its port.
    pub port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    target: Option<Target>,
    /// Whether the target was met.
    is_hit: bool,
    is_released: bool,
    counts: BTreeMap<(Side, Way), usize>,
    /// All that wallets have sent to each other through the relay, without the masks of WebSocket, and the heads of HTTP.
    captured: Vec<u8>,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

impl FrameProxy {
    /// Starts a proxy for the relay on this port.
    #[must_use]
    pub fn start(relay_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Shared::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || carry(&client, relay_port, &shared));
            }
        });
        Self { port, state }
    }

    /// Spoils this frame, and counts frames anew.
    pub fn aim(&self, target: Option<Target>) {
        let mut state = self.state.0.lock().unwrap();
        *state = State {
            target,
            captured: std::mem::take(&mut state.captured),
            ..State::default()
        };
    }

    /// Waits until the frame has come, or until `is_over`. Whether it has come.
    pub fn wait_for_hit(&self, mut is_over: impl FnMut() -> bool) -> bool {
        let (state, changed) = &*self.state;
        let mut now = state.lock().unwrap();
        loop {
            if now.is_hit {
                return true;
            }
            let (after, waited) = changed.wait_timeout(now, Duration::from_millis(50)).unwrap();
            now = after;
            if waited.timed_out() && is_over() {
                return now.is_hit;
            }
        }
    }

    /// Lets a held frame go on.
    pub fn release(&self) {
        self.state.0.lock().unwrap().is_released = true;
        self.state.1.notify_all();
    }

    /// The frames of a side in one direction since [`Self::aim`].
    #[must_use]
    pub fn count(&self, side: Side, way: Way) -> usize {
        let state = self.state.0.lock().unwrap();
        state.counts.get(&(side, way)).copied().unwrap_or(0)
    }

    /// All that wallets have sent to each other, as the relay sees it, and the heads of HTTP.
    #[must_use]
    pub fn captured(&self) -> Vec<u8> {
        self.state.0.lock().unwrap().captured.clone()
    }
}

fn carry(client: &TcpStream, relay_port: u16, shared: &Shared) -> Option<()> {
    let relay = TcpStream::connect(("127.0.0.1", relay_port)).ok()?;
    let side = Arc::new(Mutex::new(None));
    let (from_client, to_relay) = (client.try_clone().ok()?, relay.try_clone().ok()?);
    let (side_out, shared_out) = (Arc::clone(&side), Arc::clone(shared));
    let out = thread::spawn(move || pass(&from_client, &to_relay, Way::Out, &side_out, &shared_out));
    pass(&relay, client, Way::In, &side, shared);
    let _ = client.shutdown(Shutdown::Both);
    let _ = relay.shutdown(Shutdown::Both);
    let _ = out.join();
    Some(())
}

/// Passes the head of HTTP and then frames, until the connection ends.
fn pass(
    from: &TcpStream,
    to: &TcpStream,
    way: Way,
    side: &Mutex<Option<Side>>,
    shared: &Shared,
) -> Option<()> {
    let (mut reader, mut to) = (BufReader::new(from), to);
    let ended = loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            break Some(());
        }
        to.write_all(&line).ok()?;
        // The port may have the digits of an amount.
        if !line.to_ascii_lowercase().starts_with(b"host:") {
            capture(shared, &line);
        }
        if line == b"\r\n" {
            break None;
        }
    };
    if ended.is_some() {
        return None;
    }
    let mut delayed: Option<Vec<u8>> = None;
    while let Some(frame) = Frame::read(&mut reader) {
        // Texts are for the relay itself: random numbers in hex.
        if !frame.is_text() {
            capture(shared, &frame.payload);
        }
        if way == Way::Out && frame.is_text() {
            let is_maker = String::from_utf8_lossy(&frame.payload).contains("\"maker\"");
            *side.lock().unwrap() = Some(if is_maker { Side::Maker } else { Side::Taker });
        }
        let known = *side.lock().unwrap();
        let spoil = match known {
            Some(side) if frame.is_binary() => met(shared, side, way),
            _ => None,
        };
        match spoil {
            None => to.write_all(&frame.raw).ok()?,
            Some(Spoil::Drop) => {}
            Some(Spoil::Repeat) => {
                to.write_all(&frame.raw).ok()?;
                to.write_all(&frame.raw).ok()?;
            }
            Some(Spoil::Delay) => {
                delayed = Some(frame.raw);
                continue;
            }
            Some(Spoil::Change) => {
                let mut raw = frame.raw;
                let middle = raw.len() / 2;
                raw[middle] ^= 1;
                to.write_all(&raw).ok()?;
            }
            Some(Spoil::Hold) => {
                hold(from, shared)?;
                to.write_all(&frame.raw).ok()?;
            }
        }
        if let Some(delayed) = delayed.take() {
            to.write_all(&delayed).ok()?;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    Some(())
}

fn capture(shared: &Shared, bytes: &[u8]) {
    shared.0.lock().unwrap().captured.extend(bytes);
}

/// Counts a frame. Returns what is to happen to it.
fn met(shared: &Shared, side: Side, way: Way) -> Option<Spoil> {
    let mut state = shared.0.lock().unwrap();
    let count = state.counts.entry((side, way)).or_insert(0);
    let number = *count;
    *count += 1;
    match state.target {
        Some((of, to, target, spoil)) if (of, to, target) == (side, way, number) => {
            state.is_hit = true;
            shared.1.notify_all();
            Some(spoil)
        }
        _ => None,
    }
}

/// Waits for the release, or for the end of the connection.
fn hold(from: &TcpStream, shared: &Shared) -> Option<()> {
    let (state, changed) = &**shared;
    let mut now = state.lock().unwrap();
    while !now.is_released {
        let mut byte = [0];
        // A wallet that is gone has closed its connection.
        from.set_nonblocking(true).ok()?;
        let peeked = from.peek(&mut byte);
        from.set_nonblocking(false).ok()?;
        if matches!(peeked, Ok(0))
            || peeked.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        {
            return None;
        }
        (now, _) = changed.wait_timeout(now, Duration::from_millis(20)).unwrap();
    }
    Some(())
}

/// A frame of WebSocket (RFC 6455, section 5.2).
struct Frame {
    raw: Vec<u8>,
    payload: Vec<u8>,
}

impl Frame {
    fn read(reader: &mut impl Read) -> Option<Self> {
        let mut raw = vec![0; 2];
        reader.read_exact(&mut raw).ok()?;
        let (is_masked, short) = (raw[1] & 0x80 != 0, usize::from(raw[1] & 0x7f));
        let mut more = |raw: &mut Vec<u8>, length: usize| {
            let begin = raw.len();
            raw.resize(begin + length, 0);
            reader.read_exact(&mut raw[begin..]).ok()?;
            Some(raw[begin..].to_vec())
        };
        let big_endian = |bytes: Vec<u8>| {
            bytes
                .iter()
                .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let length = match short {
            126 => big_endian(more(&mut raw, 2)?),
            127 => big_endian(more(&mut raw, 8)?),
            length => length,
        };
        let mask = if is_masked { more(&mut raw, 4)? } else { vec![0; 4] };
        let mut payload = more(&mut raw, length)?;
        for (place, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[place % 4];
        }
        Some(Self { raw, payload })
    }

    fn is_text(&self) -> bool {
        self.raw[0] & 0x0f == 1
    }

    fn is_binary(&self) -> bool {
        self.raw[0] & 0x0f == 2
    }
}
