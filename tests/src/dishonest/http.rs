//! HTTP as far as wallets and auditors need it: one request a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// A request.
pub(super) struct Asked {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn not_found() -> Self {
        Self {
            status: 404,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        }
    }
}

/// Answers requests, several at once, until the program ends.
pub(super) fn serve(listener: &TcpListener, answer: impl Fn(&Asked) -> Answer + Sync) {
    thread::scope(|scope| {
        for connection in listener.incoming().flatten() {
            let answer = &answer;
            // A client that goes away is no fault.
            scope.spawn(move || answer_one(connection, answer).unwrap_or_default());
        }
    });
}

fn answer_one(mut connection: TcpStream, answer: &impl Fn(&Asked) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let Answer {
        status,
        headers,
        body,
    } = answer(&Asked { method, path, body });
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} so\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    connection.write_all(&[head.as_bytes(), &body].concat())
}
