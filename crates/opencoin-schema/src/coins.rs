//! Coins, what is signed blindly to make them, and the stack in which they travel.

use crate::BigInt;
use crate::document::document;

document! {
    /// The inside of a coin. Its denomination and mint key are hints that whoever made the coin wrote: a coin
    /// is worth the denomination of the mint key that signed it.
    Payload = "payload" {
        /// Where to download the CDD.
        cdd_location: String,
        /// A hint: the value of the coin.
        denomination: u64,
        /// The identifier of the currency.
        issuer_id: BigInt,
        /// The mint key to check the signature with.
        mint_key_id: BigInt,
        /// The version of the protocol, as a URL.
        protocol_version: String,
        /// A random number that makes the coin unique.
        serial: BigInt,
    }
}

document! {
    /// A coin: a payload with the signature of a mint key.
    Coin = "coin" {
        /// What is signed.
        payload: Payload,
        /// The unblinded signature.
        signature: BigInt,
    }
}

document! {
    /// A blinded payload hash, to be signed.
    Blind = "blinded payload hash" {
        /// The number to sign.
        blinded_payload_hash: BigInt,
        /// The mint key to sign with.
        mint_key_id: BigInt,
        /// The client's name for this blind; its signature comes back under it.
        reference: String,
    }
}

document! {
    /// The signature of a blind.
    BlindSignature = "blind signature" {
        /// The signature, still blinded.
        blind_signature: BigInt,
        /// The reference of the blind.
        reference: String,
    }
}

document! {
    /// Coins on their way from hand to hand, with a message.
    CoinStack = "coinstack" {
        /// The coins.
        coins: Vec<Coin>,
        /// A message to the receiver.
        subject: String,
    }
}

document! {
    /// A coin of a revoked mint key, without its signature, which proves nothing any more: the payload, and
    /// the blind of an accepted mint, renew or recoup that it was in. Not in the specification; see
    /// [`RequestRecoup`](crate::RequestRecoup).
    RevealedCoin = "revealed coin" {
        /// The blind's name in its transaction.
        blind_reference: String,
        /// The secret from which the payload was blinded: at most 32 bytes. Shown here, it is no secret any
        /// more.
        blinding_seed: BigInt,
        /// The payload that was blinded.
        payload: Payload,
        /// The transaction in which the blind was accepted.
        transaction_reference: BigInt,
    }
}
