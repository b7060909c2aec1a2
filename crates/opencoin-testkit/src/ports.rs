//! Ports for the servers of tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// The range of [`free_port`]. Each process begins somewhere else in it.
const FIRST_PORT: u16 = 15_000;
const PORTS: u32 = 15_000;
const PORT_STEP: u32 = 97;

/// A port of `127.0.0.1` that nobody listens on. The system does not give ports of this range to clients, so nobody
/// takes it until the test's server does.
///
/// # Panics
/// Never: the range ends below 65,536.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let candidate = (std::process::id().wrapping_mul(PORT_STEP))
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
            % PORTS;
        let port = FIRST_PORT + u16::try_from(candidate).expect("the range is below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
