//! The test vectors of docs/LIVE_TRANSFER.md: `fixtures/transfer/live.json` is what fixed secrets lead to.
//!
//! With `OPENCOIN_WRITE_VECTORS` set the test writes the file instead of comparing it.

use std::path::PathBuf;

use opencoin_transfer::bundle;
use opencoin_transfer::channel::{Handshake, HandshakeSecrets, Handshaken};
use opencoin_transfer::invitation::Kind;
use opencoin_transfer::key::ParticipantKey;
use opencoin_transfer::message::Message;
use opencoin_transfer::receipt::{Paid, Receipt};
use opencoin_transfer::{Party, Secret32};
use serde_json::{Value, json};

use crate::formats::bodies;
use crate::{invitation, issuer_id, request};

fn secret(byte: u8) -> Secret32 {
    Secret32::from_bytes([byte; 32])
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    const_hex::encode(bytes)
}

fn invitations() -> Value {
    let vector = |kind: Kind| {
        let invitation = invitation(kind, 7);
        json!({
            "link": invitation.link(),
            "secret": hex(invitation.secret.expose()),
            "issuer_id": invitation.issuer_id.to_string(),
            "issuer_url": invitation.issuer_url,
            "expires": invitation.expires,
            "transfer_id": invitation.transfer_id().to_string(),
            "access": hex(invitation.access()),
            "room": hex(invitation.room()),
            "psk": hex(invitation.psk().expose()),
            "prologue": hex(&*invitation.prologue()),
        })
    };
    [Kind::ToReceive, request(3439, false), request(3439, true)]
        .map(vector)
        .into_iter()
        .collect()
}

/// The four frames of a handshake, and the first frame of each side after it.
fn channel() -> Value {
    let invitation = invitation(Kind::ToReceive, 7);
    let key = |seed| ParticipantKey::from_seed(&secret(seed)).unwrap();
    let secrets = |ephemeral, number| HandshakeSecrets {
        ephemeral: secret(ephemeral),
        number: secret(number),
    };
    let (first, initiator) = Handshake::initiate(&invitation, key(0x11), secrets(0x12, 0x13));
    let responder = Handshake::respond(&invitation, key(0x21), secrets(0x22, 0x23));
    let Ok(Handshaken::Waits(second, responder)) = responder.receive(&first) else {
        panic!("the first frame is refused");
    };
    let Ok(Handshaken::Waits(third, initiator)) = initiator.receive(&second) else {
        panic!("the second frame is refused");
    };
    let Ok(Handshaken::Open(Some(fourth), mut responder)) = responder.receive(&third) else {
        panic!("the third frame is refused");
    };
    let Ok(Handshaken::Open(None, mut initiator)) = initiator.receive(&fourth) else {
        panic!("the fourth frame is refused");
    };
    json!({
        "invitation": 0,
        "initiator": { "key_seed": hex([0x11; 32]), "ephemeral": hex([0x12; 32]), "number": hex([0x13; 32]) },
        "responder": { "key_seed": hex([0x21; 32]), "ephemeral": hex([0x22; 32]), "number": hex([0x23; 32]) },
        "initiator_key": responder.peer().to_string(),
        "responder_key": initiator.peer().to_string(),
        "frames": [hex(first), hex(second), hex(third), hex(fourth)],
        "digits": initiator.digits().to_string(),
        "content": "hello",
        "next_of_initiator": hex(initiator.seal(b"hello").unwrap()),
        "next_of_responder": hex(responder.seal(b"hello").unwrap()),
    })
}

fn messages() -> Value {
    let encoded = bodies().into_iter().map(|body| {
        let message = Message {
            from: Party::Sender,
            sequence: u64::from(body.number() != 1),
            acknowledges: 3,
            body,
        };
        Value::String(String::from_utf8(message.encode()).unwrap())
    });
    encoded.collect()
}

fn receipt() -> Value {
    let invitation = invitation(request(3439, false), 7);
    let stack = opencoin_schema::from_json(&fixture("coinstack.json")).unwrap();
    let paid = Paid {
        transfer: invitation.transfer_id(),
        issuer_id: issuer_id(),
        amount: 3439,
        digest: bundle::digest(&stack),
        time: 1_700_000_000,
    };
    let receipt = Receipt::sign(paid.clone(), &ParticipantKey::from_seed(&secret(0x21)).unwrap());
    json!({ "key_seed": hex([0x21; 32]), "signed_text": paid.signed_text(), "receipt": receipt })
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/transfer")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

#[test]
fn the_vectors_are_what_the_code_makes() {
    let vectors = json!({
        "invitations": invitations(),
        "channel": channel(),
        "messages": messages(),
        "receipt": receipt(),
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&vectors).unwrap());
    let path = folder().join("live.json");
    if std::env::var_os("OPENCOIN_WRITE_VECTORS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "fixtures/transfer/live.json is out of date");
}
