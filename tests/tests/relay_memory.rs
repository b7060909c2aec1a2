//! A thousand rooms at once take little memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use opencoin_e2e::live::Relay;
use opencoin_e2e::metrics;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sha2::{Digest, Sha256};

const ROOMS: usize = 1_000;
const MEMORY_KIB_MAX: u64 = 64 * 1024;
/// The longest frame of the protocol.
const FRAME_BYTES: usize = 4_113;
/// The open files of this test: two connections for each room, and others.
const OPEN_FILES: u64 = 2 * ROOMS as u64 + 256;

/// A participant: the connection, and what reads from it.
struct Participant(BufReader<TcpStream>);

impl Participant {
    fn join(port: u16, room: usize, seat: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = "GET /relay HTTP/1.1\r\nHost: relay.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 101 "), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let mut participant = Self(reader);
        let access = Sha256::digest(room.to_be_bytes());
        let number = hex(&Sha256::digest(access)[..16]);
        let join = format!(
            r#"{{"version":1,"room":"{number}","access":"{}","seat":"{seat}","client":"{}"}}"#,
            hex(&access),
            "00".repeat(16)
        );
        participant.send(0x81, join.as_bytes());
        participant
    }

    /// Sends a frame of WebSocket, with a mask of zeros.
    fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = vec![kind, 0x80 | 126];
        frame.extend((payload.len() as u16).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.get_mut().write_all(&frame).unwrap();
    }

    fn read(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        let mut length = usize::from(head[1]);
        if length == 126 {
            let mut long = [0; 2];
            self.0.read_exact(&mut long).unwrap();
            length = usize::from(u16::from_be_bytes(long));
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The memory that a process uses, without the pages of its program, of which a debug build has many.
fn memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_thousand_rooms_take_less_than_64_mib() {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < OPEN_FILES) {
        println!("SKIPPED: this machine does not let a process open {OPEN_FILES} files");
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let relay = Relay::start(&["--connections-per-address", "0"]);
    let mut pairs: Vec<(Participant, Participant)> = (0..ROOMS)
        .map(|room| {
            let mut maker = Participant::join(relay.port, room, "maker");
            assert_eq!(maker.read(), br#"{"peer":"gone"}"#);
            let mut taker = Participant::join(relay.port, room, "taker");
            assert_eq!(taker.read(), br#"{"peer":"here"}"#);
            assert_eq!(maker.read(), br#"{"peer":"here"}"#);
            (maker, taker)
        })
        .collect();
    let operators = format!("http://127.0.0.1:{}", relay.operator_port);
    assert_eq!(metrics(&operators)["opencoin_relay_rooms"], ROOMS as f64);
    // The longest frames, in all rooms, and in both directions.
    for (maker, taker) in &mut pairs {
        maker.send(0x82, &[1; FRAME_BYTES]);
        taker.send(0x82, &[2; FRAME_BYTES]);
    }
    for (maker, taker) in &mut pairs {
        assert_eq!(taker.read(), [1; FRAME_BYTES]);
        assert_eq!(maker.read(), [2; FRAME_BYTES]);
    }
    let memory = memory_kib(relay.process.id());
    println!("{ROOMS} rooms: {memory} KiB");
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    drop(pairs);
    opencoin_e2e::wait_until("the rooms are gone", || {
        metrics(&operators)["opencoin_relay_rooms"] == 0.0
    });
}
