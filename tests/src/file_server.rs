//! A server of static files, as anybody can run one for a copy of a log.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

/// Serves the files of a folder until the test program ends.
pub struct FileServer {
    port: u16,
}

impl FileServer {
    /// Serves this folder on loopback.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = folder.to_owned();
        thread::spawn(move || {
            for connection in listener.incoming() {
                answer(connection.unwrap(), &folder);
            }
        });
        Self { port }
    }

    /// The URL of the folder.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Answers one request and closes the connection. A client that goes away is no fault.
fn answer(mut connection: TcpStream, folder: &Path) {
    let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
    let Some(request) = lines.next() else {
        return;
    };
    let _headers = lines.take_while(|line| !line.is_empty()).count();
    let path = request
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches('/');
    let file: PathBuf = folder.join(path);
    let (status, body) = match std::fs::read(file) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _sent = connection.write_all(&[head.as_bytes(), &body].concat());
}
