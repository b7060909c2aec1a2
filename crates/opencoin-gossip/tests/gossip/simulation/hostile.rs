//! A node that floods the others: with nonsense, with what others have signed, and with what it has heard.

use opencoin_gossip::{BODY_BYTES_MAX, GossipKind, GossipMessage, HOPS_MAX, SEEN_MAX};
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;

use super::world::World;

/// More than fit into the cache of a node.
const VARIANTS: usize = SEEN_MAX + 1;

pub(crate) struct Hostile {
    is_sly: bool,
    /// Valid checkpoints of the log, which do not show the fraud, each time with another text.
    variants: Vec<Vec<u8>>,
    /// Larger ones that the log has not signed.
    forged: Vec<Vec<u8>>,
    foreign: Vec<Vec<u8>>,
    foreign_evidence: Vec<u8>,
    heard: Vec<Vec<u8>>,
}

impl Hostile {
    pub(crate) fn new(world: &World, is_sly: bool, rng: &mut ChaCha20Rng) -> Self {
        let honest = &world.histories[0].checkpoints[..3];
        let mut other = world.foreign.fork();
        let larger = other.seal(7).clone();
        let mut foreign = world.foreign.fork();
        let smaller = foreign.seal(3).clone();
        Self {
            is_sly,
            variants: (0..VARIANTS)
                .map(|at| checkpoint(&with_stranger(&honest[at % 3], rng)))
                .collect(),
            forged: (0..VARIANTS)
                .map(|at| checkpoint(&forged(&honest[at % 3], rng)))
                .collect(),
            foreign: world.foreign.checkpoints.iter().map(checkpoint).collect(),
            foreign_evidence: evidence(other.split_view(&smaller, &larger)),
            heard: Vec::new(),
        }
    }

    /// It passes nothing on, but sends again what it has heard.
    pub(crate) fn receive(&mut self, body: &[u8]) {
        if self.heard.len() < 100 {
            self.heard.push(body.to_vec());
        }
    }

    pub(crate) fn message(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        match rng.gen_range(if self.is_sly { 0..4 } else { 0..9 }) {
            0 => self.foreign_evidence.clone(),
            1 => self.foreign.choose(rng).cloned().unwrap_or_default(),
            2 => self.variants.choose(rng).cloned().unwrap_or_default(),
            3 => self.heard.choose(rng).unwrap_or(&self.variants[0]).clone(),
            4 => (0..rng.gen_range(0..500)).map(|_| rng.r#gen()).collect(),
            5 => vec![b'{'; BODY_BYTES_MAX + 1],
            6 => evidence(format!("nonsense {}", rng.r#gen::<u64>())),
            7 => self.forged.choose(rng).cloned().unwrap_or_default(),
            _ => self.changed(rng),
        }
    }

    /// Something it has heard, with another number of hops or a changed byte.
    fn changed(&self, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let Some(body) = self.heard.choose(rng) else {
            return Vec::new();
        };
        let mut body = body.clone();
        let at = rng.gen_range(0..body.len());
        body[at] ^= 1 << rng.gen_range(0..8);
        if rng.gen_bool(0.5) {
            let hops = format!("{{\"hops\":{},", rng.gen_range(0..=HOPS_MAX));
            body = String::from_utf8_lossy(&body)
                .replacen("{\"hops\":0,", &hops, 1)
                .into_bytes();
        }
        body
    }
}

fn evidence(text: String) -> Vec<u8> {
    GossipMessage::new(GossipKind::Evidence, text)
        .unwrap()
        .to_json()
        .into_bytes()
}

fn checkpoint(signed: &SignedCheckpoint) -> Vec<u8> {
    let message = GossipMessage::new(GossipKind::Checkpoint, signed.to_string());
    message.unwrap().to_json().into_bytes()
}

/// A valid checkpoint with one more signature, so that its text is new each time.
fn with_stranger(signed: &SignedCheckpoint, rng: &mut ChaCha20Rng) -> SignedCheckpoint {
    let mut signed = signed.clone();
    let line = SignatureLine {
        name: "stranger.test".parse().unwrap(),
        key_id: rng.r#gen(),
        signature: rng.r#gen::<[u8; 32]>().to_vec(),
    };
    signed.add(line).unwrap();
    signed
}

/// A larger checkpoint that the log has not signed.
fn forged(signed: &SignedCheckpoint, rng: &mut ChaCha20Rng) -> SignedCheckpoint {
    let (origin, root) = (signed.checkpoint().origin(), *signed.checkpoint().root());
    let larger = opencoin_log::checkpoint::Checkpoint::new(origin, rng.r#gen(), root).unwrap();
    let mut forged = SignedCheckpoint::new(larger).unwrap();
    let line: SignatureLine = signed.note().signatures()[0].clone();
    forged.add(line).unwrap();
    forged
}
