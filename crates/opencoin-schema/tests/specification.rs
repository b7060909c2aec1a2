//! The specification's 25 examples, built from typed values and compared with its printed text byte for byte.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use opencoin_schema::*;
use serde::Serialize;

const DIVISOR: u64 = 100;
/// The specification prints this many digits of a number and `...`.
const DIGITS_SHOWN: usize = 42;

const CURRENCY_ID: &str = "23ed956e629ba35f0002eaf833ea436aea7db5c2";
const KEY_1: &str = "1ceb977bb531c65f133ab8b0d60862b17369d96";
const KEY_2: &str = "f2864e5cd937dbaa4825e73a81062de162143682";
const KEY_5: &str = "897a16bf12bd9ba474ef7be0e3a53553a7b4ece8";
const MASTER_MODULUS: &str = "daaa63ddda38c189b8c49020c8276adbe0a695685a";

/// A number that is printed whole.
fn id(digits: &str) -> BigInt {
    digits.parse().unwrap()
}

/// A number of 512 bits of which the specification prints the beginning.
fn long(digits: &str) -> BigInt {
    assert_eq!(digits.len(), DIGITS_SHOWN);
    format!("{digits:0<128}").parse().unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(modulus: &str) -> RsaPublicKey {
    RsaPublicKey {
        modulus: long(modulus),
        public_exponent: 65537,
    }
}

fn urls(pairs: &[(i64, &str)]) -> Vec<WeightedUrl> {
    pairs
        .iter()
        .map(|(weight, url)| WeightedUrl(*weight, (*url).to_owned()))
        .collect()
}

fn cdd() -> Cdd {
    let service = urls(&[(10, "https://opencent.org")]);
    Cdd {
        additional_info: String::new(),
        cdd_expiry_date: moment("2023-07-22T15:45:53.164685"),
        cdd_location: "https://opencent.org".to_owned(),
        cdd_serial: 1,
        cdd_signing_date: moment("2022-07-22T15:45:53.164685"),
        currency_divisor: DIVISOR,
        currency_name: "OpenCent".to_owned(),
        denominations: vec![1, 2, 5],
        id: id(CURRENCY_ID),
        info_service: service.clone(),
        issuer_cipher_suite: "RSA-SHA256-PSS-CHAUM82".to_owned(),
        issuer_public_master_key: key(MASTER_MODULUS),
        mint_service: urls(&[
            (10, "https://opencent.org"),
            (20, "https://opencent.com/validate"),
        ]),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service.clone(),
        renew_service: service,
    }
}

fn cddc() -> Cddc {
    Cddc {
        cdd: cdd(),
        signature: long("3fc265677973b6308dd665b66750cd27911e8a7b5c"),
    }
}

fn mint_key(denomination: u64, key_id: &str, modulus: &str) -> MintKey {
    MintKey {
        cdd_serial: 1,
        coins_expiry_date: moment("2023-10-30T15:45:53.164685"),
        denomination,
        id: id(key_id),
        issuer_id: id(CURRENCY_ID),
        public_mint_key: key(modulus),
        sign_coins_not_after: moment("2023-07-22T15:45:53.164685"),
        sign_coins_not_before: moment("2022-07-22T15:45:53.164685"),
    }
}

fn mint_key_1() -> MintKey {
    mint_key(1, KEY_1, "ce3af9b91d6a6da0fe8def8870743428c0c4c60f5a")
}

fn mkcs() -> Vec<Mkc> {
    let certificate = |mint_key, signature| Mkc {
        mint_key,
        signature: long(signature),
    };
    vec![
        certificate(mint_key_1(), "84aceee2562297d127560bff4d66654e881e89eae2"),
        certificate(
            mint_key(2, KEY_2, "ca03c4fa5a94144c5649d1f5d7cb9780e45911323c"),
            "2db1d5a728a841f415f414a07767b7d43ab3d62235",
        ),
        certificate(
            mint_key(5, KEY_5, "d35f9a322c851eb071f557f8b5723d10c7889ad7ba"),
            "9a76c1f3223817de54632b9f2eb5c94a0426d26738",
        ),
    ]
}

fn coin(denomination: u64, key_id: &str, serial: &str, signature: &str) -> Coin {
    let payload = Payload {
        cdd_location: "https://opencent.org".to_owned(),
        denomination,
        issuer_id: id(CURRENCY_ID),
        mint_key_id: id(key_id),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        serial: id(serial),
    };
    Coin {
        payload,
        signature: long(signature),
    }
}

fn coins_a() -> Vec<Coin> {
    vec![
        coin(
            1,
            KEY_1,
            "cd613e30d8f16adf91b7584a2265b1f5",
            "2ec0af339566b19fb9867b491ce58025dcefcab649",
        ),
        coin(
            2,
            KEY_2,
            "78e510617311d8a3c2ce6f447ed4d57b",
            "6aefa7472518ed0a1ec64971220ce3a3a921a70bb0",
        ),
        coin(
            5,
            KEY_5,
            "e4b06ce60741c7a87ce42c8218072e8c",
            "72da93670f666c529f26fcf15092a63c0fa48c8387",
        ),
    ]
}

fn blind(reference: &str, key_id: &str, number: &str) -> Blind {
    Blind {
        blinded_payload_hash: long(number),
        mint_key_id: id(key_id),
        reference: reference.to_owned(),
    }
}

fn blinds_a() -> Vec<Blind> {
    vec![
        blind("a0", KEY_1, "924edb672c3345492f38341ff86b57181da4c673ef"),
        blind("a1", KEY_2, "95db92e1c46ebea5edec5e508a831263de6fb78b4c"),
        blind("a2", KEY_5, "10afac98ac43eb40e996c621d5db4d2238348e3f74"),
    ]
}

fn blind_signature(reference: &str, number: &str) -> BlindSignature {
    BlindSignature {
        blind_signature: long(number),
        reference: reference.to_owned(),
    }
}

fn ok() -> String {
    "ok".to_owned()
}

/// The specification's way to print a secret key; it is no document of the protocol.
#[derive(Serialize)]
struct SecretKey {
    d: BigInt,
    n: BigInt,
}

/// Cuts every string of more than 42 hex digits, as the specification's text does.
fn cut_long_numbers(text: &str) -> String {
    text.split('"')
        .map(
            |part| match part.len() > DIGITS_SHOWN && part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                true => format!("{}...", &part[..DIGITS_SHOWN]),
                false => part.to_owned(),
            },
        )
        .collect::<Vec<_>>()
        .join("\"")
}

fn printed() -> Vec<(&'static str, String)> {
    vec![
        ("cdd", text::pretty(&cdd())),
        ("cddc", text::pretty(&cddc())),
        (
            "issuer_secret",
            text::pretty(&SecretKey {
                d: long("19ed9857e71751c39dd818eafa30ca57f6246a94ec"),
                n: long(MASTER_MODULUS),
            }),
        ),
        ("issuer_public_master_key", text::pretty(&key(MASTER_MODULUS))),
        ("mintkey_1", text::pretty(&mint_key_1())),
        (
            "mintkey_1_secret",
            text::pretty(&SecretKey {
                d: long("31d379e649bf1f0198befe327ec8f4992c09deb872"),
                n: mint_key_1().public_mint_key.modulus,
            }),
        ),
        ("mkc_1", text::pretty(&mkcs()[0])),
        ("payload_a0", text::pretty(&coins_a()[0].payload)),
        ("blind_a0", text::pretty(&blinds_a()[0])),
        (
            "blind_signature_a0",
            text::pretty(&blind_signature(
                "a0",
                "57744b5430075756d246ceff94f47e9ffeb80af3d8",
            )),
        ),
        ("coin_a0", text::pretty(&coins_a()[0])),
        (
            "coinstack",
            text::pretty(&CoinStack {
                coins: coins_a(),
                subject: "a little gift".to_owned(),
            }),
        ),
        (
            "request_cddc_serial",
            text::pretty(&RequestCddSerial {
                message_reference: 100_000,
            }),
        ),
        (
            "response_cddc_serial",
            text::pretty(&ResponseCddSerial {
                cdd_serial: 1,
                message_reference: 100_000,
                status_code: 200,
                status_description: ok(),
            }),
        ),
        (
            "request_cddc",
            text::pretty(&RequestCddc {
                cdd_serial: 1,
                message_reference: 100_001,
            }),
        ),
        (
            "response_cddc",
            text::pretty(&ResponseCddc {
                cddc: Some(cddc()),
                message_reference: 100_001,
                status_code: 200,
                status_description: ok(),
            }),
        ),
        (
            "request_mkc",
            text::pretty(&RequestMintKeyCertificates {
                denominations: vec![1, 2, 5],
                message_reference: 100_002,
                mint_key_ids: vec![],
            }),
        ),
        (
            "response_mkc",
            text::pretty(&ResponseMintKeyCertificates {
                keys: mkcs(),
                message_reference: 100_002,
                status_code: 200,
                status_description: ok(),
            }),
        ),
        (
            "request_mint",
            text::pretty(&RequestMint {
                blinds: blinds_a(),
                message_reference: 100_003,
                transaction_reference: id("b2221a58008a05a6c4647159c324c985"),
            }),
        ),
        (
            "response_mint_a",
            text::pretty(&ResponseMint {
                blind_signatures: vec![
                    blind_signature("a0", "57744b5430075756d246ceff94f47e9ffeb80af3d8"),
                    blind_signature("a1", "568bcaa9357d0fce7649c9217f275d277bb89721f4"),
                    blind_signature("a2", "a8206a048987d9372232b7a084325ca26b4b151dda"),
                ],
                message_reference: 100_003,
                status_code: 200,
                status_description: ok(),
            }),
        ),
        (
            "request_renew",
            text::pretty(&RequestRenew {
                blinds: vec![
                    blind("b0", KEY_2, "7ed0cda1c1b36f544514b12848b8436974b7b9f6c7"),
                    blind("b1", KEY_2, "8924dbcf75ab40e3bd3b4d38315722c981fe10946d"),
                    blind("b2", KEY_2, "278fc8e4bd861b7206c065004296af57e14963d928"),
                    blind("b3", KEY_2, "2995fd1b9e61926d757a516357f9814e20869fe722"),
                ],
                coins: coins_a(),
                message_reference: 100_004,
                transaction_reference: id("ad45f23d3b1a11df587fd2803bab6c39"),
            }),
        ),
        (
            "response_delay",
            text::pretty(&ResponseDelay {
                message_reference: 100_004,
                status_code: 300,
                status_description: ok(),
            }),
        ),
        (
            "request_resume",
            text::pretty(&RequestResume {
                message_reference: 100_005,
                transaction_reference: id("ad45f23d3b1a11df587fd2803bab6c39"),
            }),
        ),
        (
            "request_redeem",
            text::pretty(&RequestRedeem {
                coins: vec![
                    coin(
                        2,
                        KEY_2,
                        "cd447e35b8b6d8fe442e3d437204e52d",
                        "11b6bfa18134c300f4440df1db17a08fa71a071b71",
                    ),
                    coin(
                        2,
                        KEY_2,
                        "5b6e6e307d4bedc51431193e6c3f339",
                        "a6dd7b7f1f12c4e411289e8ea0355f24a8597bbc38",
                    ),
                ],
                message_reference: 100_006,
            }),
        ),
        (
            "response_redeem",
            text::pretty(&ResponseRedeem {
                message_reference: 100_006,
                status_code: 200,
                status_description: ok(),
            }),
        ),
    ]
}

#[test]
fn every_example_is_reproduced_byte_for_byte() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spec");
    let printed = printed();
    for (name, text) in &printed {
        let example = fs::read_to_string(folder.join(format!("{name}.json")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(cut_long_numbers(text), example, "{name}");
    }
    let built: BTreeSet<String> = printed.iter().map(|(name, _)| format!("{name}.json")).collect();
    let present: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        built, present,
        "every example is built, and every one built is an example"
    );
    assert_eq!(present.len(), 25);
}
