//! A SOCKS5 proxy (RFC 1928, RFC 1929) that knows one host by name and notes who connects where.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const VERSION: u8 = 5;
/// Authentication by user name and password.
const BY_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
/// The target is a name.
const DOMAIN: u8 = 3;
const HOST_UNREACHABLE: u8 = 4;

/// A connection that the proxy was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The user name at the proxy.
    pub user: String,
    /// The password at the proxy.
    pub password: String,
    /// The name of the target; `None` if the client has sent an address.
    pub name: Option<String>,
    /// The port of the target.
    pub port: u16,
}

/// A proxy in threads of this process. Its port stays open until the process ends.
#[derive(Debug)]
pub struct SocksProxy {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl SocksProxy {
    /// Starts a proxy that connects to `name` on any port as to the same port of loopback, and to nothing else.
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let notes = Arc::clone(&notes);
                thread::spawn(move || carry(client, name, &notes));
            }
        });
        Self { port, asked }
    }

    /// The proxy's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("socks5h://127.0.0.1:{}", self.port)
    }

    /// What it was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The user names so far.
    #[must_use]
    pub fn users(&self) -> BTreeSet<String> {
        self.asked().into_iter().map(|asked| asked.user).collect()
    }
}

fn carry(mut client: TcpStream, name: &str, notes: &Mutex<Vec<Asked>>) -> io::Result<()> {
    let asked = read_request(&mut client)?;
    let is_known = asked.name.as_deref() == Some(name);
    let port = asked.port;
    notes.lock().unwrap().push(asked);
    let server = TcpStream::connect(("127.0.0.1", port)).ok().filter(|_| is_known);
    let code = server.as_ref().map_or(HOST_UNREACHABLE, |_| 0);
    client.write_all(&[VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let Some(server) = server else { return Ok(()) };
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &server, &mut client);
    client.shutdown(Shutdown::Both)
}

fn read_request(client: &mut TcpStream) -> io::Result<Asked> {
    let [_, methods] = read_array(client)?;
    read_bytes(client, methods)?;
    client.write_all(&[VERSION, BY_PASSWORD])?;
    let [_, length] = read_array(client)?;
    let user = read_text(client, length)?;
    let [length] = read_array(client)?;
    let password = read_text(client, length)?;
    client.write_all(&[1, 0])?;
    let [_, command, _, kind] = read_array(client)?;
    if command != CONNECT {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let name = if kind == DOMAIN {
        let [length] = read_array(client)?;
        Some(read_text(client, length)?)
    } else {
        read_bytes(client, if kind == 1 { 4 } else { 16 })?;
        None
    };
    let port = u16::from_be_bytes(read_array(client)?);
    Ok(Asked {
        user,
        password,
        name,
        port,
    })
}

fn read_array<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_bytes(client: &mut TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(client: &mut TcpStream, length: u8) -> io::Result<String> {
    String::from_utf8(read_bytes(client, length)?).map_err(|_| io::ErrorKind::InvalidData.into())
}
