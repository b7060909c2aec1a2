//! Limits on senders.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use opencoin_gossip::{
    Gossip, GossipKind, GossipMessage, GossipSender, MESSAGE_INTERVAL, MESSAGES_BURST, MUTED_MAX, Rejection,
    STRANGERS_MAX, SendTimes,
};

const SECOND: Duration = Duration::from_secs(1);

struct Node {
    gossip: Gossip,
    start: Instant,
}

impl Node {
    fn new() -> Self {
        let gossip = Gossip::new(2, SendTimes::default()).unwrap();
        let start = Instant::now();
        Self { gossip, start }
    }

    fn peer(&self, index: usize) -> GossipSender {
        GossipSender::Peer(self.gossip.peers().nth(index).unwrap())
    }

    fn admit(&mut self, sender: GossipSender, at: Duration) -> Result<(), Rejection> {
        self.gossip.admit(sender, self.start + at).map(drop)
    }

    /// How many of these messages are admitted at once.
    fn admitted(&mut self, sender: GossipSender, messages: u32, at: Duration) -> u32 {
        (0..messages)
            .map(|_| u32::from(self.admit(sender, at).is_ok()))
            .sum()
    }

    fn offend(&mut self, sender: GossipSender, at: Duration) {
        let now = self.start + at;
        let admitted = self.gossip.admit(sender, now).unwrap();
        self.gossip.read(admitted, b"nonsense", now).unwrap_err();
    }
}

fn stranger(number: u32) -> GossipSender {
    GossipSender::Address(IpAddr::V4(Ipv4Addr::from_bits(number)))
}

#[test]
fn each_sender_sends_ten_messages_a_second_after_a_burst() {
    let peer = Node::new().peer(0);
    for sender in [peer, stranger(1)] {
        let mut node = Node::new();
        assert_eq!(node.admitted(sender, 100, Duration::ZERO), MESSAGES_BURST);
        let wait = MESSAGE_INTERVAL;
        assert_eq!(
            node.admit(sender, Duration::ZERO),
            Err(Rejection::TooFast { wait })
        );
        assert_eq!(node.admitted(sender, 100, SECOND), 10);
        assert_eq!(node.admitted(sender, 100, SECOND * 60), MESSAGES_BURST);
    }
}

#[test]
fn a_sender_of_nonsense_is_muted_for_longer_and_longer() {
    let peer = Node::new().peer(0);
    for sender in [peer, stranger(1)] {
        let mut node = Node::new();
        let mut at = Duration::ZERO;
        for muted in [10, 20, 40, 80, 160, 320, 600, 600].map(Duration::from_secs) {
            node.offend(sender, at);
            let almost = at + muted - Duration::from_millis(1);
            let wait = Duration::from_millis(1);
            assert_eq!(node.admit(sender, almost), Err(Rejection::Muted { wait }));
            at += muted;
            assert_eq!(node.admit(sender, at), Ok(()));
        }
        // Others are not affected.
        assert_eq!(node.admit(node.peer(1), at), Ok(()));
        assert_eq!(node.admit(stranger(2), at), Ok(()));
        // After an hour it is forgiven.
        let later = at + SECOND * 3600;
        node.offend(sender, later);
        assert_eq!(node.admit(sender, later + SECOND * 10), Ok(()));
    }
    assert_eq!(MUTED_MAX, SECOND * 600);
}

#[test]
fn programs_of_this_machine_are_not_muted_for_each_other() {
    let mut node = Node::new();
    node.offend(GossipSender::ThisMachine, Duration::ZERO);
    assert_eq!(node.admitted(GossipSender::ThisMachine, 200, Duration::ZERO), 99);
    assert_eq!(node.admitted(GossipSender::ThisMachine, 200, SECOND), 100);
}

#[test]
fn no_number_of_strangers_stands_in_the_way_of_a_peer() {
    let mut node = Node::new();
    for second in 0..20 {
        let at = SECOND * second;
        let strangers: u32 = (0..2000)
            .map(|number| node.admitted(stranger(number), 1, at))
            .sum();
        assert!(strangers <= 200, "all strangers together: {strangers}");
        assert_eq!(node.admitted(node.peer(0), 10, at), 10);
    }
}

#[test]
fn strangers_without_room_share_a_limit_until_others_are_idle() {
    let mut node = Node::new();
    let many = u32::try_from(STRANGERS_MAX).unwrap();
    // As fast as the limit of all together allows.
    let at = |number: u32| Duration::from_millis(10) * number.saturating_sub(99);
    for number in 0..many {
        node.offend(stranger(number), at(number));
    }
    // All of them are still muted.
    let full = at(many) + Duration::from_millis(500);
    let (a, b) = (stranger(many), stranger(many + 1));
    assert_eq!(node.admitted(a, 15, full), 15);
    assert_eq!(node.admitted(b, 15, full), MESSAGES_BURST - 15);
    // The first ones are not muted any more, and make room.
    let later = full + SECOND;
    assert_eq!(node.admitted(a, 15, later), 15);
    assert_eq!(node.admitted(b, 15, later), 15);
}

#[test]
fn a_text_that_is_no_checkpoint_is_charged() {
    let mut node = Node::new();
    let sender = node.peer(0);
    let no_checkpoint = GossipMessage::new(GossipKind::Checkpoint, "text".to_owned()).unwrap();
    let admitted = node.gossip.admit(sender, node.start).unwrap();
    let refused = node
        .gossip
        .read(admitted, no_checkpoint.to_json().as_bytes(), node.start);
    assert_eq!(refused.unwrap_err(), Rejection::NotACheckpoint);
    assert!(matches!(
        node.admit(sender, Duration::ZERO),
        Err(Rejection::Muted { .. })
    ));
}

#[test]
fn addresses_are_not_shown() {
    let shown = format!("{:?}", stranger(0x0102_0304));
    assert_eq!(shown, "Address(..)");
    let mut node = Node::new();
    node.offend(stranger(0x0102_0304), Duration::ZERO);
    assert!(!format!("{:?}", node.gossip).contains("1.2.3.4"));
}
