//! Tests of live transfers without input and output.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod channel;
mod formats;
mod machines;
mod model;
mod vectors;

use opencoin_schema::{BigInt, Coin, CoinStack, PROTOCOL_VERSION, Payload};
use opencoin_transfer::Secret32;
use opencoin_transfer::invitation::{Invitation, Kind};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn issuer_id() -> BigInt {
    BigInt::from_be_bytes(&[0xa1; 32])
}

fn invitation(kind: Kind, secret: u8) -> Invitation {
    Invitation {
        relay: "https://issuer.example/relay".parse().unwrap(),
        secret: Secret32::from_bytes([secret; 32]),
        issuer_id: issuer_id(),
        issuer_url: "https://issuer.example".to_owned(),
        expires: 2_000_000_000,
        kind,
    }
}

fn request(amount: u64, many: bool) -> Kind {
    Kind::ToPay {
        amount,
        subject: "two coffees".to_owned(),
        many,
    }
}

/// A stack of made-up coins of these values.
fn stack(values: &[u64], subject: &str, rng: &mut impl RngCore) -> CoinStack {
    let mut number = |bytes: usize| {
        let mut drawn = vec![0; bytes];
        rng.fill_bytes(&mut drawn);
        BigInt::from_be_bytes(&drawn)
    };
    let coins = values.iter().map(|value| Coin {
        payload: Payload {
            cdd_location: "https://issuer.example/cdds/latest".to_owned(),
            denomination: *value,
            issuer_id: issuer_id(),
            mint_key_id: number(32),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: number(16),
        },
        signature: number(256),
    });
    CoinStack {
        coins: coins.collect(),
        subject: subject.to_owned(),
    }
}
