//! Coins, the blinds that are signed to make them, and stacks of coins.

use crate::BigInt;
use crate::document::document;

document! {
    /// The content of a coin. Its maker chose the denomination and the mint key, so they are hints: a coin is
    /// worth the denomination of the mint key that signed it.
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
        /// The client's name for this blind; the answer repeats it.
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
    /// Coins for another person, with a message.
    CoinStack = "coinstack" {
        /// The coins.
        coins: Vec<Coin>,
        /// A message to the receiver.
        subject: String,
    }
}

document! {
    /// A coin of a revoked mint key, whose signature no longer proves anything: its payload, and the blind of an
    /// accepted mint, renew or recoup that contains the payload. Not in the specification; see
    /// [`RequestRecoup`](crate::RequestRecoup).
    RevealedCoin = "revealed coin" {
        /// The reference of the blind in its transaction.
        blind_reference: String,
        /// The blinding seed, at most 32 bytes. It is no longer secret once it is in this document.
        blinding_seed: BigInt,
        /// The payload that was blinded.
        payload: Payload,
        /// The transaction in which the blind was accepted.
        transaction_reference: BigInt,
    }
}
