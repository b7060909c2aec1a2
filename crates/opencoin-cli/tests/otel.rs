//! The exported spans contain kinds, outcomes and times, and nothing else. Run with `cargo test -p opencoin-cli
//! --features otel`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(40);
const CLIENT_TEXT: &str = "text-of-a-client-0123456789";

/// Starts a collector that accepts every request. Returns its URL and a channel of the heads and bodies.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(posted) = receive(stream.unwrap()) else {
                continue;
            };
            if sender.send(posted).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}"), receiver)
}

fn receive(mut stream: TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok((head, body))
}

fn opencoin(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opencoin"));
    command.args(arguments).arg("--dir").arg(dir);
    command
        .env("OPENCOIN_PASSPHRASE", "passphrase")
        .env("OPENCOIN_MASTER_PASSPHRASE", "another");
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Reads the URL from the first line of a server.
fn url(server: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line.trim().rsplit(' ').next().unwrap().to_owned()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_span_of_each_request_reaches_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("currency");
    let init = [
        "issuer",
        "init",
        "--name",
        "X",
        "--denominations",
        "1",
        "--url",
        "http://127.0.0.1:1",
    ];
    assert!(opencoin(&init, &dir).output().unwrap().status.success());
    let (endpoint, collected) = collector();
    let mut serve = opencoin(&["issuer", "serve", "--listen", "127.0.0.1:0"], &dir);
    serve
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OPENCOIN_LOG", "error");
    let mut server = serve.spawn().unwrap();
    let address = url(&mut server).replace("http://", "");

    let mut stream = TcpStream::connect(address).unwrap();
    let body = format!(r#"{{"type": "request redeem", "message_reference": 1, "coins": ["{CLIENT_TEXT}"]}}"#);
    let length = body.len();
    write!(stream, "POST /redeem?{CLIENT_TEXT} HTTP/1.1\r\nhost: {CLIENT_TEXT}\r\nauthorization: Bearer {CLIENT_TEXT}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-request-id: "))
        .unwrap()
        .to_owned();

    // A stopping server sends the remaining spans.
    let killed = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", server.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    let (head, spans) = collected.recv_timeout(PATIENCE).unwrap();
    assert!(server.wait().unwrap().success());
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    for expected in ["opencoin-issuer", "redeem", "malformed", id.as_str()] {
        assert!(
            contains(&spans, expected),
            "{expected} is not in {:?}",
            String::from_utf8_lossy(&spans)
        );
    }
    assert!(
        !contains(&spans, CLIENT_TEXT),
        "{:?}",
        String::from_utf8_lossy(&spans)
    );
}
