//! One address for several servers: each connection goes to the next server that is ready, as with a reverse proxy.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The interval of the health checks.
const HEALTH_INTERVAL: Duration = Duration::from_millis(100);
/// Stands for no server.
const NO_PORT: u16 = 0;

struct Server {
    port: u16,
    is_ready: AtomicBool,
}

/// A forwarder in threads of this process, which run until the process ends.
pub struct RoundRobin {
    /// The port on loopback where it listens.
    pub port: u16,
    served: Arc<AtomicUsize>,
    /// The port of the server to which the last connection was forwarded.
    last: Arc<AtomicU16>,
    servers: Arc<Vec<Server>>,
}

impl RoundRobin {
    /// Listens on `port` and forwards connections to these ports in turn.
    #[must_use]
    pub fn start(port: u16, servers: Vec<u16>) -> Self {
        Self::forward_to(port, ready(&servers))
    }

    /// As [`Self::start`], with health checks: a server that is not ready gets no connections.
    #[must_use]
    pub fn start_with_health_checks(port: u16, servers: &[u16]) -> Self {
        let servers = ready(servers);
        let watched = Arc::downgrade(&servers);
        thread::spawn(move || watch(&watched));
        Self::forward_to(port, servers)
    }

    /// Listens on another port as well, with the same health checks and its own turns.
    #[must_use]
    pub fn also_on(&self, port: u16) -> Self {
        Self::forward_to(port, Arc::clone(&self.servers))
    }

    fn forward_to(port: u16, servers: Arc<Vec<Server>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (served, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU16::new(NO_PORT)));
        let forwarder = Self {
            port,
            served: Arc::clone(&served),
            last: Arc::clone(&last),
            servers: Arc::clone(&servers),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let first = served.fetch_add(1, Ordering::Relaxed);
                let mut in_turn = (0..servers.len()).map(|step| &servers[(first + step) % servers.len()]);
                let next = in_turn
                    .find(|server| server.is_ready.load(Ordering::Relaxed))
                    .map(|server| server.port);
                last.store(next.unwrap_or(NO_PORT), Ordering::SeqCst);
                thread::spawn(move || {
                    let next = next.ok_or(io::ErrorKind::HostUnreachable)?;
                    forward(client?, TcpStream::connect(("127.0.0.1", next))?)
                });
            }
        });
        forwarder
    }

    /// Whether the last health check found the server on this port ready.
    #[must_use]
    pub fn is_ready(&self, port: u16) -> bool {
        let mut servers = self.servers.iter();
        servers.any(|server| server.port == port && server.is_ready.load(Ordering::Relaxed))
    }

    /// The port of the server to which the last connection was forwarded, `None` if no server was ready.
    #[must_use]
    pub fn last_server(&self) -> Option<u16> {
        Some(self.last.load(Ordering::SeqCst)).filter(|port| *port != NO_PORT)
    }

    /// The number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

fn ready(ports: &[u16]) -> Arc<Vec<Server>> {
    Arc::new(
        ports
            .iter()
            .map(|port| Server {
                port: *port,
                is_ready: AtomicBool::new(true),
            })
            .collect(),
    )
}

/// Checks the servers until the forwarder is gone.
fn watch(servers: &Weak<Vec<Server>>) {
    let http = reqwest::blocking::Client::builder()
        .pool_max_idle_per_host(0)
        .timeout(HEALTH_INTERVAL * 10)
        .build()
        .unwrap();
    while let Some(servers) = servers.upgrade() {
        for server in servers.iter() {
            let answer = http
                .get(format!("http://127.0.0.1:{}/health/ready", server.port))
                .send();
            server.is_ready.store(
                answer.is_ok_and(|answer| answer.status().is_success()),
                Ordering::Relaxed,
            );
        }
        drop(servers);
        thread::sleep(HEALTH_INTERVAL);
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
    let copied = io::copy(&mut from_server, &mut to_client);
    // Also when the server was killed. The other thread would keep the client's connection open.
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = there.join();
    copied.map(drop)
}
