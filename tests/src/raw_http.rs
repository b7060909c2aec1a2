//! HTTP as bytes on a socket, for clients that behave as no HTTP library does.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::PATIENCE;

/// Connects to the server at this URL.
#[must_use]
pub fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The bytes of a POST after whose answer the server closes the connection.
#[must_use]
pub fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: issuer\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends bytes and returns what comes back until the server closes the connection. The server may close it before it
/// has read everything.
#[must_use]
pub fn exchange(url: &str, bytes: &[u8]) -> String {
    let mut stream = connect(url);
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// Reads until the server closes the connection.
#[must_use]
pub fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; 0 if there is no answer.
#[must_use]
pub fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// The body of an answer.
#[must_use]
pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
