//! What the journal says: the events, and what a request needs to be finished after a crash.
//!
//! Lines of older journals stay readable: what they lack is absent here, or has a variant of its own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload};
use serde::{Deserialize, Serialize};

use crate::holder::Holder;
use crate::secret::Secret;

/// The number of an operation in its wallet.
pub(crate) type OperationId = u64;

/// What tells a coin from every other: its payload hash. The serial alone does not, since whoever makes a
/// coin chooses it.
pub(crate) type CoinId = BigInt;

/// Everything that can happen to a wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A currency's documents were seen and verified.
    Documents {
        url: String,
        /// The newest.
        cddc: Box<Cddc>,
        mkcs: Vec<Mkc>,
        /// Those that are needed besides, because mint keys were certified under them.
        #[serde(default)]
        older: Vec<Cddc>,
        /// The mint keys that the issuer calls current; `None` when it was not asked for them.
        #[serde(default)]
        current: Option<BTreeSet<BigInt>>,
    },
    /// The issuer's list of revoked mint keys has changed to this one.
    Revocations {
        currency: BigInt,
        mint_keys: Vec<RevokedKey>,
        at: DateTime<Utc>,
    },
    /// Requests are about to be sent: all that it takes to do what was asked.
    Begun { operations: Vec<Operation> },
    /// The answer came: these are its coins, those that were given are gone.
    Finished {
        operation: OperationId,
        coins: Vec<Coin>,
        at: DateTime<Utc>,
    },
    /// The issuer has accepted the request, and does not sign all of it, because mint keys were revoked
    /// since: these are the coins of the others, those that were given are gone, and the rest of the blinds
    /// waits for a recoup.
    Unsigned {
        operation: OperationId,
        coins: Vec<Coin>,
        at: DateTime<Utc>,
    },
    /// The issuer refused: nothing was done. Of the coins that were to be given, those at `spent` are gone.
    Refused {
        operation: OperationId,
        description: String,
        spent: Vec<usize>,
        at: DateTime<Utc>,
    },
    /// The owner has given up a request. Its coins are free again. Its blinds are kept: if the issuer carries
    /// it out all the same, their coins are the wallet's.
    Abandoned {
        operation: OperationId,
        at: DateTime<Utc>,
    },
    /// Coins are about to leave in a coin stack.
    Sent { send: Box<Send> },
    /// Somebody else has taken the coins of a send.
    Taken { send: OperationId, at: DateTime<Utc> },
}

/// A mint key of which no coin is taken any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RevokedKey {
    pub(crate) id: BigInt,
    /// The issuer's words.
    pub(crate) reason: String,
}

/// A request and everything that is needed to finish it after a crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: OperationId,
    pub(crate) currency: BigInt,
    pub(crate) kind: Kind,
    pub(crate) amount: u64,
    /// The exact text of the request.
    pub(crate) request: Secret,
    /// The account's token, where the request needs one. It is never written to the disk: after a restart it
    /// comes from the session, or from the user. Older journals have it.
    #[serde(default, skip_serializing)]
    pub(crate) token: Option<Secret>,
    /// Whose session the token is of: another token of theirs does as well, when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<Holder>,
    /// The transaction reference of a mint, renew or recoup.
    pub(crate) reference: Option<BigInt>,
    /// What its signatures will be made into coins with.
    pub(crate) blinded: Vec<Blinded>,
    /// The coins that it gives, in the order of the request.
    pub(crate) gives: Vec<Given>,
    /// The request that is abandoned for this one, which gives the same coins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<OperationId>,
    pub(crate) at: DateTime<Utc>,
}

/// Why a request is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    Mint,
    /// Coins of somebody else become the wallet's own.
    Receive {
        subject: String,
    },
    /// Own coins become others of the same value, so that every amount can be paid.
    Change,
    /// The coins of a send come back.
    Reclaim {
        send: OperationId,
    },
    Redeem,
    /// Coins of revoked mint keys, and blinds that were not signed because of a revocation, become fresh
    /// coins.
    Recoup,
}

/// The secrets of a blind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Blinded {
    pub(crate) reference: String,
    pub(crate) payload: Payload,
    #[serde(flatten)]
    pub(crate) secret: BlindingSecret,
}

/// What unblinds a signature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BlindingSecret {
    /// A [`opencoin_crypto::BlindingSeed`], from which the rest follows, and with which the coin's origin can
    /// be shown.
    Seed(Secret),
    /// A [`opencoin_crypto::Unblinder`], in older journals.
    Unblinder(Secret),
}

/// A coin that an operation gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) coin: CoinId,
    /// From the wallet's own, rather than from a stack, a send, or a blind that was never signed.
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
    pub(crate) at: DateTime<Utc>,
}
