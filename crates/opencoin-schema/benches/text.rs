//! Between text and values: what the issuer does with every request and answer.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Coin, Payload, RequestMint, RequestRedeem, ResponseMint, from_json, text,
};

/// Coins, blinds and signatures of one message.
const ITEMS: u8 = 64;
const MODULUS_BYTES: usize = 256;
const ID_BYTES: usize = 20;
const SERIAL_BYTES: usize = 16;

fn main() {
    divan::main();
}

/// A number of so many bytes, none of them zero. What its bytes are makes no difference to the time.
fn number(bytes: usize, seed: u8) -> BigInt {
    let byte = |index: usize| (index as u8).wrapping_mul(37).wrapping_add(seed) | 1;
    BigInt::from_be_bytes(&(0..bytes).map(byte).collect::<Vec<_>>())
}

fn coin(seed: u8) -> Coin {
    let payload = Payload {
        cdd_location: "https://issuer.example/cddc".to_owned(),
        denomination: 10,
        issuer_id: number(ID_BYTES, 1),
        mint_key_id: number(ID_BYTES, 2),
        protocol_version: "https://opencoin.org/1.0".to_owned(),
        serial: number(SERIAL_BYTES, seed),
    };
    Coin {
        payload,
        signature: number(MODULUS_BYTES, seed),
    }
}

fn redeem() -> RequestRedeem {
    RequestRedeem {
        coins: (0..ITEMS).map(coin).collect(),
        message_reference: 1,
    }
}

fn mint() -> RequestMint {
    let blind = |seed: u8| Blind {
        blinded_payload_hash: number(MODULUS_BYTES, seed),
        mint_key_id: number(ID_BYTES, 2),
        reference: format!("blind {seed}"),
    };
    let blinds = (0..ITEMS).map(blind).collect();
    RequestMint {
        blinds,
        message_reference: 1,
        transaction_reference: number(SERIAL_BYTES, 0),
    }
}

fn answer() -> ResponseMint {
    let signature = |seed: u8| BlindSignature {
        blind_signature: number(MODULUS_BYTES, seed),
        reference: format!("blind {seed}"),
    };
    let blind_signatures = (0..ITEMS).map(signature).collect();
    ResponseMint {
        blind_signatures,
        message_reference: 1,
        status_code: 200,
        status_description: "ok".to_owned(),
    }
}

#[divan::bench]
fn parse_big_int_2048(bencher: Bencher<'_, '_>) {
    let text = number(MODULUS_BYTES, 0).to_string();
    bencher.bench(|| black_box(&text).parse::<BigInt>());
}

#[divan::bench]
fn print_big_int_2048(bencher: Bencher<'_, '_>) {
    let number = number(MODULUS_BYTES, 0);
    bencher.bench(|| black_box(&number).to_string());
}

#[divan::bench]
fn decode_redeem_of_64(bencher: Bencher<'_, '_>) {
    let json = text::compact(&redeem());
    bencher
        .counter(BytesCount::of_str(&json))
        .bench(|| from_json::<RequestRedeem>(black_box(json.as_bytes())));
}

#[divan::bench]
fn decode_mint_of_64(bencher: Bencher<'_, '_>) {
    let json = text::compact(&mint());
    bencher
        .counter(BytesCount::of_str(&json))
        .bench(|| from_json::<RequestMint>(black_box(json.as_bytes())));
}

#[divan::bench]
fn encode_answer_of_64(bencher: Bencher<'_, '_>) {
    let answer = answer();
    let bytes = BytesCount::of_str(&text::compact(&answer));
    bencher.counter(bytes).bench(|| text::compact(black_box(&answer)));
}

#[divan::bench]
fn compact_payload(bencher: Bencher<'_, '_>) {
    let coin = coin(0);
    bencher.bench(|| text::compact(black_box(&coin.payload)));
}
