//! A witness of which a test sees everything that logs send, and whose answers it can withhold.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::replayed_log::{ReplayedLog, from_base64};
use crate::{Currency, Process, Witness};

/// A proxy before a witness of its own, in threads of this process. Its port stays open until the process ends.
pub struct WatchedWitness {
    /// Its folder.
    _witness: Witness,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_withholding: bool,
    /// The checkpoints that were not forwarded.
    withheld: Vec<String>,
    /// All checkpoints that were sent, in their order.
    shown: Vec<String>,
}

impl WatchedWitness {
    /// Makes a witness, starts it, and names it as the only one of this currency.
    #[must_use]
    pub fn start(currency: &Currency) -> (Self, Process) {
        let witness = Witness::make(&[]);
        let _added = witness.run("add", &[&currency.log_key()]).success();
        let process = witness.serve();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, shared) = (listener.local_addr().unwrap().port(), Arc::<Shared>::default());
        let (serving, witness_port) = (Arc::clone(&shared), witness.port);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // An error closes the connection, which is all that the log needs to see.
                thread::spawn(move || drop(shared.serve(&client, witness_port)));
            }
        });
        let named = format!("{} http://127.0.0.1:{port}", witness.vkeys[0]);
        currency.issuer(&["log", "witnesses", "--quorum", "1", "--witness", &named]);
        let watched = Self {
            _witness: witness,
            shared,
        };
        (watched, process)
    }

    /// From now on nothing is forwarded and nothing is answered.
    pub fn withhold(&self) {
        self.shared.state.lock().unwrap().is_withholding = true;
    }

    /// From now on everything is forwarded. What was withheld is lost.
    pub fn pass(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_withholding = false;
        state.withheld.clear();
        self.shared.changed.notify_all();
    }

    /// The signed checkpoints that are being withheld.
    #[must_use]
    pub fn withheld(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().withheld.clone()
    }

    /// Asserts that every checkpoint that it was shown is of the beginning of this log, so that one history was signed.
    pub fn assert_one_history(&self, log: &ReplayedLog) {
        let shown = self.shown();
        assert!(!shown.is_empty());
        for note in shown {
            let mut lines = note.lines().skip(1);
            let size: u64 = lines.next().unwrap().parse().unwrap();
            let root = from_base64(lines.next().unwrap()).unwrap();
            let of_log = log
                .root_at(size)
                .unwrap_or_else(|| panic!("the log is shorter than {note}"));
            assert_eq!(of_log.to_vec(), root, "{note}");
        }
    }

    /// All signed checkpoints that any process has sent to it.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().shown.clone()
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream, witness_port: u16) -> io::Result<()> {
        let mut requests = BufReader::new(client);
        loop {
            let (head, body) = read_message(&mut requests)?;
            if head.starts_with("POST") {
                self.see(&body);
            }
            let mut witness = TcpStream::connect(("127.0.0.1", witness_port))?;
            witness.write_all(head.as_bytes())?;
            witness.write_all(body.as_bytes())?;
            let (head, body) = read_message(&mut BufReader::new(witness))?;
            (&*client).write_all(format!("{head}{body}").as_bytes())?;
        }
    }

    /// Takes note of a request `add-checkpoint`. Returns when it is to be forwarded.
    fn see(&self, body: &str) {
        // The lines of the proof end with an empty one.
        let note = body.split_once("\n\n").map_or("", |(_, note)| note).to_owned();
        let mut state = self.state.lock().unwrap();
        state.shown.push(note.clone());
        if state.is_withholding {
            state.withheld.push(note);
        }
        while state.is_withholding {
            state = self.changed.wait(state).unwrap();
        }
    }
}

/// The head, with its empty line, and the body of a message whose length is given.
fn read_message(reader: &mut impl BufRead) -> io::Result<(String, String)> {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let begin = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((name, value)) = head[begin..].split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).map_err(io::Error::other)?))
}
