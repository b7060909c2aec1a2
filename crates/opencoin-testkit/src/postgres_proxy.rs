//! A proxy between a program and PostgreSQL that closes connections before, during or after the commit of a
//! write. The program can be another PostgreSQL that commits in two phases.
//!
//! It listens on loopback TCP without encryption and forwards to a server that a test can change, to simulate a
//! failover. Two threads serve each connection; they end when either side closes it.

mod upstream;
mod wire;

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use self::upstream::{Socket, Upstream};
pub use self::wire::Phase;
use self::wire::{IDLE, Message, Opening, Session, kind};

/// A fault in a commit of a write. The proxy closes both sockets of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The proxy does not forward the commit: nothing is stored.
    BeforeCommit,
    /// The proxy forwards the commit and does not wait for the answer: it may be stored or not.
    InCommit,
    /// The server has confirmed the commit, but the client gets no answer: it is stored.
    AfterCommit,
}

/// How often each fault occurs, per thousand commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// [`Fault::BeforeCommit`].
    pub before_commit: u32,
    /// [`Fault::InCommit`].
    pub in_commit: u32,
    /// [`Fault::AfterCommit`].
    pub after_commit: u32,
}

/// What the proxy has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that reached a server.
    pub connections: u64,
    /// Commits of writes that clients have sent, including those with a fault.
    pub commits: u64,
    /// Faults of the kind [`Fault::BeforeCommit`].
    pub before_commit: u64,
    /// Faults of the kind [`Fault::InCommit`].
    pub in_commit: u64,
    /// Faults of the kind [`Fault::AfterCommit`].
    pub after_commit: u64,
}

/// The proxy. Dropping it closes all connections.
pub struct PostgresProxy {
    address: SocketAddr,
    /// User and password, as in the server's URL; may be empty.
    user: String,
    database: String,
    shared: Arc<Shared>,
}

impl PostgresProxy {
    /// Starts a proxy for the database at `url`. [`Self::url`] has the same user and database name.
    ///
    /// # Panics
    /// `url` is not the URL of a PostgreSQL database.
    #[must_use]
    pub fn start(url: &str) -> Self {
        let (address, _) = url.split_once('?').unwrap_or((url, ""));
        let (server, database) = address.rsplit_once('/').expect("a URL that names a database");
        let (_, authority) = server.split_once("://").expect("a URL with a scheme");
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user).to_owned();
        let state = State {
            upstream: Upstream::of(url),
            plan: Plan::default(),
            counts: Counts::default(),
            links: HashMap::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            closed: AtomicBool::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.accept(&listener));
        Self {
            address,
            user,
            database: database.to_owned(),
            shared,
        }
    }

    /// The port of `127.0.0.1` on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of the database through the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://{}@{}/{}?sslmode=disable",
            self.user, self.address, self.database
        )
    }

    /// Forwards new connections to the server at `url` from now on, and closes the existing ones.
    pub fn switch_to(&self, url: &str) {
        self.shared.lock().upstream = Upstream::of(url);
        self.cut_all();
    }

    /// Closes all connections.
    pub fn cut_all(&self) {
        let links: Vec<_> = self.shared.lock().links.values().cloned().collect();
        links.iter().for_each(|link| link.cut());
    }

    /// Injects this fault into the next commit of a write, once. A commit that the server refuses does not count.
    pub fn strike_once(&self, fault: Fault) {
        self.shared.lock().plan.once = Some(fault);
    }

    /// Injects this fault into every commit of this phase from now on.
    pub fn strike_phase(&self, phase: Phase, fault: Fault) {
        self.shared.lock().plan.phase = Some((phase, fault));
    }

    /// Injects random faults from now on. The same seed and the same commits give the same faults.
    ///
    /// # Panics
    /// The sum of the rates exceeds a thousand.
    pub fn strike_at_random(&self, seed: u64, rates: Rates) {
        assert!(
            rates.before_commit + rates.in_commit + rates.after_commit <= PER_MILLE,
            "more faults than commits: {rates:?}"
        );
        self.shared.lock().plan.random = Some((ChaCha20Rng::seed_from_u64(seed), rates));
    }

    /// Stops injecting faults.
    pub fn strike_no_more(&self) {
        self.shared.lock().plan = Plan::default();
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread. An error means that it has ended already.
        let _ = TcpStream::connect(self.address);
        self.cut_all();
    }
}

const PER_MILLE: u32 = 1000;

#[derive(Default)]
struct Plan {
    once: Option<Fault>,
    phase: Option<(Phase, Fault)>,
    random: Option<(ChaCha20Rng, Rates)>,
}

impl Plan {
    fn next(&mut self, phase: Phase) -> Option<Fault> {
        let of_phase = self.phase.filter(|(struck, _)| *struck == phase);
        let planned = self.once.take().or(of_phase.map(|(_, fault)| fault));
        planned.or_else(|| {
            let (
                rng,
                Rates {
                    before_commit,
                    in_commit,
                    after_commit,
                },
            ) = self.random.as_mut()?;
            let draw = rng.next_u32() % PER_MILLE;
            let faults = [
                (before_commit, Fault::BeforeCommit),
                (in_commit, Fault::InCommit),
                (after_commit, Fault::AfterCommit),
            ];
            let mut end = 0;
            faults.into_iter().find_map(|(rate, fault)| {
                end += *rate;
                (draw < end).then_some(fault)
            })
        })
    }
}

struct Shared {
    state: Mutex<State>,
    closed: AtomicBool,
}

struct State {
    upstream: Upstream,
    plan: Plan,
    counts: Counts,
    links: HashMap<u64, Arc<Link>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let (Ok(client), shared) = (client, Arc::clone(&self)) else {
                continue;
            };
            // An error closes the connection, which is all that the client needs to see.
            thread::spawn(move || drop(shared.serve(client)));
        }
    }

    fn serve(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let upstream = self.lock().upstream.clone();
        let server = upstream.connect()?;
        client.set_nodelay(true)?;
        let answers = Answers {
            status: IDLE,
            owed: 1,
            withheld: None,
        };
        let link = Arc::new(Link {
            client,
            server,
            answers: Mutex::new(answers),
        });
        let number = {
            let mut state = self.lock();
            state.counts.connections += 1;
            let number = state.counts.connections;
            state.links.insert(number, Arc::clone(&link));
            // `switch_to` may have run meanwhile, so that this connection leads to the old server.
            if state.upstream != upstream {
                link.cut();
            }
            number
        };
        let (back, behind) = (Arc::clone(&link), Arc::clone(&self));
        let answering = thread::spawn(move || {
            drop(back.hand_back(&behind));
            back.cut();
        });
        let served = link.hand_on(&self);
        link.cut();
        drop(answering.join());
        self.lock().links.remove(&number);
        served
    }

    /// Counts a commit of a write and returns the fault to inject, if any.
    fn commit(&self, phase: Phase) -> Option<Fault> {
        let mut state = self.lock();
        state.counts.commits += 1;
        state.plan.next(phase)
    }

    fn struck(&self, fault: Fault) {
        let counts = &mut self.lock().counts;
        match fault {
            Fault::BeforeCommit => counts.before_commit += 1,
            Fault::InCommit => counts.in_commit += 1,
            Fault::AfterCommit => counts.after_commit += 1,
        }
    }
}

/// A client's connection and its connection to the server.
struct Link {
    client: TcpStream,
    server: Socket,
    answers: Mutex<Answers>,
}

struct Answers {
    /// The transaction status in the last `ReadyForQuery`.
    status: u8,
    /// Number of `ReadyForQuery` messages still to come. It begins at 1, because the server sends the first one
    /// unasked after the startup.
    owed: u32,
    /// Messages held back while the outcome of a commit decides whether the client gets them.
    withheld: Option<Vec<Message>>,
}

impl Link {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        // A socket that is closed already is what we want.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown();
    }

    /// Forwards messages from the client to the server, one group at a time.
    fn hand_on(&self, shared: &Shared) -> io::Result<()> {
        let (mut reader, mut server) = (BufReader::new(&self.client), self.server.try_clone()?);
        let startup = loop {
            match Opening::read(&mut reader)? {
                Opening::Encryption => (&self.client).write_all(b"N")?,
                Opening::Startup(bytes) => break bytes,
            }
        };
        server.write_all(&startup)?;
        let (mut session, mut group) = (Session::default(), Vec::new());
        loop {
            let message = Message::read(&mut reader)?;
            group.extend_from_slice(message.bytes());
            if session.see(&message) {
                let phase = self.end_group(&mut session);
                let fault = phase.and_then(|phase| shared.commit(phase));
                match fault {
                    Some(Fault::BeforeCommit) => {
                        shared.struck(Fault::BeforeCommit);
                        return Ok(());
                    }
                    Some(Fault::InCommit) => {
                        server.write_all(&group)?;
                        shared.struck(Fault::InCommit);
                        return Ok(());
                    }
                    Some(Fault::AfterCommit) => self.answers().withheld = Some(Vec::new()),
                    None => {}
                }
            } else if !kind::UNGROUPED.contains(&message.kind()) {
                continue;
            }
            server.write_all(&group)?;
            group.clear();
        }
    }

    fn end_group(&self, session: &mut Session) -> Option<Phase> {
        let mut answers = self.answers();
        let status = (answers.owed == 0).then_some(answers.status);
        answers.owed += 1;
        session.commits_at_end_of_group(status)
    }

    /// Forwards messages from the server to the client, except withheld ones.
    fn hand_back(&self, shared: &Shared) -> io::Result<()> {
        let mut reader = BufReader::new(self.server.try_clone()?);
        loop {
            let message = Message::read(&mut reader)?;
            let mut answers = self.answers();
            let last = if message.kind() == kind::READY_FOR_QUERY {
                answers.status = message.body().first().copied().unwrap_or(IDLE);
                answers.owed = answers.owed.saturating_sub(1);
                answers.owed == 0
            } else {
                false
            };
            let Some(withheld) = &mut answers.withheld else {
                drop(answers);
                (&self.client).write_all(message.bytes())?;
                continue;
            };
            withheld.push(message);
            if last {
                if !withheld
                    .iter()
                    .any(|message| message.kind() == kind::ERROR_RESPONSE)
                {
                    shared.struck(Fault::AfterCommit);
                    return Ok(());
                }
                // The server refused the commit, so the fault applies to the next one.
                shared.lock().plan.once.get_or_insert(Fault::AfterCommit);
                for message in answers.withheld.take().into_iter().flatten() {
                    (&self.client).write_all(message.bytes())?;
                }
            }
        }
    }
}
