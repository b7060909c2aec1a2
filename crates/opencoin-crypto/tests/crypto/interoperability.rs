//! The second suite together with another implementation of RFC 9474, the crate `blind-rsa-signatures`.

use std::convert::Infallible;

use blind_rsa_signatures::reexports::rsa::rand_core::{TryCryptoRng, TryRng};
use blind_rsa_signatures::{
    BlindSignature, KeyPairSha384PSSDeterministic as KeyPair, SecretKeySha384PSSDeterministic as SecretKey,
};
use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, Coin, text};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

use crate::support::{MINT_KEY, blinding_seed, payload, rng, sign_blind};

const SUITE: CipherSuite = CipherSuite::RsaSha384PssRfc9474;

/// A seeded generator, as the other crate's release of `rand_core` wants it.
struct TheirRng(ChaCha20Rng);

impl TryRng for TheirRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for TheirRng {}

/// The same key in their hands.
fn their_key() -> KeyPair {
    let sk = SecretKey::from_pem(&MINT_KEY.to_pkcs8_pem()).unwrap();
    KeyPair {
        pk: sk.public_key().unwrap(),
        sk,
    }
}

#[test]
fn they_blind_we_sign_they_verify() {
    let theirs = their_key().pk;
    let message = text::compact(&payload(b"their wallet"));
    let blinding = theirs.blind(&mut TheirRng(rng(1)), &message).unwrap();

    let blind_signature = sign_blind(&MINT_KEY, &BigInt::from_be_bytes(&blinding.blind_message));

    let blind_signature = BlindSignature(blind_signature.to_padded_be_bytes(256).unwrap());
    let signature = theirs.finalize(&blind_signature, &blinding, &message).unwrap();
    // And what they made is a coin of ours.
    let coin = Coin {
        payload: payload(b"their wallet"),
        signature: BigInt::from_be_bytes(&signature),
    };
    assert!(SUITE.verify_coin(MINT_KEY.public_key(), &coin).is_ok());
}

#[test]
fn we_blind_they_sign_we_finish() {
    let theirs = their_key();
    let payload = payload(b"our wallet");
    let (blinded, unblinder) = SUITE
        .blind(MINT_KEY.public_key(), &payload, &blinding_seed(1))
        .unwrap();

    let blinded = blinded.to_padded_be_bytes(256).unwrap();
    let blind_signature = theirs
        .sk
        .blind_sign_with_rng(&mut TheirRng(rng(2)), blinded)
        .unwrap();

    let blind_signature = BigInt::from_be_bytes(&blind_signature);
    let coin = SUITE
        .finish(MINT_KEY.public_key(), &payload, &blind_signature, &unblinder)
        .unwrap();
    // And what we made is a signature to them.
    let signature = blind_rsa_signatures::Signature(coin.signature.to_padded_be_bytes(256).unwrap());
    theirs
        .pk
        .verify(&signature, None, text::compact(&payload))
        .unwrap();
}
