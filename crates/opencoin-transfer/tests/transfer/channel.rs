//! The encrypted channel.

use opencoin_transfer::Secret32;
use opencoin_transfer::channel::{Channel, ChannelError, Digits, Handshake, HandshakeSecrets, Handshaken};
use opencoin_transfer::invitation::{Invitation, Kind};
use opencoin_transfer::key::ParticipantKey;

use crate::{invitation, rng};

fn secrets(seed: u64) -> HandshakeSecrets {
    let mut rng = rng(seed);
    HandshakeSecrets {
        ephemeral: Secret32::random(&mut rng),
        number: Secret32::random(&mut rng),
    }
}

fn key(seed: u8) -> ParticipantKey {
    ParticipantKey::from_seed(&Secret32::from_bytes([seed; 32])).unwrap()
}

fn waits(handshaken: Result<Handshaken, ChannelError>) -> (Vec<u8>, Handshake) {
    match handshaken {
        Ok(Handshaken::Waits(answer, handshake)) => (answer, handshake),
        Ok(Handshaken::Open(..)) => panic!("the channel is open too early"),
        Err(error) => panic!("{error}"),
    }
}

fn open(handshaken: Result<Handshaken, ChannelError>) -> (Option<Vec<u8>>, Channel) {
    match handshaken {
        Ok(Handshaken::Open(answer, channel)) => (answer, channel),
        Ok(Handshaken::Waits(..)) => panic!("the channel is not open"),
        Err(error) => panic!("{error}"),
    }
}

fn channels(theirs: &Invitation, ours: &Invitation) -> (Channel, Channel) {
    let (first, initiator) = Handshake::initiate(theirs, key(1), secrets(1));
    let (second, responder) = waits(Handshake::respond(ours, key(2), secrets(2)).receive(&first));
    let (third, initiator) = waits(initiator.receive(&second));
    let (fourth, responder) = open(responder.receive(&third));
    let (nothing, initiator) = open(initiator.receive(&fourth.unwrap()));
    assert_eq!(nothing, None);
    (initiator, responder)
}

fn pair() -> (Channel, Channel) {
    let invitation = invitation(Kind::ToReceive, 7);
    channels(&invitation, &invitation)
}

#[test]
fn both_ends_have_the_same_digits_and_know_each_other() {
    let (mut initiator, mut responder) = pair();
    assert_eq!(initiator.digits(), responder.digits());
    assert_eq!(initiator.peer(), key(2).public());
    assert_eq!(responder.peer(), key(1).public());
    for message in [&b""[..], b"one", &[7; 1019], &[8; 1020], &[9; 4_091]] {
        let frame = initiator.seal(message).unwrap();
        assert!([1041, 4_113].contains(&frame.len()), "{}", frame.len());
        assert_eq!(*responder.open(&frame).unwrap(), message);
        let frame = responder.seal(message).unwrap();
        assert_eq!(*initiator.open(&frame).unwrap(), message);
    }
    assert_eq!(initiator.seal(&[0; 4_092]), Err(ChannelError::TooLong));
}

#[test]
fn tampered_replayed_reordered_and_missing_frames_do_not_decrypt() {
    let (mut initiator, mut responder) = pair();
    let mut tampered = initiator.seal(b"coins").unwrap();
    for place in [1, 500, 1040] {
        tampered[place] ^= 1;
        assert_eq!(responder.open(&tampered), Err(ChannelError::Decrypt));
        tampered[place] ^= 1;
    }
    // The untouched frame is still the next one.
    assert_eq!(*responder.open(&tampered).unwrap(), *b"coins");
    assert_eq!(responder.open(&tampered), Err(ChannelError::Decrypt), "a replay");
    let (first, second) = (initiator.seal(b"1").unwrap(), initiator.seal(b"2").unwrap());
    assert_eq!(responder.open(&second), Err(ChannelError::Decrypt), "reordered");
    assert_eq!(*responder.open(&first).unwrap(), *b"1");
    assert_eq!(initiator.open(&first), Err(ChannelError::Decrypt), "reflected");
    let cut = &second[..second.len() - 1];
    assert_eq!(responder.open(cut), Err(ChannelError::Unexpected));
}

#[test]
fn another_invitation_makes_no_channel() {
    let ours = invitation(Kind::ToReceive, 7);
    let mut dearer = ours.clone();
    dearer.kind = crate::request(5, false);
    for theirs in [invitation(Kind::ToReceive, 8), dearer] {
        let (first, _) = Handshake::initiate(&theirs, key(1), secrets(1));
        let answer = Handshake::respond(&ours, key(2), secrets(2)).receive(&first);
        assert_eq!(answer.err(), Some(ChannelError::Decrypt));
    }
}

#[test]
fn a_number_that_was_not_committed_to_is_refused() {
    let invitation = invitation(Kind::ToReceive, 7);
    let (first, _) = Handshake::initiate(&invitation, key(1), secrets(1));
    // The same ephemeral key with another number, as somebody would try who searches for equal digits.
    let mut other = secrets(1);
    other.number = secrets(3).number;
    let (_, cheat) = Handshake::initiate(&invitation, key(1), other);
    let (second, responder) = waits(Handshake::respond(&invitation, key(2), secrets(2)).receive(&first));
    // Its handshake has another hash, so that it cannot even read the answer.
    assert_eq!(cheat.receive(&second).err(), Some(ChannelError::Decrypt));
    drop(responder);
}

#[test]
fn somebody_between_shows_other_digits_to_each_side() {
    let invitation = invitation(Kind::ToReceive, 7);
    let mut digits: Vec<Digits> = Vec::new();
    for seed in 0..2 {
        let (first, initiator) = Handshake::initiate(&invitation, key(1), secrets(seed));
        let handshake = Handshake::respond(&invitation, key(9), secrets(seed + 10));
        let (second, _) = waits(handshake.receive(&first));
        let (third, _) = waits(initiator.receive(&second));
        let handshake = Handshake::respond(&invitation, key(9), secrets(seed + 10));
        let (_, responder) = waits(handshake.receive(&first));
        digits.push(open(responder.receive(&third)).1.digits());
    }
    assert_ne!(digits[0], digits[1]);
}
