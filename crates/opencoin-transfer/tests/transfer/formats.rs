//! Messages, invitations, receipts and bundles: what is written is read, and nothing else is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use opencoin_transfer::bundle::{self, PART_BYTES, Parts};
use opencoin_transfer::invitation::{Invitation, InvitationError, Kind, PREFIX, find_link, relay_url};
use opencoin_transfer::key::ParticipantKey;
use opencoin_transfer::message::{
    AbortReason, Body, CoinsPart, Confirmation, Message, MessageError, Offer, Ready,
};
use opencoin_transfer::receipt::{Paid, Receipt, ReceiptError};
use opencoin_transfer::{Digest, Party, PublicKey, Secret32, TransferId};
use proptest::prelude::*;

use crate::{invitation, issuer_id, request, rng, stack};

fn paid() -> Paid {
    Paid {
        transfer: TransferId([3; 16]),
        issuer_id: issuer_id(),
        amount: 3439,
        digest: Digest([5; 32]),
        time: 1_700_000_000,
    }
}

fn key() -> ParticipantKey {
    ParticipantKey::from_seed(&Secret32::from_bytes([4; 32])).unwrap()
}

/// One of each number, in the order of the numbers.
pub(crate) fn bodies() -> Vec<Body> {
    vec![
        Body::Heartbeat,
        Body::EmptyImportExport,
        Body::ImportExportEmpty,
        Body::MoneyToBeSent(Offer {
            issuer_id: issuer_id(),
            issuer_url: "https://issuer.example".to_owned(),
            amount: 3439,
            subject: "\u{1f954} \"quoted\"".to_owned(),
            renew_by: 1_700_000_900,
        }),
        Body::MakingChange,
        Body::JoiningCoins,
        Body::FindingChange,
        Body::MovingCoinsToSender,
        Body::DetectingCoinAuthenticity,
        Body::FixingCoins,
        Body::PuttingCoinsInExport,
        Body::EncryptingCoins,
        Body::ReadyToReceive(Digest([5; 32])),
        Body::Received,
        Body::DecryptingCoins,
        Body::PowningCoins,
        Body::Receipt(Receipt::sign(paid(), &key())),
        Body::ConfirmingChangeOfOwnership,
        Body::CoinsConfirmed,
        Body::ConfirmAmount(Confirmation {
            amount: 3439,
            receipt_key: PublicKey([6; 32]),
        }),
        Body::ReadyToSend(Ready {
            digest: Digest([5; 32]),
            coins: 17,
        }),
        Body::ReceiptSeen,
        Body::FixingChange,
        Body::Coins(CoinsPart {
            part: 0,
            parts: 1,
            data: "AAAA".to_owned(),
        }),
        Body::Abort(AbortReason::BadCoins),
        Body::OwnRoom(Secret32::from_bytes([9; 32])),
    ]
}

fn message(body: Body) -> Message {
    Message {
        from: Party::Sender,
        sequence: u64::from(body != Body::Heartbeat),
        acknowledges: 0,
        body,
    }
}

#[test]
fn every_message_is_read_as_it_was_written_and_has_its_number() {
    for (no, body) in bodies().into_iter().enumerate() {
        assert_eq!(usize::from(body.number()), no + 1);
        let message = message(body);
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn messages_are_read_strictly() {
    let good = r#"{"from":"sender","Message Number":2,"Message_Details":null,"sequence":1,"acknowledges":0}"#;
    assert!(Message::decode(good.as_bytes()).is_ok());
    for (from, to, error) in [
        ("\"from\":\"sender\",", "", MessageError::Fields),
        ("\"sender\"", "\"192.0.2.1\"", MessageError::Fields),
        ("null", "null,\"more\":1", MessageError::Fields),
        (":2", ":2,\"Message Number\":2", MessageError::Fields),
        ("null", "{}", MessageError::Details(2)),
        (":2", ":27", MessageError::Number(27)),
        (":2", ":4", MessageError::Details(4)),
        (":1", ":0", MessageError::Limit(2)),
        (":1", ":9007199254740992", MessageError::Limit(2)),
    ] {
        let bad = good.replace(from, to);
        assert_eq!(Message::decode(bad.as_bytes()), Err(error), "{bad}");
    }
    let twice = r#"{"amount":1,"amount":2,"receipt_key":"00"}"#;
    let bad = good.replace(":2", ":20").replace("null", twice);
    assert_eq!(Message::decode(bad.as_bytes()), Err(MessageError::Details(20)));
}

#[test]
fn invitations_are_read_as_they_were_written() {
    for kind in [Kind::ToReceive, request(3439, false), request(1, true)] {
        let mut invitation = invitation(kind, 7);
        assert_eq!(Invitation::read(&invitation.link()), Ok(invitation.clone()));
        invitation.issuer_url = "https://elsewhere.example/x".to_owned();
        assert_eq!(Invitation::read(&invitation.link()), Ok(invitation));
    }
}

#[test]
fn damaged_and_foreign_invitations_are_told_apart() {
    let link = invitation(request(3439, false), 7).link();
    let wrong = |link: &str| Invitation::read(link).unwrap_err();
    assert_eq!(wrong("https://issuer.example"), InvitationError::NotAnInvitation);
    assert_eq!(
        wrong("https://issuer.example#top"),
        InvitationError::NotAnInvitation
    );
    assert_eq!(wrong(&link[..link.len() - 1]), InvitationError::Damaged);
    assert_eq!(wrong(&format!("{link}=")), InvitationError::Damaged);
    let (head, tail) = link.split_at(link.len() - 9);
    assert_eq!(wrong(&format!("{head}B{}", &tail[1..])), InvitationError::Damaged);
    assert_eq!(
        wrong(&link.replace(PREFIX, "opencointransfer2")),
        InvitationError::OtherVersion
    );
    for relay in [
        "ftp://relay.example",
        "https://u@relay.example",
        "https://relay.example/?a=1",
        "relay",
    ] {
        assert_eq!(relay_url(relay), Err(InvitationError::Relay), "{relay}");
    }
}

#[test]
fn a_link_is_found_in_a_message() {
    let link = invitation(request(3439, false), 7).link();
    for message in [
        link.clone(),
        format!("pay here: {link}, thanks"),
        format!("<{link}>\n"),
        format!("\"{link}\""),
    ] {
        assert_eq!(find_link(&message), Some(link.as_str()), "{message}");
    }
    assert_eq!(find_link("https://issuer.example/#top"), None);
}

#[test]
fn a_payment_of_many_has_a_room_of_its_own() {
    let (many, secret) = (invitation(request(5, true), 7), Secret32::from_bytes([8; 32]));
    let one = many.for_one(secret);
    assert!(!one.is_for_many());
    assert_ne!(one.room(), many.room());
    assert_ne!(one.transfer_id(), many.transfer_id());
}

#[test]
fn a_receipt_proves_its_payment_and_no_other() {
    let receipt = Receipt::sign(paid(), &key());
    let later = Paid { time: 0, ..paid() };
    assert_eq!(receipt.verify_for(&later, &key().public()), Ok(()));
    let other = Paid {
        amount: 3440,
        ..paid()
    };
    let public = key().public();
    assert_eq!(
        receipt.verify_for(&other, &public),
        Err(ReceiptError::OtherPayment)
    );
    assert_eq!(
        receipt.verify_for(&paid(), &PublicKey([1; 32])),
        Err(ReceiptError::Key)
    );
    let mut forged = receipt;
    forged.paid.amount = 3440;
    assert_eq!(forged.verify_for(&other, &public), Err(ReceiptError::Signature));
}

#[test]
fn parts_of_a_bundle_come_together_in_order_only() {
    let mut rng = rng(1);
    for (coins, parts) in [(1, 1), (8, 1), (12, 4), (125, 16), (200, 64)] {
        let stack = stack(&vec![1; coins], "gift", &mut rng);
        let cut = bundle::parts(&stack).unwrap();
        assert_eq!(cut.len(), parts, "{coins} coins");
        let mut collected = Parts::default();
        for (no, part) in cut.iter().enumerate() {
            let whole = collected.add(part).unwrap();
            assert_eq!(whole.is_some(), no + 1 == parts);
            if let Some(bytes) = whole {
                assert_eq!(opencoin_stack::decode(&bytes).as_ref(), Ok(&stack));
            }
        }
        if parts > 1 {
            let mut collected = Parts::default();
            assert!(collected.add(&cut[1]).is_err(), "the first part is missing");
            collected.add(&cut[0]).unwrap();
            assert!(collected.add(&cut[2]).is_err(), "a part is missing");
        }
    }
    let huge = stack(&vec![1; 9_999], "", &mut rng);
    assert!(bundle::parts(&huge).is_ok() || opencoin_stack::encode(&huge).len() > bundle::STACK_BYTES_MAX);
    assert_eq!(PART_BYTES % 3, 0, "Base64 without padding");
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&bytes);
        let link = format!("https://r.example/#{PREFIX}{}", STANDARD_NO_PAD.encode(&bytes));
        prop_assert!(Invitation::read(&link).is_err());
    }

    #[test]
    fn any_request_is_read_as_it_was_written(
        amount in 1..=opencoin_transfer::NUMBER_MAX,
        subject in ".{0,80}",
        expires in 0..=opencoin_transfer::NUMBER_MAX,
        many: bool,
        secret: u8,
    ) {
        let mut invitation = invitation(Kind::ToPay { amount, subject, many }, secret);
        invitation.expires = expires;
        prop_assert_eq!(Invitation::read(&invitation.link()), Ok(invitation));
    }
}
