//! The network: events in the order of their times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_gossip::{Delivery, GossipSender, Outgoing, PEERS_MAX, PeerNo};
use opencoin_log::hash::Hash;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::hostile::Hostile;
use super::node::Node;
use super::world::{VICTIM, World};

pub(crate) const NODES: usize = 8;
/// The number of the hostile node.
pub(crate) const HOSTILE: usize = NODES;
const TICK_MS: u64 = 100;
const TIMEOUT_MS: u64 = 3_000;
/// How long after the log has ended links are cut, messages lost and nodes restarted.
const TROUBLE_MS: u64 = 30_000;
/// How long the network then has to become quiet.
const CALM_MS: u64 = 150_000;
/// Nothing is sent so long before the end.
const QUIET_MS: u64 = 60_000;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Nodes read copies of the log from their peers.
    pub(crate) mirrors: bool,
    /// There is a hostile node.
    pub(crate) hostile: Option<Malice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malice {
    /// It sends whatever it likes.
    Blunt,
    /// It sends only what nobody can be charged for.
    Sly,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick(usize),
    Arrives(Flight),
    Answered(Flight, u16),
    TimesOut(Flight),
    Flood(usize, Vec<u8>, Option<u32>),
}

/// A message on its way, and the life of the sender in which it was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    from: usize,
    to: usize,
    life: u64,
    number: u64,
    subject: Hash,
    body: Arc<str>,
}

pub(crate) struct Network {
    rng: ChaCha20Rng,
    settings: Settings,
    world: World,
    start: Instant,
    now: u64,
    ends_at: u64,
    calm_at: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    number: u64,
    nodes: Vec<Node>,
    hostile: Option<Hostile>,
    /// The peers of each node, by number.
    peers: Vec<Vec<usize>>,
    in_flight: BTreeMap<(usize, usize), u64>,
    /// Until when a link is cut, or a node is down.
    cut: BTreeMap<(usize, usize), u64>,
    down: Vec<u64>,
    taken: BTreeSet<(usize, u64, usize, Hash)>,
    sent: u64,
    sent_at: u64,
    /// How many messages of the hostile node were examined, by the node that did.
    floods: Vec<(u64, u64)>,
}

impl Network {
    pub(crate) fn new(seed: u64, settings: Settings, world: World) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut peers = links(&mut rng);
        if settings.hostile.is_some() {
            peers.iter_mut().for_each(|peers| peers.push(HOSTILE));
            peers.push((0..NODES).collect());
        }
        let calm_at = world.ends_at() + TROUBLE_MS;
        let mut network = Self {
            settings,
            nodes: (0..NODES)
                .map(|node| Node::new(peers[node].len(), &world))
                .collect(),
            hostile: settings
                .hostile
                .map(|malice| Hostile::new(&world, malice == Malice::Sly, &mut rng)),
            peers,
            start: Instant::now(),
            now: 0,
            ends_at: calm_at + CALM_MS,
            calm_at,
            events: BinaryHeap::new(),
            number: 0,
            in_flight: BTreeMap::new(),
            cut: BTreeMap::new(),
            down: vec![0; NODES + 1],
            taken: BTreeSet::new(),
            sent: 0,
            sent_at: 0,
            floods: vec![(0, 0); NODES],
            world,
            rng,
        };
        for node in 0..NODES + usize::from(settings.hostile.is_some()) {
            let at = network.rng.gen_range(0..TICK_MS);
            network.after(at, Event::Tick(node));
        }
        network
    }

    pub(crate) fn run(&mut self) {
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > self.ends_at {
                break;
            }
            self.now = at;
            match event {
                Event::Tick(HOSTILE) => self.flood(),
                Event::Tick(node) => self.tick(node),
                Event::Arrives(flight) => self.arrives(flight),
                Event::Answered(flight, status) => self.ends(&flight, Delivery::of_status(status, None)),
                Event::TimesOut(flight) => self.ends(&flight, Delivery::Failed { retry_after: None }),
                Event::Flood(to, body, stranger) => self.flooded(to, &body, stranger),
            }
        }
        println!(
            "    {} messages between honest nodes, the last one after {} ms",
            self.sent, self.sent_at
        );
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((self.now + wait, self.number, event)));
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn is_down(&self, node: usize) -> bool {
        self.down[node] > self.now
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        let until = self.cut.get(&(a.min(b), a.max(b)));
        until.is_some_and(|until| *until > self.now)
    }

    /// A node asks the log, and sends what waits.
    fn tick(&mut self, node: usize) {
        self.after(TICK_MS, Event::Tick(node));
        self.trouble(node);
        if self.is_down(node) {
            return;
        }
        if self.rng.gen_bool(0.1) {
            let shown = self.world.shown(node, self.now);
            if let Some(shown) = shown {
                self.nodes[node].follow(&self.world, shown);
            }
            if self.settings.mirrors {
                self.compare_with_copies(node);
            }
        }
        let now = self.instant();
        for (peer, to) in self.nodes[node].peers().into_iter().zip(self.peers[node].clone()) {
            if self.in_flight.contains_key(&(node, to)) {
                continue;
            }
            if let Outgoing::Send { subject, body } = self.nodes[node].gossip.next(peer, now) {
                self.send(node, to, subject, body);
            }
        }
    }

    fn compare_with_copies(&mut self, node: usize) {
        for peer in self.peers[node].clone() {
            if peer != HOSTILE && !self.is_cut(node, peer) && !self.is_down(peer) {
                let copy = self.nodes[peer].newest;
                self.nodes[node].compare_with_copy(&self.world, copy);
            }
        }
    }

    fn trouble(&mut self, node: usize) {
        if self.now >= self.calm_at {
            return;
        }
        if self.rng.gen_bool(0.002) {
            let peer = *self.peers[node].choose(&mut self.rng).unwrap();
            let until = self.now + self.rng.gen_range(1_000..20_000);
            self.cut.insert((node.min(peer), node.max(peer)), until);
        }
        if self.rng.gen_bool(0.0005) {
            self.down[node] = self.now + self.rng.gen_range(1_000..10_000);
            self.nodes[node].restart(&self.world);
            self.in_flight.retain(|(from, _), _| *from != node);
        }
    }

    fn send(&mut self, from: usize, to: usize, subject: Hash, body: Arc<str>) {
        if to != HOSTILE {
            self.sent += 1;
            self.sent_at = self.now;
        }
        self.number += 1;
        let (number, life) = (self.number, self.nodes[from].life);
        self.in_flight.insert((from, to), number);
        let flight = Flight {
            from,
            to,
            life,
            number,
            subject,
            body,
        };
        self.after(TIMEOUT_MS, Event::TimesOut(flight.clone()));
        let delay = self.rng.gen_range(1..400);
        self.after(delay, Event::Arrives(flight));
    }

    fn is_lost(&mut self, flight: &Flight) -> bool {
        let is_in_trouble = self.now < self.calm_at && self.rng.gen_bool(0.2);
        is_in_trouble || self.is_cut(flight.from, flight.to)
    }

    fn arrives(&mut self, flight: Flight) {
        if self.is_lost(&flight) || self.is_down(flight.to) {
            return;
        }
        let status = if flight.to == HOSTILE {
            let hostile = self.hostile.as_mut().expect("somebody is there");
            hostile.receive(flight.body.as_bytes());
            *[204, 429, 500, 404].choose(&mut self.rng).unwrap()
        } else {
            let sender = self.sender(flight.from, flight.to);
            let now = self.instant();
            self.nodes[flight.to].receive(&self.world, sender, flight.body.as_bytes(), now)
        };
        assert!(
            flight.to == HOSTILE || status == 204 || status == 429,
            "honest messages are valid: {status}"
        );
        if !self.is_lost(&flight) {
            let delay = self.rng.gen_range(1..400);
            self.after(delay, Event::Answered(flight, status));
        }
    }

    /// How a node knows another one.
    fn sender(&self, from: usize, to: usize) -> GossipSender {
        let known = self.peers[to].iter().position(|peer| *peer == from);
        match known {
            Some(index) => GossipSender::Peer(self.nodes[to].peers()[index]),
            None => GossipSender::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, from as u8))),
        }
    }

    fn ends(&mut self, flight: &Flight, delivery: Delivery) {
        let key = (flight.from, flight.to);
        if self.nodes[flight.from].life != flight.life || self.in_flight.get(&key) != Some(&flight.number) {
            return;
        }
        self.in_flight.remove(&key);
        if delivery == Delivery::Taken {
            let is_new = self
                .taken
                .insert((flight.from, flight.life, flight.to, flight.subject));
            assert!(is_new, "a node tells the same to a peer once");
        }
        let now = self.instant();
        let peer = self.peer(flight.from, flight.to);
        self.nodes[flight.from]
            .gossip
            .delivered(peer, flight.subject, delivery, now);
    }

    fn peer(&self, node: usize, other: usize) -> PeerNo {
        let index = self.peers[node].iter().position(|peer| *peer == other).unwrap();
        self.nodes[node].peers()[index]
    }

    fn flood(&mut self) {
        // It never rests, also not when all others do.
        self.after(2 * TICK_MS, Event::Tick(HOSTILE));
        let Some(hostile) = self.hostile.take() else {
            return;
        };
        for to in 0..NODES {
            for _ in 0..5 {
                let body = hostile.message(&mut self.rng);
                let stranger = self.rng.gen_bool(0.5).then(|| self.rng.gen_range(0..5_000));
                self.after(1, Event::Flood(to, body, stranger));
            }
        }
        self.hostile = Some(hostile);
    }

    fn flooded(&mut self, to: usize, body: &[u8], stranger: Option<u32>) {
        if self.is_down(to) {
            return;
        }
        let sender = match stranger {
            Some(number) => GossipSender::Address(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))),
            None => self.sender(HOSTILE, to),
        };
        let (now, node) = (self.instant(), &mut self.nodes[to]);
        let before = node.examined;
        node.receive(&self.world, sender, body, now);
        let examined = node.examined - before;
        match stranger {
            Some(_) => self.floods[to].1 += examined,
            None => self.floods[to].0 += examined,
        }
    }

    pub(crate) fn assert_all_convinced(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            assert!(!node.evidence.is_empty(), "node {number} has no evidence");
            for text in &node.evidence {
                let checked = self.world.check(text).unwrap();
                assert_eq!(checked.kind, "split view");
            }
            let own = self.world.checkpoint(node.newest.unwrap()).checkpoint().size();
            for one in node.unresolved().iter() {
                let size = one.signed.checkpoint().size();
                assert!(
                    size > own,
                    "node {number} with {own} leaves does not compare {size}"
                );
            }
        }
        self.assert_quiet();
    }

    pub(crate) fn assert_nobody_convinced(&self) {
        for node in &self.nodes {
            assert!(node.evidence.is_empty() && node.unresolved().is_empty());
        }
        self.assert_quiet();
    }

    /// The others know no more than that the log has signed something larger than what it shows.
    pub(crate) fn assert_victims_claim_is_remembered(&self) {
        let claim = self.world.checkpoint(self.nodes[VICTIM].newest.unwrap());
        let node = self
            .nodes
            .iter()
            .enumerate()
            .find(|(number, _)| *number != VICTIM)
            .unwrap()
            .1;
        let is_known = node
            .unresolved()
            .iter()
            .any(|one| one.signed.checkpoint() == claim.checkpoint());
        let has_evidence = self.nodes.iter().any(|node| !node.evidence.is_empty());
        assert!(is_known || has_evidence);
        self.assert_quiet();
    }

    /// No message goes round for ever, and nobody sends more than the pace allows.
    fn assert_quiet(&self) {
        assert!(
            self.sent_at < self.ends_at - QUIET_MS,
            "sent at {} of {}",
            self.sent_at,
            self.ends_at
        );
        let links: usize = self.peers.iter().take(NODES).map(Vec::len).sum();
        let checkpoints: usize = self
            .world
            .histories
            .iter()
            .map(|history| history.checkpoints.len())
            .sum();
        let lives: u64 = self.nodes.iter().map(|node| node.life + 1).sum();
        // A message is lost at least every fifth time, and a restart tells everything again.
        let most = 2 * (links * (checkpoints + 4)) as u64 + 32 * lives * PEERS_MAX as u64;
        assert!(
            self.sent < most,
            "{} messages; at most {most} are needed",
            self.sent
        );
    }

    pub(crate) fn assert_flood_was_bounded(&self) {
        let seconds = self.ends_at / 1000;
        for (number, (as_peer, as_strangers)) in self.floods.iter().enumerate() {
            let lives = self.nodes[number].life + 1;
            println!(
                "    node {number} examined {as_peer} messages of the hostile peer, {as_strangers} of strangers"
            );
            assert!(*as_peer > 0 && *as_strangers > 0, "the flood arrives");
            let most = match self.settings.hostile {
                // It is muted for longer and longer.
                Some(Malice::Blunt) => 200 * lives,
                // The limits hold for it as for all others.
                Some(Malice::Sly) | None => 10 * seconds + 20 * lives,
            };
            assert!(*as_peer < most, "node {number}: {as_peer}");
            assert!(
                *as_strangers < 100 * (seconds + lives),
                "node {number}: {as_strangers}"
            );
        }
    }
}

/// A connected network: a tree whose links go both ways, and more links, some of which go one way.
fn links(rng: &mut ChaCha20Rng) -> Vec<Vec<usize>> {
    let mut peers = vec![Vec::new(); NODES];
    for node in 1..NODES {
        let parent = rng.gen_range(0..node);
        peers[node].push(parent);
        peers[parent].push(node);
    }
    for _ in 0..NODES / 2 {
        let (a, b) = (rng.gen_range(0..NODES), rng.gen_range(0..NODES));
        if a != b && !peers[a].contains(&b) {
            peers[a].push(b);
        }
    }
    peers
}
