//! The events of the wallet, with all data that is needed to finish a request after a crash.
//!
//! Earlier versions wrote them to a journal, which stays readable: fields that old lines lack are optional, and old forms
//! have variants.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::holder::Holder;
use crate::key_account::records::KeyEvent;
use crate::public_log::memory::LogEvent;
use opencoin_api::Secret;

/// The number of an operation or send in its wallet.
pub(crate) type OperationId = u64;

/// The hash of a coin's payload. The serial is not an id, because the person who mints a coin chooses it.
pub(crate) type CoinId = BigInt;

/// A change of the wallet.
#[derive(Clone, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Documents of a currency were verified.
    Documents {
        url: String,
        /// The newest CDDC.
        cddc: Box<Cddc>,
        mkcs: Vec<Mkc>,
        /// Older CDDCs under which some of the mint keys were certified.
        #[serde(default)]
        older: Vec<Cddc>,
        /// The current mint keys; `None` if the issuer was not asked for all of them.
        #[serde(default)]
        current: Option<BTreeSet<BigInt>>,
    },
    /// The issuer's new list of revoked mint keys replaces the old one.
    Revocations {
        currency: BigInt,
        mint_keys: Vec<RevokedKey>,
    },
    /// Requests are about to be sent, with all data to finish them.
    Begun { operations: Vec<Operation> },
    /// The request was carried out. These coins replace the given coins.
    Finished {
        operation: OperationId,
        coins: Vec<Coin>,
    },
    /// The issuer has accepted the request, but some of its mint keys were revoked later. The coins of the
    /// other keys replace the given coins, and the unsigned blinds wait for a recoup.
    Unsigned {
        operation: OperationId,
        coins: Vec<Coin>,
    },
    /// The request was not carried out. The given coins with the indices in `spent` were spent before.
    Refused {
        operation: OperationId,
        description: String,
        spent: Vec<usize>,
        /// Whether the issuer has not accepted the request, so that another one may have its number.
        #[serde(default)]
        frees_number: bool,
    },
    /// The user has abandoned a request. Its coins are free again. Its blinds are kept, so that their coins
    /// are not lost if the issuer carries out the request later.
    Abandoned { operation: OperationId },
    /// Coins are about to be handed over in a stack.
    Sent { send: Box<Send> },
    /// All coins of a send were spent by others.
    Taken { send: OperationId },
    /// The wallet has learned something about the currency's public log.
    Log { currency: BigInt, log: Box<LogEvent> },
    /// The record of a transfer has changed, and perhaps its coins.
    #[serde(skip)]
    Transfer {
        id: String,
        record: Value,
        event: TransferEvent,
    },
    /// Something about a key account has changed.
    #[serde(skip)]
    Key(Box<KeyEvent>),
}

/// Where the coins of an outgoing transfer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferCoins {
    /// No coins belong to the transfer.
    None,
    /// In the wallet, for this transfer alone.
    Reserved,
    /// On their way. The receiver may have renewed them.
    InFlight,
    /// The receiver's, or the wallet's again.
    Ended,
}

impl TransferCoins {
    /// Whether coins are set aside for the transfer, in the wallet or on their way.
    pub(crate) fn are_out(self) -> bool {
        matches!(self, Self::Reserved | Self::InFlight)
    }
}

/// What happens to the coins of a transfer when its record changes.
#[derive(Debug, Clone)]
pub(crate) enum TransferEvent {
    /// Nothing.
    Record { is_over: bool },
    /// Own coins are set aside.
    Reserve { send: Box<Send> },
    /// They are free again, because they did not leave.
    Release,
    /// They are about to leave.
    Leave,
    /// The receiver has them.
    Delivered,
    /// A renewal has told whose they are.
    Reclaimed,
}

/// A revoked mint key, whose coins the issuer no longer accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RevokedKey {
    pub(crate) id: BigInt,
    /// The issuer's text.
    pub(crate) reason: String,
}

/// A request with all data to finish it after a crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: OperationId,
    pub(crate) currency: BigInt,
    pub(crate) kind: Kind,
    pub(crate) amount: u64,
    /// The exact text of the request.
    pub(crate) request: Secret,
    /// The account's token, if the request needs one. It is never written to the disk: after a restart it
    /// comes from the session or from the user. Older journals contain it.
    #[serde(default, skip_serializing)]
    pub(crate) token: Option<Secret>,
    /// The owner of the token's session. After the session has expired, another token of the same owner can
    /// finish the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<Holder>,
    /// The transaction reference of a mint, renew or recoup.
    pub(crate) reference: Option<BigInt>,
    /// The secrets that turn the signatures into coins.
    pub(crate) blinded: Vec<Blinded>,
    /// The coins that the request spends, in its order.
    pub(crate) gives: Vec<Given>,
    /// The abandoned request that this one replaces. Both spend the same coins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<OperationId>,
    /// The number of the backup phrase that its secrets were derived from; 0 if they are random.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) phrase: u8,
    /// The number of the request under this phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    /// The order of a key account that pays for a mint or receives a redeem, in place of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_order: Option<KeyOrder>,
    pub(crate) at: DateTime<Utc>,
}

/// What a key account has ordered with a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyOrder {
    /// The number of the account's row.
    pub(crate) account: u64,
    /// The payment or the order to redeem, as its key has signed it.
    pub(crate) text: Secret,
    /// For a mint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payment: Option<MintPayment>,
}

/// The payment for a mint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MintPayment {
    /// Its number among the payments of the account.
    pub(crate) seq: u64,
    /// When the issuer no longer accepts it, in seconds since 1970.
    pub(crate) expires: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    Mint,
    /// Received coins are renewed.
    Receive {
        subject: String,
        /// The live transfer that has brought them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transfer: Option<String>,
    },
    /// Own coins are exchanged for others of the same value, so that every amount can be paid.
    Change,
    /// The coins of a send are renewed by the sender.
    Reclaim {
        send: OperationId,
    },
    Redeem,
    /// Coins of revoked mint keys and unsigned blinds of these keys are exchanged for new coins.
    Recoup,
}

impl Kind {
    /// Returns the name in the history.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Receive { .. } => "receive",
            Self::Change => "change",
            Self::Reclaim { .. } => "reclaim",
            Self::Redeem => "redeem",
            Self::Recoup => "recoup",
        }
    }
}

/// A blind with its secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Blinded {
    pub(crate) reference: String,
    pub(crate) payload: Payload,
    #[serde(flatten)]
    pub(crate) secret: BlindingSecret,
}

/// The secret that unblinds a signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlindingSecret {
    /// A [`opencoin_crypto::BlindingSeed`]. It also proves the coin's origin in a recoup.
    Seed(Secret),
    /// A [`opencoin_crypto::Unblinder`], in older journals.
    Unblinder(Secret),
}

/// A coin that an operation spends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) coin: CoinId,
    /// Whether it is the wallet's own; `false` for a coin of a stack or a send, and for an unsigned blind.
    pub(crate) is_own: bool,
}

/// Coins that were handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) id: OperationId,
    pub(crate) currency: BigInt,
    pub(crate) amount: u64,
    pub(crate) subject: String,
    pub(crate) coins: Vec<CoinId>,
    /// The transfer that the coins belong to, if it is a conversation with the other wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<String>,
    /// The value of the coins that have come back.
    #[serde(default)]
    pub(crate) returned: u64,
    pub(crate) at: DateTime<Utc>,
}
