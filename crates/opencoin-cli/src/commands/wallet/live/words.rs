//! What the messages of a transfer mean, in words.

use opencoin_transfer::Party;

/// What has happened when this participant has sent the message with this number.
pub(super) const fn of_message(from: Party, number: u8) -> Option<&'static str> {
    Some(match (from, number) {
        (Party::Sender, 2) => "the payer is there",
        (Party::Receiver, 3) => "the payee is ready to listen",
        (Party::Sender, 4) => "the payer offers the money",
        (Party::Receiver, 20) => "the payee accepts the amount",
        (Party::Sender, 5) => "the payer makes change",
        (Party::Sender, 6) => "the payer joins small coins",
        (Party::Sender, 7) => "the payer finishes what was pending",
        (Party::Sender, 23) => "the payer has finished an earlier request",
        (Party::Sender, 8) => "the payer has set the coins aside",
        (Party::Sender, 9) => "the payer checks the coins",
        (Party::Sender, 10) => "the payer replaces the coins",
        (Party::Sender, 11) => "the payer packs the coins",
        (Party::Sender, 12) => "the payer seals the coins",
        (Party::Sender, 21) => "the payer asks whether to send them",
        (Party::Receiver, 13) => "the payee is ready for the coins",
        (Party::Sender, 24) => "the coins are on their way",
        (Party::Receiver, 14) => "the payee has the coins",
        (Party::Receiver, 15) => "the payee checks the coins",
        (Party::Receiver, 16) => "the payee makes them its own",
        (Party::Receiver, 17) => "the payee gives a receipt",
        (Party::Sender, 18) => "the payer checks the receipt",
        (Party::Sender, 22) => "the payer has the receipt",
        (Party::Receiver, 19) => "both are done",
        (Party::Sender, 25) => "the payer ends the transfer",
        (Party::Receiver, 25) => "the payee ends the transfer",
        _ => return None,
    })
}
