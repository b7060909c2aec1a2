//! No input makes a decoder panic, and what is accepted is written and read as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_transfer::bundle::Parts;
use opencoin_transfer::invitation::Invitation;
use opencoin_transfer::message::{Body, Message};

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
        if let Body::Coins(part) = &message.body {
            let _ = Parts::default().add(part);
        }
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(invitation) = Invitation::read(text)
    {
        assert_eq!(Invitation::read(&invitation.link()), Ok(invitation));
    }
});
