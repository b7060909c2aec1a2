//! One address for several servers: each connection goes to the next one, as a proxy in front would send it.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A forwarder in threads of this process, for as long as it lives.
pub struct RoundRobin {
    /// Where it listens, on loopback.
    pub port: u16,
    served: Arc<AtomicUsize>,
}

impl RoundRobin {
    /// Listens on `port` and forwards to these ports in turns.
    #[must_use]
    pub fn start(port: u16, servers: Vec<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        thread::spawn(move || {
            for client in listener.incoming() {
                let next = servers[count.fetch_add(1, Ordering::Relaxed) % servers.len()];
                thread::spawn(move || forward(client?, TcpStream::connect(("127.0.0.1", next))?));
            }
        });
        Self { port, served }
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

fn forward(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
        copied
    });
    let (mut from_server, mut to_client) = (server, client);
    io::copy(&mut from_server, &mut to_client)?;
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = there.join();
    Ok(())
}
