//! An auditor as its caller would build it around [`Gossip`], without a disk and a network.

use std::convert::Infallible;
use std::time::Instant;

use opencoin_gossip::{
    CheckpointRefused, Content, Decision, EvidenceSubject, Gossip, GossipSender, KnownEvidence, LogPlace,
    Novelty, PeerNo, Rejection, Remembered, SendTimes, UnresolvedCheckpoints, Worth, place,
};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::world::World;

pub(crate) struct Node {
    /// What survives a restart.
    pub(crate) newest: Option<(usize, usize)>,
    pub(crate) evidence: Vec<String>,
    unresolved: String,
    /// What does not.
    pub(crate) gossip: Gossip,
    known: KnownEvidence,
    /// The number of restarts.
    pub(crate) life: u64,
    /// How many messages were examined for each kind of sender.
    pub(crate) examined: u64,
    /// The master key of the currency that it follows.
    master_key: String,
}

impl Node {
    pub(crate) fn new(peers: usize, world: &World) -> Self {
        let key = world.histories[0].log().cddc().master_key();
        Self {
            newest: None,
            evidence: Vec::new(),
            unresolved: UnresolvedCheckpoints::default().to_json(),
            gossip: Gossip::new(peers, SendTimes::default()).unwrap(),
            known: KnownEvidence::default(),
            life: 0,
            examined: 0,
            master_key: opencoin_evidence::master_key_fingerprint(key),
        }
    }

    /// Forgets what is not durable, and announces what is.
    pub(crate) fn restart(&mut self, world: &World) {
        self.life += 1;
        self.gossip = Gossip::new(self.gossip.peers().count(), SendTimes::default()).unwrap();
        self.known = KnownEvidence::default();
        for text in self.evidence.clone() {
            let checked = world.check(&text).unwrap();
            self.known.add(EvidenceSubject {
                master_key: &checked.master_key_fingerprint,
                kind: checked.kind,
                statement: &checked.statement,
            });
            self.gossip.announce(&Content::Evidence(text)).unwrap();
        }
        if let Some(newest) = self.newest {
            self.announce(world, newest);
        }
        for unresolved in self.unresolved().iter() {
            self.gossip.announce_unresolved(&unresolved.signed).unwrap();
        }
    }

    pub(crate) fn unresolved(&self) -> UnresolvedCheckpoints {
        UnresolvedCheckpoints::parse(&self.unresolved).unwrap()
    }

    fn announce(&mut self, world: &World, newest: (usize, usize)) {
        let tidy = world.histories[0].tidy(world.checkpoint(newest));
        self.gossip.announce(&Content::Checkpoint(tidy)).unwrap();
    }

    /// Asks the log for its newest checkpoint.
    pub(crate) fn follow(&mut self, world: &World, shown: (usize, usize)) {
        let Some(newest) = self.newest else {
            return self.go_on(world, shown);
        };
        let (own, other) = (world.checkpoint(newest), world.checkpoint(shown));
        let (own_size, other_size) = (own.checkpoint().size(), other.checkpoint().size());
        if other_size <= own_size {
            let worth = self.weigh(world, other.clone());
            assert_ne!(worth, Worth::Worthless);
            return;
        }
        let history = &world.histories[shown.0];
        if history.root_at(own_size) == *own.checkpoint().root() {
            self.go_on(world, shown);
        } else {
            self.convict(world, history.split_view(own, other));
        }
    }

    fn go_on(&mut self, world: &World, shown: (usize, usize)) {
        self.newest = Some(shown);
        self.announce(world, shown);
        let (history, newest) = (&world.histories[shown.0], world.checkpoint(shown));
        let mut unresolved = self.unresolved();
        let settled = unresolved.settle(newest.checkpoint(), |size| Ok(Some(history.root_at(size))));
        let Ok::<_, Infallible>(contradictions) = settled;
        for other in contradictions {
            self.convict(world, history.split_view(&other, newest));
            unresolved.forget(other.checkpoint().size());
        }
        self.unresolved = unresolved.to_json();
    }

    /// Receives the body of a message, and answers with an HTTP status.
    pub(crate) fn receive(&mut self, world: &World, sender: GossipSender, body: &[u8], now: Instant) -> u16 {
        let admitted = match self.gossip.admit(sender, now) {
            Ok(admitted) => admitted,
            Err(_) => return 429,
        };
        match self.gossip.read(admitted, body, now) {
            Ok(Decision::Ignore) => 204,
            Ok(Decision::Examine(mut arrived)) => {
                self.examined += 1;
                let worth = match arrived.content() {
                    Content::Evidence(text) => {
                        let text = text.clone();
                        self.weigh_evidence(world, &text)
                    }
                    Content::Checkpoint(signed) if signed.checkpoint().origin() != world.origin() => {
                        Worth::Foreign
                    }
                    Content::Checkpoint(_) => match arrived.tidy(&world.block) {
                        Ok(tidy) => {
                            let tidy = tidy.clone();
                            self.weigh(world, tidy)
                        }
                        Err(CheckpointRefused::Signature) => Worth::Worthless,
                        Err(CheckpointRefused::Origin | CheckpointRefused::UnknownKey) => Worth::Foreign,
                    },
                };
                self.gossip.examined(*arrived, &worth, now);
                if worth == Worth::Worthless { 422 } else { 204 }
            }
            Err(Rejection::TooFast { .. } | Rejection::Muted { .. }) => 429,
            Err(Rejection::Invalid(_) | Rejection::NotACheckpoint) => 400,
        }
    }

    /// Compares a checkpoint that the log has signed with what is known.
    fn weigh(&mut self, world: &World, signed: SignedCheckpoint) -> Worth {
        let own = self
            .newest
            .map(|newest| (&world.histories[newest.0], world.checkpoint(newest)));
        let root_at = |size| Ok(own.map(|(history, _)| history.root_at(size)));
        let newest = own.map(|(_, newest)| newest.checkpoint());
        let Ok::<_, Infallible>(place) = place(signed.checkpoint(), newest, root_at);
        match (place, own) {
            (LogPlace::Contradiction, Some((history, newest))) => {
                self.convict(world, history.split_view(&signed, newest));
                Worth::Known
            }
            (LogPlace::Newer, _) => self.remember(world, signed),
            (LogPlace::Same | LogPlace::Older, _) => Worth::Known,
            (LogPlace::Contradiction | LogPlace::Unknown, _) => panic!("full nodes know all roots"),
        }
    }

    fn remember(&mut self, world: &World, signed: SignedCheckpoint) -> Worth {
        let mut unresolved = self.unresolved();
        match unresolved.remember(signed.clone(), 0) {
            Remembered::Added => {
                self.unresolved = unresolved.to_json();
                Worth::Unresolved
            }
            Remembered::Known | Remembered::Full => Worth::Known,
            Remembered::Contradiction(other) => {
                self.convict(world, world.histories[0].same_size(&signed, &other));
                Worth::Known
            }
        }
    }

    /// Compares what is unresolved with the copy that a peer has.
    pub(crate) fn compare_with_copy(&mut self, world: &World, copy: Option<(usize, usize)>) {
        let (Some(own), Some(copy)) = (self.newest, copy) else {
            return;
        };
        let (own, copied, history) = (
            world.checkpoint(own),
            world.checkpoint(copy),
            &world.histories[copy.0],
        );
        let mut unresolved = self.unresolved();
        for claim in self.unresolved().iter().map(|claim| &claim.signed) {
            let (size, root) = (claim.checkpoint().size(), *claim.checkpoint().root());
            let is_copied = size <= copied.checkpoint().size() && history.root_at(size) == root;
            let own_size = own.checkpoint().size();
            let is_larger = size > own_size;
            if is_copied && is_larger && history.root_at(own_size) != *own.checkpoint().root() {
                self.convict(world, history.split_view(own, claim));
                unresolved.forget(size);
            }
        }
        self.unresolved = unresolved.to_json();
    }

    fn weigh_evidence(&mut self, world: &World, text: &str) -> Worth {
        let Some(checked) = world.check(text) else {
            return Worth::Worthless;
        };
        if checked.master_key_fingerprint != self.master_key {
            return Worth::Foreign;
        }
        let subject = EvidenceSubject {
            master_key: &checked.master_key_fingerprint,
            kind: checked.kind,
            statement: &checked.statement,
        };
        match self.known.novelty(subject) {
            Novelty::New => {
                self.known.add(subject);
                self.evidence.push(text.to_owned());
                Worth::New
            }
            Novelty::Known | Novelty::Enough => Worth::Known,
        }
    }

    /// Keeps evidence that it has made, and tells its peers.
    fn convict(&mut self, world: &World, text: String) {
        if self.weigh_evidence(world, &text) == Worth::New {
            self.gossip.announce(&Content::Evidence(text)).unwrap();
        }
    }

    pub(crate) fn peers(&self) -> Vec<PeerNo> {
        self.gossip.peers().collect()
    }
}
