//! What a node takes, passes on and sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_gossip::{
    Arrived, Content, Decision, Delivery, Gossip, GossipKind, GossipMessage, GossipMessageError,
    GossipSender, HOPS_MAX, OUTBOX_MESSAGES_MAX, Outgoing, PEERS_MAX, PeerNo, Rejection, SEEN_MAX, SendTimes,
    TooManyPeers, Worth, content_id,
};
use opencoin_log::hash::Hash;
use serde_json::{Value, json};

use crate::two_histories::History;

const TIMES: SendTimes = SendTimes {
    interval: Duration::from_millis(125),
    retry_first: Duration::from_secs(1),
    retry_max: Duration::from_secs(60),
};

struct Node {
    gossip: Gossip,
    start: Instant,
    /// Since the start.
    now: Duration,
}

impl Node {
    fn new(peers: usize) -> Self {
        Self {
            gossip: Gossip::new(peers, TIMES).unwrap(),
            start: Instant::now(),
            now: Duration::ZERO,
        }
    }

    fn peer(&self, index: usize) -> PeerNo {
        self.gossip.peers().nth(index).unwrap()
    }

    fn at(&self) -> Instant {
        self.start + self.now
    }

    fn receive(&mut self, from: usize, body: &str) -> Result<Decision, Rejection> {
        // Slowly enough for every limit.
        self.now += Duration::from_secs(1);
        let (sender, now) = (GossipSender::Peer(self.peer(from)), self.at());
        let admitted = self.gossip.admit(sender, now)?;
        self.gossip.read(admitted, body.as_bytes(), now)
    }

    fn arrives(&mut self, from: usize, body: &str) -> Box<Arrived> {
        match self.receive(from, body).unwrap() {
            Decision::Examine(arrived) => arrived,
            Decision::Ignore => panic!("it is new"),
        }
    }

    /// Receives evidence that is valid and new. Returns to how many peers it is passed on.
    fn take(&mut self, from: usize, body: &str) -> usize {
        let arrived = self.arrives(from, body);
        self.gossip.examined(*arrived, &Worth::New, self.at())
    }

    fn next(&self, peer: usize) -> Outgoing {
        self.gossip.next(self.peer(peer), self.at())
    }

    fn next_body(&self, peer: usize) -> Arc<str> {
        match self.next(peer) {
            Outgoing::Send { body, .. } => body,
            other => panic!("{other:?}"),
        }
    }

    fn delivered(&mut self, peer: usize, delivery: Delivery) -> Hash {
        let Outgoing::Send { subject, .. } = self.next(peer) else {
            panic!("nothing is sent");
        };
        let (peer, now) = (self.peer(peer), self.at());
        self.gossip.delivered(peer, subject, delivery, now);
        subject
    }

    fn announce(&mut self, content: &Content) -> usize {
        self.gossip.announce(content).unwrap()
    }

    /// Sends everything to a peer, and returns the texts.
    fn drain(&mut self, peer: usize) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            match self.next(peer) {
                Outgoing::Send { body, .. } => {
                    let message = GossipMessage::parse(body.as_bytes()).unwrap();
                    texts.push(message.text().to_owned());
                    self.delivered(peer, Delivery::Taken);
                }
                Outgoing::Wait(until) => self.now = until - self.start,
                Outgoing::Idle => return texts,
            }
        }
    }
}

fn evidence(text: &str, hops: u8) -> String {
    json!({"hops": hops, "id": content_id(text), "kind": "evidence", "text": text}).to_string()
}

fn checkpoint(text: &str) -> String {
    GossipMessage::new(GossipKind::Checkpoint, text.to_owned())
        .unwrap()
        .to_json()
}

#[test]
fn what_is_valid_and_new_is_passed_on_once_to_all_but_the_sender() {
    let mut node = Node::new(3);
    assert_eq!(node.take(1, &evidence("a", 4)), 2);
    assert_eq!(node.next(1), Outgoing::Idle);
    for peer in [0, 2] {
        let body: Value = serde_json::from_str(&node.next_body(peer)).unwrap();
        assert_eq!(
            (body["hops"].as_u64(), body["text"].as_str()),
            (Some(5), Some("a"))
        );
    }
    // Again, from anybody: nothing. Whoever sends it is not told any more.
    for from in [0, 1] {
        assert!(matches!(
            node.receive(from, &evidence("a", 0)),
            Ok(Decision::Ignore)
        ));
    }
    assert_eq!(node.next(0), Outgoing::Idle);
    assert!(matches!(node.next(2), Outgoing::Send { .. }));
}

#[test]
fn a_message_examined_twice_at_the_same_time_is_passed_on_once() {
    let mut node = Node::new(3);
    let (first, second) = (
        node.arrives(0, &evidence("a", 0)),
        node.arrives(1, &evidence("a", 0)),
    );
    let now = node.at();
    assert_eq!(node.gossip.examined(*first, &Worth::New, now), 2);
    assert_eq!(node.gossip.examined(*second, &Worth::New, now), 0);
    assert_eq!(
        [0, 1, 2].map(|peer| node.gossip.waiting(node.peer(peer))),
        [0, 0, 1]
    );
}

#[test]
fn a_message_that_has_come_far_enough_stays() {
    let mut node = Node::new(3);
    assert_eq!(node.take(0, &evidence("a", HOPS_MAX - 1)), 2);
    assert_eq!(node.take(0, &evidence("b", HOPS_MAX)), 0);
    let too_far = node.receive(0, &evidence("c", HOPS_MAX + 1));
    assert_eq!(too_far.unwrap_err(), Rejection::Invalid(GossipMessageError::Hops));
}

#[test]
fn what_is_not_new_and_valid_is_not_passed_on_and_not_remembered() {
    for worth in [Worth::Known, Worth::Foreign, Worth::Worthless] {
        let mut node = Node::new(3);
        let arrived = node.arrives(0, &evidence("a", 0));
        let now = node.at();
        assert_eq!(node.gossip.examined(*arrived, &worth, now), 0);
        assert_eq!(
            [0, 1, 2].map(|peer| node.gossip.waiting(node.peer(peer))),
            [0, 0, 0]
        );
        // Somebody else may bring it.
        assert_eq!(
            node.take(1, &evidence("a", 0)),
            if worth == Worth::Known { 1 } else { 2 }
        );
        let is_muted = matches!(node.receive(0, &evidence("b", 0)), Err(Rejection::Muted { .. }));
        assert_eq!(is_muted, worth == Worth::Worthless);
    }
}

#[test]
fn worthless_texts_evict_nothing() {
    let mut node = Node::new(2);
    node.take(1, &evidence("a", 0));
    for number in 0..=SEEN_MAX {
        let arrived = node.arrives(0, &evidence(&format!("foreign {number}"), 0));
        let now = node.at();
        node.gossip.examined(*arrived, &Worth::Foreign, now);
    }
    assert!(matches!(node.receive(0, &evidence("a", 0)), Ok(Decision::Ignore)));
    for number in 0..SEEN_MAX {
        node.take(0, &evidence(&format!("valid {number}"), 0));
    }
    assert!(matches!(
        node.receive(0, &evidence("a", 0)),
        Ok(Decision::Examine(_))
    ));
}

#[test]
fn a_checkpoint_is_known_whatever_its_signatures() {
    let history = History::begun();
    let mut node = Node::new(2);
    assert_eq!(node.announce(&Content::Checkpoint(history.newest().clone())), 2);
    let bare = opencoin_gossip::without_cosignatures(history.newest(), &history.block()).unwrap();
    assert!(matches!(
        node.receive(0, &checkpoint(&bare.to_string())),
        Ok(Decision::Ignore)
    ));
    assert_eq!(node.drain(0), Vec::<String>::new(), "the peer has it");
    assert_eq!(node.drain(1), [history.newest().to_string()]);
}

#[test]
fn a_checkpoint_is_passed_on_in_its_tidy_form() {
    let history = History::begun();
    let mut node = Node::new(2);
    let mut untidy = history.newest().clone();
    let line = untidy.note().signatures()[0].clone();
    untidy
        .add(opencoin_log::signature_line::SignatureLine {
            key_id: [0; 4],
            ..line
        })
        .unwrap();
    let mut arrived = node.arrives(0, &checkpoint(&untidy.to_string()));
    assert_eq!(arrived.tidy(&history.block()), Ok(history.newest()));
    let now = node.at();
    assert_eq!(node.gossip.examined(*arrived, &Worth::Unresolved, now), 1);
    assert_eq!(node.drain(1), [history.newest().to_string()]);
    // Unresolved ones are remembered by the caller.
    assert!(matches!(
        node.receive(0, &checkpoint(&untidy.to_string())),
        Ok(Decision::Examine(_))
    ));
}

#[test]
fn what_a_node_has_fetched_is_treated_like_a_message() {
    let history = History::begun();
    let mut node = Node::new(2);
    let text = history.newest().to_string();
    let fetched = node
        .gossip
        .fetched(GossipKind::Checkpoint, text.clone(), Some(node.peer(0)));
    let Ok(Decision::Examine(arrived)) = fetched else {
        panic!("{fetched:?}");
    };
    assert_eq!(arrived.hops(), 0);
    let now = node.at();
    assert_eq!(node.gossip.examined(*arrived, &Worth::New, now), 1);
    assert!(matches!(
        node.gossip.fetched(GossipKind::Checkpoint, text, None),
        Ok(Decision::Ignore)
    ));
    let nonsense = node
        .gossip
        .fetched(GossipKind::Checkpoint, "nonsense".to_owned(), None);
    assert_eq!(nonsense.unwrap_err(), Rejection::NotACheckpoint);
}

#[test]
fn evidence_is_sent_first_and_the_newest_checkpoint_replaces_older_ones() {
    let mut history = History::begun();
    for coins in 0..3 {
        history.seal(coins);
    }
    let foreign = History::foreign();
    let mut node = Node::new(1);
    let at = |batch: usize| Content::Checkpoint(history.checkpoints[batch].clone());
    assert_eq!(node.announce(&at(1)), 1);
    assert_eq!(node.announce(&at(0)), 0, "a newer one waits");
    assert_eq!(node.announce(&Content::Checkpoint(foreign.newest().clone())), 1);
    assert_eq!(node.announce(&at(3)), 1);
    node.gossip.announce_unresolved(&history.checkpoints[2]).unwrap();
    assert_eq!(node.announce(&Content::Evidence("evidence".to_owned())), 1);
    let expected = [
        "evidence".to_owned(),
        history.checkpoints[2].to_string(),
        foreign.newest().to_string(),
        history.checkpoints[3].to_string(),
    ];
    assert_eq!(node.drain(0), expected);
    // What was told is not told again.
    assert_eq!(node.announce(&at(3)), 0);
}

#[test]
fn an_outbox_is_bounded_and_drops_checkpoints_before_evidence() {
    let mut history = History::begun();
    for _ in 0..6 {
        history.seal(1);
    }
    let mut node = Node::new(1);
    for signed in &history.checkpoints {
        node.gossip.announce_unresolved(signed).unwrap();
    }
    assert_eq!(
        node.gossip.waiting(node.peer(0)),
        4,
        "a few unresolved ones of a log"
    );
    node.announce(&Content::Checkpoint(history.newest().clone()));
    let mut texts = Vec::new();
    for number in 0..=OUTBOX_MESSAGES_MAX {
        let text = format!("evidence {number}");
        let waits = node.announce(&Content::Evidence(text.clone()));
        assert_eq!(waits, usize::from(number < OUTBOX_MESSAGES_MAX));
        assert!(node.gossip.waiting(node.peer(0)) <= OUTBOX_MESSAGES_MAX);
        texts.push(text);
    }
    assert_eq!(
        node.announce(&Content::Checkpoint(history.checkpoints[5].clone())),
        0
    );
    assert_eq!(node.drain(0), texts[..OUTBOX_MESSAGES_MAX]);
}

#[test]
fn a_message_stays_until_it_is_delivered_and_waits_longer_after_each_failure() {
    let mut node = Node::new(2);
    node.announce(&Content::Evidence("a".to_owned()));
    node.announce(&Content::Evidence("b".to_owned()));
    let failed = Delivery::Failed { retry_after: None };
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(node.delivered(0, failed), content_id("a"));
        let until = node.now + Duration::from_secs(seconds);
        assert_eq!(node.next(0), Outgoing::Wait(node.start + until));
        node.now = until;
    }
    // Another peer does not wait for this one.
    assert!(matches!(node.next(1), Outgoing::Send { .. }));
    assert_eq!(node.delivered(0, Delivery::Taken), content_id("a"));
    assert_eq!(node.next(0), Outgoing::Wait(node.at() + TIMES.interval));
    node.now += TIMES.interval;
    assert_eq!(node.delivered(0, Delivery::Refused), content_id("b"));
    node.now += TIMES.interval;
    assert_eq!(node.next(0), Outgoing::Idle);
}

#[test]
fn a_peer_cannot_ask_for_a_longer_wait_than_the_longest() {
    for (asked, waits) in [(5, 5), (3600, 60), (0, 1)] {
        let mut node = Node::new(1);
        node.announce(&Content::Evidence("a".to_owned()));
        let retry_after = Some(Duration::from_secs(asked));
        node.delivered(0, Delivery::of_status(429, retry_after));
        assert_eq!(
            node.next(0),
            Outgoing::Wait(node.at() + Duration::from_secs(waits))
        );
    }
}

#[test]
fn a_status_says_what_became_of_a_message() {
    let failed = Delivery::Failed { retry_after: None };
    for (status, delivery) in [
        (200, Delivery::Taken),
        (204, Delivery::Taken),
        (301, failed),
        (400, Delivery::Refused),
        (404, Delivery::Refused),
        (408, failed),
        (413, Delivery::Refused),
        (422, Delivery::Refused),
        (429, failed),
        (500, failed),
        (503, failed),
    ] {
        assert_eq!(Delivery::of_status(status, None), delivery, "{status}");
    }
}

#[test]
fn what_is_too_long_is_not_announced() {
    let mut node = Node::new(1);
    let long = Content::Evidence("x".repeat(100_000));
    assert_eq!(node.gossip.announce(&long), Err(GossipMessageError::TooLong));
    assert_eq!(node.next(0), Outgoing::Idle);
}

#[test]
fn a_node_has_at_most_sixteen_peers() {
    assert_eq!(Node::new(PEERS_MAX).gossip.peers().count(), 16);
    let too_many = Gossip::new(PEERS_MAX + 1, TIMES);
    assert_eq!(too_many.unwrap_err(), TooManyPeers(17));
}
