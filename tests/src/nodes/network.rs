//! Brings up the nodes of one currency.

use std::sync::Arc;

use opencoin_testkit::log_peers::{LiteWitness, or_skip};
use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};

use super::auditor;
use super::node::Node;
use crate::files::text;
use crate::{
    Answers, Auditor, Currency, CuttingProxy, RFC9474, RoundRobin, SERVER_LINE, Witness, command, free_port,
};

/// The full auditors. Two of them are the joint signature.
pub(super) const FULL: usize = 3;
/// The light auditors.
const LIGHT: usize = 2;
const ISSUERS: usize = 2;
/// The currency needs both of its witnesses.
const QUORUM: &str = "2";
const JOINT: &str = "2";

/// All nodes. Fields are dropped in this order: processes before the folders that they use.
pub(super) struct Network {
    /// Our own programs that the nemesis kills.
    pub(super) nodes: Vec<Node>,
    /// Over which the auditors gossip.
    pub(super) links: Vec<CuttingProxy>,
    pub(super) issuer_ports: [u16; ISSUERS],
    /// The address of the issuers for everybody else.
    pub(super) door: CuttingProxy,
    pub(super) foreign: Option<ForeignWitness>,
    pub(super) full: Vec<Arc<Auditor>>,
    pub(super) light: Vec<Arc<Auditor>>,
    pub(super) currency: Currency,
    pub(super) postgres: EphemeralPostgres,
    _front: RoundRobin,
    _witnesses: Vec<Witness>,
}

/// A witness of another maker, behind a link.
pub(super) struct ForeignWitness {
    pub(super) witness: LiteWitness,
    pub(super) link: CuttingProxy,
}

impl Network {
    pub(super) fn start() -> Self {
        let postgres = EphemeralPostgres::start();
        let front_port = free_port();
        let door = CuttingProxy::start(front_port);
        let database = TestDatabase::create_on(&postgres.url());
        let mut currency = Currency::make_with(RFC9474, database, &["--url", &door.url()]);
        currency.seal_every_second();
        let key = currency.log_key();
        let origin = key.split('+').next().unwrap();
        let foreign = or_skip(LiteWitness::start(origin, &key)).map(|witness| ForeignWitness {
            link: CuttingProxy::start(witness.port()),
            witness,
        });
        // Without the foreign one there are two of ours.
        let count = if foreign.is_some() { 1 } else { 2 };
        let witnesses: Vec<Witness> = (0..count)
            .map(|number| Witness::named(&format!("witness.example/w{number}"), &[]))
            .collect();
        let auditor =
            |role: &str, number| Arc::new(Auditor::make(&format!("auditor.example/{role}{number}")));
        let full: Vec<_> = (0..FULL).map(|number| auditor("full", number)).collect();
        let light: Vec<_> = (0..LIGHT).map(|number| auditor("light", number)).collect();

        let mut named: Vec<String> = witnesses
            .iter()
            .map(|witness| format!("{} {}", witness.vkeys[0], witness.url()))
            .collect();
        if let Some(ForeignWitness { witness, link }) = &foreign {
            named.push(format!("{} {}", witness.vkey(), link.url()));
        }
        describe(&currency, &named, &full);

        let mut nodes = Vec::new();
        for (number, made) in witnesses.iter().enumerate() {
            let _added = made.run("add", &[&key]).success();
            nodes.push(witness(made, number));
        }
        let issuer_ports = [(); ISSUERS].map(|()| free_port());
        for (number, port) in issuer_ports.iter().enumerate() {
            nodes.push(issuer(&currency, number, *port));
        }
        let front = RoundRobin::start_with_health_checks(front_port, &issuer_ports);
        let mut network = Self {
            nodes,
            links: Vec::new(),
            issuer_ports,
            door,
            foreign,
            full,
            light,
            currency,
            postgres,
            _front: front,
            _witnesses: witnesses,
        };
        network.start_auditors();
        network
    }

    /// Each full auditor gossips with the other ones, and each light auditor with all full ones, over links of their own.
    fn start_auditors(&mut self) {
        let issuer = self.door.url();
        for number in 0..FULL {
            let peers = self.link_to(|peer| peer != number);
            let node = auditor::serve(
                &self.full[number],
                &format!("full auditor {number}"),
                &issuer,
                &peers,
                false,
            );
            self.nodes.push(node);
        }
        for number in 0..LIGHT {
            let peers = self.link_to(|_| true);
            let node = auditor::serve(
                &self.light[number],
                &format!("light auditor {number}"),
                &issuer,
                &peers,
                true,
            );
            self.nodes.push(node);
        }
    }

    fn link_to(&mut self, is_peer: impl Fn(usize) -> bool) -> Vec<String> {
        let peers = (0..FULL).filter(|peer| is_peer(*peer));
        let links: Vec<CuttingProxy> = peers
            .map(|peer| CuttingProxy::start(self.full[peer].port))
            .collect();
        let urls = links.iter().map(CuttingProxy::url).collect();
        self.links.extend(links);
        urls
    }

    /// The URL of a path of the issuers.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.door.url())
    }

    /// Ends all faults of links.
    pub(super) fn mend(&self) {
        let foreign = self.foreign.iter().map(|foreign| &foreign.link);
        let links = self.links.iter().chain(foreign).chain([&self.door]);
        links.for_each(|link| link.set(Answers::Pass));
    }

    pub(super) fn stop(&mut self) {
        self.nodes.iter_mut().rev().for_each(Node::stop);
    }
}

/// Names the witnesses and the joint auditors in a new description of the currency.
fn describe(currency: &Currency, witnesses: &[String], auditors: &[Arc<Auditor>]) {
    let auditors: Vec<String> = auditors
        .iter()
        .map(|auditor| format!("{} {}", auditor.vkey, auditor.url("")))
        .collect();
    let mut arguments = vec!["log", "witnesses", "--quorum", QUORUM, "--joint-quorum", JOINT];
    arguments.extend(
        witnesses
            .iter()
            .flat_map(|witness| ["--witness", witness.as_str()]),
    );
    arguments.extend(
        auditors
            .iter()
            .flat_map(|auditor| ["--auditor", auditor.as_str()]),
    );
    currency.issuer(&arguments);
}

fn witness(witness: &Witness, number: usize) -> Node {
    let (dir, port) = (witness.dir(), witness.port);
    Node::start(format!("witness {number}"), "serving the witness ", move || {
        let mut command = command();
        command.args(["witness", "serve", "--dir", text(&dir)]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command
    })
}

fn issuer(currency: &Currency, number: usize, port: u16) -> Node {
    let environment = currency.environment();
    let dir = currency.dir();
    Node::start(format!("issuer {number}"), SERVER_LINE, move || {
        let mut command = command();
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.args(["issuer", "serve", "--dir", text(&dir)]);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        command.env("OPENCOIN_LOG", "warn");
        command
    })
}
