//! A proxy that loses answers on demand: the server has processed the request, but the client gets no answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::wait_until;

/// How the proxy treats answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Forward them.
    Pass,
    /// Close the connection instead.
    Cut,
    /// Close the connection before anything is forwarded, as if the server were not there.
    Refuse,
    /// Hold them back, and close the connection when the setting changes.
    Hold,
}

/// A proxy in threads of this process. Its port stays open until the process ends.
#[derive(Debug)]
pub struct CuttingProxy {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug)]
struct State {
    answers: Answers,
    /// Number of answers that were cut or held.
    lost: usize,
}

impl CuttingProxy {
    /// Starts a proxy for the server on this port of loopback.
    #[must_use]
    pub fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new((
            Mutex::new(State {
                answers: Answers::Pass,
                lost: 0,
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || carry(&client, server_port, &shared));
            }
        });
        Self { port, state }
    }

    /// The proxy's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sets how answers are treated from now on.
    pub fn set(&self, answers: Answers) {
        self.state.0.lock().unwrap().answers = answers;
        self.state.1.notify_all();
    }

    /// Waits until this many answers are lost in total.
    pub fn wait_for_lost(&self, count: usize) {
        wait_until("answers are lost", || self.lost() >= count);
    }

    /// The number of answers that were lost so far.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.state.0.lock().unwrap().lost
    }
}

fn carry(client: &TcpStream, server_port: u16, state: &(Mutex<State>, Condvar)) -> Option<()> {
    if state.0.lock().unwrap().answers == Answers::Refuse {
        return client.shutdown(Shutdown::Both).ok();
    }
    let server = TcpStream::connect(("127.0.0.1", server_port)).ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (&server, client);
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from_server.read(&mut bytes) {
        if !may_pass(state) || to_client.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    Some(())
}

fn may_pass((state, changed): &(Mutex<State>, Condvar)) -> bool {
    let mut now = state.lock().unwrap();
    if now.answers == Answers::Pass {
        return true;
    }
    now.lost += 1;
    drop(
        changed
            .wait_while(now, |now| now.answers == Answers::Hold)
            .unwrap(),
    );
    false
}
