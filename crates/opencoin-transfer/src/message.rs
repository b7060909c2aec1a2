//! The messages that the participants exchange, as JSON.
//!
//! ```text
//! {"from":"sender","Message Number":4,"Message_Details":{..},"sequence":2,"acknowledges":1}
//! ```
//!
//! Numbers 1 to 19 and 24 are those of the protocol for synchronous transfers that this one implements; the others fill
//! its gaps. A message is read strictly: every field must be there, and no other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opencoin_schema::BigInt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::receipt::Receipt;
use crate::{Digest, NUMBER_MAX, Party, PublicKey, SUBJECT_BYTES_MAX, Secret32};

/// The longest `cdd_location` of an offer, in bytes.
pub const URL_BYTES_MAX: usize = 512;

/// The longest receipt, in bytes of JSON.
const RECEIPT_BYTES_MAX: usize = 1024;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sends it.
    pub from: Party,
    /// The place of the message among those of its sender in this transfer, from 1. A heartbeat has 0.
    pub sequence: u64,
    /// The highest sequence number up to which the sender has received and stored everything.
    pub acknowledges: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says. The names are those of the protocol for synchronous transfers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// 1: the participant is there.
    Heartbeat,
    /// 2: the sender asks the receiver to finish pending requests.
    EmptyImportExport,
    /// 3: the receiver has done so.
    ImportExportEmpty,
    /// 4: the sender offers money.
    MoneyToBeSent(Offer),
    /// 5: the sender renews coins into the exact ones.
    MakingChange,
    /// 6: the sender merges small coins.
    JoiningCoins,
    /// 7: the sender finishes its own pending requests.
    FindingChange,
    /// 8: coins are reserved for this transfer.
    MovingCoinsToSender,
    /// 9: the sender checks them.
    DetectingCoinAuthenticity,
    /// 10: the sender replaces coins that failed the check.
    FixingCoins,
    /// 11: the stack is built.
    PuttingCoinsInExport,
    /// 12: it is sealed.
    EncryptingCoins,
    /// 13: the receiver is ready for the stack with this digest.
    ReadyToReceive(Digest),
    /// 14: the receiver holds the stack.
    Received,
    /// 15: the receiver checks it.
    DecryptingCoins,
    /// 16: the receiver renews it.
    PowningCoins,
    /// 17: the receiver has been paid.
    Receipt(Receipt),
    /// 18: the sender verifies the receipt.
    ConfirmingChangeOfOwnership,
    /// 19: the receiver knows that the sender has the receipt.
    CoinsConfirmed,
    /// 20: the receiver accepts the offer.
    ConfirmAmount(Confirmation),
    /// 21: the sender is ready to send this stack.
    ReadyToSend(Ready),
    /// 22: the sender has stored the receipt.
    ReceiptSeen,
    /// 23: the sender has finished a pending request of its own.
    FixingChange,
    /// 24: a part of the stack.
    Coins(CoinsPart),
    /// 25: the transfer ends for this participant.
    Abort(AbortReason),
    /// 26: for a request that many may pay: the secret of a room for this payment alone.
    OwnRoom(Secret32),
}

/// 4: what the sender offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The currency.
    pub issuer_id: BigInt,
    /// The URL of the issuer, for a receiver who does not know the currency.
    pub issuer_url: String,
    /// The amount, in the currency's smallest unit.
    pub amount: u64,
    /// The sender's text for the receiver.
    pub subject: String,
    /// The receiver begins no renewal after this time, in seconds since 1970.
    pub renew_by: u64,
}

/// 20: what the receiver accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The amount of the offer.
    pub amount: u64,
    /// The key that will sign the receipt.
    pub receipt_key: PublicKey,
}

/// 21: the stack that the sender is ready to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The SHA-256 of the compact coin stack.
    pub digest: Digest,
    /// The number of coins.
    pub coins: u64,
}

/// 24: a part of the bundle with the stack.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoinsPart {
    /// The number of this part, from 0.
    pub part: u32,
    /// The number of all parts.
    pub parts: u32,
    /// The bytes of this part in Base64.
    pub data: String,
}

impl std::fmt::Debug for CoinsPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "CoinsPart({} of {})", self.part, self.parts)
    }
}

/// 25: why a participant ends a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortReason {
    /// The person at the other end said no.
    Declined,
    /// The person at the other end stopped it.
    Cancelled,
    /// There is not enough time left before `renew_by`, or the invitation has expired.
    Late,
    /// The offer or its confirmation is not what was agreed.
    OtherTerms,
    /// The wallet could not do its part, for example because it holds too little.
    Wallet,
    /// The coins are not those that were announced, or not valid.
    BadCoins,
    /// The issuer says that the coins were spent before.
    Spent,
    /// The other end violated the protocol.
    Protocol,
}

impl AbortReason {
    /// What happened, for a person whose wallet has received this reason.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Declined => "the other side declined",
            Self::Cancelled => "the other side stopped the transfer",
            Self::Late => "there was not enough time left",
            Self::OtherTerms => "the other side expected another amount, currency or subject",
            Self::Wallet => "the other wallet could not do its part",
            Self::BadCoins => "the other wallet found the coins not valid",
            Self::Spent => "the coins had been spent before",
            Self::Protocol => "the other program did something that the protocol does not allow",
        }
    }
}

/// Why bytes are not a message. No error quotes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MessageError {
    /// It is not JSON with exactly the fields of a message.
    #[error("a message does not have the five fields of a message")]
    Fields,
    /// No message has this number.
    #[error("no message has the number {0}")]
    Number(u8),
    /// The details do not fit the number.
    #[error("the details of message {0} are not what its number says")]
    Details(u8),
    /// A value exceeds its limit.
    #[error("message {0} exceeds a limit")]
    Limit(u8),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    from: Party,
    #[serde(rename = "Message Number")]
    number: u8,
    #[serde(rename = "Message_Details", borrow)]
    details: &'a RawValue,
    sequence: u64,
    acknowledges: u64,
}

impl Body {
    /// The number of the message.
    #[must_use]
    pub const fn number(&self) -> u8 {
        match self {
            Self::Heartbeat => 1,
            Self::EmptyImportExport => 2,
            Self::ImportExportEmpty => 3,
            Self::MoneyToBeSent(_) => 4,
            Self::MakingChange => 5,
            Self::JoiningCoins => 6,
            Self::FindingChange => 7,
            Self::MovingCoinsToSender => 8,
            Self::DetectingCoinAuthenticity => 9,
            Self::FixingCoins => 10,
            Self::PuttingCoinsInExport => 11,
            Self::EncryptingCoins => 12,
            Self::ReadyToReceive(_) => 13,
            Self::Received => 14,
            Self::DecryptingCoins => 15,
            Self::PowningCoins => 16,
            Self::Receipt(_) => 17,
            Self::ConfirmingChangeOfOwnership => 18,
            Self::CoinsConfirmed => 19,
            Self::ConfirmAmount(_) => 20,
            Self::ReadyToSend(_) => 21,
            Self::ReceiptSeen => 22,
            Self::FixingChange => 23,
            Self::Coins(_) => 24,
            Self::Abort(_) => 25,
            Self::OwnRoom(_) => 26,
        }
    }

    fn details(&self) -> String {
        match self {
            Self::MoneyToBeSent(offer) => json(offer),
            Self::ReadyToReceive(digest) => json(digest),
            Self::Receipt(receipt) => json(&STANDARD.encode(json(receipt))),
            Self::ConfirmAmount(confirmation) => json(confirmation),
            Self::ReadyToSend(ready) => json(ready),
            Self::Coins(part) => json(part),
            Self::Abort(reason) => json(reason),
            Self::OwnRoom(secret) => json(secret),
            _ => "null".to_owned(),
        }
    }

    fn read(number: u8, details: &str) -> Result<Self, MessageError> {
        let body = match number {
            4 => Self::MoneyToBeSent(read(number, details)?),
            13 => Self::ReadyToReceive(read(number, details)?),
            17 => Self::Receipt(read_receipt(details).ok_or(MessageError::Details(number))?),
            20 => Self::ConfirmAmount(read(number, details)?),
            21 => Self::ReadyToSend(read(number, details)?),
            24 => Self::Coins(read(number, details)?),
            25 => Self::Abort(read(number, details)?),
            26 => Self::OwnRoom(read(number, details)?),
            _ => {
                let plain = Self::without_details(number).ok_or(MessageError::Number(number))?;
                let () = read(number, details)?;
                plain
            }
        };
        if body.is_within_limits() {
            Ok(body)
        } else {
            Err(MessageError::Limit(number))
        }
    }

    const fn without_details(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Heartbeat,
            2 => Self::EmptyImportExport,
            3 => Self::ImportExportEmpty,
            5 => Self::MakingChange,
            6 => Self::JoiningCoins,
            7 => Self::FindingChange,
            8 => Self::MovingCoinsToSender,
            9 => Self::DetectingCoinAuthenticity,
            10 => Self::FixingCoins,
            11 => Self::PuttingCoinsInExport,
            12 => Self::EncryptingCoins,
            14 => Self::Received,
            15 => Self::DecryptingCoins,
            16 => Self::PowningCoins,
            18 => Self::ConfirmingChangeOfOwnership,
            19 => Self::CoinsConfirmed,
            22 => Self::ReceiptSeen,
            23 => Self::FixingChange,
            _ => return None,
        })
    }

    fn is_within_limits(&self) -> bool {
        match self {
            Self::MoneyToBeSent(offer) => {
                is_amount(offer.amount)
                    && offer.renew_by <= NUMBER_MAX
                    && offer.subject.len() <= SUBJECT_BYTES_MAX
                    && offer.issuer_url.len() <= URL_BYTES_MAX
            }
            Self::ConfirmAmount(confirmation) => is_amount(confirmation.amount),
            Self::ReadyToSend(ready) => (1..=opencoin_stack::COINS_MAX as u64).contains(&ready.coins),
            Self::Coins(part) => part.part < part.parts,
            _ => true,
        }
    }
}

fn is_amount(amount: u64) -> bool {
    (1..=NUMBER_MAX).contains(&amount)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these types have JSON forms")
}

fn read<'a, T: Deserialize<'a>>(number: u8, details: &'a str) -> Result<T, MessageError> {
    serde_json::from_str(details).map_err(|_| MessageError::Details(number))
}

fn read_receipt(details: &str) -> Option<Receipt> {
    let base64: String = serde_json::from_str(details).ok()?;
    let bytes = STANDARD.decode(base64).ok()?;
    if bytes.len() > RECEIPT_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&bytes).ok()
}

impl Message {
    /// The JSON of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let details = RawValue::from_string(self.body.details()).expect("it was just written as JSON");
        let wire = Wire {
            from: self.from,
            number: self.body.number(),
            details: &details,
            sequence: self.sequence,
            acknowledges: self.acknowledges,
        };
        json(&wire).into_bytes()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The bytes are not a message, or one that exceeds a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|_| MessageError::Fields)?;
        let body = Body::read(wire.number, wire.details.get())?;
        let is_numbered = wire.sequence > 0;
        if wire.sequence > NUMBER_MAX
            || wire.acknowledges > NUMBER_MAX
            || is_numbered == (body == Body::Heartbeat)
        {
            return Err(MessageError::Limit(wire.number));
        }
        Ok(Self {
            from: wire.from,
            sequence: wire.sequence,
            acknowledges: wire.acknowledges,
            body,
        })
    }
}
